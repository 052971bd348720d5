/** One replica's log on a disk of memory: appending, marks, cutting, syncing, reading. */
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import type { Position } from '#src/base/position.js';
import { Prng } from '#src/base/prng.js';
import type { LogRange } from '#src/log/log-types.js';
import { readBatchHeader } from '#src/records/batch.js';
import { MemoryDisk } from './memory-disk.js';
import { Bench, DIRECTORY, GROUP, HandClock, makeBatch } from './support.js';

const small = { segmentBytes: 1_000, indexIntervalBytes: 100 };

function bytesOf(disk: MemoryDisk, range: LogRange | null): Buffer {
  assert.ok(range !== null);
  return disk.readFd(range.fd, range.filePosition, range.length);
}

/** Syncs and returns how far the log says it is durable. */
function synced(bench: Bench, disk: MemoryDisk): Position {
  let result: Position | undefined;
  bench.log.syncTo((error, position) => {
    assert.is(error, null);
    result = position;
  });
  disk.drain();
  return result as Position;
}

test('an empty log starts and ends at 0, and a mark takes no offset', () => {
  const bench = new Bench(new MemoryDisk()).open();
  assert.equal(bench.log.logEnd, { offset: 0, marks: 0 });
  bench.startEpoch(1);
  assert.equal(bench.log.logEnd, { offset: 0, marks: 1 });
  assert.is(bench.log.locate(0, 1_000, 0), null);
  assert.equal(bench.log.epochs, [{ epoch: 1, start: { offset: 0, marks: 0 } }]);
  assert.is(bench.log.epochEndingAt({ offset: 0, marks: 0 }), -1);
  assert.is(bench.log.epochEndingAt({ offset: 0, marks: 1 }), 1);
});

test('what is appended is read back byte for byte, across segments, from any offset', () => {
  const disk = new MemoryDisk();
  const bench = new Bench(disk).open({ config: small });
  bench.startEpoch(1);
  const batches: { base: number; next: number; bytes: Buffer }[] = [];
  const prng = new Prng(7);
  for (let i = 0; i < 300; i++) {
    const base = bench.log.logEnd.offset;
    const bytes = bench.append({ records: prng.int(1, 4), valueBytes: prng.int(1, 60) });
    batches.push({ base, next: bench.log.logEnd.offset, bytes });
  }
  const end = bench.log.logEnd.offset;
  assert.ok(disk.list(DIRECTORY).filter((name) => name.endsWith('.log')).length > 10);
  for (const { base, next, bytes } of batches) {
    for (let offset = base; offset < next; offset++) {
      const range = bench.log.locate(offset, 1, end);
      assert.is(range?.baseOffset, base);
      assert.is(range?.nextOffset, next);
      assert.ok(bytesOf(disk, range).equals(bytes));
    }
  }
  // Everything, a bounded piece at a time.
  const pieces: Buffer[] = [];
  for (let offset = 0; offset < end; ) {
    const range = bench.log.locate(offset, 400, end) as LogRange;
    assert.ok(range.length <= 400 || range.nextOffset - range.baseOffset <= 3);
    pieces.push(bytesOf(disk, range));
    offset = range.nextOffset;
  }
  assert.ok(Buffer.concat(pieces).equals(Buffer.concat(batches.map(({ bytes }) => bytes))));
});

test('a range never reaches beyond the end it is given', () => {
  const bench = new Bench(new MemoryDisk()).open({ config: small });
  bench.startEpoch(1);
  for (let i = 0; i < 50; i++) bench.append({ records: 2 });
  for (let end = 0; end <= 100; end += 2) {
    for (let offset = 0; offset < end; offset++) {
      const range = bench.log.locate(offset, 10_000, end) as LogRange;
      assert.ok(range.nextOffset <= end && range.nextOffset > offset);
    }
    assert.is(bench.log.locate(end, 10_000, end), null);
  }
});

