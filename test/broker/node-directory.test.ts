/**
 * Whether a node notices that its page cache is gone: after a power cut always, also when the disk
 * came back under the same device and mount number, and also in the second start; after a kill and
 * after a clean stop never.
 */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { type NodeDirectory, openNodeDirectory } from '#src/broker/node-directory.js';
import { LoopDisk } from '../support/loop-disk.js';
import { testWith } from '../support/requires.js';
import { tempDir } from '../support/temp-dir.js';

const folder = tempDir('node-directory');
const diskTest = testWith(LoopDisk.missing(), 'tool');
const BOOT_VARIABLE = 'LOGRAFT_BOOT_ID';

/** A process that does with the directory as told and is then killed. */
function live(path: string, use: (directory: NodeDirectory) => void = () => undefined): boolean {
  const directory = openNodeDirectory(path);
  use(directory);
  directory.release();
  return directory.isPageCacheLost;
}

function mountLine(path: string): string {
  const lines = readFileSync('/proc/self/mountinfo', 'utf8').split('\n');
  return lines.find((line) => line.includes(` ${path} `)) ?? '';
}

function withBoot<T>(bootId: string, use: () => T): T {
  process.env[BOOT_VARIABLE] = bootId;
  try {
    return use();
  } finally {
    delete process.env[BOOT_VARIABLE];
  }
}

test('a new directory, and one whose process was killed, have lost nothing', () => {
  const path = join(folder, 'killed');
  assert.is(live(path), false);
  assert.is(live(path), false);
});

test('another boot has another page cache, unless the stop was a clean one', () => {
  const path = join(folder, 'boot');
  withBoot('1', () => live(path));
  assert.is(
    withBoot('2', () => live(path, (directory) => directory.settlePageCache())),
    true,
  );
  withBoot('2', () => live(path, (directory) => directory.markClean()));
  assert.is(
    withBoot('3', () => live(path)),
    false,
  );
  assert.is(
    withBoot('3', () => live(path)),
    false,
  );
});

test('what was lost stays lost until every replica knows', () => {
  const path = join(folder, 'settle');
  const start = (use?: (directory: NodeDirectory) => void): boolean =>
    withBoot('2', () => live(path, use));
  withBoot('1', () => live(path));
  assert.is(start(), true, 'killed before it had opened everything');
  assert.is(
    start((directory) => directory.markClean()),
    true,
    'stopped before it had opened everything',
  );
  assert.is(
    start((directory) => assert.is(directory.settlePageCache(), true)),
    true,
  );
  assert.is(start(), false);
});

diskTest('a disk that lost power and is back under the same numbers', async () => {
  const path = join(folder, 'power');
  const disk = LoopDisk.attach(path, 16 << 20);
  assert.is(live(path), false);
  const before = mountLine(path);
  LoopDisk.powerCut([disk]);
  await disk.remount();
  // Else this would prove nothing.
  assert.is(mountLine(path), before, 'the same device and mount number');
  assert.is(
    live(path, (directory) => directory.settlePageCache()),
    true,
  );
  assert.is(live(path), false);
  disk.close();
});

test.run();
