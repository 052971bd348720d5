/**
 * A partition's answers from the watermarks, with Raft played by the test: who is told what, when,
 * and that it is told once.
 */
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { LograftError } from '#src/base/errors.js';
import type {
  FetchOutcome,
  OffsetAnswer,
  ProduceOptions,
  ProduceOutcome,
} from '#src/partition/access.js';
import { PartitionMeter } from '#src/partition/partition-meter.js';
import { ShardCounters } from '#src/observability/shard-counters.js';
import { Partition, type PartitionOptions } from '#src/partition/partition.js';
import { ProducerState } from '#src/partition/producer-state.js';
import { type BatchShape, makeBatch } from '../handlers/kit.js';
import { HandClock } from '../log/support.js';

/** What a partition asks of its replica and its log, set by hand. */
class Played {
  role = 'leader';
  isServing = true;
  leaderEpoch = 3;
  highWatermark = 0;
  localSyncedOffset = 0;
  logStartOffset = 0;
  logEnd = { offset: 0, marks: 1 };
  replicasInSync = [1, 2, 3];
  failure: Error | null = null;
  confirmations: ((isConfirmed: boolean) => void)[] = [];
  onAppend: (bytes: Uint8Array, start: number, length: number, baseOffset: number) => void =
    () => {};

  inSync(): number[] {
    return this.replicasInSync;
  }

  append(bytes: Buffer, start: number, length: number): number {
    if (this.failure !== null) throw this.failure;
    const baseOffset = this.logEnd.offset;
    this.logEnd = { offset: baseOffset + bytes.readInt32BE(start + 23) + 1, marks: 1 };
    this.onAppend(bytes, start, length, baseOffset);
    return baseOffset;
  }

  confirmLeadership(done: (isConfirmed: boolean) => void): void {
    this.confirmations.push(done);
  }

  locate(offset: number): object | null {
    return { fd: 1, filePosition: 0, length: 100, baseOffset: offset, nextOffset: offset + 1 };
  }
}

type Bench = { readonly played: Played; readonly partition: Partition; readonly clock: HandClock };

function bench(changes: Partial<PartitionOptions> = {}): Bench {
  const played = new Played();
  const clock = new HandClock();
  clock.nowMs = Date.now();
  const partition = new Partition({
    group: { topicId: 'abcdefghijklmnopqrstuv', partition: 0 },
    topic: 'orders',
    isInternal: false,
    disk: undefined as unknown as PartitionOptions['disk'],
    log: played as unknown as PartitionOptions['log'],
    replica: played as unknown as PartitionOptions['replica'],
    producers: new ProducerState({ expirationMs: 86_400_000 }),
    clock,
    meter: new PartitionMeter(new ShardCounters(0), 'abcdefghijklmnopqrstuv', clock),
    rules: {
      ...{ batchBytesMax: 10_000, isLogAppendTime: false },
      ...{ timestampBeforeMsMax: 1e15, timestampAfterMsMax: 1e15 },
    },
    minInSync: 1,
    isDiskFull: () => false,
    ...changes,
  });
  played.onAppend = (bytes, start, length, base) => partition.appended(bytes, start, length, base);
  return { played, partition, clock };
}

/** Produces and returns the list that the answer will come into. */
function produce(
  { partition }: Bench,
  options: Partial<ProduceOptions> = {},
  shape: BatchShape = {},
): ProduceOutcome[] {
  const outcomes: ProduceOutcome[] = [];
  const batch = makeBatch(shape);
  const all = { acks: -1, timeoutMs: 1_000, ...options } as const;
  partition.produce(batch, 0, batch.length, all, (outcome) => outcomes.push(outcome));
  return outcomes;
}

function commit({ played, partition }: Bench, highWatermark: number): void {
  played.highWatermark = highWatermark;
  partition.committed(highWatermark);
}

function errors(outcomes: readonly ProduceOutcome[]): (string | null)[] {
  return outcomes.map(({ error }) => error);
}

test('each kind of ack is given when it is true, and not before', () => {
  const own = bench();
  assert.equal(errors(produce(own, { acks: 0 })), [null]);
  const leader = produce(own, { acks: 1 });
  const all = produce(own, { acks: -1 }, { count: 2 });
  own.played.localSyncedOffset = 1;
  own.partition.synced();
  assert.equal(leader, []);
  own.played.localSyncedOffset = 2;
  own.partition.synced();
  assert.equal(errors(leader), [null]);
  commit(own, 3);
  assert.equal(all, [], 'only one of its two records is committed');
  commit(own, 4);
  assert.equal(
    all.map(({ baseOffset }) => baseOffset),
    [2],
  );
});

