/** CRC32C as TypeScript sees it: published vectors, implementations alike, ranges and seeds. */
import { native } from '#src/native/addon.js';
import { crc32c, crcImplementations } from '#src/native/crc32c.js';
import { test } from 'uvu';
import * as assert from 'uvu/assert';

function all(bytes: Buffer): number {
  return crc32c(bytes, 0, bytes.length);
}

test('vectors of RFC 3720 B.4', () => {
  const counting = Buffer.from(Array.from({ length: 32 }, (_, i) => i));
  assert.is(all(Buffer.alloc(32, 0)), 0x8a9136aa);
  assert.is(all(Buffer.alloc(32, 0xff)), 0x62a8ab43);
  assert.is(all(counting), 0x46dd794e);
  assert.is(all(Buffer.from(counting).reverse()), 0x113fdb5c);
  assert.is(all(Buffer.from('123456789')), 0xe3069283);
  assert.is(all(Buffer.alloc(0)), 0);
});

test('every implementation agrees on random lengths, alignments and seeds', () => {
  const names = crcImplementations();
  assert.ok(names.includes('table'));
  const bytes = Buffer.allocUnsafe(1 << 17);
  for (let i = 0; i < bytes.length; i++) bytes[i] = (i * 2654435761) >>> 13;
  for (let round = 0; round < 300; round++) {
    const start = (round * 7) % 64;
    const length = (round * round * 3) % (bytes.length - start);
    const seed = (round * 0x9e3779b1) >>> 0;
    const expected = crc32c(bytes, start, length, seed);
    for (const name of names) {
      assert.is(native.crc32cWith(name, bytes, start, length, seed), expected, name);
    }
  }
});

test('a seed continues an earlier checksum', () => {
  const bytes = Buffer.from('the checksum of a whole is that of its parts');
  assert.is(crc32c(bytes, 10, bytes.length - 10, crc32c(bytes, 0, 10)), all(bytes));
});

test('a range outside the bytes is refused', () => {
  const bytes = Buffer.alloc(10);
  assert.throws(() => crc32c(bytes, 5, 6), RangeError);
  assert.throws(() => crc32c(bytes, -1, 2), RangeError);
  assert.throws(() => crc32c(bytes, 0, 1.5), RangeError);
  assert.throws(() => crc32c(bytes, 0, Number.NaN), RangeError);
  assert.throws(() => crc32c('text' as unknown as Uint8Array, 0, 1), TypeError);
  assert.is(crc32c(bytes, 10, 0), 0);
});

test.run();
