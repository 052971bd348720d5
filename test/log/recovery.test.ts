/** One test per row of the table in src/log/recovery.ts, each told as what happened to a disk. */
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { Prng } from '#src/base/prng.js';
import type { LogConfig } from '#src/log/log-config.js';
import { segmentPath } from '#src/log/names.js';
import { moveAside } from '#src/log/recovery-state.js';
import { MemoryDisk } from './memory-disk.js';
import { Bench, DIRECTORY, GROUP, TOPIC_ID, makeBatch } from './support.js';

/** Small segments: ten batches of 178 bytes and more make several. */
const small: Partial<LogConfig> = { segmentBytes: 600, indexIntervalBytes: 100 };
const prng = new Prng(1);

function sync(bench: Bench, disk: MemoryDisk): void {
  let isDone = false;
  bench.log.syncTo((error) => {
    assert.is(error, null);
    isDone = true;
  });
  disk.drain();
  assert.ok(isDone);
}

/** A synced log of `count` batches, one record each; what was promised is in the WAL. */
function story(count: number, config: Partial<LogConfig> = small) {
  const disk = new MemoryDisk();
  const bench = new Bench(disk).open({ config });
  bench.startEpoch(1);
  for (let i = 0; i < count; i++) bench.append({ valueBytes: 100 });
  sync(bench, disk);
  bench.wal.tick();
  return { disk, bench };
}

const lastLog = (disk: MemoryDisk) =>
  `${DIRECTORY}/${disk
    .list(DIRECTORY)
    .filter((name) => name.endsWith('.log'))
    .at(-1)}`;

function addBytes(disk: MemoryDisk, path: string, bytes: Uint8Array): void {
  const file = disk.openFile(path, 'existing');
  disk.writeAt(file, disk.fileSize(path), bytes, 0, bytes.length);
  disk.close(file);
}

function cutBytes(disk: MemoryDisk, path: string, count: number): void {
  const file = disk.openFile(path, 'existing');
  disk.truncate(file, disk.fileSize(path) - count);
  disk.syncNow(file);
  disk.close(file);
}

function kill(disk: MemoryDisk): void {
  disk.crash('all', prng);
}

const batchAt = (baseOffset: number, leaderEpoch = 1) =>
  makeBatch({ baseOffset, leaderEpoch, valueBytes: 100 });

test('clean-stop: nothing is scanned, whatever the boot', () => {
  const { disk, bench } = story(20);
  bench.closeCleanly();
  disk.crash('none', prng);
  const before = disk.counters.readBytes;
  bench.open({ config: small, isCleanStop: true, isPageCacheLost: true });
  assert.equal(bench.kinds(), ['clean-stop']);
  assert.ok(disk.counters.readBytes - before < 200_000, 'only WAL and checkpoint are read');
  assert.equal(bench.log.logEnd, { offset: 20, marks: 1 });
  assert.equal(bench.log.synced, bench.log.logEnd);
  assert.is(bench.log.maxTimestamp()?.offset, 19);
});

test('clean-stop: a file that changed since is scanned after all', () => {
  const { disk, bench } = story(20);
  bench.closeCleanly();
  cutBytes(disk, lastLog(disk), 5);
  bench.open({ config: small, isCleanStop: true });
  assert.ok(bench.log.isForgetful, 'what a clean stop had is promised');
  assert.is(bench.log.logEnd.offset, 19);
});

test('torn-tail: a kill in the middle of a write', () => {
  const { disk, bench } = story(5);
  addBytes(disk, lastLog(disk), batchAt(5).subarray(0, 90));
  kill(disk);
  bench.open({ config: small });
  assert.equal(bench.kinds(), ['torn-tail']);
  assert.is(bench.log.isForgetful, false);
  assert.equal(bench.log.logEnd, { offset: 5, marks: 1 });
});

test('torn-tail: below what was promised it is a loss', () => {
  const { disk, bench } = story(5);
  cutBytes(disk, lastLog(disk), 1);
  kill(disk);
  bench.open({ config: small });
  assert.equal(bench.kinds(), ['torn-tail']);
  assert.ok(bench.log.isForgetful);
  assert.is(bench.log.logEnd.offset, 4);
});