test('slices give marks and batches in order, one epoch each', () => {
  const disk = new MemoryDisk();
  const bench = new Bench(disk).open({ config: small });
  const { log } = bench;
  bench.startEpoch(1);
  for (let i = 0; i < 5; i++) bench.append({ valueBytes: 150 });
  bench.startEpoch(2);
  bench.startEpoch(4);
  for (let i = 0; i < 5; i++) bench.append({ valueBytes: 150 });
  log.appendMark({ kind: 'log-start', epoch: 4, at: log.logEnd, logStartOffset: 3 });
  bench.append();
  const slices = log.slicesBetween({ offset: 0, marks: 0 }, log.logEnd, 1 << 20);
  const shape = slices.map((slice) =>
    slice.kind === 'mark'
      ? `${slice.mark.kind} ${slice.mark.epoch}`
      : `${slice.from.offset}..${slice.to.offset} e${slice.epoch}`,
  );
  assert.equal(shape, [
    'epoch-start 1',
    '0..4 e1',
    '4..5 e1',
    'epoch-start 2',
    'epoch-start 4',
    '5..8 e4',
    '8..10 e4',
    'log-start 4',
    '10..11 e4',
  ]);
  // A follower that copies them has the same log.
  const copy = new Bench(disk, '/data/other/copy-0').open({ config: { segmentBytes: 700 } });
  for (const slice of slices) {
    if (slice.kind === 'mark') {
      copy.log.appendMark(slice.mark);
      continue;
    }
    const bytes = bytesOf(disk, slice.range);
    for (let at = 0; at < bytes.length; ) {
      const header = readBatchHeader(bytes, at);
      copy.log.appendBatch(bytes, at, header.sizeBytes, header);
      at += header.sizeBytes;
    }
  }
  assert.equal(copy.log.logEnd, log.logEnd);
  assert.equal(copy.log.epochs, log.epochs);
  assert.equal(log.slicesBetween(log.logEnd, log.logEnd, 100), []);
  assert.is(log.slicesBetween({ offset: 5, marks: 1 }, log.logEnd, 1).length, 3);
});

test('truncation removes batches and marks, and the log goes on from there', () => {
  const bench = new Bench(new MemoryDisk()).open({ config: small });
  const { log } = bench;
  bench.startEpoch(1);
  for (let i = 0; i < 30; i++) bench.append({ valueBytes: 100 });
  bench.startEpoch(2);
  for (let i = 0; i < 30; i++) bench.append({ valueBytes: 100 });
  log.truncateTo({ offset: 45, marks: 2 });
  assert.equal(log.logEnd, { offset: 45, marks: 2 });
  log.truncateTo({ offset: 30, marks: 1 });
  assert.equal(
    log.epochs.map(({ epoch }) => epoch),
    [1],
  );
  log.truncateTo({ offset: 12, marks: 1 });
  assert.is(log.locate(11, 10_000, 12)?.nextOffset, 12);
  bench.startEpoch(5);
  bench.append({ tag: 'new' });
  assert.equal(log.epochEnd(1), { epoch: 1, endOffset: 12 });
  assert.equal(log.epochEnd(3), { epoch: 1, endOffset: 12 });
  assert.equal(log.epochEnd(5), { epoch: 5, endOffset: 13 });
  assert.equal(log.epochEnd(6), { epoch: -1, endOffset: -1 });
  assert.throws(() => log.truncateTo({ offset: 99, marks: 2 }), /truncation inside/);
});

test('a truncation inside a batch is a bug, not a request', () => {
  const bench = new Bench(new MemoryDisk()).open();
  bench.startEpoch(1);
  bench.append({ records: 5 });
  assert.throws(() => bench.log.truncateTo({ offset: 3, marks: 1 }), /between batches/);
});

test('synced means on disk: a power cut after done loses nothing', () => {
  const disk = new MemoryDisk();
  const bench = new Bench(disk).open({ config: small });
  bench.startEpoch(1);
  for (let i = 0; i < 25; i++) bench.append({ valueBytes: 100 });
  assert.equal(synced(bench, disk), { offset: 25, marks: 1 });
  for (let i = 0; i < 25; i++) bench.append({ valueBytes: 100 });
  disk.crash('none', new Prng(1));
  bench.open({ config: small, isPageCacheLost: true });
  assert.equal(bench.log.logEnd, { offset: 25, marks: 1 });
  assert.is(bench.log.isForgetful, false);
});

test('cached syncs marks but not batches', () => {
  const disk = new MemoryDisk();
  const config = { durability: 'cached' } as const;
  const bench = new Bench(disk).open({ config });
  bench.startEpoch(1);
  assert.equal(synced(bench, disk), { offset: 0, marks: 1 });
  const { syncs } = disk.counters;
  bench.append();
  let result: Position | undefined;
  bench.log.syncTo((_error, position) => {
    result = position;
  });
  assert.equal(result, { offset: 1, marks: 1 }, 'done at once: nothing has to be synced');
  assert.is(disk.counters.syncs, syncs);
});

test('a sync under way proves nothing about what replaces a truncated tail', () => {
  const disk = new MemoryDisk();
  const bench = new Bench(disk).open();
  bench.startEpoch(1);
  for (let i = 0; i < 4; i++) bench.append();
  const seen: Position[] = [];
  bench.log.syncTo((_error, position) => seen.push(position));
  bench.log.truncateTo({ offset: 2, marks: 1 });
  bench.startEpoch(2);
  for (let i = 0; i < 4; i++) bench.append({ tag: 'new' });
  disk.drain();
  assert.equal(seen, [{ offset: 2, marks: 1 }]);
  assert.equal(synced(bench, disk), { offset: 6, marks: 2 });
});

