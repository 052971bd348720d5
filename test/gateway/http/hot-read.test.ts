/**
 * Records that the shard reads itself, on raw sockets: the same answers as the framework's, in
 * order, with waits, and with the framework taking over where a read is not plain.
 */
import { CompressionTypes, Kafka, logLevel } from 'kafkajs';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { TestCluster } from '../../support/cluster.js';
import { type Answer, RawClient } from './raw-client.js';

/** A header that the hot door knows nothing of is the framework's to judge. */
const COLD = 'Authorization: none\r\n';
const VALUES = ['plain', '', 'quote " and \\ and \n', 'é😀', '\u0000\u001f', 'x'.repeat(5_000)];

let cluster: TestCluster;
let leader = 0;

function client(): RawClient {
  return new RawClient(cluster.basePort + 200 + leader);
}

function read(query: string, more = '', topic = 'read'): string {
  const path = `/topics/${topic}/partitions/0/records${query}`;
  return `GET ${path} HTTP/1.1\r\nHost: x\r\n${more}\r\n`;
}

/** The answer, and whether it came from the framework, which says when. */
async function ask(one: RawClient, request: string): Promise<Answer & { isCold: boolean }> {
  one.write(request);
  const answer = await one.answer();
  assert.ok(answer, 'an answer comes');
  return { ...answer, isCold: answer.headers.has('date') };
}

async function produce(body: string | Buffer, type = 'text/plain', topic = 'read'): Promise<void> {
  const url = `http://127.0.0.1:${cluster.basePort + 200 + leader}/topics/${topic}/records`;
  const headers = { 'content-type': type };
  const response = await fetch(`${url}?partition=0`, { method: 'POST', headers, body });
  assert.is(response.status, 200, await response.text());
}

function told({ headers, body, status }: Answer): unknown {
  const names = ['content-type', 'content-length', 'lograft-next-offset'];
  const more = ['lograft-high-watermark', 'lograft-log-start-offset'];
  return [status, ...[...names, ...more].map((name) => headers.get(name)), body.toString()];
}

/** MiB of the leader's process. */
async function memory(): Promise<number> {
  const { nodes } = await cluster.status();
  return (nodes.find(({ id }) => id === leader)?.rssBytes ?? 0) / 2 ** 20;
}

test.before(async () => {
  cluster = await TestCluster.start();
  await cluster.createTopic('read', 1);
  await cluster.createTopic('quiet', 1);
  const { topics } = await cluster.status();
  leader = topics.find(({ name }) => name === 'read')?.partitions[0]?.leader as number;
  for (const value of VALUES) await produce(value);
  await produce(Buffer.of(0xff, 0x00), 'application/octet-stream');
  const records = Array.from({ length: 900 }, (_, i) => ({
    ...{ key: `k${i}`, value: `many ${i}`, headers: { trace: `t${i}` }, timestamp: 1_000 + i },
  }));
  await produce(JSON.stringify(records), 'application/json');
});
test.after(() => cluster.down());

test('a read is answered as the framework answers it', async () => {
  const [hot, cold] = [client(), client()];
  const queries = ['', '?offset=0', '?offset=3&max=2', '?max=1', '?offset=100&max=700', '?max=7'];
  const ends = ['?offset=907', '?offset=latest', '?offset=earliest&max=10000', '?wait=0'];
  for (const query of [...queries, ...ends]) {
    for (const accept of ['', 'Accept: application/x-ndjson\r\n', 'Accept: text/html\r\n']) {
      const one = await ask(hot, read(query, accept));
      const other = await ask(cold, read(query, accept + COLD));
      assert.not(one.isCold, query);
      assert.ok(other.isCold, query);
      assert.equal(told(one), told(other), query + accept);
    }
  }
  hot.close();
  cold.close();
});

test('everything is there when it is read on from where the last answer ended', async () => {
  const one = client();
  let offset = 0;
  let values = 0;
  for (;;) {
    const { body } = await ask(one, read(`?offset=${offset}&max=123`));
    const { records, nextOffset } = JSON.parse(body.toString());
    if (records.length === 0) break;
    values += records.length;
    offset = nextOffset;
  }
  assert.is(values, VALUES.length + 1 + 900);
  one.close();
});

