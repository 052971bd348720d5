/** The shim by itself: it hits what it was told to hit, counts it, and leaves the rest alone. */
import { type SpawnSyncReturns, spawnSync } from 'node:child_process';
import { mkdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import * as assert from 'uvu/assert';
import { test } from 'uvu';
import { testWith } from '../../support/requires.js';
import { tempDir } from '../../support/temp-dir.js';
import { ALWAYS, DiskShim } from './disk-shim.js';

const shimTest = testWith(DiskShim.missing());
const root = tempDir('shim');
mkdirSync(join(root, 'node-1/wal/shard-0'), { recursive: true });
mkdirSync(join(root, 'node-2'));
const WAL = join(root, 'node-1/wal/shard-0/00000000.wal');
const SEGMENT = join(root, 'node-1/00000000000000000000.log');

/** Runs `code` under the shim; `$` is node:fs, `f(path)` opens a file for writing. */
function run(shim: DiskShim, code: string): SpawnSyncReturns<string> {
  const script = `const $ = require('node:fs'); const f = (p) => $.openSync(p, 'w');
    const tell = (work) => { try { console.log(work() ?? 'done'); }
      catch (error) { console.log(error.code); } };
    ${code}`;
  const env = { ...process.env, ...shim.environment };
  return spawnSync(process.execPath, ['-e', script], { env, encoding: 'utf8' });
}

function lines(result: SpawnSyncReturns<string>): string[] {
  assert.is(result.status, 0, result.stderr);
  return result.stdout.trim().split('\n');
}

const write = (path: string, bytes: number): string =>
  `tell(() => $.writeSync(f(${JSON.stringify(path)}), Buffer.alloc(${bytes}, 1), 0, ${bytes}, 0));`;

shimTest('without orders it only counts, and it knows whose files are its business', () => {
  const shim = new DiskShim(root);
  const outside = join(root, 'outside');
  const log = join(root, 'node-1/lograft.log');
  const code = `${write(WAL, 10)} ${write(outside, 10)} ${write(log, 10)}
    tell(() => $.fsyncSync(f(${JSON.stringify(WAL)})));`;
  assert.equal(lines(run(shim, code)), ['10', '10', '10', 'done']);
  const { writes, syncs, ...rest } = shim.counters(1);
  assert.equal([writes, syncs], [1, 1]);
  assert.ok(
    Object.values(rest).every((count) => count === 0),
    JSON.stringify(rest),
  );
  shim.close();
});

shimTest('a write is refused as often as told, for the files told', () => {
  const shim = new DiskShim(root);
  shim.order(1, { writeEio: 1, skip: 1, files: 'segment' });
  const code = `${write(WAL, 10)} ${write(SEGMENT, 10)} ${write(SEGMENT, 10)} ${write(SEGMENT, 5)}
    ${write(join(root, 'node-2/x'), 10)}`;
  assert.equal(lines(run(shim, code)), ['10', '10', 'EIO', '5', '10']);
  assert.is(shim.counters(1).writeEio, 1);
  assert.is(shim.counters(2).writes, 1);
  shim.close();
});

shimTest('a failed sync, and a program that tries it again', () => {
  const shim = new DiskShim(root);
  shim.order(1, { syncEio: 1, files: 'wal' });
  const code = `const fd = f(${JSON.stringify(WAL)});
    tell(() => $.fdatasyncSync(fd)); tell(() => $.fdatasyncSync(fd));`;
  assert.equal(lines(run(shim, code)), ['EIO', 'done']);
  const { syncEio, syncAgain } = shim.counters(1);
  assert.equal({ syncEio, syncAgain }, { syncEio: 1, syncAgain: 1 });
  shim.close();
});

shimTest('short writes, of one buffer and of several', () => {
  const shim = new DiskShim(root);
  shim.order(1, { shortWrites: 2 });
  const several = `tell(() => $.writevSync(f(${JSON.stringify(SEGMENT)}),
    [Buffer.alloc(600, 2), Buffer.alloc(400, 3)], 0));`;
  // Who is told of a short write writes the rest, and node:fs does.
  assert.equal(lines(run(shim, write(WAL, 1_000) + several)), ['1000', '1000']);
  const { shortWrites, writes, bytesWithheld } = shim.counters(1);
  assert.equal([shortWrites, writes], [2, 4]);
  assert.ok(bytesWithheld >= 2, String(bytesWithheld));
  const bytes = readFileSync(SEGMENT);
  assert.equal([bytes.length, bytes.indexOf(3), bytes.lastIndexOf(2)], [1_000, 600, 599]);
  shim.close();
});

shimTest('a torn write leaves a part, and nobody who knows', () => {
  const shim = new DiskShim(root);
  shim.order(1, { tornWrites: 1 });
  const result = run(shim, write(WAL, 1_000));
  assert.is(result.signal, 'SIGKILL');
  const { length } = readFileSync(WAL);
  assert.ok(length > 0 && length < 1_000, String(length));
  assert.is(shim.counters(1).tornWrites, 1);
  shim.close();
});

shimTest('a slow disk', () => {
  const shim = new DiskShim(root);
  shim.order(1, { syncDelayMs: 300 });
  const code = `const fd = f(${JSON.stringify(WAL)}); const t = Date.now();
    $.fdatasyncSync(fd); console.log(Date.now() - t);`;
  assert.ok(Number(lines(run(shim, code))[0]) >= 295);
  shim.heal(1);
  assert.ok(Number(lines(run(shim, code))[0]) < 250);
  assert.equal(shim.counters(1).delays, 1);
  shim.order(1, { syncEio: ALWAYS });
  const always = `for (let i = 0; i < 3; i++) tell(() => $.fsyncSync(f(${JSON.stringify(WAL)})));`;
  assert.equal(lines(run(shim, always)), ['EIO', 'EIO', 'EIO']);
  shim.close();
});

test.run();