test('a timeout is indefinite, and the answer is not given again when the record commits', () => {
  const own = bench();
  const outcomes = produce(own, { timeoutMs: 100 });
  own.partition.expire(own.clock.nowMs + 99);
  assert.equal(outcomes, []);
  own.partition.expire(own.clock.nowMs + 100);
  commit(own, 1);
  assert.equal(errors(outcomes), ['TIMED_OUT']);
});

test('who waits when leadership goes is told so', () => {
  const own = bench();
  const outcomes = [produce(own), produce(own, { acks: 1 })];
  own.played.role = 'follower';
  own.partition.roleChanged();
  assert.equal(outcomes.map(errors), [['LEADER_LOST'], ['LEADER_LOST']]);
});

test('K1: what another leader commits at their offsets is no ack for those who wait', () => {
  const deposed = bench();
  const outcomes = [produce(deposed), produce(deposed, { acks: 1 })];
  // One message says that there is another leader, and what it has committed.
  deposed.played.role = 'follower';
  deposed.played.leaderEpoch = 4;
  deposed.played.localSyncedOffset = 2;
  commit(deposed, 2);
  deposed.partition.synced();
  assert.equal(outcomes.map(errors), [['LEADER_LOST'], ['LEADER_LOST']]);

  const again = bench();
  const before = produce(again);
  // Deposed and elected again before anybody was told: the batch may have been cut meanwhile.
  again.played.leaderEpoch = 5;
  const after = produce(again);
  commit(again, 2);
  assert.equal([before, after].map(errors), [['LEADER_LOST'], [null]]);
});

test('P2: a duplicate is confirmed when the original is committed', () => {
  const own = bench();
  const shape = { producerId: 5, sequence: 0 };
  const first = produce(own, {}, shape);
  const again = produce(own, {}, shape);
  assert.equal([first, again], [[], []]);
  commit(own, 1);
  assert.equal(
    [...first, ...again].map(({ error, baseOffset }) => [error, baseOffset]),
    [
      [null, 0],
      [null, 0],
    ],
  );
  assert.is(own.played.logEnd.offset, 1, 'appended once');
});

test('refusals come before anything is appended', () => {
  const cases: [Partial<PartitionOptions>, (played: Played) => void, string][] = [
    [{ isDiskFull: () => true }, () => {}, 'STORAGE_FULL'],
    [{ isInternal: true }, () => {}, 'INVALID_RECORD'],
    [{ minInSync: 2 }, (played) => (played.replicasInSync = [1]), 'NOT_ENOUGH_REPLICAS'],
    [{}, (played) => (played.role = 'follower'), 'NOT_LEADER'],
    [{}, (played) => (played.failure = new LograftError('STORAGE_FULL', 'full')), 'STORAGE_FULL'],
    [{}, (played) => (played.failure = new LograftError('NOT_LEADER', 'gap')), 'NOT_LEADER'],
  ];
  for (const [options, change, expected] of cases) {
    const own = bench(options);
    change(own.played);
    assert.equal(errors(produce(own)), [expected]);
    assert.is(own.played.logEnd.offset, 0);
  }
  const internal = bench({ isInternal: true });
  assert.equal(errors(produce(internal, { acks: 0, isInternal: true })), [null]);
  const alone = bench({ minInSync: 2 });
  alone.played.replicasInSync = [1];
  assert.equal(errors(produce(alone, { acks: 0 })), [null], 'only acks=all asks for replicas');
});

test('an answer that makes the partition fail ends everybody else, once', () => {
  const own = bench();
  const outcomes: string[] = [];
  const wait = (name: string, then: () => void): void => {
    const batch = makeBatch();
    own.partition.produce(batch, 0, batch.length, { acks: -1, timeoutMs: 50 }, ({ error }) => {
      outcomes.push(`${name} ${error}`);
      then();
    });
  };
  wait('first', () => own.partition.failed('the disk is gone'));
  wait('second', () => {});
  wait('third', () => {});
  commit(own, 3);
  own.partition.expire(own.clock.nowMs + 1_000);
  commit(own, 4);
  assert.equal(outcomes, ['first null', 'second LEADER_LOST', 'third LEADER_LOST']);
  assert.equal(errors(produce(own)), ['STORAGE_FAILED']);
});

