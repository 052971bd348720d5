/**
 * Many records in one request, through the shard and through the framework: whoever answers, the
 * client cannot tell. A percent sign in the query is what the shard leaves; a date in the head is
 * what only the framework sends.
 */
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { HTTP_RECORDS_MAX } from '#src/base/limits.js';
import { readBatchHeader } from '#src/records/batch.js';
import { TestCluster } from '../../support/cluster.js';
import { type Answer, RawClient } from './raw-client.js';

const LINES = 'application/x-ndjson';
const ARRAY = 'application/json; charset=utf-8';
const HOT = '';
const COLD = 'acks=%61ll';

let cluster: TestCluster;

type Sent = {
  readonly body: string | Buffer;
  readonly type: string;
  readonly query?: string;
  readonly accept?: string;
};

function request(
  topic: string,
  { body, type, query = '', accept = '*/*' }: Sent,
  more: string,
): Buffer {
  const parameters = [query, more].filter((part) => part !== '').join('&');
  const head =
    `POST /topics/${topic}/records?${parameters} HTTP/1.1\r\nHost: x\r\nContent-Type: ${type}\r\n` +
    `Accept: ${accept}\r\nContent-Length: ${Buffer.byteLength(body)}\r\n\r\n`;
  return Buffer.concat([Buffer.from(head), Buffer.from(body as string)]);
}

function rawClient(node: number): RawClient {
  return new RawClient(cluster.basePort + 200 + node);
}

async function ask(node: number, topic: string, sent: Sent, way: string): Promise<Answer> {
  const client = rawClient(node);
  client.write(request(topic, sent, way));
  const answer = await client.answer();
  client.close();
  assert.ok(answer, 'there is an answer');
  return answer;
}

function isFromFramework({ headers }: Answer): boolean {
  return headers.has('date');
}

/** What a client sees, with offsets counted from where each partition was. */
function seen({ status, headers, body }: Answer): unknown {
  const first = new Map<string, number>();
  const text = body
    .toString()
    .replace(/"partition":(\d+),"offset":(\d+)/g, (_, partition: string, digits: string) => {
      const offset = Number(digits);
      if (!first.has(partition)) first.set(partition, offset);
      return `"partition":${partition},"offset":+${offset - (first.get(partition) ?? 0)}`;
    });
  const retryAfter = headers.get('retry-after') ?? null;
  return { status, type: headers.get('content-type'), retryAfter, text };
}

/** Both ways; returns what both say. */
async function bothWays(topic: string, sent: Sent, node = 1): Promise<Answer> {
  const hot = await ask(node, topic, sent, HOT);
  const cold = await ask(node, topic, sent, COLD);
  assert.ok(isFromFramework(cold));
  assert.equal(seen(hot), seen(cold), sent.body.toString().slice(0, 200));
  return hot;
}

async function recordsOf(topic: string, partition: number): Promise<Record<string, unknown>[]> {
  const base = `http://127.0.0.1:${cluster.basePort + 201}`;
  const path = `/topics/${topic}/partitions/${partition}/records?max=${HTTP_RECORDS_MAX}`;
  const response = await fetch(base + path);
  return ((await response.json()) as { records: Record<string, unknown>[] }).records;
}

test.before(async () => {
  // Two shards: a share may also be for the other one.
  cluster = await TestCluster.start({ settings: ['num.shards=2'] });
  await cluster.createTopic('many', 3);
  await cluster.createTopic('small', 3, ['max.message.bytes=2000']);
  // A node's first request of a kind compiles its schemas: on a busy machine that takes so long
  // that a call to another node may be given up meanwhile.
  for (const node of [1, 2, 3]) await ask(node, 'none', { type: LINES, body: '' }, COLD);
});
test.after(() => cluster.down());

