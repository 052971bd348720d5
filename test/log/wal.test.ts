/** The write-ahead log: what is flushed survives anything, what a file held before does not. */
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { Prng } from '#src/base/prng.js';
import type { HardState } from '#src/log/log-types.js';
import { Wal } from '#src/log/wal.js';
import { settleWals, walDirectory } from '#src/log/wal-shards.js';
import { type Keep, MemoryDisk } from './memory-disk.js';

const DIRECTORY = '/data/wal';
const group = (partition: number) => ({ topicId: 'abcdefghijklmnopqrstuv', partition });
const vote = (term: number): HardState => ({
  term,
  votedFor: { nodeId: term % 5, directoryId: `directory-${term}` },
});
const open = (disk: MemoryDisk, fileBytes = 16 << 10) =>
  Wal.open({ disk, directory: DIRECTORY, fileBytes });

function flushed(wal: Wal, disk: MemoryDisk): Error | null | undefined {
  let result: Error | null | undefined;
  wal.flush((error) => {
    result = error;
  });
  disk.drain();
  return result;
}

test('a flushed vote survives a power cut, an unflushed one does not', () => {
  const disk = new MemoryDisk();
  let wal = open(disk);
  wal.setHardState(group(0), vote(1));
  assert.is(flushed(wal, disk), null);
  wal.setHardState(group(0), vote(2));
  disk.crash('none', new Prng(1));
  wal = open(disk);
  assert.equal(wal.hardState(group(0)), vote(1));
  assert.is(wal.hardState(group(1)), null);
});

test('many callers share one sync, and nobody is told early', () => {
  const disk = new MemoryDisk();
  const wal = open(disk);
  assert.is(flushed(wal, disk), null);
  const before = disk.counters.syncs;
  let done = 0;
  for (let i = 0; i < 100; i++) {
    wal.setHardState(group(i), vote(i));
    wal.flush(() => done++);
  }
  assert.is(done, 0);
  assert.is(disk.pendingSyncs, 1);
  disk.drain(1);
  assert.is(done, 1, 'the first call had a sync of its own');
  disk.drain(1);
  assert.is(done, 100);
  assert.is(disk.counters.syncs - before, 2);
});

test('files take turns; what they held before is never replayed', () => {
  const disk = new MemoryDisk();
  let wal = open(disk, 4 << 10);
  for (let term = 1; term <= 2_000; term++) {
    wal.setHardState(group(term % 7), vote(term));
    assert.is(flushed(wal, disk), null);
  }
  disk.crash('none', new Prng(1));
  wal = open(disk, 4 << 10);
  for (let i = 0; i < 7; i++) {
    const newest = 2_000 - ((2_000 - i) % 7);
    assert.is(wal.hardState(group(i))?.term, newest);
  }
  assert.ok(disk.fileSize(`${DIRECTORY}/00000000.wal`) <= 8 << 10, 'the files do not grow');
});

test('operations come back in order, without those a checkpoint holds', () => {
  const disk = new MemoryDisk();
  let wal = open(disk);
  const at = (marks: number) => ({ offset: 0, marks });
  for (let i = 0; i < 10; i++) {
    wal.append(group(0), { kind: 'mark', mark: { kind: 'epoch-start', epoch: i, at: at(i) } });
  }
  wal.append(group(0), { kind: 'truncate', to: at(9) });
  wal.append(group(1), {
    kind: 'reset',
    to: { offset: 5, marks: 2 },
    epochs: [{ epoch: 3, start: at(1) }],
  });
  wal.append(group(1), { kind: 'log-start', logStartOffset: 7, start: { offset: 6, marks: 3 } });
  wal.append(group(1), { kind: 'unpromise', offset: 4 });
  wal.append(group(1), { kind: 'forgetful', isForgetful: true });
  wal.noteSynced(group(1), 10, 12);
  wal.dropOps(group(0), 8);
  assert.is(flushed(wal, disk), null);
  const before = [wal.ops(group(0)), wal.ops(group(1))];
  disk.crash('none', new Prng(1));
  wal = open(disk);
  // The drop was only in memory: replaying what a checkpoint holds is up to the checkpoint.
  assert.equal(wal.ops(group(0)).slice(-3), before[0]);
  assert.equal(wal.ops(group(1)), before[1]);
  assert.is(wal.promisedOffset(group(1)), 12);
  wal.raiseSequence(group(2), 41);
  assert.is(wal.append(group(2), { kind: 'unpromise', offset: 0 }), 42);
});

test('a removed group stays removed', () => {
  const disk = new MemoryDisk();
  let wal = open(disk);
  wal.setHardState(group(0), vote(1));
  wal.setHardState(group(1), vote(1));
  assert.is(flushed(wal, disk), null);
  wal.remove(group(0));
  assert.is(flushed(wal, disk), null);
  disk.crash('none', new Prng(1));
  wal = open(disk);
  assert.equal(wal.groups(), [group(1)]);
});

test('a failed sync fails every caller, then and later, and is never tried again', () => {
  const disk = new MemoryDisk();
  const wal = open(disk);
  wal.setHardState(group(0), vote(1));
  assert.is(flushed(wal, disk), null);
  wal.setHardState(group(0), vote(2));
  disk.failSync = /wal/;
  const error = flushed(wal, disk);
  assert.is((error as { code?: string }).code, 'STORAGE_FAILED');
  disk.failSync = null;
  const syncs = disk.counters.syncs;
  assert.is((flushed(wal, disk) as { code?: string }).code, 'STORAGE_FAILED');
  assert.throws(() => wal.flushNow(), /cannot be written/);
  assert.is(disk.counters.syncs, syncs);
  wal.closeAbruptly();
  assert.is(disk.openFiles, 0);
});

