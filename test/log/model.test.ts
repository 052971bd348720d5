/**
 * The log against a list of entries. From a seed: appends, marks, truncations, resets, syncs,
 * kills, power cuts that keep any part of what was not synced, clean stops. After each restart the
 * log is a prefix of what was once there, it holds everything that was told durable or says that it
 * is forgetful, and after a kill it is never forgetful.
 */
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import type { Mark } from '#src/base/mark.js';
import { type Position, ORIGIN, comparePositions, formatPosition } from '#src/base/position.js';
import { Prng } from '#src/base/prng.js';
import type { LogConfig } from '#src/log/log-config.js';
import { moveAside } from '#src/log/recovery-state.js';
import { readBatchHeader } from '#src/records/batch.js';
import { type Keep, MemoryDisk } from './memory-disk.js';
import { Bench } from './support.js';

type Entry = { readonly at: Position; readonly text: string };

/** Each of them must have happened in the end. */
const NO_COUNTS = {
  kills: 0,
  cuts: 0,
  cleans: 0,
  truncations: 0,
  forgetful: 0,
  resets: 0,
  strays: 0,
};

class Story {
  readonly prng: Prng;
  readonly disk = new MemoryDisk();
  readonly bench: Bench;
  readonly config: Partial<LogConfig>;
  readonly counts = { ...NO_COUNTS };
  entries: Entry[] = [];
  /** What the log was before truncations that may not be durable yet. */
  versions: { readonly entries: Entry[]; readonly number: number }[] = [];
  versionCount = 0;
  promised: Position = ORIGIN;
  /** Truncations never reach below this, as Raft's never do below the commit point. */
  committed: Position = ORIGIN;
  term = 0;
  isLeader = false;

  constructor(seed: number) {
    this.prng = new Prng(seed);
    this.config = {
      segmentBytes: this.prng.pick([300, 1_000, 5_000]),
      indexIntervalBytes: this.prng.pick([0, 100, 1_000]),
      durability: this.prng.chance(0.7) ? 'synced' : 'cached',
    };
    this.bench = new Bench(this.disk, '/data/orders-0', 4 << 10);
    this.bench.open({ config: this.config });
  }

  get log() {
    return this.bench.log;
  }

  run(steps: number): void {
    for (let i = 0; i < steps; i++) {
      this.step();
      if (i % 50 === 0) this.check();
    }
    this.check();
  }

  step(): void {
    const { prng } = this;
    const dice = prng.float();
    // Who restarts never leads the same epoch again.
    if (!this.isLeader || dice < 0.04) return this.startEpoch();
    if (dice < 0.5) return this.append();
    if (dice < 0.65) return this.sync();
    if (dice < 0.85) return this.disk.drain(prng.int(0, 4));
    if (dice < 0.88) return this.truncate();
    if (dice < 0.9) return this.bench.wal.tick();
    if (dice < 0.92) return this.log.checkpoint();
    if (dice < 0.94) return this.moveLogStart();
    if (dice < 0.945) return this.reset();
    if (dice < 0.975) return this.crash();
    if (dice < 0.98) return this.stopCleanly();
    return this.look();
  }

  startEpoch(): void {
    this.term += this.prng.int(1, 3);
    this.isLeader = true;
    this.mark({ kind: 'epoch-start', epoch: this.term, at: this.log.logEnd });
  }

  mark(mark: Mark): void {
    this.entries.push({ at: mark.at, text: JSON.stringify(mark) });
    this.log.appendMark(mark);
  }

  append(): void {
    const at = this.log.logEnd;
    const shape = { records: this.prng.int(1, 4), valueBytes: this.prng.int(0, 120) };
    const bytes = this.bench.append({ ...shape, tag: `t${this.prng.int(0, 1_000)}` });
    this.entries.push({ at, text: bytes.toString('latin1') });
  }

  sync(): void {
    const life = this.bench.log;
    const before = this.versionCount;
    life.syncTo((error, position) => {
      // What was cut before this call is gone for good.
      this.versions = this.versions.filter(({ number }) => number >= before);
      assert.is(error, null);
      assert.is(life, this.log, 'no callback from an earlier life');
      assert.ok(comparePositions(position, this.log.logEnd) <= 0);
      if (comparePositions(position, this.promised) > 0) this.promised = position;
      // What is acknowledged now may be committed now.
      if (this.prng.chance(0.5)) this.committed = this.promised;
    });
  }

