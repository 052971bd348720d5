/** The log on the real disk: the same words, real files, syncs on their own thread. */
import {
  ftruncateSync,
  mkdirSync,
  openSync,
  closeSync,
  readFileSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import type { Position } from '#src/base/position.js';
import { segmentPath } from '#src/log/names.js';
import { NodeDisk } from '#src/log/node-disk.js';
import { encodeCheckpoint, newState } from '#src/log/replica-state.js';
import { verifyFolder } from '#src/log/verify.js';
import { tempDir } from '../support/temp-dir.js';
import { Bench, TOPIC_ID } from './support.js';

function synced(bench: Bench): Promise<Position> {
  return new Promise((resolve, reject) => {
    bench.log.syncTo((error, position) => (error === null ? resolve(position) : reject(error)));
  });
}

test('append, sync, stop, open, read', async () => {
  const disk = new NodeDisk();
  const bench = new Bench(disk, join(tempDir('log'), 'orders-0')).open();
  bench.startEpoch(1);
  const written: Buffer[] = [];
  for (let i = 0; i < 50; i++) written.push(bench.append({ records: 3, valueBytes: 200 }));
  assert.equal(await synced(bench), { offset: 150, marks: 1 });
  bench.closeCleanly();
  bench.open({ isCleanStop: true });
  assert.equal(bench.kinds(), ['clean-stop']);
  const range = bench.log.locate(0, 1 << 20, 150);
  assert.is(range?.length, Buffer.concat(written).length);
  assert.ok(readFileSync(segmentPath(bench.directory, 0, 'log')).equals(Buffer.concat(written)));
  assert.equal(
    verifyFolder(disk, bench.directory).map(({ batches, damage }) => [batches, damage.length]),
    [[50, 0]],
  );
  bench.log.closeAbruptly();
  bench.wal.closeAbruptly();
  await disk.shutDown();
});

test('after a clean stop 10 GiB open in well under a second', async () => {
  const disk = new NodeDisk();
  const bench = new Bench(disk, join(tempDir('log'), 'orders-0'));
  mkdirSync(bench.directory, { recursive: true });
  const sizeBytes = 2 ** 30;
  const segments = Array.from({ length: 10 }, (_, i) => ({
    baseOffset: i * 1_000_000,
    sizeBytes,
    maxTimestamp: i,
  }));
  for (const { baseOffset } of segments) {
    // Sparse files: whoever scanned them would find nothing but zeros.
    for (const [suffix, bytes] of [
      ['log', sizeBytes],
      ['index', 0],
      ['timeindex', 0],
    ] as const) {
      const fd = openSync(segmentPath(bench.directory, baseOffset, suffix), 'w');
      ftruncateSync(fd, bytes);
      closeSync(fd);
    }
  }
  const epochs = [{ epoch: 3, start: { offset: 0, marks: 0 } }];
  const state = { ...newState(), endMarks: 1, epochs, syncedOffset: 10e6, promisedOffset: 10e6 };
  const closed = { logEndOffset: 10_000_000 };
  const bytes = encodeCheckpoint({ topicId: TOPIC_ID, state, segments, closed });
  writeFileSync(join(bench.directory, 'replica-state'), bytes);
  const startMs = performance.now();
  bench.open({ isCleanStop: true, isPageCacheLost: true });
  const elapsedMs = performance.now() - startMs;
  assert.equal(bench.kinds(), ['clean-stop']);
  assert.is(bench.log.logEnd.offset, 10_000_000);
  assert.is(bench.log.sizeBytes, 10 * sizeBytes);
  assert.ok(elapsedMs < 500, `${elapsedMs} ms`);
  bench.log.closeAbruptly();
  bench.wal.closeAbruptly();
  await disk.shutDown();
});

test('a failing write is told as what it is', async () => {
  const disk = new NodeDisk();
  const root = tempDir('disk');
  const file = disk.openFile(join(root, 'f'), 'create');
  disk.writeAt(file, 0, Buffer.from('hello'), 0, 5);
  const readOnly = disk.openFile(join(root, 'f'), 'read');
  assert.throws(
    () => disk.writeAt(readOnly, 0, Buffer.from('x'), 0, 1),
    (error: NodeJS.ErrnoException) => error.code === 'EBADF',
  );
  assert.is(disk.fileSize(join(root, 'none')), -1);
  assert.equal(disk.list(join(root, 'none')), []);
  assert.ok(disk.freeBytes(root) > 0);
  disk.syncDirectory(root);
  disk.close(readOnly);
  disk.close(file);
  await disk.shutDown();
});

test.run();
