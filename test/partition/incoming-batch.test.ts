/** What a client may append: the verdict on every kind of batch, with the value in its message. */
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { crc32c } from '#src/native/crc32c.js';
import {
  type AppendRules,
  type IncomingBatch,
  type Rejection,
  checkIncoming,
  isRejection,
} from '#src/partition/incoming-batch.js';
import { makeBatch, spoilt } from '../handlers/kit.js';

const NOW_MS = 1_700_000_000_000;
const RULES: AppendRules = {
  batchBytesMax: 5_000,
  isLogAppendTime: false,
  timestampBeforeMsMax: 10_000,
  timestampAfterMsMax: 5_000,
};

function check(batch: Buffer, rules: Partial<AppendRules> = {}): IncomingBatch | Rejection {
  // Inside a larger buffer, as in a frame.
  const frame = Buffer.concat([Buffer.alloc(7, 1), batch, Buffer.alloc(9, 2)]);
  return checkIncoming(frame, 7, batch.length, { ...RULES, ...rules }, NOW_MS);
}

function refused(batch: Buffer, rules?: Partial<AppendRules>): Rejection {
  const verdict = check(batch, rules);
  assert.ok(isRejection(verdict), JSON.stringify(verdict));
  return verdict as Rejection;
}

test('a good batch yields the fields that the partition needs', () => {
  const shape = { count: 3, timestamp: NOW_MS, producerId: 8, producerEpoch: 2, sequence: 40 };
  assert.equal(check(makeBatch(shape)), {
    ...{ recordCount: 3, lastOffsetDelta: 2, maxTimestamp: NOW_MS },
    ...{ producerId: 8, producerEpoch: 2, baseSequence: 40 },
  });
  const plain = check(makeBatch({ timestamp: NOW_MS })) as IncomingBatch;
  assert.is(plain.producerId, -1);
});

test('size: none at all, a part, too large, and the bound exactly', () => {
  const batch = makeBatch({ timestamp: NOW_MS });
  assert.is(refused(Buffer.alloc(0)).error, 'CORRUPT_MESSAGE');
  assert.is(refused(batch.subarray(0, 60)).error, 'CORRUPT_MESSAGE');
  assert.is(refused(batch.subarray(0, batch.length - 1)).error, 'CORRUPT_MESSAGE');
  const tooLarge = refused(batch, { batchBytesMax: batch.length - 1 });
  assert.is(tooLarge.error, 'MESSAGE_TOO_LARGE');
  assert.match(tooLarge.message, `${batch.length} bytes, max.message.bytes is ${batch.length - 1}`);
  assert.not(isRejection(check(batch, { batchBytesMax: batch.length })));
});

test('one batch and nothing behind it', () => {
  const batch = makeBatch({ timestamp: NOW_MS });
  const two = refused(Buffer.concat([batch, batch]));
  assert.is(two.error, 'INVALID_RECORD');
  assert.match(two.message, `one record batch of ${2 * batch.length} bytes`);
});

test('each fault has its error', () => {
  const batch = makeBatch({ timestamp: NOW_MS, producerId: 1 });
  const cases: [string, (bytes: Buffer) => void, Rejection['error']][] = [
    ['magic', (b) => b.writeInt8(1, 16), 'UNSUPPORTED_FOR_MESSAGE_FORMAT'],
    ['length', (b) => b.writeInt32BE(10, 8), 'CORRUPT_MESSAGE'],
    ['count', (b) => b.writeInt32BE(2, 57), 'INVALID_RECORD'],
    ['delta', (b) => b.writeInt32BE(7, 23), 'INVALID_RECORD'],
    ['record', (b) => b.writeInt8(1, 61), 'INVALID_RECORD'],
    ['control bit', (b) => b.writeInt16BE(0x20, 21), 'INVALID_RECORD'],
    ['sequence', (b) => b.writeInt32BE(-5, 53), 'INVALID_RECORD'],
    ['timestamp', (b) => b.writeBigInt64BE(-5n, 27), 'INVALID_TIMESTAMP'],
  ];
  for (const [what, change, expected] of cases) {
    const { error, message } = refused(spoilt(batch, change));
    assert.is(error, expected, what);
    assert.ok(message.length > 0);
  }
  const flipped = Buffer.from(batch);
  flipped[70] = (flipped[70] as number) ^ 1;
  assert.is(refused(flipped).error, 'CORRUPT_MESSAGE');
});

test('timestamps: both bounds are inclusive, and no time at all is fine', () => {
  const at = (timestamp: number) => makeBatch({ timestamp });
  assert.not(isRejection(check(at(NOW_MS + 5_000))));
  const ahead = refused(at(NOW_MS + 5_001));
  assert.is(ahead.error, 'INVALID_TIMESTAMP');
  assert.match(ahead.message, /message\.timestamp\.after\.max\.ms \(5000\)/);
  assert.not(isRejection(check(at(NOW_MS - 10_000))));
  const old = refused(at(NOW_MS - 10_001));
  assert.match(old.message, /message\.timestamp\.before\.max\.ms \(10000\)/);
  assert.not(isRejection(check(at(-1))));
});

test('LogAppendTime: the broker stamps its time, whatever the client said', () => {
  const batch = makeBatch({ timestamp: NOW_MS + 1_000_000 });
  const rules = { ...RULES, isLogAppendTime: true };
  const verdict = checkIncoming(batch, 0, batch.length, rules, NOW_MS) as IncomingBatch;
  assert.is(verdict.maxTimestamp, NOW_MS);
  assert.is(Number(batch.readBigInt64BE(35)), NOW_MS);
  assert.is(batch.readUInt16BE(21) & 8, 8);
  assert.is(batch.readUInt32BE(17), crc32c(batch, 21, batch.length - 21));
});

test.run();
