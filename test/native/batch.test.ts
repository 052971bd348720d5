/** Validation of a record batch: each fault is planted alone and found by its own name. */
import {
  BATCH_ATTRIBUTES,
  BATCH_BASE_OFFSET,
  BATCH_BASE_SEQUENCE,
  BATCH_BASE_TIMESTAMP,
  BATCH_CRC,
  BATCH_LAST_OFFSET_DELTA,
  BATCH_LEADER_EPOCH,
  BATCH_MAX_TIMESTAMP,
  BATCH_PRODUCER_EPOCH,
  BATCH_PRODUCER_ID,
  BATCH_RECORD_COUNT,
  BATCH_SIZE,
  type BatchFaultName,
  BatchRules,
  batchFaultName,
  batchFields,
  readBatchHeader,
  stampAppendTime,
  stampBatch,
  validateBatch,
} from '#src/native/batch.js';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import {
  SAMPLE_BASE_TIMESTAMP,
  type SampleRecord,
  encodeRecord,
  sampleBatch,
  sampleRecords,
  sealBatch,
  varint,
} from './sample-batch.js';

function verdict(batch: Buffer, rules: number = BatchRules.CLIENT): BatchFaultName {
  return batchFaultName(validateBatch(batch, 0, batch.length, rules));
}

/** Verdict over records some of which were changed; the batch header claims what is there. */
function withRecords(change: (records: SampleRecord[]) => SampleRecord[]): BatchFaultName {
  const records = change(sampleRecords(4));
  return verdict(sealBatch(4, Buffer.concat(records.map(encodeRecord))));
}

function setField(at: number, value: number, bytes: 1 | 2 | 4 | 8): (batch: Buffer) => void {
  return (batch) => {
    if (bytes === 8) batch.writeBigInt64BE(BigInt(value), at);
    else batch.writeIntBE(value, at, bytes);
  };
}

test('a good batch is valid and its header is read', () => {
  const batch = sampleBatch(6, (b) => {
    b.writeBigInt64BE(77n, 43);
    b.writeInt16BE(3, 51);
    b.writeInt32BE(12, 53);
  });
  const surrounded = Buffer.concat([Buffer.alloc(13, 0xee), batch, Buffer.alloc(40, 0xee)]);
  assert.is(validateBatch(surrounded, 13, batch.length + 40, BatchRules.CLIENT), 0);
  assert.is(batchFields[BATCH_SIZE], batch.length);
  assert.is(batchFields[BATCH_BASE_OFFSET], 0);
  assert.is(batchFields[BATCH_LEADER_EPOCH], -1);
  assert.is(batchFields[BATCH_ATTRIBUTES], 0);
  assert.is(batchFields[BATCH_LAST_OFFSET_DELTA], 5);
  assert.is(batchFields[BATCH_RECORD_COUNT], 6);
  assert.is(batchFields[BATCH_BASE_TIMESTAMP], SAMPLE_BASE_TIMESTAMP);
  assert.is(batchFields[BATCH_MAX_TIMESTAMP], SAMPLE_BASE_TIMESTAMP + 10);
  assert.is(batchFields[BATCH_PRODUCER_ID], 77);
  assert.is(batchFields[BATCH_PRODUCER_EPOCH], 3);
  assert.is(batchFields[BATCH_BASE_SEQUENCE], 12);
  assert.is(batchFields[BATCH_CRC], batch.readUInt32BE(17));
});

test('every shorter length is truncated', () => {
  const batch = sampleBatch(3);
  for (let length = 0; length < batch.length; length++) {
    const fault = validateBatch(batch, 0, length, BatchRules.CLIENT);
    assert.is(batchFaultName(fault), 'TRUNCATED', `${length}`);
  }
  assert.is(batchFaultName(readBatchHeader(batch, 0, 60)), 'TRUNCATED');
  assert.is(readBatchHeader(batch, 0, 61), 0);
});

