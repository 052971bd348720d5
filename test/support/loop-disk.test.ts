/** The disks that tests cut the power of: synced bytes stay, unsynced vanish, nothing is left. */
import { spawn, spawnSync } from 'node:child_process';
import { closeSync, existsSync, openSync, readFileSync, writeFileSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import * as assert from 'uvu/assert';
import { test } from 'uvu';
import { ended } from './command.js';
import { LoopDisk } from './loop-disk.js';
import { testWith } from './requires.js';
import { tempDir } from './temp-dir.js';
import { waitFor } from './wait-for.js';

const DISK_BYTES = 32 << 20;
const diskTest = testWith(LoopDisk.missing(), 'tool');
const folder = tempDir('power');
let count = 0;

function isMounted(path: string): boolean {
  return readFileSync('/proc/self/mountinfo', 'utf8').includes(` ${path} `);
}

function isAttached(device: string): boolean {
  return spawnSync('losetup', [device]).status === 0;
}

diskTest('a power cut keeps what was synced and takes what was not', async () => {
  const path = join(folder, `disk-${count++}`);
  const disk = LoopDisk.attach(path, DISK_BYTES);
  writeFileSync(join(path, 'synced'), Buffer.alloc(100_000, 1), { flush: true });
  const fd = openSync(join(path, 'half'), 'w');
  writeSync(fd, Buffer.alloc(50_000, 2));
  spawnSync('sync', ['-f', path]);
  writeSync(fd, Buffer.alloc(50_000, 3));
  LoopDisk.powerCut([disk]);
  closeSync(fd);
  assert.throws(() => writeFileSync(join(path, 'after'), 'x', { flush: true }), /EIO/);
  const vanished = await disk.remount();
  assert.equal(vanished, { canaryBytes: 65_536, files: 1, bytes: 50_000 });
  assert.is(readFileSync(join(path, 'synced')).length, 100_000);
  assert.is(readFileSync(join(path, 'half')).length, 50_000);
  assert.is(existsSync(join(path, 'canary')), false);
  disk.close();
  assert.is(isMounted(path), false);
  await waitFor('the device to be free', () => !isAttached(disk.device));
});

diskTest('a disk that did not lose power has lost nothing', async () => {
  const path = join(folder, `disk-${count++}`);
  const disk = LoopDisk.attach(path, DISK_BYTES);
  writeFileSync(join(path, 'unsynced'), Buffer.alloc(100_000, 1));
  await disk.remount();
  assert.is(readFileSync(join(path, 'unsynced')).length, 100_000);
  disk.close();
});

for (const signal of ['SIGINT', 'SIGKILL'] as const) {
  diskTest(`nothing is left after ${signal}`, async () => {
    const path = join(folder, `disk-${count++}`);
    const module = fileURLToPath(new URL('./loop-disk.js', import.meta.url));
    const code = `const { LoopDisk } = await import(process.argv[1]);
      console.log(LoopDisk.attach(process.argv[2], ${DISK_BYTES}).device);
      setInterval(() => undefined, 1_000);`;
    const child = spawn(process.execPath, ['--input-type=module', '-e', code, module, path]);
    const device = String((await child.stdout.iterator().next()).value).trim();
    assert.ok(isMounted(path));
    child.kill(signal);
    await ended(child);
    await waitFor('mount and device to be gone', () => !isMounted(path) && !isAttached(device));
  });
}

test.run();