  truncate(): void {
    const from = this.entries.findIndex(({ at }) => comparePositions(at, this.committed) >= 0);
    if (from < 0) return;
    const index = this.prng.int(from, this.entries.length);
    const to = (this.entries[index] as Entry).at;
    if (comparePositions(to, this.log.logStart) < 0) return;
    this.counts.truncations += 1;
    this.keepVersion();
    this.entries = this.entries.slice(0, index);
    if (comparePositions(to, this.promised) < 0) this.promised = to;
    this.log.truncateTo(to);
    // Who truncates follows a leader of a newer epoch, whose mark comes next.
    this.startEpoch();
  }

  keepVersion(): void {
    this.versions.push({ entries: this.entries, number: this.versionCount++ });
  }

  /** What a restart may find a prefix of. */
  candidates(): Entry[][] {
    return [this.entries, ...this.versions.map(({ entries }) => entries).toReversed()];
  }

  moveLogStart(): void {
    const offset = this.prng.int(0, this.committed.offset + 1);
    if (offset <= this.log.logStartOffset) return;
    this.mark({ kind: 'log-start', epoch: this.term, at: this.log.logEnd, logStartOffset: offset });
    if (this.prng.chance(0.5)) this.log.setLogStart(offset);
  }

  reset(): void {
    this.counts.resets += 1;
    const { offset, marks } = this.log.logEnd;
    const to = { offset: offset + this.prng.int(0, 50), marks: marks + this.prng.int(1, 9) };
    this.term += 1;
    const epochs = [{ epoch: this.term, start: { offset, marks } }];
    this.log.resetTo(to, epochs);
    this.entries = [];
    this.versions = [];
    this.promised = to;
    this.committed = to;
  }

  crash(): void {
    const isKill = this.prng.chance(0.5);
    const keep: Keep = isKill ? 'all' : this.prng.pick(['none', 'prefix', 'random'] as const);
    if (isKill) this.counts.kills += 1;
    else this.counts.cuts += 1;
    if (isKill && this.prng.chance(0.5)) this.killInWrite();
    this.disk.crash(keep, this.prng);
    this.isLeader = false;
    this.reopen(!isKill);
    const { isForgetful } = this.log;
    if (isKill) assert.is(isForgetful, false, `a kill is never forgetful: ${this.found()}`);
    this.judge(isForgetful);
    if (!isForgetful) return;
    this.counts.forgetful += 1;
    this.log.clearForgetful();
    this.bench.wal.flushNow();
  }

  /** The kill hits the middle of a write, which then is never acknowledged. */
  killInWrite(): void {
    if (!this.isLeader) return;
    this.disk.killInWrite = this.prng;
    try {
      if (this.prng.chance(0.3)) this.bench.wal.flushNow();
      this.append();
    } catch (error) {
      assert.match((error as Error).message, 'EKILLED');
    }
  }

  /** A folder whose owner's name did not survive was never acknowledged: it is moved aside. */
  reopen(isPageCacheLost: boolean): void {
    try {
      this.bench.open({ config: this.config, isPageCacheLost });
    } catch (error) {
      assert.is((error as { code?: string }).code, 'DIRECTORY_FOREIGN');
      assert.ok(isPageCacheLost, 'a kill loses no names');
      this.counts.strays += 1;
      moveAside(this.disk, this.bench.directory);
      this.bench.wal.closeAbruptly();
      this.bench.open({ config: this.config, isPageCacheLost });
    }
  }

  stopCleanly(): void {
    this.counts.cleans += 1;
    this.bench.closeCleanly();
    this.disk.crash('none', this.prng);
    const { reads } = this.disk.counters;
    this.bench.open({ config: this.config, isCleanStop: true, isPageCacheLost: true });
    assert.equal(this.bench.kinds(), ['clean-stop']);
    assert.ok(this.disk.counters.reads - reads < 10, 'nothing is scanned');
    this.promised = this.log.logEnd;
    this.versions = [];
    this.check();
  }

