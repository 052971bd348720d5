/** What a Fetch answered, as the history hears it: each kind of bad answer under its own id. */
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { crc32c } from '#src/native/crc32c.js';
import { ERROR } from '#src/protocol/errors.js';
import { encodeBatch } from '#src/records/batch.js';
import { History } from './history/history.js';
import { noteFetchAnswer } from './reader.js';

const PARTITION = 'orders:0';
const EPOCH = 4;

function batch(baseOffset: number, records: number): Buffer {
  const values = Array.from({ length: records }, (_, i) => ({ value: `${baseOffset + i}` }));
  return encodeBatch({ records: values, baseOffset, leaderEpoch: EPOCH }, crc32c);
}

type Answer = {
  readonly bytes?: Buffer;
  readonly highWatermark?: number;
  readonly lastStableOffset?: number;
  readonly errorCode?: number;
};

/** Violations of a fetch from `offset`, begun when all below 4 was known to be there. */
function idsOf(
  { bytes = Buffer.alloc(0), ...answer }: Answer,
  offset = 0,
  history = new History(),
): string[] {
  const ask = (op: number): void => {
    const asked = { op, partition: PARTITION, epoch: EPOCH, offset };
    history.note({ kind: 'asked', ...asked, question: 'fetch' });
  };
  const ends = { highWatermark: 4, lastStableOffset: 4, logStartOffset: 0 };
  ask(1);
  history.note({ kind: 'told', op: 1, ...ends, epoch: -1 });
  ask(2);
  const found = {
    partitionIndex: 0,
    errorCode: ERROR.NONE,
    ...ends,
    lastStableOffset: answer.highWatermark ?? 4,
    divergingEpoch: null,
    currentLeader: null,
    snapshotId: null,
    abortedTransactions: null,
    preferredReadReplica: -1,
    records: { bytes, start: 0, length: bytes.length },
    ...answer,
  };
  const asked = { op: 2, key: PARTITION, fetchOffset: offset, isFinal: true };
  noteFetchAnswer(found as never, asked, history);
  return [...new Set(history.verdict().violations.map(({ id }) => id))];
}

test('a good answer, also one that is cut within a batch', () => {
  const bytes = Buffer.concat([batch(0, 2), batch(2, 2)]);
  assert.equal(idsOf({ bytes }), []);
  assert.equal(idsOf({ bytes: bytes.subarray(0, bytes.length - 3) }), []);
  assert.equal(idsOf({ highWatermark: 9 }), []);
});

test('K10: a flipped bit', () => {
  const bytes = batch(0, 2);
  bytes.writeUInt8(bytes.readUInt8(bytes.length - 1) ^ 1, bytes.length - 1);
  assert.equal(idsOf({ bytes }), ['K10']);
});

test('where damage is tolerated a damaged answer is refused as a whole, and counted', () => {
  const bytes = Buffer.concat([batch(0, 2), batch(2, 2)]);
  const history = new History(true);
  assert.equal(idsOf({ bytes }, 0, history), []);
  assert.is(history.counts.get('damaged'), undefined);
  const moved = Buffer.from(bytes);
  moved.writeUInt8(4, batch(0, 2).length + 7);
  const flipped = Buffer.from(bytes);
  flipped.writeUInt8(flipped.readUInt8(bytes.length - 1) ^ 1, bytes.length - 1);
  for (const damaged of [moved, flipped]) {
    const careful = new History(true);
    assert.equal(idsOf({ bytes: damaged }, 0, careful), []);
    assert.is(careful.counts.get('damaged'), 1);
    assert.is(careful.counts.get('batch'), undefined);
  }
});

test('K8: bytes above the high watermark, or a stable offset above it', () => {
  assert.equal(idsOf({ bytes: Buffer.concat([batch(0, 2), batch(2, 3)]) }), ['K8']);
  assert.equal(idsOf({ lastStableOffset: 5 }), ['K8']);
});

test('K6: a high watermark that goes back', () => {
  assert.equal(idsOf({ highWatermark: 3 }), ['K6']);
});

test('K9: an epoch that goes back along the log', () => {
  const newer = batch(0, 2);
  newer.writeInt32BE(EPOCH + 1, 12);
  assert.equal(idsOf({ bytes: Buffer.concat([newer, batch(2, 2)]) }), ['K9']);
});

test('K11: an offset that is there is called out of range', () => {
  assert.equal(idsOf({ errorCode: ERROR.OFFSET_OUT_OF_RANGE }, 4), ['K11']);
  assert.equal(idsOf({ errorCode: ERROR.OFFSET_OUT_OF_RANGE }, 5), []);
  assert.equal(idsOf({ errorCode: ERROR.NOT_LEADER_OR_FOLLOWER }, 4), []);
});

test.run();