test('forgetful stays forgetful over restarts, until a leader has healed it', () => {
  const { disk, bench } = story(5);
  cutBytes(disk, lastLog(disk), 1);
  kill(disk);
  bench.open({ config: small });
  disk.crash('none', prng);
  bench.open({ config: small, isPageCacheLost: true });
  assert.ok(bench.log.isForgetful);
  bench.log.clearForgetful();
  sync(bench, disk);
  disk.crash('none', prng);
  bench.open({ config: small, isPageCacheLost: true });
  assert.is(bench.log.isForgetful, false);
});

test('zero-tail: a power cut leaves zeros, a kill does not', () => {
  for (const isPageCacheLost of [true, false]) {
    const { disk, bench } = story(5);
    addBytes(disk, lastLog(disk), new Uint8Array(5_000));
    kill(disk);
    bench.open({ config: small, isPageCacheLost });
    assert.equal(bench.kinds(), ['zero-tail']);
    assert.is(bench.log.isForgetful, !isPageCacheLost);
    assert.is(bench.log.logEnd.offset, 5);
  }
});

test('bad-crc-last: torn by a power cut, damage after a kill or below a promise', () => {
  for (const [isPageCacheLost, isSynced] of [
    [true, false],
    [false, false],
    [true, true],
  ] as const) {
    const { disk, bench } = story(5);
    bench.append({ valueBytes: 100 });
    if (isSynced) {
      sync(bench, disk);
      bench.wal.tick();
    }
    disk.flipBit(lastLog(disk), disk.fileSize(lastLog(disk)) - 1);
    kill(disk);
    bench.open({ config: small, isPageCacheLost });
    assert.equal(bench.kinds(), ['bad-crc-last']);
    assert.is(bench.log.isForgetful, !isPageCacheLost || isSynced);
    assert.is(bench.log.logEnd.offset, 5);
  }
});

test('bad-crc-middle: what is given up is kept beside the segment', () => {
  const { disk, bench } = story(20, {});
  const path = lastLog(disk);
  const before = disk.contents(path);
  assert.ok(before.length > 340);
  for (const position of [16, 80]) {
    disk.flipBit(path, position);
    kill(disk);
  }
  bench.open({ config: small });
  assert.equal(bench.kinds(), ['bad-crc-middle']);
  assert.ok(bench.log.isForgetful);
  const kept = disk.list(DIRECTORY).filter((name) => name.endsWith('.cut'));
  assert.is(kept.length, 1);
  assert.is(disk.contents(`${DIRECTORY}/${kept[0]}`).length, before.length);
});

test('hole: an offset that does not follow', () => {
  const { disk, bench } = story(5);
  addBytes(disk, lastLog(disk), batchAt(7));
  kill(disk);
  bench.open({ config: small, isPageCacheLost: true });
  assert.equal(bench.kinds(), ['hole']);
  assert.is(bench.log.logEnd.offset, 5);
  assert.is(bench.log.isForgetful, false, 'nothing sound lies behind the batch in question');
});

test('stale-epoch: an epoch that goes down without a truncation', () => {
  const { disk, bench } = story(5);
  bench.startEpoch(4);
  bench.wal.flushNow();
  addBytes(disk, lastLog(disk), batchAt(5, 1));
  kill(disk);
  bench.open({ config: small });
  assert.equal(bench.kinds(), ['stale-epoch']);
  assert.ok(bench.log.isForgetful);
  assert.equal(bench.log.logEnd, { offset: 5, marks: 2 });
});

test('truncate-replayed: the truncation was durable, the shorter file was not', () => {
  const { disk, bench } = story(5);
  bench.log.truncateTo({ offset: 2, marks: 1 });
  bench.startEpoch(4);
  bench.wal.flushNow();
  disk.crash('none', prng);
  bench.open({ config: small, isPageCacheLost: true });
  assert.equal(bench.kinds(), ['truncate-replayed']);
  assert.is(bench.log.isForgetful, false);
  assert.equal(bench.log.logEnd, { offset: 2, marks: 2 });
});

test('unknown-epoch: the batch is newer than any mark that survived', () => {
  const { disk, bench } = story(5);
  bench.startEpoch(4);
  bench.append({ valueBytes: 100 });
  bench.append({ valueBytes: 100 });
  kill(disk);
  bench.open({ config: small });
  assert.equal(bench.kinds(), ['unknown-epoch']);
  assert.is(bench.log.isForgetful, false, 'it cannot have been acknowledged without its mark');
  assert.equal(bench.log.logEnd, { offset: 5, marks: 1 });
});

