/**
 * A bounds-checked cursor over one frame. Promise: whatever the bytes are, a read either yields a
 * value from inside [start, end) or throws {@link CodecError}, and nothing is allocated because of
 * a promised length: counts and lengths are compared with the bytes that are there first. Pure; any
 * thread.
 */
import { assert } from '../base/assert.js';

/** The bytes do not follow the protocol, or (encoding) a value does not fit it. */
export class CodecError extends Error {
  override readonly name = 'CodecError';
}

/** Kafka's limit for a string in both framings. */
export const STRING_BYTES_MAX = 0x7fff;

/**
 * Elements of all arrays of one message, int32 arrays excepted. An empty element is one or two
 * bytes on the wire and some fifty in memory, so a full frame of them must not become gigabytes.
 */
export const ELEMENTS_MAX = 2 ** 20;

/** A tag without a value: its number and its size. */
export const TAG_BYTES_MIN = 2;

export class Reader {
  readonly bytes: Buffer;
  /** Next byte to read; start <= position <= end. */
  position: number;
  readonly end: number;
  #elements = 0;

  constructor(bytes: Buffer, start: number, end: number) {
    assert(start >= 0 && start <= end && end <= bytes.length, 'frame outside its buffer', {
      start,
      end,
      bytes: bytes.length,
    });
    this.bytes = bytes;
    this.position = start;
    this.end = end;
  }

  int8(): number {
    return ((this.bytes[this.#take(1)] as number) << 24) >> 24;
  }

  int16(): number {
    const at = this.#take(2);
    return (((this.bytes[at] as number) << 24) >> 16) | (this.bytes[at + 1] as number);
  }

  int32(): number {
    return this.#int32At(this.#take(4));
  }

  /**
   * What a number cannot hold exactly is read as the nearest that it can: no offset, time or id of
   * ours lies there, and `Long.MAX_VALUE` as "for ever" keeps its meaning.
   */
  int64(): number {
    const at = this.#take(8);
    const value = this.#int32At(at) * 2 ** 32 + (this.#int32At(at + 4) >>> 0);
    if (value > Number.MAX_SAFE_INTEGER) return Number.MAX_SAFE_INTEGER;
    return value < Number.MIN_SAFE_INTEGER ? Number.MIN_SAFE_INTEGER : value;
  }

  /** At most five bytes and 32 bits. */
  unsignedVarint(): number {
    let value = 0;
    for (let shift = 0; shift < 28; shift += 7) {
      const byte = this.bytes[this.#take(1)] as number;
      value |= (byte & 0x7f) << shift;
      if (byte < 0x80) return value;
    }
    const last = this.bytes[this.#take(1)] as number;
    if (last > 0x0f) throw this.#error('varint longer than 32 bits', this.position - 1);
    return (value | (last << 28)) >>> 0;
  }

  /** Length or count, -1 for null, in front of a string of non-flexible versions. */
  length16(): number {
    return this.#lengthOrNull(this.int16());
  }

  /** The same in front of arrays, bytes and records of non-flexible versions. */
  length32(): number {
    return this.#lengthOrNull(this.int32());
  }

  /** The same in flexible versions: plus one, as a varint (KIP-482). */
  compactLength(): number {
    return this.unsignedVarint() - 1;
  }

  string(length: number): string {
    if (length > STRING_BYTES_MAX) throw this.#error(`string of ${length} bytes`, this.position);
    return this.text(length);
  }

  text(length: number): string {
    if (length === 0) return '';
    const at = this.#take(length);
    return this.bytes.toString('utf8', at, at + length);
  }

  uuid(): string {
    const at = this.#take(16);
    return this.bytes.toString('base64url', at, at + 16);
  }

  copy(length: number): Buffer {
    const at = this.#take(length);
    return Buffer.from(this.bytes.subarray(at, at + length));
  }

  /** Steps over `length` bytes and returns where they start. */
  skip(length: number): number {
    return this.#take(length);
  }

  /** Steps over a whole tag section. */
  skipTags(): void {
    const count = this.unsignedVarint();
    this.checkCount(count, TAG_BYTES_MIN);
    for (let i = 0; i < count; i++) {
      this.unsignedVarint();
      this.skip(this.unsignedVarint());
    }
  }

  /** Checks a count against the bytes that are there, before anybody makes room for it. */
  checkCount(count: number, elementBytesMin: number): void {
    if (count * elementBytesMin <= this.end - this.position) return;
    throw this.#error(
      `count ${count} does not fit ${this.end - this.position} bytes`,
      this.position,
    );
  }

  /** Takes `count` from the message's budget of elements. */
  spendElements(count: number): void {
    this.#elements += count;
    if (this.#elements <= ELEMENTS_MAX) return;
    throw this.#error(`more than ${ELEMENTS_MAX} array elements`, this.position);
  }

  #take(length: number): number {
    const at = this.position;
    if (length > this.end - at) {
      throw this.#error(`${length} bytes wanted, ${this.end - at} left`, at);
    }
    this.position = at + length;
    return at;
  }

  #int32At(at: number): number {
    const bytes = this.bytes;
    return (
      ((bytes[at] as number) << 24) |
      ((bytes[at + 1] as number) << 16) |
      ((bytes[at + 2] as number) << 8) |
      (bytes[at + 3] as number)
    );
  }

  #lengthOrNull(length: number): number {
    if (length < -1) throw this.#error(`negative length ${length}`, this.position);
    return length;
  }

  #error(what: string, at: number): CodecError {
    return new CodecError(`${what} at byte ${at}`);
  }
}