test('length, magic and CRC', () => {
  for (const length of [-1, -2147483648, 0, 48]) {
    assert.is(verdict(sampleBatch(2, setField(8, length, 4))), 'BAD_LENGTH');
  }
  assert.is(verdict(sampleBatch(2, setField(8, 2147483647, 4))), 'TRUNCATED');
  for (const magic of [0, 1, 3, -1]) {
    assert.is(verdict(sampleBatch(2, setField(16, magic, 1))), 'BAD_MAGIC');
  }
  const batch = sampleBatch(2);
  batch[batch.length - 1] = (batch.at(-1) ?? 0) ^ 1;
  assert.is(verdict(batch), 'BAD_CRC');
  assert.is(verdict(batch, BatchRules.REPLICA), 'BAD_CRC');
});

test('count and offset delta', () => {
  assert.is(verdict(sampleBatch(2, setField(57, 0, 4))), 'BAD_COUNT');
  assert.is(verdict(sampleBatch(2, setField(57, -1, 4))), 'BAD_COUNT');
  assert.is(verdict(sampleBatch(3, setField(23, 5, 4))), 'BAD_DELTA');
  assert.is(verdict(sampleBatch(3, setField(23, -1, 4))), 'BAD_DELTA');
  const tooMany = sampleBatch(3, (b) => {
    b.writeInt32BE(2_000_000_000, 57);
    b.writeInt32BE(1_999_999_999, 23);
  });
  assert.is(verdict(tooMany), 'BAD_COUNT');
  const tooFew = sampleBatch(3, (b) => {
    b.writeInt32BE(2, 57);
    b.writeInt32BE(1, 23);
  });
  assert.is(verdict(tooFew), 'BAD_COUNT');
});

test('attributes', () => {
  const set = (bits: number) => sampleBatch(2, setField(21, bits, 2));
  assert.is(verdict(set(0x20)), 'BAD_ATTRIBUTES');
  assert.is(verdict(set(0x10)), 'BAD_ATTRIBUTES');
  assert.is(verdict(set(0x40)), 'BAD_ATTRIBUTES');
  assert.is(verdict(set(0x80)), 'BAD_ATTRIBUTES');
  assert.is(verdict(set(0x4000)), 'BAD_ATTRIBUTES');
  for (const codec of [5, 6, 7]) assert.is(verdict(set(codec)), 'BAD_ATTRIBUTES');
  assert.is(verdict(set(0x20), BatchRules.REPLICA), 'NONE');
  assert.is(verdict(set(0x10), BatchRules.FILE), 'NONE');
  assert.is(verdict(set(0x80), BatchRules.FILE), 'BAD_ATTRIBUTES');
});

test('timestamps', () => {
  assert.is(verdict(sampleBatch(2, setField(21, 0x08, 2))), 'BAD_TIMESTAMP');
  assert.is(verdict(sampleBatch(2, setField(27, -2, 8))), 'BAD_TIMESTAMP');
  const far = (b: Buffer): void => void b.writeBigInt64BE(2n ** 63n - 1n, 27);
  assert.is(verdict(sampleBatch(2, far)), 'BAD_TIMESTAMP');
  const late = withRecords((all) => all.map((r) => ({ ...r, timestampDelta: -2e12 })));
  assert.is(late, 'BAD_TIMESTAMP');
});

test('sequence', () => {
  const produced = (id: number, epoch: number, sequence: number): BatchFaultName =>
    verdict(
      sampleBatch(2, (b) => {
        b.writeBigInt64BE(BigInt(id), 43);
        b.writeInt16BE(epoch, 51);
        b.writeInt32BE(sequence, 53);
      }),
    );
  assert.is(produced(5, 0, 0), 'NONE');
  assert.is(produced(5, 0, -1), 'BAD_SEQUENCE');
  assert.is(produced(5, -1, 0), 'BAD_SEQUENCE');
  assert.is(produced(-2, 0, 0), 'BAD_SEQUENCE');
  // kafkajs sends zeros beside "no producer id".
  assert.is(produced(-1, 0, 0), 'NONE');
});

