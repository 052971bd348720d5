/**
 * Environments that come and go: a worker that ends, or is terminated, with open connections,
 * listeners and a busy sync thread must not take the process with it.
 */
import { spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { readdirSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { Worker } from 'node:worker_threads';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { tempDir } from '../support/temp-dir.js';

const WORKER = new URL('./busy-worker.js', import.meta.url);
const directory = tempDir('workers');

async function startWorker(end: 'wait' | 'return'): Promise<Worker> {
  const worker = new Worker(WORKER, { workerData: { directory, end } });
  await once(worker, 'message');
  return worker;
}

function openDescriptors(): number {
  return process.platform === 'linux' ? readdirSync('/proc/self/fd').length : 0;
}

test('twenty workers terminated at work, and their descriptors are closed', async () => {
  await (await startWorker('wait')).terminate();
  const before = openDescriptors();
  for (let i = 0; i < 20; i++) {
    const worker = await startWorker('wait');
    await worker.terminate();
  }
  // Files opened by JavaScript in a worker are its own; ours are sockets and the loop's.
  assert.ok(openDescriptors() <= before + 2, `${before} before, ${openDescriptors()} after`);
});

test('several at once', async () => {
  const workers = await Promise.all([1, 2, 3, 4].map(() => startWorker('wait')));
  await Promise.all(workers.map((worker) => worker.terminate()));
});

test('a worker that returns with everything open ends by itself', async () => {
  const worker = await startWorker('return');
  const [code] = (await once(worker, 'exit')) as [number];
  assert.is(code, 0);
});

test('an error in a handler ends its worker with that error', async () => {
  const worker = new Worker(WORKER, { workerData: { directory, end: 'throw' } });
  const [error] = (await once(worker, 'error')) as [Error];
  assert.is(error.message, 'planted in a handler');
});

test('a process that exits in the middle of it exits as told', () => {
  const program = fileURLToPath(new URL('./busy-worker.js', import.meta.url));
  const run = spawnSync(process.execPath, [program, directory], { encoding: 'utf8' });
  assert.is(run.stderr, '');
  assert.is(run.status, 7);
});

test.run();
