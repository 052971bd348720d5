/** A log that can open nothing for a while, or not read: it refuses, forgets nothing, and heals. */
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { MemoryDisk } from './memory-disk.js';
import { Bench, DIRECTORY } from './support.js';

const small = { segmentBytes: 1_000, indexIntervalBytes: 100 };

test('without a free descriptor a batch is refused, and everything is as it was before', () => {
  const disk = new MemoryDisk();
  const bench = new Bench(disk).open({ config: small });
  bench.startEpoch(1);
  const isFull = (e: { code: string }) => e.code === 'STORAGE_FULL';
  let end = 0;
  // Wherever the bound hits: in the middle of a roll, at the files of the indexes, at the folder.
  for (let spare = 0; spare < 6; spare++) {
    for (let i = 0; i < 30; i++) {
      disk.descriptorsMax = disk.openFiles + spare;
      try {
        bench.append({ records: 2, valueBytes: 100 });
      } catch (error) {
        assert.ok(isFull(error as { code: string }), String(error));
        assert.is(bench.log.logEnd.offset, end);
        disk.descriptorsMax = Number.MAX_SAFE_INTEGER;
        bench.append({ records: 2, valueBytes: 100 });
      }
      end += 2;
      disk.drain();
    }
  }
  disk.descriptorsMax = Number.MAX_SAFE_INTEGER;
  assert.is(bench.log.failure, null);
  assert.is(bench.log.logEnd.offset, 360);
  for (let at = 0; at < 360; at += 2) assert.is(bench.log.locate(at, 1, 360)?.baseOffset, at);
});

test('a segment whose indexes can not be rebuilt now keeps its length', () => {
  for (const damage of ['no descriptor', 'no read']) {
    const disk = new MemoryDisk();
    const before = new Bench(disk).open({ config: small });
    before.startEpoch(1);
    for (let i = 0; i < 40; i++) before.append({ records: 2, valueBytes: 100 });
    disk.drain();
    before.closeCleanly();
    for (const name of disk.list(DIRECTORY).filter((file) => file.endsWith('index'))) {
      disk.plant(`${DIRECTORY}/${name}`, Buffer.alloc(0));
    }
    const { log } = new Bench(disk).open({ config: small, isCleanStop: true });
    if (damage === 'no read') disk.failRead = /0{20}\.log/;
    else disk.descriptorsMax = disk.openFiles;
    assert.throws(() => log.locate(2, 10_000, 80));
    disk.failRead = null;
    disk.descriptorsMax = Number.MAX_SAFE_INTEGER;
    assert.is(log.locate(2, 10_000, 80)?.baseOffset, 2, damage);
    assert.is(log.locate(0, 10_000, 80)?.baseOffset, 0, damage);
  }
});

test.run();