test('records', () => {
  assert.is(
    withRecords((all) => all),
    'NONE',
  );
  assert.is(
    withRecords((all) => [...all].reverse()),
    'BAD_DELTA',
  );
  assert.is(
    withRecords((all) => all.slice(0, 3)),
    'BAD_COUNT',
  );
  assert.is(
    withRecords((all) => [...all, ...all]),
    'BAD_COUNT',
  );
  const spoiled: [string, Buffer][] = [
    ['length beyond the batch', varint(1000)],
    ['negative length', varint(-5)],
    ['length 0', varint(0)],
    ['varint without an end', Buffer.alloc(12, 0xff)],
    ['key beyond the record', Buffer.concat([varint(6), Buffer.from([0, 0, 0, 80, 1, 0])])],
    ['key length -2', Buffer.concat([varint(6), Buffer.from([0, 0, 0, 3, 1, 0])])],
    ['header count -1', Buffer.concat([varint(6), Buffer.from([0, 0, 0, 1, 1, 1])])],
    ['header count lies', Buffer.concat([varint(6), Buffer.from([0, 0, 0, 1, 1, 20])])],
    ['bytes behind the headers', Buffer.concat([varint(7), Buffer.from([0, 0, 0, 1, 1, 0, 9])])],
  ];
  for (const [what, record] of spoiled) {
    assert.is(verdict(sealBatch(1, record)), 'BAD_RECORD', what);
  }
  const smallest = Buffer.concat([varint(6), Buffer.from([0, 0, 0, 1, 1, 0])]);
  assert.is(verdict(sealBatch(1, smallest)), 'NONE');
});

test('compressed records are not looked at', () => {
  const garbage = Buffer.alloc(500, 0xff);
  for (const codec of [1, 2, 3, 4]) {
    assert.is(verdict(sealBatch(9, garbage, setField(21, codec, 2))), 'NONE');
  }
  assert.is(verdict(sealBatch(9, garbage)), 'BAD_RECORD');
});

test('a maxTimestamp that is not the records own is corrected, as Kafka does', () => {
  const batch = sampleBatch(4, setField(35, -1, 8));
  assert.is(verdict(batch), 'NONE');
  assert.is(batchFields[BATCH_MAX_TIMESTAMP], SAMPLE_BASE_TIMESTAMP + 6);
  assert.equal(batch, sampleBatch(4));
  assert.is(batchFields[BATCH_CRC], batch.readUInt32BE(17));
});

test('what a broker stored may have holes and control batches, never impossible numbers', () => {
  const asFile = (change: (b: Buffer) => void): BatchFaultName =>
    verdict(sampleBatch(3, change), BatchRules.FILE);
  assert.is(asFile(setField(23, 9, 4)), 'NONE');
  assert.is(asFile(setField(57, 0, 4)), 'NONE');
  assert.is(asFile(setField(23, 1, 4)), 'BAD_DELTA');
  assert.is(asFile(setField(23, -1, 4)), 'BAD_DELTA');
  assert.is(asFile(setField(57, -1, 4)), 'BAD_COUNT');
  assert.is(asFile(setField(0, -1, 8)), 'BAD_DELTA');
  assert.is(
    asFile((b) => b.writeBigInt64BE(2n ** 60n, 0)),
    'BAD_DELTA',
  );
});

test('stamping offset and epoch leaves the CRC alone', () => {
  const batch = sampleBatch(3);
  stampBatch(batch, 0, 123_456_789_012, 42);
  assert.is(batch.readBigInt64BE(0), 123_456_789_012n);
  assert.is(batch.readInt32BE(12), 42);
  assert.is(verdict(batch, BatchRules.REPLICA), 'NONE');
  assert.is(batchFields[BATCH_BASE_OFFSET], 123_456_789_012);
  assert.throws(() => stampBatch(batch, batch.length - 60, 0, 0), RangeError);
  assert.throws(() => stampBatch(batch, 0, -1, 0), RangeError);
});

test('stamping the append time sets the bit, the time and the CRC', () => {
  const batch = sampleBatch(3);
  stampAppendTime(batch, 0, 1_800_000_000_123);
  assert.is(verdict(batch, BatchRules.REPLICA), 'NONE');
  assert.is(batchFields[BATCH_ATTRIBUTES], 0x08);
  assert.is(batchFields[BATCH_MAX_TIMESTAMP], 1_800_000_000_123);
  assert.throws(() => stampAppendTime(batch.subarray(0, 80), 0, 1), RangeError);
});

test.run();
