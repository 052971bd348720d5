/**
 * A replica's folder in which one file has rotted while the process was down. It opens with what is
 * sound, says that it is forgetful when that is less than was acknowledged, or names the damage in
 * an error; it never serves a byte that was not written.
 */
import { LograftError } from '#src/base/errors.js';
import type { LogConfig } from '#src/log/log-config.js';
import { Prng } from '#src/base/prng.js';
import fc from 'fast-check';
import * as assert from 'uvu/assert';
import { MemoryDisk } from '../../log/memory-disk.js';
import { Bench, DIRECTORY } from '../../log/support.js';
import { target } from '../fuzz-target.js';
import { guarded } from '../guard.js';
import { damaged, type Edit, edits, oneEdit } from '../mutate.js';

/** Opening reads a few files of 64 KiB. */
const OPEN_BYTES = 64 << 10;
const config: Partial<LogConfig> = { segmentBytes: 600, indexIntervalBytes: 100 };

const isOwn = (error: unknown): boolean =>
  error instanceof LograftError && ['CORRUPT', 'DIRECTORY_FOREIGN'].includes(error.code);

const never = (): boolean => false;

type Story = { readonly disk: MemoryDisk; readonly bench: Bench; readonly end: number };

/** Batches of two epochs, all of them synced and acknowledged; then the process is killed. */
function story(sizes: readonly number[], isClean: boolean): Story {
  const disk = new MemoryDisk();
  const bench = new Bench(disk).open({ config });
  bench.startEpoch(1);
  for (const [i, valueBytes] of sizes.entries()) {
    if (i === 5) bench.startEpoch(3);
    bench.append({ valueBytes, records: (i % 3) + 1 });
  }
  bench.log.syncTo((error) => assert.is(error, null));
  disk.drain();
  bench.wal.tick();
  const end = bench.log.logEnd.offset;
  if (isClean) bench.closeCleanly();
  else disk.crash('all', new Prng(1));
  return { disk, bench, end };
}

function logBytes(disk: MemoryDisk): Buffer {
  const names = disk.list(DIRECTORY).filter((name) => name.endsWith('.log'));
  return Buffer.concat(names.sort().map((name) => disk.contents(`${DIRECTORY}/${name}`)));
}

function reopen({ disk, bench, end }: Story, before: Buffer, isClean: boolean): void {
  const opened = guarded(OPEN_BYTES, isOwn, () => bench.open({ config, isCleanStop: isClean }));
  if ('error' in opened) return;
  const { log } = bench;
  const kept = log.logEnd.offset;
  assert.ok(kept <= end, `${kept} of ${end} records`);
  if (kept < end) assert.ok(log.isForgetful, `${kept} of ${end} records, and not forgetful`);
  for (let offset = 0; offset < kept; offset++) {
    // After a clean stop nothing is scanned: rot is found when the bytes are read, or by scrubbing.
    const found = guarded(OPEN_BYTES, isClean ? isOwn : never, () => log.locate(offset, 1, kept));
    if ('error' in found) continue;
    const isThere = found.value !== null && found.value.baseOffset <= offset;
    assert.ok(isThere || isClean, `offset ${offset} is not found`);
  }
  if (isClean) return;
  const after = logBytes(disk);
  assert.ok(before.subarray(0, after.length).equals(after), 'bytes that were not written');
}

function rot(disk: MemoryDisk, which: number, list: readonly Edit[]): void {
  const names = disk.list(DIRECTORY);
  const path = `${DIRECTORY}/${names[which % names.length]}`;
  disk.plant(path, damaged(disk.contents(path), list));
}

const sizes = fc.array(fc.nat(200), { minLength: 1, maxLength: 12 });

export const FOLDER_TARGETS = [
  target(
    'log-folders',
    () =>
      fc.property(sizes, fc.nat(), edits, fc.boolean(), (list, which, damage, isClean) => {
        const told = story(list, isClean);
        const before = logBytes(told.disk);
        rot(told.disk, which, damage);
        reopen(told, before, isClean);
      }),
    20,
  ),
  target(
    'log-wals',
    () =>
      fc.property(sizes, oneEdit, fc.boolean(), (list, damage, isClean) => {
        const told = story(list, isClean);
        const path = '/data/wal/00000000.wal';
        told.disk.plant(path, damaged(told.disk.contents(path), damage));
        // Marks that are gone with the WAL take batches with them, or the error says it.
        guarded(OPEN_BYTES, isOwn, () => told.bench.open({ config, isCleanStop: isClean }));
      }),
    20,
  ),
];
