/**
 * Writes that wait for a slow disk, on a disk in memory: what was written is read at once, syncs
 * come after their writes, names and descriptors may go meanwhile, and a write that fails is heard
 * of by whoever rests on it.
 */
import { WRITE_BEHIND_BYTES_MAX } from '#src/base/limits.js';
import type { DiskFile } from '#src/log/disk.js';
import { WriteBehind } from '#src/log/write-behind.js';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { MemoryDisk } from './memory-disk.js';

const PATH = '/data/a';

class Bench {
  readonly inner = new MemoryDisk();
  readonly told: boolean[] = [];
  readonly disk: WriteBehind;
  nowMs = 0;
  readonly #syncsBefore = this.inner.counters.syncs;

  constructor() {
    const clock = { monotonicMs: () => this.nowMs, wallMs: () => 0 };
    const onSlow = (isSlow: boolean): void => void this.told.push(isSlow);
    this.disk = new WriteBehind({ disk: this.inner, clock, onSlow });
  }

  /** A file in which `first` was written, slowly: from now on writes wait. */
  begin(first = 'first '): DiskFile {
    const file = this.disk.openFile(PATH, 'create');
    this.inner.hasStalled = true;
    this.write(file, first, 0);
    return file;
  }

  write(file: DiskFile, text: string, position: number): void {
    const bytes = Buffer.from(`<${text}>`);
    this.disk.writeAt(file, position, bytes, 1, text.length);
    bytes.fill('x');
  }

  /** As readers of this disk see it. */
  read(file: DiskFile, length = 100, position = 0): string {
    const bytes = Buffer.alloc(length + 2, '_');
    const count = this.disk.readAt(file, position, bytes, 1, length);
    assert.is(bytes[0], '_'.charCodeAt(0));
    assert.is(bytes[count + 1], '_'.charCodeAt(0));
    return bytes.toString('utf8', 1, count + 1);
  }

  /** Syncs of files. */
  get syncs(): number {
    return this.inner.counters.syncs - this.#syncsBefore;
  }

  get inFile(): string {
    return this.inner.contents(PATH).toString('utf8');
  }
}

test('a fast disk is written at once', () => {
  const { disk, inner } = new Bench();
  const file = disk.openFile(PATH, 'create');
  disk.writeAt(file, 0, Buffer.from('abc'), 0, 3);
  assert.is(inner.contents(PATH).toString(), 'abc');
  assert.is(disk.isBehind, false);
  assert.ok(disk.hasWritten(file, 3));
});

test('after a slow write the next ones wait, and are read as if they did not', () => {
  const bench = new Bench();
  const { disk, inner } = bench;
  const file = bench.begin();
  assert.equal(bench.told, [true]);
  bench.write(file, 'second ', 6);
  bench.write(file, 'third ', 13);
  bench.write(file, 'fourth', 19);
  assert.is(bench.inFile, 'first ');
  assert.is(bench.read(file), 'first second third fourth');
  assert.is(bench.read(file, 9, 8), 'cond thir');
  assert.is(disk.fileSize(PATH), 25);
  assert.ok(disk.isBehind);
  assert.ok(disk.hasWritten(file, 6));
  assert.not(disk.hasWritten(file, 7));
  const before = inner.counters.writes;
  inner.drain();
  assert.is(bench.inFile, 'first second third fourth');
  assert.is(inner.counters.writes - before, 2, 'what gathers is one write');
  assert.not(disk.isBehind);
  assert.is(bench.read(file), 'first second third fourth');
});

test('overwritten and far away pieces are read, too', () => {
  const bench = new Bench();
  const file = bench.begin('0123456789');
  bench.write(file, 'ab', 2);
  bench.write(file, 'c', 3);
  bench.write(file, 'far', 12);
  assert.is(bench.read(file), '01ac456789\0\0far');
  bench.disk.finish();
  assert.is(bench.inFile, '01ac456789\0\0far');
});

