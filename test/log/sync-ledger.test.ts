/** What is made durable when nobody waits for it. */
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { Prng } from '#src/base/prng.js';
import { MemoryDisk } from './memory-disk.js';
import { Bench, DIRECTORY, HandClock } from './support.js';

const small = { segmentBytes: 1_000, indexIntervalBytes: 100 };

test('cached syncs sealed segments in their own time, and never those that are gone', () => {
  const disk = new MemoryDisk();
  const clock = new HandClock();
  const config = { ...small, durability: 'cached' } as const;
  const bench = new Bench(disk).open({ config, clock });
  bench.startEpoch(1);
  disk.drain();
  const { syncs } = disk.counters;
  for (let i = 0; i < 20; i++) bench.append({ records: 2, valueBytes: 100 });
  disk.drain();
  assert.is(disk.counters.syncs, syncs, 'segments were sealed, and nothing is synced yet');
  bench.log.setLogStart(20);
  disk.drain();
  clock.nowMs += 5_000;
  bench.log.checkpoint();
  const logs = disk.list(DIRECTORY).filter((name) => name.endsWith('.log'));
  const sizes = (): number[] => logs.map((name) => disk.fileSize(`${DIRECTORY}/${name}`));
  const before = sizes();
  disk.drain();
  disk.crash('none', new Prng(0));
  assert.ok(before.length > 2);
  assert.equal(sizes().slice(0, -1), before.slice(0, -1));
  assert.ok((sizes().at(-1) as number) <= 0, 'the active one is left alone');
});

test.run();
