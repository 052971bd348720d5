/** Positioned file access: content, short reads at the end, errors like Node's, locks. */
import type { LograftError } from '#src/base/errors.js';
import {
  allocate,
  fileCounters,
  freeBytes,
  lockFile,
  readAt,
  syncDirectory,
  syncFile,
  writeAt,
  writeListAt,
} from '#src/native/files.js';
import { spawnSync } from 'node:child_process';
import { closeSync, existsSync, fstatSync, openSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { tempDir } from '../support/temp-dir.js';

const directory = tempDir('files');
let count = 0;

function withFile(use: (fd: number, path: string) => void, flags = 'w+'): void {
  const path = join(directory, `file-${count++}`);
  const fd = openSync(path, flags);
  try {
    use(fd, path);
  } finally {
    closeSync(fd);
  }
}

function errorOf(run: () => unknown): NodeJS.ErrnoException {
  try {
    run();
  } catch (error) {
    return error as NodeJS.ErrnoException;
  }
  throw new Error('expected an error');
}

test('writes and reads at a position', () => {
  withFile((fd) => {
    const bytes = Buffer.from('..hello..');
    writeAt(fd, 1000, bytes, 2, 5);
    const back = Buffer.alloc(20, 0x2e);
    assert.is(readAt(fd, 998, back, 3, 10), 7);
    assert.is(back.toString('latin1'), '...\0\0hello..........');
    assert.is(readAt(fd, 5000, back, 0, 20), 0);
    assert.is(fstatSync(fd).size, 1005);
  });
});

test('writes more views than one system call takes', () => {
  withFile((fd, path) => {
    const views = Array.from({ length: 5000 }, (_, i) => Buffer.from(`${i};`));
    const whole = Buffer.concat(views);
    const mixed = [Buffer.alloc(0), ...views, Buffer.alloc(0)];
    assert.is(writeListAt(fd, 3, mixed), whole.length);
    assert.equal(readFileSync(path).subarray(3), whole);
    assert.is(writeListAt(fd, 3, []), 0);
  });
});

test('errors have code, errno and syscall', () => {
  const bytes = Buffer.alloc(100);
  const closed = errorOf(() => writeAt(999_999, 0, bytes, 0, 100));
  assert.is(closed.code, 'EBADF');
  assert.is(closed.syscall, 'write');
  assert.ok(closed instanceof Error && Number(closed.errno) < 0);
  const gone = errorOf(() => syncDirectory(join(directory, 'none')));
  assert.is(gone.code, 'ENOENT');
  assert.is(gone.path, join(directory, 'none'));
  withFile((_, path) => assert.is(errorOf(() => syncDirectory(path)).code, 'ENOTDIR'));
  assert.throws(() => writeAt(1, 0, bytes, 50, 51), RangeError);
  assert.throws(() => writeAt(1, -1, bytes, 0, 1), RangeError);
  assert.throws(() => writeListAt(1, 0, ['x'] as unknown as Uint8Array[]), TypeError);
});

test('a full disk is ENOSPC', () => {
  if (!existsSync('/dev/full')) return;
  const fd = openSync('/dev/full', 'w');
  try {
    const error = errorOf(() => writeAt(fd, 0, Buffer.alloc(10), 0, 10));
    assert.is(error.code, 'ENOSPC');
    assert.is(error.message, 'ENOSPC: no space left on device, write');
    assert.is(errorOf(() => writeListAt(fd, 0, [Buffer.alloc(10)])).code, 'ENOSPC');
  } finally {
    closeSync(fd);
  }
});

test('allocates with and without the size', () => {
  withFile((fd) => {
    allocate(fd, 0, 1 << 20, true);
    assert.is(fstatSync(fd).size, 0);
    allocate(fd, 0, 1 << 20, false);
    assert.is(fstatSync(fd).size, 1 << 20);
    allocate(fd, 0, 100, false);
    assert.is(fstatSync(fd).size, 1 << 20);
    syncFile(fd);
  });
  syncDirectory(directory);
});

test('a lock is held against this and other processes until it is released', () => {
  const path = join(directory, 'lock');
  const taken = lockFile(path);
  const error = errorOf(() => lockFile(path)) as unknown as LograftError;
  assert.is(error.code, 'DIRECTORY_LOCKED');
  const url = new URL('../../native/files.js', import.meta.url).href;
  const script = `const { lockFile } = await import(process.argv[1]);
    try { lockFile(process.argv[2]); console.log('free'); } catch (e) { console.log(e.code); }`;
  const other = (): string =>
    spawnSync(process.execPath, ['--input-type=module', '-e', script, url, path], {
      encoding: 'utf8',
    }).stdout.trim();
  assert.is(other(), 'DIRECTORY_LOCKED');
  taken.release();
  taken.release();
  assert.is(other(), 'free');
  lockFile(path).release();
  assert.is(errorOf(() => lockFile(join(directory, 'no', 'lock'))).code, 'ENOENT');
});

test('free space and counters', () => {
  assert.ok(freeBytes(directory) > 0);
  assert.is(errorOf(() => freeBytes(join(directory, 'none'))).code, 'ENOENT');
  const before = fileCounters();
  withFile((fd) => {
    writeAt(fd, 0, Buffer.alloc(1000), 0, 1000);
    readAt(fd, 0, Buffer.alloc(400), 0, 400);
  });
  const after = fileCounters();
  assert.is(after.writeCalls - before.writeCalls, 1);
  assert.is(after.writeBytes - before.writeBytes, 1000);
  assert.is(after.readBytes - before.readBytes, 400);
  assert.ok(after.slowestWriteMicros >= after.lastWriteMicros);
});

test.run();
