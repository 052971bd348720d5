/**
 * Turns the payload of a compressed batch into plain records. Bounded: a small batch that claims to
 * unfold into gigabytes is refused, while it unfolds or before.
 */
import * as zlib from 'node:zlib';
import { Decompress as ZstdStream } from 'fzstd';
import { decompressFrameSync } from 'lz4-napi';
import { uncompressSync } from 'snappy';
import { LograftError } from '../base/errors.js';
import type { Decompress } from '../records/records.js';
import { zstdWindowBytes } from './zstd-frames.js';

const PLAIN_BYTES_MAX = 256 * 1024 * 1024;
/** What zstd's own decoders set aside at most unless told otherwise. */
const WINDOW_BYTES_MAX = 128 * 1024 * 1024;
const NAMES = ['none', 'gzip', 'snappy', 'lz4', 'zstd'];

/** By the codec's number in a batch's attributes. */
const UNPACKERS: readonly (((bytes: Uint8Array) => Buffer) | null)[] = [
  null,
  (bytes) => zlib.gunzipSync(bytes, { maxOutputLength: PLAIN_BYTES_MAX }),
  unpackSnappy,
  // LZ4 unfolds 255 times at most, and a fetch is bounded already.
  (bytes) => decompressFrameSync(asBuffer(bytes)),
  unpackZstd,
];

/** Throws LograftError INVALID_REQUEST for a codec nobody knows, CORRUPT for bad bytes. */
export const decompress: Decompress = (codec, payload) => {
  const unpack = UNPACKERS[codec] ?? null;
  if (unpack === null) {
    throw new LograftError(
      'INVALID_REQUEST',
      `these records are compressed with codec ${codec}, which Kafka does not define`,
      'the producer wrote a reserved value; the broker should have refused it',
    );
  }
  try {
    return unpack(payload);
  } catch (cause) {
    const text = `a ${NAMES[codec]} batch cannot be unpacked: ${(cause as Error).message}`;
    throw new LograftError('CORRUPT', text, undefined, { cause });
  }
};

/**
 * librdkafka writes one raw block. Java writes xerial's stream: eight magic bytes and two int32
 * versions, then blocks, each behind its int32 length.
 */
const XERIAL_MAGIC = Buffer.from([0x82, 0x53, 0x4e, 0x41, 0x50, 0x50, 0x59, 0]);
const XERIAL_HEADER_BYTES = 16;

function unpackSnappy(bytes: Uint8Array): Buffer {
  const whole = asBuffer(bytes);
  if (!whole.subarray(0, XERIAL_MAGIC.length).equals(XERIAL_MAGIC)) return unpackBlock(whole, 0);
  const blocks: Buffer[] = [];
  let plainBytes = 0;
  for (let at = XERIAL_HEADER_BYTES; at < whole.length; ) {
    const length = whole.readInt32BE(at);
    const start = at + 4;
    if (length < 0 || start + length > whole.length) throw new Error(`block of ${length} bytes`);
    const block = unpackBlock(whole.subarray(start, start + length), plainBytes);
    plainBytes += block.length;
    blocks.push(block);
    at = start + length;
  }
  return Buffer.concat(blocks);
}

/** A block begins with its plain length, which is what the library would allocate. */
function unpackBlock(block: Buffer, bytesBefore: number): Buffer {
  refuseAbove(bytesBefore + plainLengthOf(block));
  return asBuffer(uncompressSync(block));
}

function plainLengthOf(block: Buffer): number {
  let length = 0;
  for (let i = 0; i < 5; i++) {
    const byte = block.readUInt8(i);
    length += (byte & 0x7f) * 2 ** (7 * i);
    if (byte < 0x80) return length;
  }
  throw new Error('no plain length');
}

function unpackZstd(bytes: Uint8Array): Buffer {
  // Node has it from 22.15 on; the other one is several times slower.
  const { zstdDecompressSync } = zlib as {
    zstdDecompressSync?: (bytes: Uint8Array, options: { maxOutputLength: number }) => Buffer;
  };
  if (zstdDecompressSync !== undefined) {
    return zstdDecompressSync(bytes, { maxOutputLength: PLAIN_BYTES_MAX });
  }
  const windowBytes = zstdWindowBytes(asBuffer(bytes));
  if (windowBytes > WINDOW_BYTES_MAX) throw new Error(`a window of ${windowBytes} bytes`);
  const pieces: Uint8Array[] = [];
  let plainBytes = 0;
  const stream = new ZstdStream((piece) => {
    plainBytes += piece.length;
    refuseAbove(plainBytes);
    pieces.push(piece);
  });
  stream.push(bytes, true);
  return Buffer.concat(pieces);
}

function refuseAbove(plainBytes: number): void {
  if (plainBytes > PLAIN_BYTES_MAX) throw new Error(`more than ${PLAIN_BYTES_MAX} bytes`);
}

function asBuffer(bytes: Uint8Array | string): Buffer {
  if (typeof bytes === 'string') return Buffer.from(bytes);
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}
