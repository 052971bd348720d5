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
    let byte = this.#byte();
    const isNegative = (byte & 1) === 1;
    let magnitude = (byte & 0x7f) >> 1;
    let scale = 64;
    for (let i = 1; byte >= 0x80 && i < 10; i++) {
      byte = this.#byte();
      magnitude += (byte & 0x7f) * scale;
      scale *= 128;
    }
    if (byte < 0x80) return isNegative ? -magnitude - 1 : magnitude;
    throw new LograftError('CORRUPT', 'a varint has more than ten bytes');
  }

  #byte(): number {
    if (this.at >= this.end) throw new LograftError('CORRUPT', 'a varint ends behind its batch');
    return this.bytes[this.at++] as number;
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
  let rest = Math.floor(magnitudeOf(value) / 64);
  let count = 1;
  while (rest > 0) {
    rest = Math.floor(rest / 128);
    count++;
  }
  return count;
}

/** Writes a zigzag varint and returns where it ends. */
export function writeVarint(into: Uint8Array, start: number, value: number): number {
  const magnitude = magnitudeOf(value);
  let rest = Math.floor(magnitude / 64);
  let byte = (magnitude % 64) * 2 + (value < 0 ? 1 : 0);
  let at = start;
  while (rest > 0) {
    into[at++] = byte + 128;
    byte = rest % 128;
    rest = Math.floor(rest / 128);
  }
  into[at++] = byte;
  return at;
}

/** What stands beside the sign in the lowest bit; doubled it would be rounded from 2^52 on. */
function magnitudeOf(value: number): number {
  return value >= 0 ? value : -value - 1;
}