test('segment-missing: in the middle, believed or not', () => {
  for (const isCheckpointed of [true, false]) {
    const { disk, bench } = story(20);
    if (isCheckpointed) {
      bench.log.checkpoint();
      disk.drain();
    }
    const logs = disk.list(DIRECTORY).filter((name) => name.endsWith('.log'));
    disk.unlink(`${DIRECTORY}/${logs[1]}`);
    kill(disk);
    bench.open({ config: small });
    assert.ok(bench.kinds().includes('segment-missing'));
    assert.ok(bench.log.isForgetful);
    assert.is(bench.log.logEnd.offset, Number.parseInt(logs[1] as string, 10));
    const kept = disk.list(DIRECTORY).filter((name) => name.endsWith('.cut'));
    assert.is(kept.length, logs.length - 2, 'later segments are kept aside');
  }
});

test('segment-short: a sealed segment lost its end', () => {
  const { disk, bench } = story(20);
  bench.log.checkpoint();
  disk.drain();
  cutBytes(disk, segmentPath(DIRECTORY, 0, 'log'), 10);
  kill(disk);
  bench.open({ config: small });
  assert.equal(bench.kinds(), ['segment-short', 'torn-tail']);
  assert.ok(bench.log.isForgetful);
});

test('synced-bytes-missing: the log ends at a batch, but too early', () => {
  const { disk, bench } = story(5, {});
  cutBytes(disk, lastLog(disk), batchAt(4).length);
  kill(disk);
  bench.open({ isPageCacheLost: true });
  assert.equal(bench.kinds(), ['synced-bytes-missing']);
  assert.ok(bench.log.isForgetful);
  assert.is(bench.log.logEnd.offset, 4);
});

test('mark-beyond-end: the WAL outlived the batches before its mark', () => {
  const { disk, bench } = story(5);
  for (let i = 0; i < 3; i++) bench.append({ valueBytes: 100 });
  bench.startEpoch(3);
  bench.wal.flushNow();
  disk.crash('none', prng);
  bench.open({ config: small, isPageCacheLost: true });
  assert.equal(bench.kinds(), ['mark-beyond-end']);
  assert.is(bench.log.isForgetful, false);
  assert.equal(bench.log.logEnd, { offset: 5, marks: 1 });
  assert.equal(
    bench.log.epochs.map(({ epoch }) => epoch),
    [1],
  );
});

const INDEX_DAMAGE: readonly [string, (disk: MemoryDisk, path: string) => void][] = [
  ['missing', (disk, path) => disk.unlink(path)],
  ['cut', (disk, path) => cutBytes(disk, path, 3)],
  ['ahead of the log', (disk, path) => addBytes(disk, path, new Uint8Array(24).fill(0x7f))],
  ['garbage', (disk, path) => disk.plant(path, new Uint8Array(48).fill(0x55))],
  ['zeros', (disk, path) => disk.plant(path, new Uint8Array(48))],
];

for (const suffix of ['index', 'timeindex'] as const) {
  for (const [how, damage] of INDEX_DAMAGE) {
    test(`${suffix === 'index' ? 'offset' : 'time'}-index-rebuilt: ${how}`, () => {
      for (const isSealed of [true, false]) {
        const { disk, bench } = story(20, { ...small, segmentBytes: isSealed ? 2_000 : 1e6 });
        bench.log.checkpoint();
        disk.drain();
        damage(disk, segmentPath(DIRECTORY, 0, suffix));
        kill(disk);
        bench.open({ config: small });
        assert.is(bench.log.isForgetful, false);
        if (!isSealed) {
          const kind = suffix === 'index' ? 'offset-index-rebuilt' : 'time-index-rebuilt';
          assert.ok(bench.kinds().includes(kind), bench.kinds().join());
        }
        for (let offset = 0; offset < 20; offset++) {
          assert.is(bench.log.locate(offset, 1, 20)?.baseOffset, offset);
          assert.is(bench.log.offsetForTimestamp(offset)?.offset, offset);
        }
      }
    });
  }
}

