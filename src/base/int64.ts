/**
 * Big-endian 64-bit integers as plain numbers. Reading never fails: a value beyond 2^53 comes back
 * rounded, and whoever takes it from outside checks `Number.isSafeInteger`. No bigint, no garbage.
 */

const WORD = 2 ** 32;

/** Signed 64-bit integer at `at`. */
export function readInt64(bytes: Uint8Array, at: number): number {
  const high =
    ((bytes[at] as number) << 24) |
    ((bytes[at + 1] as number) << 16) |
    ((bytes[at + 2] as number) << 8) |
    (bytes[at + 3] as number);
  return high * WORD + readUint32(bytes, at + 4);
}

/** Writes a safe integer as signed 64 bits. */
export function writeInt64(bytes: Uint8Array, value: number, at: number): void {
  writeUint32(bytes, Math.floor(value / WORD) >>> 0, at);
  writeUint32(bytes, value >>> 0, at + 4);
}

export function readUint32(bytes: Uint8Array, at: number): number {
  return (
    (((bytes[at] as number) << 24) |
      ((bytes[at + 1] as number) << 16) |
      ((bytes[at + 2] as number) << 8) |
      (bytes[at + 3] as number)) >>>
    0
  );
}

export function writeUint32(bytes: Uint8Array, value: number, at: number): void {
  bytes[at] = value >>> 24;
  bytes[at + 1] = value >>> 16;
  bytes[at + 2] = value >>> 8;
  bytes[at + 3] = value;
}
