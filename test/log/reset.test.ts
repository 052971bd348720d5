/** A reset of the log and the stops that come after it: what is older goes, what is newer stays. */
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { Prng } from '#src/base/prng.js';
import { MemoryDisk } from './memory-disk.js';
import { Bench } from './support.js';

const prng = new Prng(11);

test('what came after a reset without a checkpoint is kept when the log start moves on', () => {
  const disk = new MemoryDisk();
  const bench = new Bench(disk).open();
  bench.startEpoch(5);
  const epochs = [{ epoch: 5, start: { offset: 40, marks: 8 } }];
  // The reset stands in the write-ahead log; for its checkpoint there is no room.
  disk.capacityBytes = 0;
  assert.throws(() => bench.log.resetTo({ offset: 50, marks: 9 }, epochs));
  disk.capacityBytes = Number.MAX_SAFE_INTEGER;
  disk.crash('all', prng);
  bench.open();
  assert.equal(bench.log.logEnd, { offset: 50, marks: 9 });
  for (let i = 0; i < 6; i++) bench.append();
  bench.log.syncTo(() => {});
  disk.drain();
  bench.log.setLogStart(53);
  disk.drain();
  disk.crash('none', prng);
  bench.open({ isPageCacheLost: true });
  assert.equal(bench.log.logEnd, { offset: 56, marks: 9 });
  assert.is(bench.log.isForgetful, false);
});

test.run();
