/**
 * Records as server-sent events from three real nodes: nothing is lost or repeated when the leader
 * dies, and who does not read costs a bounded amount of memory.
 */
import { readFileSync } from 'node:fs';
import { connect, type Socket } from 'node:net';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { TestCluster } from '../../support/cluster.js';
import { waitFor } from '../../support/wait-for.js';
import { HttpClient, type ServerEvent } from './http-client.js';

let cluster: TestCluster;
let http: HttpClient;

const PATH = '/topics/orders/partitions/0/events';

async function take(
  events: AsyncGenerator<ServerEvent, void>,
  count: number,
): Promise<[number, unknown][]> {
  const taken: [number, unknown][] = [];
  while (taken.length < count) {
    const next = await events.next();
    if (next.done === true) break;
    const { id, event, data } = next.value;
    const record = JSON.parse(data) as { offset: number; value: unknown };
    assert.equal([event, record.offset], ['record', id]);
    taken.push([id, record.value]);
  }
  return taken;
}

test.before(async () => {
  cluster = await TestCluster.start();
  http = new HttpClient(cluster);
  await cluster.createTopic('orders', 1);
  await cluster.createTopic('large', 1);
});
test.after(() => cluster.down());

test('from the beginning, from an offset, after the last event, and from now on', async () => {
  const lines = ['a', 'b', 'c'].map((value) => JSON.stringify({ value })).join('\n');
  await http.post(1, '/topics/orders/records', lines, 'application/x-ndjson');
  const stop = new AbortController();
  const { signal } = stop;
  for (const node of [1, 2, 3]) {
    assert.equal(await take(await http.events(node, `${PATH}?offset=earliest`, signal), 3), [
      [0, 'a'],
      [1, 'b'],
      [2, 'c'],
    ]);
    // The header wins: a browser comes again with the address it was given first.
    const resumed = await http.events(node, `${PATH}?offset=0`, signal, { 'last-event-id': '1' });
    assert.equal(await take(resumed, 1), [[2, 'c']]);
  }
  const now = await http.events(2, PATH, signal);
  await http.post(1, '/topics/orders/records', 'news');
  assert.equal(await take(now, 1), [[3, 'news']]);
  stop.abort();
});

test('what is wrong is said before the stream begins', async () => {
  const beyond = await http.ask(1, `${PATH}?offset=999`);
  assert.equal([beyond.status, beyond.json['code']], [416, 'OFFSET_OUT_OF_RANGE']);
  const header = await http.ask(1, PATH, { headers: { 'last-event-id': 'x' } });
  assert.equal([header.status, header.json['code']], [400, 'INVALID_REQUEST']);
  assert.is((await http.ask(1, '/topics/none/partitions/0/events')).status, 404);
  assert.is((await http.ask(1, `${PATH}?from=1`)).status, 400);
  assert.is((await http.ask(1, PATH, { method: 'HEAD' })).status, 405);
});

/** Of the broker's process, in bytes. */
function residentBytes(node: number): number {
  const status = readFileSync(`/proc/${cluster.pid(node)}/status`, 'latin1');
  return Number(/VmRSS:\s+(\d+) kB/.exec(status)?.[1]) * 1024;
}

test('readers that do not read: little memory, and all of it when they do', async () => {
  const MIB = 1 << 20;
  const records = 30;
  const readers = 30;
  for (let i = 0; i < records; i++) {
    await http.post(1, '/topics/large/records', Buffer.alloc(900_000, 'x'));
  }
  const node = await cluster.leaderOf('large', 0);
  const before = residentBytes(node);
  const path = '/topics/large/partitions/0/events?offset=earliest';
  const sockets: Socket[] = [];
  try {
    for (let i = 0; i < readers; i++) {
      const socket = connect({ host: '127.0.0.1', port: http.port(node) });
      socket.pause();
      socket.write(`GET ${path} HTTP/1.1\r\nhost: x\r\n\r\n`);
      sockets.push(socket);
    }
    let peak = 0;
    for (let i = 0; i < 30; i++) {
      await new Promise((resolve) => setTimeout(resolve, 100));
      peak = Math.max(peak, residentBytes(node) - before);
      assert.is((await http.ask(node, '/livez')).status, 200);
    }
    const all = readers * records * 900_000;
    assert.ok(peak < all / 3, `${Math.round(peak / MIB)} MiB for ${all / MIB} MiB unread`);
    // One of them reads after all.
    const [late] = sockets as [Socket];
    let bytes = 0;
    late.on('data', (chunk) => {
      bytes += chunk.length;
    });
    late.resume();
    await waitFor('all records', () => bytes > records * 900_000, { timeoutMs: 30_000 });
  } finally {
    for (const socket of sockets) socket.destroy();
  }
});

test('the leader is killed: every acknowledged record comes, once, in order', async () => {
  const leader = await cluster.leaderOf('orders', 0);
  const others = [1, 2, 3].filter((node) => node !== leader) as [number, number];
  const stop = new AbortController();
  const seen: [number, unknown][] = [];
  const reading = (async () => {
    const { signal } = stop;
    for await (const { id, data } of await http.events(others[0], `${PATH}?offset=0`, signal)) {
      seen.push([id, (JSON.parse(data) as { value: unknown }).value]);
    }
  })();
  const acked = new Map<unknown, string>();
  const endMs = performance.now() + 30_000;
  let killedAt = -1;
  for (let i = 0; acked.size < 150 && performance.now() < endMs; i++) {
    if (acked.size >= 50 && killedAt < 0) {
      killedAt = acked.size;
      cluster.signal(leader, 'SIGKILL');
    }
    const value = `n${i}`;
    const { status, json } = await http.post(others[1], '/topics/orders/records', value);
    if (status === 200) acked.set(json['offset'], value);
  }
  assert.ok(killedAt >= 50 && acked.size === 150, `${acked.size} acknowledged`);
  const last = Math.max(...(acked.keys() as Iterable<number>));
  await waitFor('the last record', () => seen.at(-1)?.[0] === last, { timeoutMs: 20_000 });
  stop.abort();
  await reading;
  assert.equal(
    seen.map(([id]) => id),
    Array.from({ length: last + 1 }, (_, offset) => offset),
  );
  for (const [offset, value] of acked) assert.equal(seen[offset as number], [offset, value]);
  await cluster.startNode(leader);
});

test('a node that stops ends its streams', async () => {
  const events = await http.events(3, PATH, AbortSignal.timeout(30_000));
  process.kill(cluster.pid(3), 'SIGTERM');
  // Without an end of its own the body would throw.
  assert.equal(await take(events, 1), []);
});

test.run();
