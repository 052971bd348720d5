/** Whose folder it is: the checkpoint has a checksum, the file that names the topic has none. */
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { folderOwner } from '#src/log/recovery-state.js';
import { MemoryDisk } from './memory-disk.js';
import { Bench, DIRECTORY, TOPIC_ID } from './support.js';

const NAME_FILE = `${DIRECTORY}/partition.metadata`;
const OTHER = TOPIC_ID.replace('a', 'z');

function closedLog(): MemoryDisk {
  const disk = new MemoryDisk();
  const bench = new Bench(disk).open();
  bench.startEpoch(1);
  for (let i = 0; i < 5; i++) bench.append({});
  bench.closeCleanly();
  return disk;
}

test('name-restored: a flipped bit in the name does not take a folder from its topic', () => {
  const disk = closedLog();
  disk.plant(NAME_FILE, Buffer.from(`version: 0\ntopic_id: ${OTHER}`));
  assert.is(folderOwner(disk, DIRECTORY), TOPIC_ID);
  const bench = new Bench(disk).open({ isCleanStop: true });
  assert.equal(bench.kinds(), ['name-restored', 'clean-stop']);
  assert.is(bench.log.logEnd.offset, 5);
  assert.is(bench.log.isForgetful, false);
  bench.closeCleanly();
  assert.equal(new Bench(disk).open({ isCleanStop: true }).kinds(), ['clean-stop']);
});

test('without a checkpoint the name decides', () => {
  const disk = closedLog();
  disk.unlink(`${DIRECTORY}/replica-state`);
  assert.is(folderOwner(disk, DIRECTORY), TOPIC_ID);
  disk.plant(NAME_FILE, Buffer.from(`version: 0\ntopic_id: ${OTHER}`));
  assert.is(folderOwner(disk, DIRECTORY), OTHER);
  assert.throws(
    () => new Bench(disk).open(),
    (error: { code?: string }) => error.code === 'DIRECTORY_FOREIGN',
  );
});

test.run();
