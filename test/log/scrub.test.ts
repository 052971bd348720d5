/** The scrub finds what changed under a closed log, and nothing else. */
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import type { PartitionLog } from '#src/log/partition-log.js';
import { DamagedLogError } from '#src/log/storage-error.js';
import { Bench, DIRECTORY, makeBatch } from './support.js';
import { MemoryDisk } from './memory-disk.js';

const FIRST_SEGMENT = `${DIRECTORY}/00000000000000000000.log`;

/** Looks at everything, so many bytes at a time. */
function scrubAll(log: PartitionLog, bytesMax: number): void {
  for (let steps = 0; !log.scrub.isDone; steps++) {
    assert.ok(steps < 10_000, 'a scrub ends');
    log.scrub.step(bytesMax);
  }
}

const BATCH_BYTES = makeBatch({ baseOffset: 0, leaderEpoch: 1, valueBytes: 420 }).length;

/** Twenty batches of some 500 bytes in several segments, closed in good order. */
function closedLog(): MemoryDisk {
  const disk = new MemoryDisk();
  const bench = new Bench(disk).open({ config: { segmentBytes: 2_000 } });
  bench.startEpoch(1);
  for (let i = 0; i < 20; i++) bench.append({ valueBytes: 420 });
  bench.closeCleanly();
  return disk;
}

test('a sound log has no damage, however small the pieces are', () => {
  for (const bytesMax of [1, 60, 499, 700, 1 << 20]) {
    const { log } = new Bench(closedLog()).open({ isCleanStop: true });
    scrubAll(log, bytesMax);
    assert.is(log.scrub.finding, null, `pieces of ${bytesMax}`);
  }
});

test('a flipped bit is found wherever it is: in the payload, in a base offset, in an epoch', () => {
  for (const [position, kind] of [
    [300, 'bad-crc'],
    [7, 'hole'],
    [15, 'unknown-epoch'],
  ] as const) {
    const disk = closedLog();
    disk.flipBit(FIRST_SEGMENT, position, 1);
    const { log, findings } = openClean(disk);
    assert.equal(findings, ['clean-stop'], 'nothing was scanned');
    scrubAll(log, 700);
    assert.equal(log.scrub.finding, { kind, offset: 0 });
  }
});

test('a follower is not sent a batch whose place has changed, but told of damage', () => {
  for (const bytesMax of [1, 600, 1 << 20]) {
    const disk = closedLog();
    // Bit 32 of the second batch's base offset: far behind the end of the log.
    disk.flipBit(FIRST_SEGMENT, BATCH_BYTES + 3, 0);
    const { log } = openClean(disk);
    const from = { offset: 1, marks: log.logEnd.marks };
    try {
      log.slicesBetween(from, log.logEnd, bytesMax);
      assert.unreachable(`pieces of ${bytesMax}`);
    } catch (error) {
      assert.instance(error, DamagedLogError);
      assert.is((error as DamagedLogError).offset, 1);
    }
  }
});

function openClean(disk: MemoryDisk) {
  const bench = new Bench(disk).open({ isCleanStop: true });
  return { log: bench.log, findings: bench.kinds() };
}

test('a replica opened with the damaged offset gives up what lies behind, and says so', () => {
  const disk = closedLog();
  disk.flipBit(FIRST_SEGMENT, 600);
  const bench = new Bench(disk).open({ isCleanStop: true });
  scrubAll(bench.log, 700);
  const offset = bench.log.scrub.finding?.offset;
  assert.is(offset, 1);
  bench.log.closeAbruptly();
  bench.wal.closeCleanly();
  bench.open({ isCleanStop: true, suspectFrom: offset });
  assert.is(bench.log.logEnd.offset, 1);
  assert.ok(bench.log.isForgetful);
});

test('another pass finds what changed after the first one, also in newer batches', () => {
  const bench = new Bench(closedLog()).open({ isCleanStop: true, config: { segmentBytes: 2_000 } });
  const { log } = bench;
  scrubAll(log, 700);
  assert.is(log.scrub.finding, null);
  const from = log.logEnd.offset;
  bench.startEpoch(2);
  for (let i = 0; i < 6; i++) bench.append({ valueBytes: 300, tag: 'later' });
  const disk = bench.disk as MemoryDisk;
  const logs = disk.list(DIRECTORY).filter((name) => name.endsWith('.log'));
  const path = `${DIRECTORY}/${logs.at(-1)}`;
  disk.flipBit(path, disk.fileSize(path) - 5);
  log.scrub.restart();
  scrubAll(log, 700);
  assert.is(log.scrub.finding?.kind, 'bad-crc');
  assert.ok((log.scrub.finding?.offset ?? 0) > from);
});

test('what is cut, appended or dropped meanwhile is no damage', () => {
  const bench = new Bench(closedLog()).open({ isCleanStop: true, config: { segmentBytes: 2_000 } });
  const { log } = bench;
  log.scrub.step(100);
  const to = { offset: 17, marks: log.logEnd.marks };
  log.truncateTo(to);
  bench.startEpoch(2);
  for (let i = 0; i < 6; i++) bench.append({ valueBytes: 300, tag: 'other' });
  log.scrub.step(700);
  log.setLogStart(9);
  (bench.disk as MemoryDisk).drain();
  scrubAll(log, 700);
  assert.is(log.scrub.finding, null);
});

test.run();