test('it is calm again when nothing waits and no write was slow for a while', () => {
  const bench = new Bench();
  const { disk, inner } = bench;
  const file = bench.begin();
  inner.hasStalled = false;
  bench.write(file, 'x', 6);
  inner.drain();
  assert.ok(disk.isSlow, 'too early');
  bench.nowMs = 1_000;
  bench.write(file, 'y', 7);
  bench.write(file, 'z', 8);
  assert.ok(disk.isSlow, 'something waits');
  inner.drain();
  assert.not(disk.isSlow);
  assert.equal(bench.told, [true, false]);
  bench.write(file, '!', 9);
  assert.is(bench.inFile, 'first xyz!');
});

test('a sync covers what was written before it, and is told after that', () => {
  const bench = new Bench();
  const { disk, inner } = bench;
  const file = bench.begin();
  bench.write(file, 'a', 6);
  bench.write(file, 'b', 7);
  const heard: string[] = [];
  disk.sync(file, (error) => heard.push(`sync ${error}`));
  disk.syncLater(file, (error) => heard.push(`later ${error}`));
  assert.is(bench.syncs, 0);
  inner.drain(1);
  assert.is(bench.syncs, 0, 'b is not in the file');
  inner.drain();
  assert.equal(heard, ['sync null', 'later null']);
  assert.is(bench.syncs, 2);
  disk.sync(file, () => heard.push('nothing waits'));
  inner.drain();
  assert.is(heard.at(-1), 'nothing waits');
});

test('whoever blocks gets what was written before', () => {
  const bench = new Bench();
  const { disk } = bench;
  const file = bench.begin();
  bench.write(file, 'abcdef', 6);
  bench.write(file, 'gh', 12);
  disk.truncate(file, 8);
  assert.is(bench.inFile, 'first ab');
  bench.write(file, 'XY', 8);
  disk.syncNow(file);
  assert.is(bench.inFile, 'first abXY');
  assert.is(bench.syncs, 1);
  assert.is(bench.read(file), 'first abXY');
});

test('whoever blocks waits for his own file only', () => {
  const bench = new Bench();
  const { disk, inner } = bench;
  const file = bench.begin();
  const other = disk.openFile('/data/b', 'create');
  bench.write(file, 'a', 6);
  bench.write(file, 'b', 7);
  bench.write(other, 'one', 0);
  bench.write(other, 'two', 3);
  disk.truncate(other, 4);
  assert.is(bench.inFile, 'first ');
  assert.is(inner.contents('/data/b').toString(), 'onet');
  inner.drain();
  assert.is(bench.inFile, 'first ab');
  assert.is(inner.contents('/data/b').toString(), 'onet');
});

test('a descriptor stays open until its writes are done, a name may change or go before', () => {
  const bench = new Bench();
  const { disk, inner } = bench;
  const file = bench.begin();
  bench.write(file, 'a', 6);
  bench.write(file, 'b', 7);
  disk.rename(PATH, '/data/moved');
  bench.write(file, 'c', 8);
  disk.close(file);
  const again = disk.openFile('/data/moved', 'existing');
  assert.is(bench.read(again), 'first abc');
  inner.drain();
  assert.is(inner.contents('/data/moved').toString(), 'first abc');
  bench.write(again, 'd', 9);
  disk.unlink('/data/moved');
  const fresh = disk.openFile('/data/moved', 'create');
  assert.is(bench.read(fresh), '');
  assert.is(bench.read(again), 'first abcd');
  bench.write(fresh, 'new', 0);
  disk.close(again);
  disk.close(fresh);
  assert.is(inner.openFiles, 2);
  inner.drain();
  assert.is(inner.openFiles, 0);
  assert.is(inner.contents('/data/moved').toString(), 'new');
});

test('a folder takes what waits for its files along', () => {
  const bench = new Bench();
  const { disk, inner } = bench;
  bench.begin();
  disk.makeDirectory('/data/p');
  const file = disk.openFile('/data/p/log', 'create');
  bench.write(file, 'inside', 0);
  disk.rename('/data/p', '/data/q');
  assert.is(disk.fileSize('/data/q/log'), 6);
  disk.removeTree('/data/q');
  assert.not(disk.isBehind);
  disk.close(file);
  inner.drain();
  assert.is(inner.openFiles, 1);
});

