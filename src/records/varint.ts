/** Zigzag variable-length integers, as records use them for lengths and deltas. Pure. */
import { LograftError } from '../base/errors.js';

/** Reads varints one after another; throws CORRUPT at the end of the bytes, never reads past it. */
export class VarintReader {
  readonly bytes: Uint8Array;
  readonly end: number;
  at: number;

  constructor(bytes: Uint8Array, start: number, length: number) {
    this.bytes = bytes;
    this.at = start;
    this.end = start + length;
  }

  /** A zigzag varint of at most 64 bits; rounded beyond 2^53. */
  next(): number {
    let value = 0;
    let scale = 1;
    for (let i = 0; i < 10; i++) {
      if (this.at >= this.end) throw new LograftError('CORRUPT', 'a varint ends behind its batch');
      const byte = this.bytes[this.at++] as number;
      value += (byte & 0x7f) * scale;
      if (byte < 0x80) return value % 2 === 0 ? value / 2 : -(value + 1) / 2;
      scale *= 128;
    }
    throw new LograftError('CORRUPT', 'a varint has more than ten bytes');
  }

  /** The next `length` bytes as a view; null for a negative length. */
  take(length: number): Uint8Array | null {
    if (length < 0) return null;
    if (length > this.end - this.at) {
      throw new LograftError('CORRUPT', `a field of ${length} bytes ends behind its batch`);
    }
    this.at += length;
    return this.bytes.subarray(this.at - length, this.at);
  }
}

/** How many bytes {@link writeVarint} takes. */
export function varintBytes(value: number): number {
  let rest = zigzag(value);
  let count = 1;
  while (rest >= 128) {
    rest = Math.floor(rest / 128);
    count++;
  }
  return count;
}

/** Writes a zigzag varint and returns where it ends. */
export function writeVarint(into: Uint8Array, start: number, value: number): number {
  let rest = zigzag(value);
  let at = start;
  while (rest >= 128) {
    into[at++] = (rest % 128) + 128;
    rest = Math.floor(rest / 128);
  }
  into[at++] = rest;
  return at;
}

/** Small numbers of either sign become small ones without a sign. */
function zigzag(value: number): number {
  return value >= 0 ? value * 2 : -value * 2 - 1;
}