test('left-over-file: half-written files and lonely indexes go', () => {
  const { disk, bench } = story(5);
  const strange = ['replica-state.tmp', '00000000000000000099.index', `${'0'.repeat(20)}.log.swap`];
  for (const name of strange) disk.plant(`${DIRECTORY}/${name}`, Buffer.from('x'));
  kill(disk);
  bench.open({ config: small });
  assert.equal(bench.kinds(), ['left-over-file', 'left-over-file', 'left-over-file']);
  for (const name of strange) assert.not(disk.exists(`${DIRECTORY}/${name}`));
});

test('state-lost: one rotten copy of the checkpoint is harmless, two cost the marks', () => {
  const { disk, bench } = story(20);
  bench.startEpoch(5);
  bench.append({ valueBytes: 100 });
  bench.closeCleanly();
  const path = `${DIRECTORY}/replica-state`;
  disk.flipBit(path, 100);
  bench.open({ config: small, isCleanStop: true });
  assert.equal(bench.kinds(), ['clean-stop']);
  bench.log.closeAbruptly();
  bench.wal.closeAbruptly();
  disk.flipBit(path, disk.fileSize(path) / 2 + 100);
  bench.open({ config: small, isCleanStop: true });
  assert.ok(bench.kinds().includes('state-lost'));
  assert.ok(bench.log.isForgetful);
  assert.equal(bench.log.logEnd, { offset: 21, marks: 2 });
  assert.equal(
    bench.log.epochs.map(({ epoch }) => epoch),
    [1, 5],
  );
  kill(disk);
  bench.open({ config: small });
  assert.ok(bench.log.isForgetful);
  assert.equal(bench.log.logEnd, { offset: 21, marks: 2 });
});

test('folder-lost: the WAL knows a replica whose folder is gone', () => {
  const { disk, bench } = story(20);
  bench.log.checkpoint();
  disk.drain();
  // Until the WAL's files took turns, it could still tell the marks.
  for (let term = 1; term < 1_000; term++) {
    bench.wal.setHardState(GROUP, { term, votedFor: null });
    bench.wal.flushNow();
  }
  disk.removeTree(DIRECTORY);
  kill(disk);
  bench.open({ config: small });
  assert.ok(bench.kinds().includes('folder-lost'));
  assert.ok(bench.log.isForgetful);
  assert.equal(bench.log.logEnd, { offset: 0, marks: 0 });
});

test('page-cache-lost: a cached replica is forgetful after a power cut, not after a kill', () => {
  const config = { ...small, durability: 'cached' } as const;
  const { disk, bench } = story(20, config);
  kill(disk);
  bench.open({ config });
  assert.is(bench.log.isForgetful, false);
  assert.is(bench.log.logEnd.offset, 20);
  disk.crash('none', prng);
  bench.open({ config, isPageCacheLost: true });
  assert.ok(bench.kinds().includes('page-cache-lost'));
  assert.ok(bench.log.isForgetful);
});

test('a folder of another topic is refused, moved aside and kept', () => {
  const { disk, bench } = story(5);
  bench.closeCleanly();
  const other = TOPIC_ID.replace('a', 'z');
  assert.throws(
    () => bench.open({ topicId: other }),
    (error: { code?: string }) => error.code === 'DIRECTORY_FOREIGN',
  );
  assert.is(moveAside(disk, DIRECTORY), `${DIRECTORY}.${TOPIC_ID}-stray`);
  bench.wal.closeAbruptly();
  bench.open({ topicId: other });
  assert.is(bench.log.logEnd.offset, 0);
  assert.is(bench.log.isForgetful, false);
  assert.ok(disk.exists(`${DIRECTORY}.${TOPIC_ID}-stray/00000000000000000000.log`));
});

test('a log start in the page cache only is found again, and so is a reset', () => {
  const { disk, bench } = story(20);
  bench.log.setLogStart(12);
  kill(disk);
  bench.open({ config: small });
  assert.is(bench.log.isForgetful, false);
  assert.ok(bench.log.logStartOffset <= 12);
  bench.log.resetTo({ offset: 7, marks: 9 }, [{ epoch: 6, start: { offset: 7, marks: 8 } }]);
  disk.crash('none', prng);
  bench.open({ config: small, isPageCacheLost: true });
  assert.equal(bench.log.logEnd, { offset: 7, marks: 9 });
  assert.is(bench.log.isForgetful, false);
});

test.run();
