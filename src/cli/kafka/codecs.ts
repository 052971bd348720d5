/**
 * Turns the payload of a compressed batch into plain records. Bounded: a small batch that claims to
 * unfold into gigabytes is refused while it unfolds.
 */
import * as zlib from 'node:zlib';
import { LograftError } from '../../base/errors.js';
import type { Decompress } from '../../records/records.js';

const PLAIN_BYTES_MAX = 256 * 1024 * 1024;
const NAMES = ['none', 'gzip', 'snappy', 'lz4', 'zstd'];
const GZIP = 1;
const ZSTD = 4;

type Unpack = (bytes: Uint8Array, options: { maxOutputLength: number }) => Buffer;

/** Throws LograftError INVALID_REQUEST for a codec this Node cannot read, CORRUPT for bad bytes. */
export const decompress: Decompress = (codec, payload) => {
  const name = NAMES[codec] ?? `number ${codec}`;
  const unpack = unpackerOf(codec);
  if (unpack === null) {
    throw new LograftError(
      'INVALID_REQUEST',
      `these records are compressed with ${name}, which this command cannot read`,
      'read them with kcat or another client; the broker stores and serves them as they are',
    );
  }
  try {
    return unpack(payload, { maxOutputLength: PLAIN_BYTES_MAX });
  } catch (cause) {
    const reason = (cause as Error).message;
    throw new LograftError('CORRUPT', `a ${name} batch cannot be unpacked: ${reason}`, undefined, {
      cause,
    });
  }
};

function unpackerOf(codec: number): Unpack | null {
  if (codec === GZIP) return zlib.gunzipSync;
  // Node has it from 22.15 on.
  const { zstdDecompressSync } = zlib as { zstdDecompressSync?: Unpack };
  return codec === ZSTD ? (zstdDecompressSync ?? null) : null;
}
