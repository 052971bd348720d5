/** Idempotent producers after a restart: from the file of a clean stop or the log's headers. */
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { DEFAULT_LOG_CONFIG } from '#src/log/log-config.js';
import {
  openProducers,
  producerBatchOf,
  replayProducers,
  saveProducers,
} from '#src/partition/producer-recovery.js';
import { ProducerState } from '#src/partition/producer-state.js';
import { DamagedLogError } from '#src/log/storage-error.js';
import { stampBatch } from '#src/native/batch.js';
import { readBatchHeader } from '#src/records/batch.js';
import { makeBatch } from '../handlers/kit.js';
import { MemoryDisk } from '../log/memory-disk.js';
import { Bench, DIRECTORY } from '../log/support.js';

const EXPIRATION = { expirationMs: 86_400_000 };
const SECOND_BATCH = makeBatch({}).length;
const SNAPSHOT = `${DIRECTORY}/producer-state`;

/** A log of two producers' batches in small segments, and the state that followed along. */
function written(batches: number): { disk: MemoryDisk; bench: Bench; state: ProducerState } {
  const disk = new MemoryDisk();
  const bench = new Bench(disk).open({ config: { ...DEFAULT_LOG_CONFIG, segmentBytes: 1_000 } });
  const state = new ProducerState(EXPIRATION);
  bench.startEpoch(1);
  for (let i = 0; i < batches; i++) append(bench, state, i % 3, Math.floor(i / 3));
  return { disk, bench, state };
}

/** Producer 0 is none: a batch without an id. */
function append(bench: Bench, state: ProducerState, producer: number, sequence: number): void {
  const baseOffset = bench.log.logEnd.offset;
  const batch = makeBatch(producer === 0 ? {} : { producerId: producer, sequence });
  stampBatch(batch, 0, baseOffset, 1);
  bench.log.appendBatch(batch, 0, batch.length, readBatchHeader(batch, 0));
  state.applied(producerBatchOf(batch, 0, batch.length), baseOffset);
}

/** What a client can tell of a state: the verdict on each producer's retry and next batch. */
function verdicts(state: ProducerState): unknown[] {
  const ask = (producerId: number, baseSequence: number) =>
    state.check({
      ...{ producerId, producerEpoch: 0, baseSequence },
      ...{ lastOffsetDelta: 0, maxTimestamp: 0 },
    });
  return [1, 2].flatMap((producer) => Array.from({ length: 24 }, (_, s) => ask(producer, s)));
}

test('after a clean stop the state is what it was, and its file is used once', () => {
  const { disk, bench, state } = written(60);
  saveProducers(disk, bench.log, state);
  bench.closeCleanly();
  assert.ok(disk.exists(SNAPSHOT));
  const again = new Bench(disk).open({ isCleanStop: true });
  const { reads } = disk.counters;
  const opened = openProducers(disk, again.log, { ...EXPIRATION, isCleanStop: true });
  assert.ok(disk.counters.reads - reads < 5, 'the log was not read');
  assert.equal(verdicts(opened), verdicts(state));
  assert.not(disk.exists(SNAPSHOT));
  assert.is(opened.endOffset, 60);
});

test('without a clean stop, or with a file of another end, the log is read', () => {
  const { disk, bench, state } = written(60);
  saveProducers(disk, bench.log, state);
  append(bench, state, 1, 20);
  append(bench, state, 2, 20);
  bench.closeCleanly();
  const again = new Bench(disk).open({ isCleanStop: true });
  const opened = openProducers(disk, again.log, { ...EXPIRATION, isCleanStop: true });
  assert.equal(verdicts(opened), verdicts(state), 'a stale file is no use');
  saveProducers(disk, again.log, opened);
  const third = openProducers(disk, again.log, { ...EXPIRATION, isCleanStop: false });
  assert.equal(verdicts(third), verdicts(state), 'nor is one of an unclean stop');
});

test('a spoilt file is as good as none', () => {
  const { disk, bench, state } = written(30);
  saveProducers(disk, bench.log, state);
  const file = disk.openFile(SNAPSHOT, 'existing');
  disk.writeAt(file, 20, Buffer.of(0xee), 0, 1);
  disk.close(file);
  const opened = openProducers(disk, bench.log, { ...EXPIRATION, isCleanStop: true });
  assert.equal(verdicts(opened), verdicts(state));
});

test('a log without producers leaves no file', () => {
  const disk = new MemoryDisk();
  const bench = new Bench(disk).open();
  saveProducers(disk, bench.log, new ProducerState(EXPIRATION));
  assert.not(disk.exists(SNAPSHOT));
  const opened = openProducers(disk, bench.log, { ...EXPIRATION, isCleanStop: true });
  assert.is(opened.size, 0);
});

test('a deep truncation: what is read again is what was there', () => {
  const { disk, bench, state } = written(60);
  const expected = written(30).state;
  state.committed(60);
  bench.log.truncateTo({ offset: 30, marks: 1 });
  assert.not(state.truncated(30), 'below what can be taken back');
  replayProducers(disk, bench.log, state);
  assert.equal(verdicts(state), verdicts(expected));
  append(bench, state, 1, 10);
});

/** Where the header says which offsets a batch has and how long it is. */
const SHAPE_BYTES = [4, 5, 6, 7, 8, 9, 10, 11, 16, 23, 24, 25, 26];

test('rot in a header that shapes the log is found while the headers are read', () => {
  for (const position of SHAPE_BYTES) {
    const { disk, bench } = written(60);
    bench.closeCleanly();
    disk.flipBit(`${DIRECTORY}/00000000000000000000.log`, SECOND_BATCH + position, 4);
    const { log } = new Bench(disk).open({ isCleanStop: true });
    try {
      replayProducers(disk, log, new ProducerState(EXPIRATION));
      assert.unreachable(`byte ${position} of the header`);
    } catch (error) {
      assert.instance(error, DamagedLogError, `byte ${position}: ${(error as Error).stack}`);
      assert.ok((error as DamagedLogError).offset <= 1, `byte ${position}`);
    }
  }
});

test.run();
