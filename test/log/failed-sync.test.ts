/**
 * A sync that failed has lost pages that still look written: the kernel marks them clean, keeps
 * them in its cache, and the next sync goes well without them. A process that starts anew on such a
 * disk must not take what it reads there for durable.
 */
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { Prng } from '#src/base/prng.js';
import { MemoryDisk } from './memory-disk.js';
import { Bench } from './support.js';

const prng = new Prng(1);

function sync(bench: Bench): Error | null {
  let outcome: Error | null = null;
  bench.log.syncTo((error) => {
    outcome = error;
  });
  (bench.disk as MemoryDisk).drain();
  return outcome;
}

for (const config of [{}, { segmentBytes: 600 }]) {
  const title = Object.keys(config).length === 0 ? 'one segment' : 'several segments';
  test(`what a failed sync lost is written again before it counts: ${title}`, () => {
    const disk = new MemoryDisk();
    const bench = new Bench(disk).open({ config });
    bench.startEpoch(1);
    for (let i = 0; i < 3; i++) bench.append({ valueBytes: 100 });
    assert.is(sync(bench), null);
    bench.wal.tick();
    for (let i = 0; i < 9; i++) bench.append({ valueBytes: 100 });
    disk.failSync = /\.log$/;
    assert.is.not(sync(bench), null);
    // The process ends, the machine does not.
    disk.crash('all', prng);
    disk.failSync = null;
    bench.open({ config });
    assert.is(bench.log.logEnd.offset, 12);
    assert.ok(bench.log.synced.offset <= 3, 'nothing behind the last good sync is durable yet');
    assert.is(sync(bench), null);
    assert.is(bench.log.synced.offset, 12);
    bench.wal.tick();
    bench.wal.flushNow();
    disk.crash('none', prng);
    bench.open({ config, isPageCacheLost: true });
    assert.is(bench.log.logEnd.offset, 12, 'what was told durable survives a power cut');
    assert.is(bench.log.isForgetful, false);
  });
}

test('a sync that ran beside a failed one counts for nothing', () => {
  const disk = new MemoryDisk();
  const bench = new Bench(disk).open();
  bench.startEpoch(1);
  bench.append({ valueBytes: 100 });
  assert.is(sync(bench), null);
  bench.wal.tick();
  const outcomes: string[] = [];
  for (let i = 0; i < 2; i++) {
    bench.append({ valueBytes: 100 });
    bench.log.syncTo((error) => outcomes.push(error === null ? 'ok' : 'failed'));
  }
  disk.failSync = /\.log$/;
  disk.drain(1);
  disk.failSync = null;
  disk.drain();
  assert.equal(outcomes, ['failed', 'failed']);
  assert.is(bench.log.synced.offset, 1);
});

test.run();