test('records for partitions of all nodes are written by the shard, through any node', async () => {
  const keys = Array.from({ length: 40 }, (_, i) => `key-${i}`);
  const lines = keys.map((key, i) => JSON.stringify({ key, value: `v${i}`, headers: { i } }));
  for (const node of [1, 2, 3]) {
    for (const [type, body] of [
      [LINES, lines.join('\r\n')],
      [ARRAY, ` [${lines.join(' ,\n')}]`],
    ] as const) {
      const answer = await bothWays('many', { type, body }, node);
      assert.not(isFromFramework(answer), 'the shard has answered');
      assert.is(answer.status, 200);
    }
  }
  const all = (await Promise.all([0, 1, 2].map((p) => recordsOf('many', p)))).flat();
  assert.is(all.length, keys.length * 12);
  for (const { key, value, headers } of all) {
    const i = keys.indexOf(key as string);
    assert.equal([value, headers], [`v${i}`, [{ key: 'i', value: String(i) }]]);
  }
});

test('what a query says, it says on both ways', async () => {
  const body = '{"value":"a"}\n{"value":"b","partition":1}\n{"value":"c"}';
  for (const query of ['partition=2', 'key=x&partition=0', 'timeout=5000']) {
    const answer = await bothWays('many', { type: LINES, body, query });
    assert.equal([answer.status, isFromFramework(answer)], [200, false], query);
  }
  for (const acks of ['0', '1', '-1']) {
    const answer = await ask(
      1,
      'many',
      { type: LINES, body, query: `partition=0&acks=${acks}` },
      '',
    );
    const { records } = JSON.parse(answer.body.toString()) as { records: { offset: number }[] };
    assert.equal([records.length, isFromFramework(answer)], [3, false]);
    // With acks=0 it is told where it is known.
    for (const { offset } of records) assert.ok(offset >= (acks === '0' ? -1 : 0));
  }
});

test('what is wrong is said in the same words', async () => {
  const good = '{"value":"a"}';
  const bodies: readonly (string | Buffer)[] = [
    '',
    '\n\r\n',
    `${good}\n{"value`,
    `${good}\n\n${good}\n5`,
    `${good}\n{"valeu":1}`,
    `${good} ${good}`,
    '{"value":"a","partition":3}',
    '{"value":"a","partition":1.5}',
    '{"value":"a","timestamp":-1}',
    '{"value":"!","valueEncoding":"base64"}',
    '{"value":"\u0001"}',
    '{"value":"a","headers":[5]}',
    `{"value":${'['.repeat(5_000)}${']'.repeat(5_000)}}`,
    Buffer.from('{"value":"\xff"}', 'latin1'),
    Array<string>(HTTP_RECORDS_MAX + 1)
      .fill(good)
      .join('\n'),
  ];
  for (const body of bodies) {
    const lines = await bothWays('many', { type: LINES, body });
    assert.ok(lines.status === 400 || lines.status === 404, `${lines.status}`);
    if (typeof body === 'string') await bothWays('many', { type: ARRAY, body: `[${body}]` });
  }
  const unknown = await bothWays('none', { type: LINES, body: good });
  assert.is(unknown.status, 404);
  await bothWays('__consumer_offsets', { type: LINES, body: good });
  await bothWays('many', { type: LINES, body: good, query: 'partition=99' });
  await bothWays('many', { type: LINES, body: good, query: 'partition=999999999999' });
});

test('an array is many records, and any other JSON is one', async () => {
  await bothWays('many', { type: ARRAY, body: '{"value":1}', query: 'partition=0' });
  const written = await recordsOf('many', 0);
  assert.is(written.at(-1)?.['value'], '{"value":1}');
  const seldom = '{"value":"AA","valueEncoding":"base64","partition":0}';
  assert.is((await bothWays('many', { type: LINES, body: seldom })).status, 200);
});

