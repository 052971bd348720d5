/**
 * Looks at the frames of zstd bytes before they are unpacked: a header of a few bytes says how much
 * memory a decoder has to set aside, and the one in JavaScript believes up to 2 GiB of it. Only the
 * lengths are looked at, so it is quick. Pure. (RFC 8878, section 3.1)
 *
 *   magic 4 | descriptor 1 | window 0..1 | dictionary 0..4 | content size 0..8 | blocks | checksum
 *   descriptor: bits 7–6 content size, 5 single segment, 2 checksum, 1–0 dictionary
 *   block: 3 bytes, little-endian: bit 0 last, bits 2–1 type, the rest size | content
 */

const MAGIC = 0xfd2fb528;
/** Frames that decoders step over: this and the fifteen numbers behind it. */
const SKIPPABLE_MAGIC = 0x184d2a50;
const SINGLE_SEGMENT_BIT = 0x20;
const CHECKSUM_BIT = 0x04;
const CHECKSUM_BYTES = 4;
const BLOCK_HEADER_BYTES = 3;
const BLOCK_RLE = 1;
const DICTIONARY_BYTES = [0, 1, 2, 4] as const;
const CONTENT_SIZE_BYTES = [0, 2, 4, 8] as const;

/** The most that any frame wants set aside. Throws when the bytes are not whole frames. */
export function zstdWindowBytes(bytes: Buffer): number {
  let most = 0;
  for (let at = 0; at < bytes.length; ) {
    const magic = bytes.readUInt32LE(at);
    if ((magic & ~0x0f) >>> 0 === SKIPPABLE_MAGIC) {
      at += 8 + bytes.readUInt32LE(at + 4);
      continue;
    }
    if (magic !== MAGIC) throw new Error('no zstd frame');
    const descriptor = bytes.readUInt8(at + 4);
    const header = readHeader(bytes, at + 5, descriptor);
    most = Math.max(most, header.windowBytes);
    at = endOfBlocks(bytes, header.end);
    if ((descriptor & CHECKSUM_BIT) !== 0) at += CHECKSUM_BYTES;
  }
  return most;
}

function readHeader(
  bytes: Buffer,
  start: number,
  descriptor: number,
): { readonly windowBytes: number; readonly end: number } {
  const isSingle = (descriptor & SINGLE_SEGMENT_BIT) !== 0;
  const sizeFlag = descriptor >> 6;
  const sizeBytes = isSingle && sizeFlag === 0 ? 1 : (CONTENT_SIZE_BYTES[sizeFlag] as number);
  const sizeAt = start + (isSingle ? 0 : 1) + (DICTIONARY_BYTES[descriptor & 3] as number);
  const windowBytes = isSingle
    ? readSize(bytes, sizeAt, sizeBytes)
    : windowOf(bytes.readUInt8(start));
  return { windowBytes, end: sizeAt + sizeBytes };
}

function readSize(bytes: Buffer, at: number, size: number): number {
  if (size === 8) return bytes.readUInt32LE(at) + bytes.readUInt32LE(at + 4) * 2 ** 32;
  // Two bytes begin where one byte ends.
  return bytes.readUIntLE(at, size) + (size === 2 ? 256 : 0);
}

/** Five bits of exponent, three of mantissa. */
function windowOf(byte: number): number {
  const base = 2 ** (10 + (byte >> 3));
  return base + (base / 8) * (byte & 7);
}

function endOfBlocks(bytes: Buffer, start: number): number {
  for (let at = start; ; ) {
    const header = bytes.readUIntLE(at, BLOCK_HEADER_BYTES);
    const type = (header >> 1) & 3;
    at += BLOCK_HEADER_BYTES + (type === BLOCK_RLE ? 1 : header >> 3);
    if ((header & 1) !== 0) return at;
  }
}
