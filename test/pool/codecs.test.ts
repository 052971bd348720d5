/** What foreign producers compress is read back in test/conformance; here come the liars. */
import { gzipSync } from 'node:zlib';
import { compressSync as snappyBlock } from 'snappy';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { decompress } from '#src/pool/codecs.js';

const [GZIP, SNAPPY, LZ4, ZSTD] = [1, 2, 3, 4];
const XERIAL = [0x82, 0x53, 0x4e, 0x41, 0x50, 0x50, 0x59, 0, 0, 0, 0, 1, 0, 0, 0, 1];

function refuses(codec: number, bytes: Uint8Array, message: RegExp): void {
  assert.throws(
    () => decompress(codec, bytes),
    (error: { code?: string; message: string }) =>
      error.code === 'CORRUPT' && message.test(error.message),
  );
}

test('snappy: one raw block, or blocks in the frame that Java writes', () => {
  const [first, second] = [snappyBlock('first, '), snappyBlock('second')];
  const block = (bytes: Buffer): Buffer => {
    const length = Buffer.alloc(4);
    length.writeInt32BE(bytes.length);
    return Buffer.concat([length, bytes]);
  };
  assert.is(decompress(SNAPPY, first).toString(), 'first, ');
  const framed = Buffer.concat([Buffer.from(XERIAL), block(first), block(second)]);
  assert.is(decompress(SNAPPY, framed).toString(), 'first, second');
});

test('what claims to unfold into more than 256 MiB is refused', () => {
  // A raw block begins with its plain length as a varint.
  refuses(SNAPPY, Buffer.from([0xff, 0xff, 0xff, 0xff, 0x0f, 0, 0]), /268435456 bytes/);
  const zeros = Buffer.alloc(260 << 20);
  refuses(GZIP, gzipSync(zeros, { level: 1 }), /larger than|268435456/);
});

test('garbage of any length is corrupt, with the name of the codec', () => {
  const garbage = Buffer.from('this is no compressed block at all');
  for (const [codec, name] of [
    [GZIP, /gzip/],
    [SNAPPY, /snappy/],
    [LZ4, /lz4/],
    [ZSTD, /zstd/],
  ] as const) {
    for (const length of [1, 15, garbage.length]) refuses(codec, garbage.subarray(0, length), name);
  }
  refuses(SNAPPY, Buffer.from([...XERIAL, 0x7f, 0xff, 0xff, 0xff]), /block of 2147483647 bytes/);
  refuses(SNAPPY, Buffer.from([...XERIAL, 0, 0]), /snappy/);
});

test('zstd: a window or a content size that no producer needs is refused, in any frame', () => {
  const magic = Buffer.from('28b52ffd', 'hex');
  const block = Buffer.from('090000' + '41', 'hex');
  // One raw block "A": content size in one byte, or a window byte of exponent 0.
  const single = Buffer.concat([magic, Buffer.from('2001', 'hex'), block]);
  const windowed = Buffer.concat([magic, Buffer.from('0000', 'hex'), block]);
  assert.is(decompress(ZSTD, Buffer.concat([single, windowed])).toString(), 'AA');
  for (const header of ['00a8', 'a000000040', 'e0000000000100000000']) {
    const lying = Buffer.concat([magic, Buffer.from(header, 'hex'), block]);
    refuses(ZSTD, lying, /zstd/);
    refuses(ZSTD, Buffer.concat([single, lying]), /zstd/);
  }
});

test('a codec that Kafka does not define is named', () => {
  assert.throws(() => decompress(7, Buffer.alloc(1)), /codec 7/);
});

test.run();
