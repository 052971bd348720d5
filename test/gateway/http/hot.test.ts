/**
 * Requests that the shard answers itself, on raw sockets: in order, in any pieces, and with the
 * framework taking over in the middle of a connection without a byte lost.
 */
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { readBatchHeader } from '#src/records/batch.js';
import { TestCluster } from '../../support/cluster.js';
import { type Answer, RawClient } from './raw-client.js';

let cluster: TestCluster;
let leader = 0;

function rawClient(node: number): RawClient {
  return new RawClient(cluster.basePort + 200 + node);
}

function produce(body: string, more = ''): string {
  const length = Buffer.byteLength(body);
  const head = `POST /topics/hot/records?partition=0 HTTP/1.1\r\nHost: x\r\n${more}`;
  return `${head}Content-Length: ${length}\r\n\r\n${body}`;
}

function fetchRequest(path: string, more = ''): string {
  return `GET ${path} HTTP/1.1\r\nHost: x\r\n${more}\r\n`;
}

async function valuesFrom(offset: number): Promise<string[]> {
  const base = `http://127.0.0.1:${cluster.basePort + 200 + leader}`;
  const response = await fetch(`${base}/topics/hot/partitions/0/records?offset=${offset}&max=9999`);
  const { records } = (await response.json()) as { records: { value: string }[] };
  return records.map(({ value }) => value);
}

test.before(async () => {
  cluster = await TestCluster.start();
  await cluster.createTopic('hot', 1);
  const { topics } = await cluster.status();
  leader = topics.find(({ name }) => name === 'hot')?.partitions[0]?.leader as number;
});
test.after(() => cluster.down());

test('many requests in one packet are answered in order, and share batches', async () => {
  const client = rawClient(leader);
  const bodies = Array.from({ length: 200 }, (_, i) => `packed-${i}`);
  client.write(bodies.map((body) => produce(body)).join(''));
  const first = (await client.json())['offset'] as number;
  for (let i = 1; i < bodies.length; i++) {
    assert.equal(await client.json(), { status: 200, partition: 0, offset: first + i });
  }
  assert.equal(await valuesFrom(first), bodies);
  client.write(fetchRequest(`/topics/hot/partitions/0/stream?offset=${first}`));
  const { body } = (await client.answer()) as Answer;
  let batches = 0;
  for (let at = 0; at < body.length; at += readBatchHeader(body, at).sizeBytes) batches++;
  assert.ok(batches < bodies.length / 10, `${batches} batches`);
  client.close();
});

test('a request may come byte by byte, and in any pieces with the next one', async () => {
  const client = rawClient(leader);
  for (const byte of produce('slowly')) {
    client.write(byte);
    await new Promise((resolve) => setImmediate(resolve));
  }
  const { offset } = await client.json();
  const text = Array.from({ length: 20 }, (_, i) => produce(`piece-${i}`)).join('');
  for (let at = 0; at < text.length; at += 37) {
    client.write(text.slice(at, at + 37));
    await new Promise((resolve) => setImmediate(resolve));
  }
  for (let i = 1; i <= 20; i++) assert.is((await client.json())['offset'], (offset as number) + i);
  client.close();
});

test('the framework takes over where a request is not plain, and nothing is lost', async () => {
  const client = rawClient(leader);
  const chunked =
    'POST /topics/hot/records?partition=0 HTTP/1.1\r\nHost: x\r\n' +
    'Transfer-Encoding: chunked\r\n\r\n' +
    '3\r\nabc\r\n0\r\n\r\n';
  // The framework works on what is pipelined at once, so only one of these writes.
  client.write(produce('before') + fetchRequest('/livez') + produce('after'));
  const before = await client.json();
  assert.is(before['status'], 200);
  assert.is((await client.json())['nodeId'], leader);
  const offset = before['offset'] as number;
  assert.is((await client.json())['offset'], offset + 1);
  client.write(chunked);
  assert.is((await client.json())['offset'], offset + 2);
  client.write(fetchRequest('/topics/hot/partitions/0/records?offset=latest'));
  assert.is((await client.json())['nextOffset'], offset + 3);
  assert.equal(await valuesFrom(offset), ['before', 'after', 'abc']);
  client.close();
});

