/** The processes of W10 against servers that fail them: what goes wrong is counted. */
import { fork } from 'node:child_process';
import { type Server, createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { fileURLToPath } from 'node:url';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { ended } from '../support/command.js';

const WORKER = fileURLToPath(new URL('../../bench/http/http-worker.js', import.meta.url));
const WINDOW = { warmupMs: 50, measureMs: 200 };
const REQUESTS_SEEN = 40;
const BYTES = 300_000;

// The bench is a TypeScript project of its own, which the tests do not compile against.
type Result = {
  readonly elapsedMs: number;
  readonly answeredInWindow: number;
  readonly bytesInWindow: number;
  readonly answers: number;
  readonly bytesPerAnswer: number;
  readonly sent: number;
  readonly statuses: Readonly<Record<string, number>>;
  readonly withoutRetryAfter: number;
  readonly p50Us: number;
  readonly p99Us: number;
  readonly faults: Readonly<Record<string, number>>;
};

async function work(job: object): Promise<{ result: Result; windows: boolean[] }> {
  const child = fork(WORKER, { stdio: ['ignore', 2, 2, 'ipc'] });
  const windows: boolean[] = [];
  let result: Result | null = null;
  child.on('message', (message: { kind: string; isOpen: boolean; result: Result }) => {
    if (message.kind === 'result') result = message.result;
    else windows.push(message.isOpen);
  });
  child.send(job);
  const [exitCode] = await ended(child);
  assert.is(exitCode, 0);
  if (result === null) throw new Error('no result');
  return { result, windows };
}

async function withServer(server: Server, body: (port: number) => Promise<void>): Promise<void> {
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  try {
    await body((server.address() as AddressInfo).port);
  } finally {
    server.closeAllConnections();
    server.close();
  }
}

function loadJob(port: number, pipelining: number, rate: number | null = null) {
  const urls = [`http://127.0.0.1:${port}/`];
  const load = { method: 'POST', contentType: null, body: 'x', connections: 20, pipelining, rate };
  return { kind: 'load', urls, window: WINDOW, ...load };
}

function drainJob(port: number) {
  return { kind: 'drain', host: '127.0.0.1', port, path: '/', window: WINDOW };
}

for (const pipelining of [1, 10]) {
  test(`pipelining ${pipelining}: all that is sent is answered and counted`, async () => {
    let seen = 0;
    const server = createServer((request, response) => {
      seen += 1;
      request.resume().once('end', () => response.end('ok'));
    });
    await withServer(server, async (port) => {
      const { result, windows } = await work(loadJob(port, pipelining));
      assert.equal(result.faults, {});
      assert.equal(windows, [true, false]);
      assert.is(result.sent, seen);
      assert.equal(result.statuses, { 200: seen });
      assert.ok(result.answeredInWindow > 0 && result.answeredInWindow <= seen);
      assert.ok(result.p50Us > 0 && result.p50Us <= result.p99Us);
    });
  });
}

test('a rate is kept over the whole second', async () => {
  const server = createServer((request, response) => {
    request.resume().once('end', () => response.end('ok'));
  });
  await withServer(server, async (port) => {
    const window = { warmupMs: 1_000, measureMs: 2_000 };
    const { result } = await work({ ...loadJob(port, 1, 400), window });
    assert.equal(result.faults, {});
    // A busy machine may send less, and never more.
    assert.ok(result.answeredInWindow > 0 && result.answeredInWindow <= 1_200);
  });
});

test('a connection that ends with a request under way is a fault', async () => {
  let seen = 0;
  const server = createServer((request, response) => {
    seen += 1;
    if (seen % REQUESTS_SEEN === 0) request.socket.end();
    else request.resume().once('end', () => response.end('ok'));
  });
  await withServer(server, async (port) => {
    const { result } = await work(loadJob(port, 1));
    const lost = Math.floor(seen / REQUESTS_SEEN);
    assert.ok(lost > 0);
    assert.is(result.faults['a request without an answer'], lost);
    assert.is(result.sent, seen);
  });
});

test('answers with 503 are told apart by Retry-After', async () => {
  let seen = 0;
  const server = createServer((request, response) => {
    seen += 1;
    const retry = seen % 2 === 0 ? { 'retry-after': '1' } : {};
    request.resume().once('end', () => response.writeHead(503, retry).end());
  });
  await withServer(server, async (port) => {
    const { result } = await work(loadJob(port, 1));
    assert.equal(result.statuses, { 503: seen });
    assert.is(result.withoutRetryAfter, Math.ceil(seen / 2));
  });
});

test('a drain reads whole answers of one length', async () => {
  let seen = 0;
  const server = createServer((_, response) => {
    seen += 1;
    response.writeHead(200, { 'content-length': BYTES }).end(Buffer.alloc(BYTES));
  });
  await withServer(server, async (port) => {
    const { result, windows } = await work(drainJob(port));
    assert.equal(result.faults, {});
    assert.equal(windows, [true, false]);
    assert.equal([result.answers, result.bytesPerAnswer], [seen, BYTES]);
    assert.ok(result.bytesInWindow > 0 && result.bytesInWindow <= seen * BYTES);
  });
});

type Misbehaviour = readonly [name: string, length: number, bytes: number, status: number, RegExp];
const MISBEHAVIOURS: readonly Misbehaviour[] = [
  ['cut off', BYTES, BYTES - 1, 200, /^an answer was cut off$/],
  ['refused', BYTES, BYTES, 404, /^answered with HTTP\/1\.1 404/],
  ['of another length', BYTES + 1, BYTES + 1, 200, /^answers of several lengths$/],
];

for (const [name, length, bytes, status, fault] of MISBEHAVIOURS) {
  test(`an answer that is ${name} is a fault`, async () => {
    let seen = 0;
    const server = createServer((request, response) => {
      seen += 1;
      const isBad = seen === 3;
      response.writeHead(isBad ? status : 200, { 'content-length': isBad ? length : BYTES });
      response.write(Buffer.alloc(isBad ? bytes : BYTES));
      if (isBad && bytes < length) setTimeout(() => request.socket.destroy(), 10);
      else response.end();
    });
    await withServer(server, async (port) => {
      const { result } = await work(drainJob(port));
      assert.match(Object.keys(result.faults)[0] ?? '', fault);
    });
  });
}

test.run();
