/**
 * The real disk under the shim: a process whose writes are made to wait notices it, goes on without
 * waiting, and writes what gathered together.
 */
import { spawnSync } from 'node:child_process';
import { mkdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import * as assert from 'uvu/assert';
import { test } from 'uvu';
import { testWith } from '../../support/requires.js';
import { tempDir } from '../../support/temp-dir.js';
import { DiskShim } from './disk-shim.js';

const shimTest = testWith(DiskShim.missing());
const root = tempDir('slow-writes');
const FOLDER = join(root, 'node-1');
const PATH = join(FOLDER, '00000000000000000000.log');
mkdirSync(FOLDER, { recursive: true });

const WRITES = 200;
const LINE = 'eight by';

/** Writes lines, syncs, and tells what it saw of the disk: slow after which line. */
const PROGRAM = `
  const { NodeDisk } = await import('${import.meta.resolve('#src/log/node-disk.js')}');
  const { WriteBehind } = await import('${import.meta.resolve('#src/log/write-behind.js')}');
  const clock = { monotonicMs: () => performance.now(), wallMs: () => Date.now() };
  const node = new NodeDisk();
  const disk = new WriteBehind({ disk: node, clock });
  const file = disk.openFile('${PATH}', 'create');
  disk.truncate(file, 0);
  const line = Buffer.from('${LINE}');
  let at = 0;
  const write = () => {
    disk.writeAt(file, at, line, 0, line.length);
    at += line.length;
  };
  let slowAfter = 0;
  for (let i = 1; i <= ${WRITES}; i++) {
    write();
    if (disk.isSlow && slowAfter === 0) slowAfter = i;
  }
  const behind = disk.isBehind;
  await new Promise((done) => disk.sync(file, done));
  disk.finish();
  await node.shutDown();
  console.log(JSON.stringify({ slowAfter, behind }));
`;

shimTest('writes that have to wait are few, and lose nothing', () => {
  const shim = new DiskShim(root);
  shim.order(1, { writeDelayMs: 30 });
  const env = { ...process.env, ...shim.environment };
  const args = ['--input-type=module', '-e', PROGRAM];
  const result = spawnSync(process.execPath, args, { env, encoding: 'utf8' });
  assert.is(result.status, 0, result.stderr);
  const { writes } = shim.counters(1);
  shim.close();
  // The first slow one may be an accident; the second one was seen to wait.
  assert.equal(JSON.parse(result.stdout), { slowAfter: 2, behind: true });
  assert.ok(writes <= 10, `${writes} writes`);
  assert.is(readFileSync(PATH, 'utf8'), LINE.repeat(WRITES));
});

test.run();