test('a stream is one answer among others on its connection', async () => {
  const client = rawClient(leader);
  client.write(
    produce('s1') +
      fetchRequest('/topics/hot/partitions/0/stream?offset=0', 'Range: bytes=0-60\r\n') +
      produce('s2') +
      fetchRequest('/topics/hot/partitions/0/stream?offset=99999999') +
      produce('s3'),
  );
  const { offset } = await client.json();
  const part = (await client.answer()) as Answer;
  assert.equal([part.status, part.body.length], [206, 61]);
  assert.is(readBatchHeader(part.body, 0).baseOffset, 0);
  assert.is((await client.json())['offset'], (offset as number) + 1);
  assert.is((await client.json())['code'], 'OFFSET_OUT_OF_RANGE');
  assert.is((await client.json())['offset'], (offset as number) + 2);
  client.close();
});

test('a client that wants to close is answered first', async () => {
  const client = rawClient(leader);
  client.write(produce('last', 'Connection: close\r\n'));
  assert.is((await client.answer())?.headers.get('connection'), 'close');
  assert.is(await client.answer(), null);
  const whole = rawClient(leader);
  whole.write(fetchRequest('/topics/hot/partitions/0/stream', 'Connection: close\r\n'));
  const answer = (await whole.answer()) as Answer;
  assert.is(answer.body.length, Number(answer.headers.get('content-length')));
  assert.is(await whole.answer(), null);
});

test('a client that has said all it wants to say still hears the answer', async () => {
  for (const text of [produce('half'), fetchRequest('/topics/hot/partitions/0/stream')]) {
    const client = rawClient(leader);
    client.socket.end(text);
    const answer = (await client.answer()) as Answer;
    assert.is(answer.status, 200);
    assert.is(answer.body.length, Number(answer.headers.get('content-length')));
    assert.is(await client.answer(), null);
  }
  const unfinished = rawClient(leader);
  unfinished.socket.end(produce('half').slice(0, -2));
  const refused = await unfinished.answer();
  assert.ok(refused === null || refused.status === 400);
  assert.is(await unfinished.answer(), null);
});

test('what is no HTTP is refused, whatever came before it', async () => {
  for (const nonsense of ['\x16\x03\x01\x02\x00', 'GET\r\n\r\n', 'POST / HTTP/9.9\r\n\r\n']) {
    const client = rawClient(leader);
    client.write(produce('good') + nonsense);
    assert.is((await client.json())['status'], 200);
    const answer = await client.answer();
    if (answer !== null) {
      assert.is(answer.status, 400);
      assert.is(answer.headers.get('content-type'), 'application/problem+json');
    }
    assert.is(await client.answer(), null);
  }
});

test('keys choose the partition, and another node serves what it does not lead', async () => {
  await cluster.createTopic('keyed', 3);
  const seen = new Map<string, unknown>();
  for (const node of [1, 2, 3]) {
    const client = rawClient(node);
    for (const key of ['21', 'foobar', 'abc', 'lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8']) {
      const head = `POST /topics/keyed/records?key=${key} HTTP/1.1\r\nHost: x\r\n`;
      client.write(`${head}Content-Length: 1\r\n\r\nv`);
      const { status, partition } = await client.json();
      assert.is(status, 200);
      assert.is(seen.get(key) ?? partition, partition);
      seen.set(key, partition);
    }
    client.close();
  }
  // The Java client's hashes of the same keys.
  assert.is(seen.get('foobar'), (-790332482 & 0x7fffffff) % 3);
  assert.is(seen.get('21'), (-973932308 & 0x7fffffff) % 3);
});

test('idle connections by the hundred take nothing from a busy one', async () => {
  const idle = Array.from({ length: 300 }, () => rawClient(leader));
  const client = rawClient(leader);
  for (let i = 0; i < 20; i++) {
    client.write(produce(`busy-${i}`));
    assert.is((await client.json())['status'], 200);
  }
  for (const one of idle) assert.not(one.isEnded);
  for (const one of [...idle, client]) one.close();
});

test.run();
