/** The record batch as a value: what is encoded is read back, lies are told apart from bytes. */
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import fc from 'fast-check';
import { LograftError } from '#src/base/errors.js';
import { readInt64, writeInt64 } from '#src/base/int64.js';
import { crc32c } from '#src/native/crc32c.js';
import {
  BATCH_HEADER_BYTES,
  encodeBatch,
  isPlausible,
  isSound,
  nextOffsetOf,
  readBatchHeader,
  stampLeader,
} from '#src/records/batch.js';
import { iterateRecords } from '#src/records/records.js';
import { VarintReader, varintBytes, writeVarint } from '#src/records/varint.js';

const text = (bytes: Uint8Array | null) => (bytes === null ? null : Buffer.from(bytes).toString());

test('a batch comes back with its keys, values, headers and times', () => {
  const bytes = encodeBatch(
    {
      records: [
        { key: 'k1', value: 'v1', timestamp: 1000, headers: [{ key: 'h', value: null }] },
        { key: null, value: null, timestamp: 900 },
        { value: 'v3', timestamp: 1_700_000_000_000, headers: [{ key: 'é', value: Buffer.of(7) }] },
      ],
      baseOffset: 2 ** 40 + 5,
      leaderEpoch: 9,
      producerId: 2 ** 35,
      producerEpoch: 3,
      baseSequence: 77,
    },
    crc32c,
  );
  const header = readBatchHeader(bytes, 0);
  assert.is(header.sizeBytes, bytes.length);
  assert.is(header.baseOffset, 2 ** 40 + 5);
  assert.is(nextOffsetOf(header), 2 ** 40 + 8);
  assert.is(header.producerId, 2 ** 35);
  assert.is(header.baseSequence, 77);
  assert.is(header.maxTimestamp, 1_700_000_000_000);
  assert.ok(isPlausible(header));
  assert.ok(isSound(bytes, 0, bytes.length, crc32c));
  const records = [...iterateRecords(bytes, 0)];
  assert.equal(
    records.map(({ offset, timestamp, key, value }) => [offset, timestamp, text(key), text(value)]),
    [
      [2 ** 40 + 5, 1000, 'k1', 'v1'],
      [2 ** 40 + 6, 900, null, null],
      [2 ** 40 + 7, 1_700_000_000_000, null, 'v3'],
    ],
  );
  assert.is(records[0]?.headers[0]?.value, null);
  assert.is(records[2]?.headers[0]?.key, 'é');
});

test('stamping offset and epoch leaves the checksum valid', () => {
  const bytes = encodeBatch({ records: [{ value: 'x' }] }, crc32c);
  stampLeader(bytes, 0, 123_456_789_012, 42);
  const header = readBatchHeader(bytes, 0);
  assert.is(header.baseOffset, 123_456_789_012);
  assert.is(header.leaderEpoch, 42);
  assert.is(header.producerId, -1);
  assert.is(header.producerEpoch, -1);
  assert.ok(isSound(bytes, 0, bytes.length, crc32c));
});

test('any records survive the round trip', () => {
  const bytesOrNull = fc.option(fc.uint8Array({ maxLength: 40 }), { nil: null });
  const record = fc.record({
    key: bytesOrNull,
    value: bytesOrNull,
    timestamp: fc.integer({ min: 0, max: 2 ** 44 }),
    headers: fc.array(fc.record({ key: fc.string(), value: bytesOrNull }), { maxLength: 3 }),
  });
  fc.assert(
    fc.property(fc.array(record, { minLength: 1, maxLength: 8 }), (records) => {
      const bytes = encodeBatch({ records }, crc32c);
      const read = [...iterateRecords(bytes, 0)];
      assert.is(read.length, records.length);
      for (const [i, { timestamp, key, value, headers }] of read.entries()) {
        assert.is(timestamp, records[i]?.timestamp);
        assert.equal(key && [...key], records[i]?.key && [...(records[i]?.key ?? [])]);
        assert.equal(value && [...value], records[i]?.value && [...(records[i]?.value ?? [])]);
        assert.is(headers.length, records[i]?.headers.length);
      }
    }),
    { numRuns: 200, seed: 1 },
  );
});

test('records that lie about their lengths are CORRUPT and nothing is read past the batch', () => {
  const good = encodeBatch({ records: [{ value: 'hello' }, { value: 'world' }] }, crc32c);
  for (let at = BATCH_HEADER_BYTES; at < good.length; at++) {
    for (const value of [0x7f, 0xff, 0x80, 0x01]) {
      const bytes = Buffer.from(good);
      bytes[at] = value;
      try {
        for (const record of iterateRecords(bytes, 0)) assert.ok((record.value?.length ?? 0) < 64);
      } catch (error) {
        assert.instance(error, LograftError);
        assert.is((error as LograftError).code, 'CORRUPT');
      }
    }
  }
});

test('varints of every size, and their ends', () => {
  for (const value of [0, -1, 1, 63, 64, -64, -65, 2 ** 31, -(2 ** 31), 2 ** 44, -(2 ** 44)]) {
    const bytes = new Uint8Array(12);
    const end = writeVarint(bytes, 1, value);
    assert.is(end - 1, varintBytes(value));
    assert.is(new VarintReader(bytes, 1, end - 1).next(), value);
  }
  const endless = new Uint8Array(11).fill(0xff);
  assert.throws(() => new VarintReader(endless, 0, 11).next(), /more than ten/);
  assert.throws(() => new VarintReader(endless, 0, 3).next(), /ends behind/);
});

test('64-bit integers at the edges', () => {
  const bytes = new Uint8Array(8);
  for (const value of [0, 1, -1, 2 ** 32, 2 ** 32 - 1, -(2 ** 32), 2 ** 53 - 1, -(2 ** 53) + 1]) {
    writeInt64(bytes, value, 0);
    assert.is(readInt64(bytes, 0), value);
    assert.is(Number(Buffer.from(bytes).readBigInt64BE(0)), value);
  }
});

test.run();