test('after a failed write nothing of the file counts, and everybody hears of it', () => {
  const bench = new Bench();
  const { disk, inner } = bench;
  const file = bench.begin();
  const other = disk.openFile('/data/b', 'create');
  bench.write(file, 'lost', 6);
  bench.write(file, 'behind', 10);
  bench.write(other, 'fine', 0);
  const heard: string[] = [];
  const hear =
    (who: string) =>
    (error: Error | null): void =>
      void heard.push(`${who} ${(error as NodeJS.ErrnoException | null)?.code}`);
  disk.sync(file, hear('sync'));
  disk.sync(other, hear('other'));
  inner.capacityBytes = 6;
  inner.drain(1);
  inner.capacityBytes = Number.MAX_SAFE_INTEGER;
  inner.drain();
  assert.equal(heard, ['sync STORAGE_FAILED', 'other undefined']);
  assert.is(bench.inFile, 'first ');
  assert.is(bench.read(file), 'first lostbehind', 'until the log has stopped');
  assert.not(disk.hasWritten(file, 7));
  assert.throws(() => bench.write(file, 'more', 16), /cannot be written/);
  assert.throws(() => disk.syncNow(file), /cannot be written/);
  assert.throws(() => disk.truncate(file, 0), /cannot be written/);
  let isLate = false;
  disk.sync(file, (error) => {
    assert.ok(isLate, 'never before sync returns');
    hear('again')(error);
  });
  isLate = true;
  inner.drain();
  assert.is(heard.at(-1), 'again STORAGE_FAILED');
  assert.is(bench.syncs, 1, 'the file that failed is never synced');
  bench.write(other, 'and well', 4);
  disk.finish();
  assert.is(inner.contents('/data/b').toString(), 'fineand well');
});

test('a file whose sync failed is not synced again, also by who waited for his writes', () => {
  const bench = new Bench();
  const file = bench.begin();
  const errors: (string | null)[] = [];
  const note = (error: Error | null): void => void errors.push(error?.message ?? null);
  bench.disk.sync(file, note);
  bench.write(file, 'second', 6);
  bench.disk.sync(file, note);
  bench.inner.failSync = /./;
  bench.inner.drain(1);
  bench.inner.failSync = null;
  bench.inner.drain();
  bench.disk.sync(file, note);
  bench.inner.drain();
  assert.is(errors.length, 3);
  assert.ok(
    errors.every((error) => error !== null && /EIO/.test(error)),
    errors.join(', '),
  );
  assert.is(bench.syncs, 1);
  // Whoever opens it anew has read it, and may believe what he read.
  bench.disk.close(file);
  const again = bench.disk.openFile(PATH, 'create');
  bench.disk.sync(again, note);
  bench.inner.drain();
  assert.is(errors.at(-1), null);
});

test('who waits, blocking, hears of others later', () => {
  const bench = new Bench();
  const { disk, inner } = bench;
  const file = bench.begin();
  const other = disk.openFile('/data/b', 'create');
  bench.write(file, 'lost', 6);
  bench.write(other, 'fine', 0);
  let heard: unknown = null;
  disk.sync(file, (error) => {
    heard = error;
  });
  inner.capacityBytes = 6;
  assert.throws(() => disk.truncate(other, 1), /cannot be written/);
  assert.is(heard, null);
  inner.drain();
  assert.instance(heard, Error);
});

test('a full disk refuses while it can, and so does the bound on memory', () => {
  const bench = new Bench();
  const { disk, inner } = bench;
  const file = bench.begin();
  bench.write(file, 'a', 6);
  inner.capacityBytes = 1 << 20;
  bench.write(file, 'b', 7);
  assert.is(bench.inFile, 'first ab', 'with little room nothing is taken on trust');
  inner.capacityBytes = 8;
  assert.throws(() => bench.write(file, 'c', 8), /ENOSPC/);
  inner.capacityBytes = Number.MAX_SAFE_INTEGER;
  const piece = Buffer.alloc(WRITE_BEHIND_BYTES_MAX / 4, 'p');
  for (let i = 0; i < 4; i++) disk.writeAt(file, 8 + i * piece.length, piece, 0, piece.length);
  assert.is(inner.contents(PATH).length, 8);
  disk.writeAt(file, 8 + 4 * piece.length, piece, 0, piece.length);
  assert.is(inner.contents(PATH).length, 8 + 4 * piece.length);
  disk.finish();
  assert.is(inner.contents(PATH).length, 8 + 5 * piece.length);
});

test.run();
