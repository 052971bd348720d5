/**
 * A copy of a view of bytes that are used again, of a frame for example. Its memory is its own, so
 * that it may be handed to another thread: a Buffer's `slice` is a view of the same bytes, and what
 * `Buffer.from` gives may lie in a pool.
 */
export function copyBytes(
  bytes: Uint8Array,
  start = 0,
  end = bytes.length,
): Uint8Array<ArrayBuffer> {
  return Uint8Array.prototype.slice.call(bytes, start, end) as Uint8Array<ArrayBuffer>;
}
