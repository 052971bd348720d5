/**
 * A growing buffer that a message is encoded into. Parts that live elsewhere (a file range that
 * sendfile will fetch) are only remembered by place and length; `finish` yields the bytes around
 * them as chunks. Promise: a value that does not fit its field throws {@link CodecError}, it is
 * never cut or wrapped. Pure; any thread.
 */
import { CodecError, STRING_BYTES_MAX } from './reader.js';
import type { ExternalPart } from './schema.js';

export type Chunk = Uint8Array | ExternalPart;

/** One chunk when everything is internal. `totalLength` counts the external parts too. */
export type Encoded = { readonly chunks: readonly Chunk[]; readonly totalLength: number };

const FIRST_BYTES = 512;

export class Writer {
  #buffer = Buffer.allocUnsafe(FIRST_BYTES);
  #position = 0;
  #externalBytes = 0;
  readonly #externals: { readonly at: number; readonly part: ExternalPart }[] = [];

  bool(value: boolean): void {
    if (typeof value !== 'boolean') throw misfit('bool', value);
    this.#putByte(value ? 1 : 0);
  }

  int8(value: number): void {
    if ((value << 24) >> 24 !== value) throw misfit('int8', value);
    this.#putByte(value);
  }

  int16(value: number): void {
    if ((value << 16) >> 16 !== value) throw misfit('int16', value);
    const at = this.#reserve(2);
    this.#buffer[at] = value >> 8;
    this.#buffer[at + 1] = value;
  }

  int32(value: number): void {
    if ((value | 0) !== value) throw misfit('int32', value);
    this.#putInt32(this.#reserve(4), value);
  }

  int64(value: number): void {
    if (!Number.isSafeInteger(value)) throw misfit('int64', value);
    const at = this.#reserve(8);
    this.#putInt32(at, Math.floor(value / 2 ** 32));
    this.#putInt32(at + 4, value | 0);
  }

  /** Callers pass lengths, counts and tags: integers from 0 up to 2^31. */
  unsignedVarint(value: number): void {
    let rest = value;
    while (rest > 0x7f) {
      this.#putByte((rest & 0x7f) | 0x80);
      rest >>>= 7;
    }
    this.#putByte(rest);
  }

  string(value: string, isCompact: boolean): void {
    const length = byteLength('string', value);
    if (length > STRING_BYTES_MAX) throw misfit('string', `of ${length} bytes`);
    if (isCompact) this.unsignedVarint(length + 1);
    else this.int16(length);
    this.#putText(value, length);
  }

  text(value: string, isCompact: boolean): void {
    const length = byteLength('text', value);
    this.length(length, isCompact);
    this.#putText(value, length);
  }

  uuid(value: string): void {
    const at = this.#reserve(16);
    if (value.length !== 22 || this.#buffer.write(value, at, 16, 'base64url') !== 16) {
      throw misfit('uuid', value);
    }
  }

  /** Length or count in front of arrays, bytes and records; -1 is null. */
  length(length: number, isCompact: boolean): void {
    if (isCompact) this.unsignedVarint(length + 1);
    else this.int32(length);
  }

  raw(bytes: Uint8Array, start: number, length: number): void {
    const at = this.#reserve(length);
    this.#buffer.set(
      start === 0 && length === bytes.length ? bytes : bytes.subarray(start, start + length),
      at,
    );
  }

  external(part: ExternalPart): void {
    if (part.length === 0) return;
    this.#externals.push({ at: this.#position, part });
    this.#externalBytes += part.length;
  }

  /** Runs `write` and puts the number of bytes it wrote in front of them as a varint. */
  sized(write: () => void): void {
    const at = this.#reserve(1);
    write();
    const length = this.#position - at - 1;
    const more = varintBytes(length) - 1;
    if (more > 0) {
      const from = this.#reserve(more) - length;
      this.#buffer.copyWithin(from + more, from, from + length);
    }
    const end = this.#position;
    this.#position = at;
    this.unsignedVarint(length);
    this.#position = end;
  }

  /** Bytes so far, external parts included. */
  get totalLength(): number {
    return this.#position + this.#externalBytes;
  }

  /** Sets the int32 that stands at `at`, once its value is known. */
  patchInt32(at: number, value: number): void {
    this.#putInt32(at, value);
  }

  /** The writer is used up afterwards: the chunks are views of its buffer. */
  finish(): Encoded {
    const chunks: Chunk[] = [];
    let from = 0;
    for (const { at, part } of this.#externals) {
      if (at > from) chunks.push(this.#buffer.subarray(from, at));
      chunks.push(part);
      from = at;
    }
    if (from < this.#position || chunks.length === 0) {
      chunks.push(this.#buffer.subarray(from, this.#position));
    }
    return { chunks, totalLength: this.totalLength };
  }

  #putByte(value: number): void {
    const at = this.#reserve(1);
    this.#buffer[at] = value;
  }

  #putInt32(at: number, value: number): void {
    const buffer = this.#buffer;
    buffer[at] = value >> 24;
    buffer[at + 1] = value >> 16;
    buffer[at + 2] = value >> 8;
    buffer[at + 3] = value;
  }

  #putText(value: string, length: number): void {
    const at = this.#reserve(length);
    this.#buffer.write(value, at, length, 'utf8');
  }

  /** Makes room and returns where it begins. It may replace the buffer: call it first. */
  #reserve(length: number): number {
    const at = this.#position;
    const end = at + length;
    if (end > this.#buffer.length) {
      const larger = Buffer.allocUnsafe(Math.max(end, 2 * this.#buffer.length));
      this.#buffer.copy(larger, 0, 0, at);
      this.#buffer = larger;
    }
    this.#position = end;
    return at;
  }
}

function byteLength(kind: string, value: string): number {
  if (typeof value !== 'string') throw misfit(kind, value);
  return Buffer.byteLength(value);
}

function varintBytes(value: number): number {
  return value < 2 ** 7 ? 1 : value < 2 ** 14 ? 2 : value < 2 ** 21 ? 3 : value < 2 ** 28 ? 4 : 5;
}

function misfit(kind: string, value: unknown): CodecError {
  return new CodecError(`not a valid ${kind}: ${String(value)}`);
}