test('what is wrong is said by the framework, and later requests are answered by it', async () => {
  const wrong: [string, number][] = [
    ['?offset=99999', 416],
    ['?offset=-1', 400],
    ['?max=0', 400],
    ['?max=10001', 400],
    ['?max=abc', 400],
    ['?max=-1', 400],
    ['?max=', 400],
    ['?max=1.5', 400],
    ['?wait=soon', 400],
    ['?wait=30001', 400],
    ['?offset=1&offset=2', 400],
    ['?other=1', 400],
  ];
  for (const [query, status] of wrong) {
    const one = client();
    one.write(read('?max=1') + read(query) + read('?max=1'));
    assert.is((await one.answer())?.status, 200);
    assert.is((await one.answer())?.status, status, query);
    const after = await one.answer();
    assert.is(after?.status, 200);
    assert.ok(after?.headers.has('date'));
    one.close();
  }
  const one = client();
  assert.is((await ask(one, read('', '', 'nothing'))).status, 404);
  one.close();
});

test('a read at the end waits for news, and for no longer than it was told to', async () => {
  const one = client();
  const startMs = performance.now();
  const nothing = await ask(one, read('?wait=200', '', 'quiet'));
  assert.equal(JSON.parse(nothing.body.toString()).records, []);
  assert.ok(performance.now() - startMs >= 195, 'it waited');
  one.write(read('?wait=20000', '', 'quiet') + read('?max=1'));
  await produce('news', 'text/plain', 'quiet');
  const news = await one.json();
  assert.equal(
    (news['records'] as { value: string }[]).map(({ value }) => value),
    ['news'],
  );
  assert.is((await one.answer())?.status, 200);
  one.close();
});

test('a client that leaves while it waits is forgotten', async () => {
  const clients = Array.from({ length: 20 }, () => client());
  for (const one of clients) one.write(read('?offset=latest&wait=30000'));
  // They wait when another one that asked later has its answer.
  const { body } = await ask(client(), read('?offset=latest'));
  assert.equal(JSON.parse(body.toString()).records, []);
  for (const one of clients) one.close();
  await produce('after they left');
  const { status } = await ask(client(), read('?max=1'));
  assert.is(status, 200);
});

test('requests sent ahead are answered one after the other, whatever they ask', async () => {
  const one = client();
  const body = 'between';
  const length = `Content-Length: ${body.length}\r\n\r\n${body}`;
  const write = `POST /topics/read/records?partition=0 HTTP/1.1\r\nHost: x\r\n${length}`;
  const rounds = 30;
  one.write((read('?max=500') + write + read('?offset=latest')).repeat(rounds));
  for (let i = 0; i < rounds; i++) {
    const many = await one.json();
    assert.is((many['records'] as unknown[]).length, 500);
    const placed = await one.json();
    const end = await one.json();
    assert.is(end['nextOffset'], (placed['offset'] as number) + 1);
  }
  one.close();
});

test('a client that takes nothing does not make memory grow', async () => {
  const request = read('?max=900');
  // 60 MiB of answers, for a few KiB of requests.
  const requests = 700;
  const one = client();
  const takeAll = async (): Promise<void> => {
    for (let i = 0; i < requests; i++) assert.is((await one.answer())?.status, 200, `${i}`);
  };
  one.write(request.repeat(requests));
  await takeAll();
  // Now that the process has what it needs for such answers.
  const before = await memory();
  one.socket.pause();
  one.write(request.repeat(requests));
  await new Promise((resolve) => setTimeout(resolve, 500));
  const after = await memory();
  assert.ok(after - before < 20, `${before.toFixed()} MiB became ${after.toFixed()}`);
  one.socket.resume();
  await takeAll();
  one.close();
});

test('a compressed batch is read by the framework', async () => {
  await cluster.createTopic('packed', 1);
  const { topics } = await cluster.status();
  leader = topics.find(({ name }) => name === 'packed')?.partitions[0]?.leader as number;
  const kafka = new Kafka({ brokers: [...cluster.bootstrap], logLevel: logLevel.NOTHING });
  const producer = kafka.producer();
  await producer.connect();
  const messages = [{ value: 'packed' }];
  await producer.send({ topic: 'packed', messages, compression: CompressionTypes.GZIP });
  await producer.disconnect();
  const one = client();
  const answer = await ask(one, read('', '', 'packed'));
  assert.ok(answer.isCold);
  assert.is(JSON.parse(answer.body.toString()).records[0].value, 'packed');
  one.close();
});

test.run();
