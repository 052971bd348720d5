/**
 * Compressed payloads as the consuming commands unpack them, in every codec: what was packed comes
 * back, damage is CORRUPT, and a few bytes never become more than the bound says. Native code that
 * breaks ends this whole process, which is a finding too.
 */
import { gzipSync } from 'node:zlib';
import { decompress } from '#src/pool/codecs.js';
import { LograftError } from '#src/base/errors.js';
import fc from 'fast-check';
import { compressFrameSync } from 'lz4-napi';
import { compressSync as snappySync } from 'snappy';
import * as assert from 'uvu/assert';
import { target } from '../fuzz-target.js';
import { guarded } from '../guard.js';
import { damaged, edits, garbage } from '../mutate.js';

const [GZIP, SNAPPY, LZ4, ZSTD] = [1, 2, 3, 4] as const;
const XERIAL_HEADER = Buffer.from('82534e41505059000000000100000001', 'hex');
const ZSTD_MAGIC = Buffer.from('28b52ffd', 'hex');
/** Stands for the bounds in codecs.ts: a lying length may cost 256 MiB, and not more. */
const BOUND_BYTES = (260 << 20) / 512;

const isCorrupt = (error: unknown): boolean =>
  error instanceof LograftError && error.code === 'CORRUPT';

const plain = fc.oneof(
  fc.uint8Array({ maxLength: 300 }).map((bytes) => Buffer.from(bytes)),
  fc.tuple(fc.nat(255), fc.nat(5_000)).map(([byte, length]) => Buffer.alloc(length, byte)),
);

function xerial(bytes: Buffer): Buffer {
  const block = snappySync(bytes);
  const length = Buffer.alloc(4);
  length.writeInt32BE(block.length);
  return Buffer.concat([XERIAL_HEADER, length, block]);
}

/** One frame with one raw block: Node has no packer before 22.15. */
function zstdFrame(bytes: Buffer): Buffer {
  // Frame header: single segment, content size in four bytes. Block header: last, raw, size.
  const header = Buffer.alloc(8);
  header[0] = 0xa0;
  header.writeUInt32LE(bytes.length, 1);
  header.writeUIntLE((bytes.length << 3) | 1, 5, 3);
  return Buffer.concat([ZSTD_MAGIC, header, bytes]);
}

const packers: readonly (readonly [number, (bytes: Buffer) => Buffer])[] = [
  [GZIP, gzipSync],
  [SNAPPY, (bytes) => snappySync(bytes)],
  [SNAPPY, xerial],
  [LZ4, (bytes) => compressFrameSync(bytes)],
  [ZSTD, zstdFrame],
];

function tryUnpack(codec: number, bytes: Buffer): void {
  guarded(BOUND_BYTES, isCorrupt, () => decompress(codec, bytes));
}

export const CODEC_TARGETS = [
  target('codecs', () =>
    fc.property(fc.constantFrom(...packers), plain, edits, ([codec, pack], bytes, list) => {
      const packed = pack(bytes);
      assert.ok(bytes.equals(decompress(codec, packed)), `codec ${codec}`);
      tryUnpack(codec, damaged(packed, list));
    }),
  ),
  target('codecs-garbage', () =>
    fc.property(fc.integer({ min: GZIP, max: ZSTD }), garbage, (codec, bytes) => {
      tryUnpack(codec, bytes);
      if (codec === SNAPPY) tryUnpack(codec, Buffer.concat([XERIAL_HEADER, bytes]));
      if (codec === ZSTD) tryUnpack(codec, Buffer.concat([ZSTD_MAGIC, bytes]));
    }),
  ),
];