test('after a failed sync the log takes nothing, and says why', () => {
  const disk = new MemoryDisk();
  const bench = new Bench(disk).open();
  bench.startEpoch(1);
  bench.append();
  disk.failSync = /\.log$/;
  let code: string | undefined;
  bench.log.syncTo((error) => {
    code = (error as { code?: string } | null)?.code;
  });
  disk.drain();
  assert.is(code, 'EIO');
  disk.failSync = null;
  assert.throws(
    () => bench.append(),
    (e: { code: string }) => e.code === 'STORAGE_FAILED',
  );
  assert.is(bench.log.failure?.code, 'STORAGE_FAILED');
});

test('a full disk refuses the batch, keeps what was there, and heals', () => {
  const disk = new MemoryDisk();
  const bench = new Bench(disk).open();
  bench.startEpoch(1);
  bench.append();
  const before = disk.contents(`${DIRECTORY}/00000000000000000000.log`);
  disk.capacityBytes = disk.capacityBytes - disk.freeBytes() + 40;
  assert.throws(
    () => bench.append(),
    (e: { code: string }) => e.code === 'STORAGE_FULL',
  );
  assert.ok(disk.contents(`${DIRECTORY}/00000000000000000000.log`).equals(before));
  assert.is(bench.log.logEnd.offset, 1);
  disk.capacityBytes = Number.MAX_SAFE_INTEGER;
  bench.append();
  assert.is(bench.log.logEnd.offset, 2);
});

test('the log start moves for clients at once, and segments go when that is durable', () => {
  const disk = new MemoryDisk();
  const bench = new Bench(disk).open({ config: small });
  const { log } = bench;
  bench.startEpoch(1);
  for (let i = 0; i < 40; i++) bench.append({ records: 2, valueBytes: 100 });
  const logs = () => disk.list(DIRECTORY).filter((name) => name.endsWith('.log'));
  const before = logs().length;
  log.setLogStart(41);
  assert.is(log.logStartOffset, 41);
  assert.equal(log.logStart, { offset: 40, marks: 1 }, 'the batch that holds it is kept');
  assert.is(logs().length, before);
  disk.drain();
  assert.ok(logs().length < before);
  assert.is(log.locate(41, 10_000, 80)?.baseOffset, 40);
  log.setLogStart(80);
  disk.drain();
  assert.equal(logs(), ['00000000000000000080.log']);
  assert.is(log.sizeBytes, 0);
  disk.crash('all', new Prng(0));
  bench.open({ config: small });
  assert.is(bench.log.logStartOffset, 80);
  assert.equal(bench.log.logEnd, { offset: 80, marks: 1 });
  bench.append();
});

test('a reset forgets everything and starts at a given place', () => {
  const disk = new MemoryDisk();
  const bench = new Bench(disk).open({ config: small });
  bench.startEpoch(1);
  for (let i = 0; i < 40; i++) bench.append({ valueBytes: 100 });
  const epochs = [{ epoch: 7, start: { offset: 900, marks: 12 } }];
  bench.log.resetTo({ offset: 1_000, marks: 13 }, epochs);
  assert.equal(bench.log.synced, { offset: 1_000, marks: 13 });
  bench.append({ tag: 'after' });
  assert.equal(synced(bench, disk), { offset: 1_001, marks: 13 });
  disk.crash('none', new Prng(1));
  bench.open({ config: small, isPageCacheLost: true });
  assert.equal(bench.log.logEnd, { offset: 1_001, marks: 13 });
  assert.is(bench.log.epochEndingAt(bench.log.logEnd), 7);
  assert.is(bench.log.logStartOffset, 1_000);
});

test('segments roll by size and by time', () => {
  const disk = new MemoryDisk();
  const bench = new Bench(disk).open({ config: { segmentBytes: 500, segmentMs: 1_000 } });
  bench.startEpoch(1);
  const logs = () => disk.list(DIRECTORY).filter((name) => name.endsWith('.log')).length;
  bench.append({ timestamp: 5_000 });
  bench.append({ timestamp: 6_000 });
  assert.is(logs(), 1);
  bench.append({ timestamp: 6_001 });
  assert.is(logs(), 2);
  bench.append({ timestamp: 6_002, valueBytes: 600 });
  assert.is(logs(), 3, 'a batch above segment.bytes gets a segment of its own');
  bench.append({ timestamp: 6_003 });
  assert.is(logs(), 4);
});