  /** Compares what a restart found with what was there. */
  judge(isForgetful: boolean): void {
    const found = this.read();
    const { logEnd } = this.log;
    if (!isForgetful) {
      assert.ok(
        comparePositions(logEnd, this.promised) >= 0,
        `${formatPosition(logEnd)} < promised ${formatPosition(this.promised)}: ${this.found()}`,
      );
    }
    const isPrefix = (version: Entry[]) =>
      found.every((entry) =>
        version.some(({ at, text }) => comparePositions(at, entry.at) === 0 && text === entry.text),
      );
    const version = this.candidates().find(isPrefix);
    if (version === undefined) this.explain(found);
    assert.ok(version !== undefined, `invented entries: ${this.found()}`);
    // Until a sync says otherwise, what this restart cut may be back after the next one.
    this.keepVersion();
    this.entries = version.filter(({ at }) => comparePositions(at, logEnd) < 0);
    this.promised = this.log.synced;
    if (comparePositions(this.committed, logEnd) > 0) this.committed = logEnd;
    this.check();
  }

  /** Which entries nobody wrote, for the failure's reader. */
  explain(found: Entry[]): void {
    const brief = ({ at, text }: Entry) =>
      `${formatPosition(at)}:${text.slice(0, 60).replace(/[^ -~]/g, '.')}`;
    for (const version of this.candidates()) {
      const strange = found.filter(
        (entry) =>
          !version.some(
            ({ at, text }) => comparePositions(at, entry.at) === 0 && text === entry.text,
          ),
      );
      console.error('strange', strange.map(brief), 'version end', version.slice(-5).map(brief));
    }
  }

  /** The log holds exactly the model's entries from its start on. */
  check(): void {
    const { logStart } = this.log;
    const expected = this.entries.filter(({ at }) => comparePositions(at, logStart) >= 0);
    const found = this.read();
    assert.is(found.length, expected.length, this.found());
    for (const [i, entry] of found.entries()) assert.equal(entry, expected[i]);
    assert.ok(this.log.logStartOffset <= this.log.logEnd.offset);
    assert.ok(this.log.logStart.offset <= this.log.logStartOffset);
  }

  look(): void {
    const { log } = this;
    const offset = this.prng.int(log.logStart.offset, log.logEnd.offset + 1);
    const range = log.locate(offset, this.prng.int(1, 2_000), log.logEnd.offset);
    if (range === null) assert.is(offset, log.logEnd.offset);
    else assert.ok(range.baseOffset <= offset && offset < range.nextOffset);
  }

  read(): Entry[] {
    const entries: Entry[] = [];
    const { log } = this;
    for (let at = log.logStart; comparePositions(at, log.logEnd) < 0; ) {
      for (const slice of log.slicesBetween(at, log.logEnd, this.prng.int(1, 5_000))) {
        if (slice.kind === 'mark') {
          entries.push({ at: slice.mark.at, text: JSON.stringify(slice.mark) });
          at = { offset: slice.mark.at.offset, marks: slice.mark.at.marks + 1 };
          continue;
        }
        const { fd, filePosition, length } = slice.range;
        const bytes = this.disk.readFd(fd, filePosition, length);
        for (let i = 0; i < bytes.length; ) {
          const header = readBatchHeader(bytes, i);
          const place = { offset: header.baseOffset, marks: slice.from.marks };
          const text = bytes.toString('latin1', i, i + header.sizeBytes);
          entries.push({ at: place, text });
          i += header.sizeBytes;
        }
        at = slice.to;
      }
    }
    return entries;
  }

  found(): string {
    return this.log.findings.map(({ kind, detail }) => `${kind} (${detail})`).join(', ');
  }
}

test('seeds: the log is what the model says, whatever happens', () => {
  const total = { ...NO_COUNTS };
  const from = Number(process.env['LOGRAFT_TEST_SEED'] ?? 0);
  for (let seed = from; seed < from + 150; seed++) {
    const story = new Story(seed);
    try {
      story.run(150);
    } catch (error) {
      (error as Error).message = `seed ${seed}: ${(error as Error).message}`;
      throw error;
    }
    for (const key of Object.keys(total) as (keyof typeof total)[]) {
      total[key] += story.counts[key];
    }
  }
  for (const [what, count] of Object.entries(total)) assert.ok(count > 0, `${what}: ${count}`);
});

test.run();