test('where one partition refuses, the others are written, and each place is told', async () => {
  const large = 'x'.repeat(3_000);
  const list = [
    { value: 'a', partition: 0 },
    { value: large, partition: 1 },
    { value: 'b', partition: 0 },
    { value: 'c', partition: 2 },
  ];
  const body = list.map((record) => JSON.stringify(record)).join('\n');
  const answer = await bothWays('small', { type: LINES, body });
  assert.not(isFromFramework(answer));
  const said = JSON.parse(answer.body.toString()) as Record<string, unknown>;
  assert.equal([said['code'], said['partition']], ['MESSAGE_TOO_LARGE', 1]);
  assert.equal(said['records'], [
    { partition: 0, offset: 0 },
    null,
    { partition: 0, offset: 1 },
    { partition: 2, offset: 0 },
  ]);
});

test('a refusal has the shape that its client takes', async () => {
  for (const accept of ['application/json', 'application/vnd.kafka.v2+json']) {
    for (const type of ['text/plain', LINES]) {
      const sent = { type, body: `{"value":"${'x'.repeat(3_000)}"}`, query: 'partition=1', accept };
      assert.is((await bothWays('small', sent)).status, 413);
    }
  }
});

test('requests of one turn stay in order, and each may be too large alone', async () => {
  const leader = await cluster.leaderOf('small', 1);
  const client = rawClient(leader);
  const values = (from: number, count: number): string[] =>
    Array.from({ length: count }, (_, i) => `${from + i}`.padStart(8, '0'));
  const sizes = [1, 20, 1, 30, 200, 5];
  let from = 0;
  const requests = sizes.map((count) => {
    const list = values(from, count);
    from += count;
    const body = list.map((value) => JSON.stringify({ value })).join('\n');
    return request('small', { type: LINES, body, query: 'partition=1' }, '');
  });
  const before = (await recordsOf('small', 1)).length;
  client.write(Buffer.concat(requests));
  const offsets: number[] = [];
  for (const [i, count] of sizes.entries()) {
    const { status, records } = await client.json();
    // 200 records are more than the topic takes; the others must not suffer for it.
    assert.is(status, i === 4 ? 413 : 200, `${i}`);
    const places = records as ({ offset: number } | null)[];
    assert.is(places.length, count);
    if (i !== 4) offsets.push(...places.map((place) => place?.offset ?? -1));
  }
  client.close();
  const written = await recordsOf('small', 1);
  assert.equal(
    offsets.map((offset) => written[offset]?.['value']),
    values(0, from).filter((_, i) => i < 52 || i >= 252),
  );
  assert.is(written.length, before + 57);
});

test('a body that comes in pieces, and one record before and behind it', async () => {
  const leader = await cluster.leaderOf('many', 2);
  const client = rawClient(leader);
  const one = (value: string): Buffer =>
    request('many', { type: 'text/plain', body: value, query: 'partition=2' }, '');
  const body = Array.from({ length: 500 }, (_, i) => `{"value":"${'y'.repeat(100)}${i}"}`);
  const many = request('many', { type: LINES, body: body.join('\n'), query: 'partition=2' }, '');
  const bytes = Buffer.concat([one('before'), many, one('behind')]);
  for (let at = 0; at < bytes.length; at += 7_919) {
    client.write(bytes.subarray(at, at + 7_919));
    await new Promise((resolve) => setImmediate(resolve));
  }
  const first = (await client.json())['offset'] as number;
  const { records } = (await client.json()) as unknown as { records: { offset: number }[] };
  assert.equal(
    records.map(({ offset }) => offset),
    body.map((_, i) => first + 1 + i),
  );
  assert.is((await client.json())['offset'], first + 501);
  // All at once: one turn, and but a few batches.
  client.write(bytes);
  const begin = (await client.json())['offset'] as number;
  await client.json();
  await client.json();
  client.write(`GET /topics/many/partitions/2/stream?offset=${begin} HTTP/1.1\r\nHost: x\r\n\r\n`);
  const stream = (await client.answer()) as Answer;
  let batches = 0;
  for (let at = 0; at < stream.body.length; batches++) {
    at += readBatchHeader(stream.body, at).sizeBytes;
  }
  assert.ok(batches <= 3, `${batches} batches`);
  client.close();
});

test.run();
