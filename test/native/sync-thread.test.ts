/** Group commit as TypeScript sees it: order, errors, one sync per file, writes, the end. */
import { LograftError } from '#src/base/errors.js';
import { writeAt } from '#src/native/files.js';
import { SyncThread } from '#src/native/sync-thread.js';
import { closeSync, openSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { tempDir } from '../support/temp-dir.js';
import { waitFor } from '../support/wait-for.js';

const directory = tempDir('sync');
const NOT_OPEN = 999_999;

test('completions come in the order asked, with the error of their file', async () => {
  const fds = [0, 1, 2].map((i) => openSync(join(directory, `f${i}`), 'w'));
  const [a = 0, b = 0, c = 0] = fds;
  const heard: string[] = [];
  const offline: (string | undefined)[] = [];
  const thread = new SyncThread((error) => offline.push(error.code));
  const order = [a, NOT_OPEN, b, a, c, NOT_OPEN];
  order.forEach((fd, i) => {
    if (fd !== NOT_OPEN) writeAt(fd, 0, Buffer.from('x'), 0, 1);
    thread.sync(fd, (error) => heard.push(`${i}:${error?.code ?? 'ok'}`));
  });
  assert.is(thread.pending, 6);
  await thread.close();
  assert.equal(heard, ['0:ok', '1:EBADF', '2:ok', '3:ok', '4:ok', '5:EBADF']);
  assert.equal(offline, ['EBADF', 'EBADF']);
  assert.is(thread.pending, 0);
  fds.forEach((fd) => closeSync(fd));
});

test('requests that gather while a group runs share one sync', async () => {
  const fd = openSync(join(directory, 'shared'), 'w');
  const thread = new SyncThread();
  let done = 0;
  for (let i = 0; i < 2000; i++) thread.sync(fd, () => done++);
  await waitFor('all syncs', () => done === 2000, { everyMs: 1 });
  const { requests, syncs, groups, errors } = thread.counters();
  assert.is(requests, 2000);
  assert.is(errors, 0);
  assert.is(syncs, groups);
  assert.ok(groups < 200, `${groups} groups`);
  await thread.close();
  closeSync(fd);
});

test('a callback may ask again, and an error it throws hides no other', async () => {
  const fd = openSync(join(directory, 'again'), 'w');
  const thread = new SyncThread();
  const uncaught: unknown[] = [];
  const listen = (error: unknown): void => void uncaught.push(error);
  process.on('uncaughtException', listen);
  let rounds = 0;
  const next = (): void => {
    rounds++;
    if (rounds < 20) thread.sync(fd, next);
  };
  thread.sync(fd, () => {
    throw new Error('planted');
  });
  thread.sync(fd, next);
  await waitFor('twenty rounds', () => rounds === 20, { everyMs: 1 });
  await waitFor('the uncaught error', () => uncaught.length === 1, { everyMs: 1 });
  process.off('uncaughtException', listen);
  assert.is((uncaught[0] as Error).message, 'planted');
  await thread.close();
  closeSync(fd);
});

test('writes are carried out in order, and waited for when it must be', async () => {
  const path = join(directory, 'written');
  const fd = openSync(path, 'w');
  const thread = new SyncThread();
  const heard: string[] = [];
  const bytes = Buffer.from('first');
  thread.write(fd, 0, bytes, () => {
    heard.push('first');
    // Waits for what was asked for behind it, too, which is told before this returns.
    thread.finish();
    heard.push('finished');
  });
  bytes.fill('x');
  thread.write(fd, 3, Buffer.from('ished'), () => heard.push('second'));
  thread.write(NOT_OPEN, 0, bytes, (error) => heard.push(`${error?.syscall} ${error?.code}`));
  thread.finish();
  assert.equal(heard, ['first', 'second', 'write EBADF', 'finished']);
  assert.is(readFileSync(path, 'utf8'), 'firished');
  assert.is(thread.pending, 0);
  thread.write(fd, 0, Buffer.alloc(0), () => heard.push('nothing'));
  await waitFor('a write of nothing', () => heard.at(-1) === 'nothing', { everyMs: 1 });
  await thread.close();
  thread.finish();
  closeSync(fd);
});

test('bounds and the end', async () => {
  const fd = openSync(join(directory, 'bounds'), 'w');
  const thread = new SyncThread();
  let done = 0;
  let refused: unknown;
  try {
    for (let i = 0; i < 20_000; i++) thread.sync(fd, () => done++);
  } catch (error) {
    refused = error;
  }
  assert.instance(refused, LograftError);
  const closing = thread.close();
  assert.is(thread.close(), closing);
  assert.throws(() => thread.sync(fd, () => undefined), /closed/);
  await closing;
  assert.is(done, 16_384);
  assert.is(thread.counters().requests, 0);
  closeSync(fd);
});

test.run();
