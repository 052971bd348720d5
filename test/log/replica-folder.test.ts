/** The small files of a partition's folder: when they are written. */
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { MemoryDisk } from './memory-disk.js';
import { Bench, DIRECTORY } from './support.js';

const small = { segmentBytes: 1_000, indexIntervalBytes: 100 };

test('the epoch file follows the log start with a checkpoint, and a clean close', () => {
  const disk = new MemoryDisk();
  const bench = new Bench(disk).open({ config: small });
  const lines = (): string[] =>
    disk.contents(`${DIRECTORY}/leader-epoch-checkpoint`).toString().split('\n');
  bench.startEpoch(3);
  for (let i = 0; i < 9; i++) bench.append({ records: 2, valueBytes: 100 });
  assert.equal(lines(), ['0', '1', '3 0', '']);
  bench.log.setLogStart(4);
  bench.append();
  assert.equal(lines(), ['0', '1', '3 0', ''], 'retention writes no file of its own');
  bench.log.checkpoint();
  assert.equal(lines(), ['0', '1', '3 4', '']);
  bench.log.setLogStart(6);
  disk.drain();
  bench.log.closeCleanly();
  assert.equal(lines(), ['0', '1', '3 6', '']);
});

test.run();
