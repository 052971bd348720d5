/** Calls between two threads, here both ends of one channel in one thread. */
import { MessageChannel } from 'node:worker_threads';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { LograftError } from '#src/base/errors.js';
import { THREAD_CALLS_MAX } from '#src/base/limits.js';
import { ThreadLink } from '#src/partition/thread-link.js';

type Ends = { here: ThreadLink; there: ThreadLink; close: () => void };

function ends(): Ends {
  const { port1, port2 } = new MessageChannel();
  const here = new ThreadLink(port1);
  const there = new ThreadLink(port2);
  return { here, there, close: () => here.close() };
}

function call(link: ThreadLink, method: string, payload: unknown): Promise<unknown> {
  return new Promise((resolve, reject) => {
    link.call(method, payload, [], (error, result) =>
      error === null ? resolve(result) : reject(error),
    );
  });
}

test('answers find their calls, in whatever order they come', async () => {
  const { here, there, close } = ends();
  const held: (() => void)[] = [];
  there.onCall('double', (payload, answer) => {
    held.push(() => answer((payload as number) * 2));
    if (held.length === 3) for (const release of held.reverse()) release();
  });
  const answers = [1, 2, 3].map((n) => call(here, 'double', n));
  assert.equal(await Promise.all(answers), [2, 4, 6]);
  close();
});

test('buffers move in both directions', async () => {
  const { here, there, close } = ends();
  there.onCall('echo', (payload, answer) => {
    const bytes = payload as Uint8Array<ArrayBuffer>;
    answer(bytes, [bytes.buffer]);
    assert.is(bytes.byteLength, 0, 'moved back');
  });
  const bytes = Uint8Array.of(1, 2, 3);
  const answer = await new Promise((resolve) => {
    here.call('echo', bytes, [bytes.buffer], (_error, result) => resolve(result));
    assert.is(bytes.byteLength, 0, 'moved there');
  });
  assert.equal(answer, Uint8Array.of(1, 2, 3));
  close();
});

test('promises answer too, and a LograftError travels as itself', async () => {
  const { here, there, close } = ends();
  there.onRequest('work', async (payload) => `${payload as string}!`);
  there.onRequest('fail', async () => {
    throw new LograftError('NOT_CONTROLLER', 'ask somebody else');
  });
  there.onCall('fail-now', () => {
    throw new LograftError('STORAGE_FULL', 'no room');
  });
  assert.is(await here.request('work', 'done'), 'done!');
  for (const [method, code] of [
    ['fail', 'NOT_CONTROLLER'],
    ['fail-now', 'STORAGE_FULL'],
  ] as const) {
    const error = await here.request(method, null).catch((reason: unknown) => reason);
    assert.instance(error, LograftError);
    assert.is((error as LograftError).code, code);
  }
  close();
});

test('notices come in order and are not answered', async () => {
  const { here, there, close } = ends();
  const heard: unknown[] = [];
  const all = new Promise<void>((resolve) => {
    there.onNotice('tell', (payload) => {
      heard.push(payload);
      if (heard.length === 3) resolve();
    });
  });
  for (const n of [1, 2, 3]) here.notify('tell', n);
  await all;
  assert.equal(heard, [1, 2, 3]);
  close();
});

test('when the other end goes, every open call fails once', async () => {
  const { here, there } = ends();
  there.onCall('never', () => undefined);
  const answers = [call(here, 'never', 1), call(here, 'never', 2)];
  there.close();
  for (const answer of await Promise.allSettled(answers)) {
    assert.is(answer.status, 'rejected');
    assert.is(((answer as PromiseRejectedResult).reason as LograftError).code, 'CLOSED');
  }
});

test('open calls are bounded, and room comes back with the answers', async () => {
  const { here, there, close } = ends();
  there.onCall('now', (_payload, answer) => answer(null));
  const answers = Array.from({ length: THREAD_CALLS_MAX }, () => call(here, 'now', null));
  const refused = await call(here, 'now', null).catch((error: unknown) => error);
  assert.is((refused as LograftError).code, 'TIMED_OUT');
  await Promise.all(answers);
  assert.is(await call(here, 'now', null), null);
  close();
});

test.run();
