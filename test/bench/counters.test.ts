/** What the bench reads of the kernel: bytes of a block device, context switches of threads. */
import { closeSync, fsyncSync, mkdtempSync, openSync, rmSync, writeSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { test } from 'uvu';
import * as assert from 'uvu/assert';

// The bench is a TypeScript project of its own, which the tests do not compile against.
const load = (file: string): Promise<unknown> =>
  import(new URL(`../../bench/${file}`, import.meta.url).href);
const { bytesWrittenIn, deviceBytesWritten } = (await load('block-device.js')) as {
  bytesWrittenIn(diskstats: string, major: number, minor: number): number | null;
  deviceBytesWritten(directory: string): number | null;
};
type Switches = ReadonlyMap<string, number>;
const { switchesBetween, switchesOf } = (await load('proc.js')) as {
  switchesBetween(before: Switches, after: Switches): number;
  switchesOf(pids: readonly number[]): Switches;
};

const MIB = 2 ** 20;
const DISKSTATS = `
 254       0 vda 10 11 12 13 20 21 4096 23 0 24 25 26 27 28 29 30 31
 254       1 vda1 10 11 12 13 20 21 8 23 0 24 25 26 27 28 29 30 31
   7       0 loop0 0 0 0 0 0 0 0 0 0 0 0
`;

test('sectors of one device, found by its numbers', () => {
  assert.is(bytesWrittenIn(DISKSTATS, 254, 0), 4096 * 512);
  assert.is(bytesWrittenIn(DISKSTATS, 254, 1), 8 * 512);
  assert.is(bytesWrittenIn(DISKSTATS, 7, 0), 0);
  assert.is(bytesWrittenIn(DISKSTATS, 0, 40), null);
});

test('what is synced was given to the device', () => {
  if (process.platform !== 'linux') return;
  const directory = mkdtempSync(join(tmpdir(), 'lograft-device-'));
  try {
    const before = deviceBytesWritten(directory);
    if (before === null) {
      console.log('# skip: no single block device lies below the folder for temporary files');
      return;
    }
    const file = openSync(join(directory, 'data'), 'w');
    writeSync(file, Buffer.alloc(4 * MIB, 1));
    fsyncSync(file);
    closeSync(file);
    assert.ok((deviceBytesWritten(directory) as number) >= before + 4 * MIB);
  } finally {
    rmSync(directory, { recursive: true });
  }
});

test('a thread that sleeps is switched away each time', async () => {
  if (process.platform !== 'linux') return;
  const before = switchesOf([process.pid]);
  for (let i = 0; i < 10; i++) await sleep(2);
  assert.ok(switchesBetween(before, switchesOf([process.pid])) >= 10);
});

test('of a thread that is new all counts, of one that ended none', () => {
  const before = new Map([
    ['a', 5],
    ['ended', 1_000],
  ]);
  const after = new Map([
    ['a', 7],
    ['new', 3],
  ]);
  assert.is(switchesBetween(before, after), 5);
});

test.run();