test('LogAppendTime: the time that was stamped, not the time of the answer', () => {
  const rules = { batchBytesMax: 10_000, isLogAppendTime: true };
  const own = bench({ rules: { ...rules, timestampBeforeMsMax: 0, timestampAfterMsMax: 0 } });
  const stampedMs = own.clock.nowMs;
  const outcomes = produce(own);
  own.clock.nowMs += 500;
  commit(own, 1);
  assert.equal(
    outcomes.map(({ logAppendTimeMs }) => logAppendTimeMs),
    [stampedMs],
  );
});

test('fetch: nothing above the high watermark, nothing below the log start', () => {
  const { played, partition } = bench();
  Object.assign(played, { logStartOffset: 2, highWatermark: 5, logEnd: { offset: 8, marks: 1 } });
  const fetch = (offset: number, maxBytes = 1_000, isFirst = true): FetchOutcome =>
    partition.fetchNow({ offset, maxBytes, isFirst, currentLeaderEpoch: -1 });
  assert.is(fetch(1).error, 'OFFSET_OUT_OF_RANGE');
  assert.not.equal(fetch(2).data, null);
  assert.equal(
    [5, 6, 8].map((offset) => [fetch(offset).error, fetch(offset).data]),
    [
      [null, null],
      [null, null],
      [null, null],
    ],
  );
  assert.is(fetch(9).error, 'OFFSET_OUT_OF_RANGE');
  assert.is(fetch(2, 10, false).data, null, 'larger than what is left');
  assert.not.equal(fetch(2, 10, true).data, null, 'but never nothing at all');
  played.isServing = false;
  assert.is(fetch(2).error, 'OFFSET_NOT_AVAILABLE');
  assert.is(
    fetch(9).error,
    'OFFSET_NOT_AVAILABLE',
    'elected is not serving: nothing is out of range',
  );
});

test('a long poll is woken by a record, by a role, and at once when it came too late', () => {
  const own = bench();
  const { played, partition } = own;
  let wakes = 0;
  const poll = (offset: number): (() => void) => partition.onAdvance(offset, () => wakes++);
  poll(0);
  assert.is(wakes, 0);
  commit(own, 1);
  assert.is(wakes, 1);
  poll(0);
  assert.is(wakes, 2, 'the watermark had moved before the poll came');
  poll(1);
  partition.roleChanged();
  assert.is(wakes, 3);
  played.isServing = false;
  poll(-1);
  assert.is(wakes, 3, 'elected, not yet serving');
  partition.roleChanged();
  assert.is(wakes, 4);
  poll(1)();
  commit(own, 2);
  assert.is(wakes, 4, 'cancelled');
  played.role = 'follower';
  poll(2);
  assert.is(wakes, 5, 'nobody waits at a follower');
});

test('R13: latest is told when a quorum has confirmed, and not by a deposed leader', () => {
  const { played, partition } = bench();
  played.highWatermark = 4;
  const answers: OffsetAnswer[] = [];
  for (let i = 0; i < 2; i++) {
    partition.offsetFor({ kind: 'latest' }, -1, (answer) => answers.push(answer));
  }
  assert.equal(answers, []);
  played.confirmations[0]?.(true);
  played.confirmations[1]?.(false);
  assert.equal(
    answers.map(({ error, offset }) => [error, offset]),
    [
      [null, 4],
      ['NOT_LEADER', -1],
    ],
  );
});

test('what cannot be read is an answer, not the end of the thread', () => {
  const { partition, played } = bench();
  played.logEnd = { offset: 9, marks: 1 };
  played.highWatermark = 9;
  for (const code of ['STORAGE_FAILED', 'CORRUPT'] as const) {
    played.locate = () => {
      throw new LograftError(code, 'a sector is gone');
    };
    const request = { offset: 3, maxBytes: 100, isFirst: true, currentLeaderEpoch: -1 };
    assert.is(partition.fetchNow(request).error, 'STORAGE_FAILED');
  }
});

test('damage that an append comes upon is told to the client', () => {
  const all = bench();
  all.played.failure = new LograftError('CORRUPT', 'no record batch at 0');
  assert.is(produce(all)[0]?.error, 'STORAGE_FAILED');
});

test('a sequence is refused only by who surely led when it looked', () => {
  const first = { producerId: 7, producerEpoch: 0, sequence: 0 };
  for (const [isConfirmed, error] of [
    [true, 'OUT_OF_ORDER_SEQUENCE_NUMBER'],
    [false, 'NOT_LEADER'],
  ] as const) {
    const all = bench();
    produce(all, {}, first);
    const outcomes = produce(all, {}, { ...first, sequence: 5 });
    assert.equal(outcomes, []);
    for (const confirm of all.played.confirmations) confirm(isConfirmed);
    assert.is(outcomes[0]?.error, error);
  }
});

test.run();