test('votes need no new disk space', () => {
  const disk = new MemoryDisk();
  const wal = open(disk);
  assert.is(flushed(wal, disk), null);
  disk.capacityBytes = 0;
  for (let term = 1; term <= 1_000; term++) {
    wal.setHardState(group(term % 3), vote(term));
    assert.is(flushed(wal, disk), null);
  }
});

/** A log with two synced votes, closed; its first file holds them. */
function twoVotes() {
  const disk = new MemoryDisk();
  const wal = open(disk);
  for (const term of [1, 2]) {
    wal.setHardState(group(0), vote(term));
    assert.is(flushed(wal, disk), null);
  }
  wal.closeAbruptly();
  const path = `${DIRECTORY}/00000000.wal`;
  return { disk, path, used: disk.contents(path).findLastIndex((byte) => byte !== 0) };
}

test('a broken frame at the end is a torn tail', () => {
  const { disk, path, used } = twoVotes();
  // The last frame only says what was synced: losing it loses nothing.
  disk.flipBit(path, used);
  assert.is(open(disk).hardState(group(0))?.term, 2);
});

test('a broken frame that a later one calls synced is damage, and the log says so', () => {
  for (const position of [0, 30, 100, 200]) {
    const { disk, path } = twoVotes();
    disk.flipBit(path, position);
    assert.throws(
      () => open(disk),
      (error: Error & { code: string }) => error.code === 'CORRUPT',
    );
  }
});

test('another number of shards: every group is found where it now belongs, after any crash', () => {
  const root = '/data/wal';
  const settle = (disk: MemoryDisk, shards: number) => {
    const ownerOf = ({ partition }: { partition: number }) => partition % shards;
    return settleWals({ disk, root, shards, fileBytes: 8 << 10, ownerOf });
  };
  for (let seed = 0; seed < 60; seed++) {
    const prng = new Prng(seed);
    const disk = new MemoryDisk();
    settle(disk, 1);
    const first = Wal.open({ disk, directory: walDirectory(root, 0), fileBytes: 8 << 10 });
    for (let i = 0; i < 12; i++) {
      first.setHardState(group(i), vote(i + 1));
      first.append(group(i), { kind: 'unpromise', offset: i });
    }
    first.closeCleanly();
    let before = 1;
    for (const wanted of [3, 2, 5, 1, 4]) {
      disk.killInWrite = prng.chance(0.5) ? prng : null;
      disk.writesUntilKill = prng.int(0, 60);
      try {
        settle(disk, wanted);
      } catch (error) {
        assert.match(String(error), /EKILLED/);
      }
      disk.crash(prng.pick(['all', 'none', 'prefix', 'random'] as const), prng);
      // Whoever changed it may change it back when the start failed.
      const shards = prng.chance(0.3) ? before : wanted;
      before = shards;
      settle(disk, shards);
      for (let i = 0; i < 12; i++) {
        const directory = walDirectory(root, i % shards);
        const wal = Wal.open({ disk, directory, fileBytes: 8 << 10 });
        assert.is(wal.hardState(group(i))?.term, i + 1, `seed ${seed}, ${shards} shards`);
        assert.is(wal.ops(group(i)).length, 1);
        wal.closeCleanly();
      }
      assert.is(disk.list(root).filter((name) => name.startsWith('shard-')).length, shards + 1);
    }
  }
});

test('seeds: after any power cut the state is that of the last flush or later', () => {
  const keeps: readonly Keep[] = ['none', 'prefix', 'random', 'all'];
  for (let seed = 0; seed < 400; seed++) {
    const prng = new Prng(seed);
    const disk = new MemoryDisk();
    const promised = new Map<number, number>();
    const said = new Map<number, number>();
    let wal = open(disk, 2 << 10);
    for (let round = 0; round < 3; round++) {
      for (let i = 0; i < prng.int(1, 60); i++) {
        const partition = prng.int(0, 4);
        const term = (said.get(partition) ?? 0) + 1;
        said.set(partition, term);
        wal.setHardState(group(partition), vote(term));
        if (prng.chance(0.2)) wal.noteSynced(group(partition), term, term);
        if (prng.chance(0.2)) wal.tick();
        if (prng.chance(0.1)) {
          wal.flushNow();
          for (const [key, value] of said) promised.set(key, value);
        }
        const now = new Map(said);
        if (prng.chance(0.5)) {
          wal.flush((error) => {
            assert.is(error, null);
            for (const [key, value] of now) promised.set(key, value);
          });
        }
        if (prng.chance(0.5)) disk.drain(prng.int(0, 3));
      }
      disk.crash(prng.pick(keeps), prng);
      wal = open(disk, 2 << 10);
      for (const [partition, term] of promised) {
        const found = wal.hardState(group(partition))?.term ?? 0;
        assert.ok(found >= term, `seed ${seed}: term ${found} < ${term}`);
      }
      said.clear();
      for (const { partition } of wal.groups()) {
        said.set(partition, wal.hardState(group(partition))?.term as number);
      }
    }
  }
});

test.run();
