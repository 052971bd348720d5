/**
 * Record batches: what native code accepts from a client, TypeScript can read to the last record;
 * damaged batches are told from sound ones; whatever the bytes are, reading throws CORRUPT at most.
 */
import { gunzipSync, gzipSync } from 'node:zlib';
import { LograftError } from '#src/base/errors.js';
import { BatchRules, readBatchHeader as readNative, validateBatch } from '#src/native/batch.js';
import { BATCH_LEADER_EPOCH, BATCH_RECORD_COUNT, BATCH_SIZE } from '#src/native/batch.js';
import { BATCH_BASE_OFFSET, batchFields, stampBatch } from '#src/native/batch.js';
import { crc32c } from '#src/native/crc32c.js';
import {
  BATCH_HEADER_BYTES,
  encodeBatch,
  isPlausible,
  type RecordInput,
  readBatchHeader,
} from '#src/records/batch.js';
import { iterateRecords, type LogRecord } from '#src/records/records.js';
import { VarintReader, varintBytes, writeVarint } from '#src/records/varint.js';
import fc from 'fast-check';
import * as assert from 'uvu/assert';
import { target } from '../fuzz-target.js';
import { guarded } from '../guard.js';
import { damaged, edits, garbage } from '../mutate.js';

const GZIP = 1;
/** What a decompressor of a tool would allow itself. */
const PAYLOAD_BYTES_MAX = 1 << 20;

const bytesOrNull = fc.option(fc.uint8Array({ maxLength: 30 }));
const record: fc.Arbitrary<RecordInput> = fc.record({
  key: bytesOrNull,
  value: bytesOrNull,
  timestamp: fc.integer({ min: 0, max: 2 ** 44 }),
  headers: fc.array(fc.record({ key: fc.string({ maxLength: 9 }), value: bytesOrNull }), {
    maxLength: 2,
  }),
});
const records = fc.array(record, { minLength: 1, maxLength: 5 });

const isCorrupt = (error: unknown): boolean =>
  error instanceof LograftError && (error.code === 'CORRUPT' || error.code === 'INVALID_REQUEST');

/** Any failure of zlib is a corrupt batch; that is the caller's to say. */
function gunzip(_codec: number, payload: Uint8Array): Uint8Array {
  try {
    return gunzipSync(payload, { maxOutputLength: PAYLOAD_BYTES_MAX });
  } catch (cause) {
    throw new LograftError('CORRUPT', 'not gzip', undefined, { cause });
  }
}

function readAll(bytes: Buffer): LogRecord[] | null {
  const read = guarded(bytes.length, isCorrupt, () => [...iterateRecords(bytes, 0, gunzip)]);
  return 'value' in read ? read.value : null;
}

function seal(bytes: Buffer): void {
  bytes[16] = 2;
  bytes.writeInt32BE(bytes.length - 12, 8);
  bytes.writeUInt32BE(crc32c(bytes, 21, bytes.length - 21), 17);
}

function compressed(plain: Buffer): Buffer {
  const payload = gzipSync(plain.subarray(BATCH_HEADER_BYTES));
  const bytes = Buffer.concat([plain.subarray(0, BATCH_HEADER_BYTES), payload]);
  bytes.writeInt16BE(GZIP, 21);
  seal(bytes);
  return bytes;
}

/** Both readers of a header tell the same, where a number can. */
function checkHeader(bytes: Buffer): void {
  assert.is(readNative(bytes, 0, bytes.length), 0);
  const header = readBatchHeader(bytes, 0);
  assert.is(header.sizeBytes, batchFields[BATCH_SIZE]);
  assert.is(header.leaderEpoch, batchFields[BATCH_LEADER_EPOCH]);
  assert.is(header.recordCount, batchFields[BATCH_RECORD_COUNT]);
  assert.is(header.baseOffset, batchFields[BATCH_BASE_OFFSET]);
}

/** A batch whose frame is right and whose content may be anything. */
function judgeSealed(bytes: Buffer): void {
  const isAccepted = validateBatch(bytes, 0, bytes.length, BatchRules.CLIENT) === 0;
  const isPlain = ((bytes[22] as number) & 7) === 0;
  const read = readAll(bytes);
  if (!isAccepted) return;
  checkHeader(bytes);
  stampBatch(bytes, 0, 2 ** 40, 9);
  assert.is(validateBatch(bytes, 0, bytes.length, BatchRules.REPLICA), 0);
  assert.ok(isPlausible(readBatchHeader(bytes, 0)));
  if (!isPlain) return;
  assert.ok(read, 'native code has accepted what cannot be read');
  assert.is(read.length, readBatchHeader(bytes, 0).recordCount);
  for (const { timestamp } of read) assert.ok(timestamp >= -1);
}

export const RECORD_TARGETS = [
  target('records', () =>
    fc.property(records, edits, fc.boolean(), (list, damage, isCompressed) => {
      const plain = encodeBatch({ records: list }, crc32c);
      const batch = isCompressed ? compressed(plain) : plain;
      const read = readAll(batch);
      assert.is(read?.length, list.length);
      assert.is(validateBatch(batch, 0, batch.length, BatchRules.CLIENT), 0);
      const broken = damaged(batch, damage);
      if (broken.length >= BATCH_HEADER_BYTES) readAll(broken);
      // Nothing but the leader's own fields and what lies behind the batch may differ unnoticed.
      const fault = validateBatch(broken, 0, broken.length, BatchRules.REPLICA);
      if (fault === 0) assert.ok(sameContent(broken, batch), 'damage was accepted');
    }),
  ),
  target('records-sealed', () =>
    fc.property(records, edits, fc.boolean(), (list, damage, isCompressed) => {
      const plain = encodeBatch({ records: list }, crc32c);
      const broken = damaged(isCompressed ? compressed(plain) : plain, damage);
      if (broken.length < BATCH_HEADER_BYTES) return;
      seal(broken);
      judgeSealed(broken);
    }),
  ),
  target('records-garbage', () =>
    fc.property(garbage, (bytes) => {
      const batch = Buffer.concat([Buffer.alloc(BATCH_HEADER_BYTES), bytes]);
      bytes.copy(batch, 21);
      readAll(batch);
      seal(batch);
      judgeSealed(batch);
    }),
  ),
  target('varints', () =>
    fc.property(fc.maxSafeInteger(), garbage, (value, bytes) => {
      const written = new Uint8Array(10);
      const length = writeVarint(written, 0, value);
      assert.is(length, varintBytes(value));
      const zigzag = BigInt(value) >= 0n ? 2n * BigInt(value) : -2n * BigInt(value) - 1n;
      const digits = [...written.subarray(0, length)].map((byte) => BigInt(byte & 0x7f));
      assert.is(
        digits.reduceRight((sum, digit) => sum * 128n + digit, 0n),
        zigzag,
      );
      const reader = new VarintReader(written, 0, length);
      assert.is(reader.next(), value);
      assert.is(reader.at, reader.end);
      guarded(bytes.length, isCorrupt, () => {
        const any = new VarintReader(bytes, 0, bytes.length);
        while (any.at < any.end) any.take(Math.min(any.next(), 9));
      });
    }),
  ),
];

function sameContent(a: Buffer, b: Buffer): boolean {
  const size = readBatchHeader(a, 0).sizeBytes;
  return size === b.length && a.subarray(16, size).equals(b.subarray(16));
}