test('time finds the first record at or after it, below the given end', () => {
  const bench = new Bench(new MemoryDisk()).open({ config: small });
  const { log } = bench;
  bench.startEpoch(1);
  assert.is(log.offsetForTimestamp(0), null);
  assert.is(log.maxTimestamp(), null);
  for (let i = 0; i < 100; i++) bench.append({ records: 3, timestamp: 10_000 + i * 10 });
  assert.equal(log.offsetForTimestamp(0), { offset: 0, timestamp: 10_000, leaderEpoch: 1 });
  for (const [at, offset] of [
    [10_000, 0],
    [10_001, 1],
    [10_003, 3],
    [10_500, 150],
    [10_502, 152],
    [10_992, 299],
  ] as const) {
    assert.is(log.offsetForTimestamp(at)?.offset, offset, `time ${at}`);
  }
  assert.is(log.offsetForTimestamp(10_993), null);
  assert.is(log.offsetForTimestamp(10_500, 150), null);
  assert.equal(log.maxTimestamp(), { offset: 299, timestamp: 10_992, leaderEpoch: 1 });
  assert.equal(log.maxTimestamp(150), { offset: 149, timestamp: 10_492, leaderEpoch: 1 });
  log.setLogStart(151);
  assert.is(log.offsetForTimestamp(0)?.offset, 151);
});

test('times that go back are found too', () => {
  const bench = new Bench(new MemoryDisk()).open({ config: small });
  bench.startEpoch(1);
  const times = Array.from({ length: 80 }, (_, i) => (i === 30 ? 9_000 : 1_000 + i));
  for (const timestamp of times) bench.append({ timestamp });
  for (const [offset, timestamp] of times.entries()) {
    const first = times.findIndex((time) => time >= timestamp);
    assert.is(bench.log.offsetForTimestamp(timestamp)?.offset, first, `offset ${offset}`);
  }
  assert.is(bench.log.maxTimestamp()?.offset, 30);
});

test('retention proposes whole segments, oldest first, below the high watermark', () => {
  const clock = new HandClock();
  const bench = new Bench(new MemoryDisk()).open({ clock, config: { segmentBytes: 1_000 } });
  const { log } = bench;
  bench.startEpoch(1);
  for (let i = 0; i < 50; i++) bench.append({ valueBytes: 100, timestamp: 1_000 + i });
  const byTime = { ...log.config, retentionMs: 20, retentionBytes: -1 };
  log.setConfig(byTime);
  const proposed = log.applyRetention(1_050, 50) as number;
  assert.ok(proposed > 0 && proposed <= 30, `${proposed}`);
  assert.is(log.applyRetention(1_050, 3), null);
  assert.is(log.applyRetention(99_999, 50), 50, 'all of it, the active segment too');
  log.setConfig({ ...log.config, retentionMs: -1, retentionBytes: 3_000 });
  log.setLogStart(log.applyRetention(1_050, 50) as number);
  assert.is(log.applyRetention(1_050, 50), null);
  log.setConfig({ ...log.config, retentionBytes: -1 });
  assert.is(log.applyRetention(9e15, 50), null);
});

test('open files stay bounded and a range stays readable in its turn', () => {
  const disk = new MemoryDisk();
  const bench = new Bench(disk).open({ config: small });
  bench.startEpoch(1);
  for (let i = 0; i < 30; i++) bench.append({ valueBytes: 100 });
  const range = bench.log.locate(0, 10, 30) as LogRange;
  bench.log.setLogStart(29);
  disk.drain();
  assert.ok(
    bytesOf(disk, range).equals(makeBatch({ baseOffset: 0, leaderEpoch: 1, valueBytes: 100 })),
  );
  bench.log.closeAbruptly();
  bench.wal.closeAbruptly();
  disk.drain();
  assert.is(disk.openFiles, 0);
});

test('after a failed sync a later one of the same file proves nothing', () => {
  const disk = new MemoryDisk();
  const bench = new Bench(disk).open();
  bench.startEpoch(1);
  bench.log.syncTo(() => {});
  disk.drain();
  const results: (string | null)[] = [];
  for (let i = 0; i < 2; i++) {
    bench.append();
    bench.log.syncTo((error) => results.push(error === null ? null : 'failed'));
  }
  // The system tells of lost pages once: the second sync of the file succeeds.
  disk.failSync = /\.log$/;
  disk.drain(1);
  disk.failSync = null;
  disk.drain();
  assert.equal(results, ['failed', 'failed']);
  assert.is(bench.wal.promisedOffset(GROUP), 0);
});

test.run();
