/** Records by HTTP on three real nodes: any of them takes, and gives, any partition. */
import { CompressionTypes, Kafka, logLevel, Partitioners } from 'kafkajs';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { TestCluster } from '../../support/cluster.js';

let cluster: TestCluster;

function url(node: number, path: string): string {
  return `http://127.0.0.1:${cluster.basePort + 200 + node}${path}`;
}

type Answer = { status: number; type: string; headers: Headers; json: Record<string, unknown> };

async function ask(node: number, path: string, init: RequestInit = {}): Promise<Answer> {
  const response = await fetch(url(node, path), { signal: AbortSignal.timeout(20_000), ...init });
  const text = await response.text();
  const type = response.headers.get('content-type')?.split(';')[0] ?? '';
  const json = type.includes('ndjson') || text === '' ? { text } : JSON.parse(text);
  return { status: response.status, type, headers: response.headers, json };
}

function post(node: number, path: string, body: string | Buffer, type?: string): Promise<Answer> {
  const headers = type === undefined ? {} : { 'content-type': type };
  return ask(node, path, { method: 'POST', body: new Uint8Array(Buffer.from(body)), headers });
}

function values({ json }: Answer): unknown[] {
  return (json['records'] as { value: unknown }[]).map(({ value }) => value);
}

test.before(async () => {
  cluster = await TestCluster.start();
  await cluster.createTopic('orders', 3);
});
test.after(() => cluster.down());

test('one record of any bytes, through every node, to one partition', async () => {
  for (const node of [1, 2, 3]) {
    const { status, json } = await post(
      node,
      '/topics/orders/records?partition=1&key=k',
      `n${node}`,
    );
    assert.equal([status, json], [200, { partition: 1, offset: node - 1 }]);
  }
  await post(1, '/topics/orders/records?partition=1', Buffer.from([0xff, 0xfe]), 'image/png');
  for (const node of [1, 2, 3]) {
    const found = await ask(node, '/topics/orders/partitions/1/records?offset=0');
    assert.equal(values(found), ['n1', 'n2', 'n3', '//4=']);
    const [first, , , last] = found.json['records'] as Record<string, unknown>[];
    assert.is(first?.['key'], 'k');
    assert.is(last?.['valueEncoding'], 'base64');
    assert.equal(last?.['headers'], [{ key: 'content-type', value: 'image/png' }]);
    assert.is(found.json['nextOffset'], 4);
    assert.is(found.json['highWatermark'], 4);
  }
});

test('lines and arrays of records; keys choose as Kafka clients do', async () => {
  const lines = ['21', 'foobar', 'abc'].map((key) => JSON.stringify({ key, value: { key } }));
  const many = await post(2, '/topics/orders/records', lines.join('\n'), 'application/x-ndjson');
  const placed = many.json['records'] as { partition: number }[];
  // murmur2 of the Java client's own test vectors, modulo three.
  const hashes = [-973932308, -790332482, 479470107];
  assert.equal(
    placed.map(({ partition }) => partition),
    hashes.map((hash) => (hash & 0x7fffffff) % 3),
  );
  const array = `[{"value":"a","partition":2,"headers":{"h":"1"}},{"value":null,"partition":2}]`;
  const written = await post(3, '/topics/orders/records', array, 'application/json');
  const [first] = written.json['records'] as { offset: number }[];
  const path = `/topics/orders/partitions/2/records?offset=${first?.offset}`;
  const found = await ask(1, path, { headers: { accept: 'application/x-ndjson' } });
  assert.is(found.type, 'application/x-ndjson');
  const read = (found.json['text'] as string)
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line));
  assert.equal(
    read.map(({ value, headers }) => [value, headers]),
    [
      ['a', [{ key: 'h', value: '1' }]],
      [null, []],
    ],
  );
  assert.is(found.headers.get('lograft-next-offset'), String((first?.offset ?? 0) + 2));
});

test('a read at the end waits for news, through a node that does not lead', async () => {
  const records = '/topics/orders/partitions/0/records';
  const { json } = await ask(1, `${records}?offset=latest`);
  const end = Number(json['nextOffset']);
  // An offset and not its name: on a busy machine the news may be there before the name is read.
  const waiting = [1, 2, 3].map((node) => ask(node, `${records}?offset=${end}&wait=15000`));
  await new Promise((resolve) => setTimeout(resolve, 500));
  await post(1, '/topics/orders/records?partition=0', 'news');
  for (const found of await Promise.all(waiting)) assert.equal(values(found), ['news']);
  const nothing = await ask(1, `${records}?offset=latest&wait=1`);
  assert.equal(values(nothing), []);
});

test('compressed batches of other clients are read', async () => {
  const kafka = new Kafka({ brokers: [...cluster.bootstrap], logLevel: logLevel.NOTHING });
  const producer = kafka.producer({ createPartitioner: Partitioners.DefaultPartitioner });
  await producer.connect();
  const messages = ['a', 'b', 'c'].map((value) => ({ value, partition: 0 }));
  const [sent] = await producer.send({
    topic: 'orders',
    messages,
    compression: CompressionTypes.GZIP,
  });
  await producer.disconnect();
  // From the middle of the batch on.
  const from = Number(sent?.baseOffset) + 1;
  const found = await ask(3, `/topics/orders/partitions/0/records?offset=${from}&max=1`);
  assert.equal(values(found), ['b']);
  assert.is(found.json['nextOffset'], from + 1);
});

test('what is wrong is named, with a code and a way out', async () => {
  const cases: [string, number, string, RegExp][] = [
    ['/topics/none/partitions/0/records', 404, 'UNKNOWN_TOPIC', /no topic "none".*POST \/topics/],
    ['/topics/orders/partitions/9/records', 404, 'UNKNOWN_PARTITION', /0 to 2, not 9/],
    ['/topics/orders/partitions/x/records', 400, 'INVALID_REQUEST', /partition/],
    ['/topics/orders/partitions/0/records?offset=-5', 400, 'INVALID_REQUEST', /"-5"/],
    ['/topics/orders/partitions/0/records?max=0', 400, 'INVALID_REQUEST', /max/],
    ['/topics/orders/partitions/0/records?from=3', 400, 'INVALID_REQUEST', /"from"/],
    ['/topics/orders/partitions/0/records?offset=999', 416, 'OFFSET_OUT_OF_RANGE', /999/],
    ['/topics/a%00b', 404, 'UNKNOWN_TOPIC', /u0000/],
    ['/topics/%E0%A4%A', 400, 'INVALID_REQUEST', /./],
    ['/topics/..%2f..%2fetc', 404, 'UNKNOWN_TOPIC', /etc/],
    ['/nothing', 404, 'NO_SUCH_ROUTE', /GET \/nothing/],
  ];
  for (const [path, status, code, detail] of cases) {
    const answer = await ask(2, path);
    assert.is(answer.status, status, path);
    assert.is(answer.type, 'application/problem+json', path);
    assert.is(answer.json['code'], code, path);
    assert.match(String(answer.json['detail']), detail, path);
  }
  for (const [path, allow] of [
    ['/topics?x=1', 'GET, HEAD, POST'],
    ['/topics/orders/records', 'POST'],
    ['/v3/clusters', 'GET, HEAD'],
  ] as const) {
    const answer = await ask(2, path, { method: 'PUT' });
    assert.equal([answer.status, answer.headers.get('allow')], [405, allow]);
  }
  const range = await ask(1, '/topics/orders/partitions/0/records?offset=999');
  assert.is(range.json['logStartOffset'], 0);
  const bad = await post(
    1,
    '/topics/orders/records',
    '{"value":1}\n{"value',
    'application/x-ndjson',
  );
  assert.equal([bad.status, bad.json['code']], [400, 'INVALID_REQUEST']);
  assert.match(String(bad.json['detail']), 'line 2 is not JSON');
  const deep = `[{"value":${'['.repeat(10_000)}${']'.repeat(10_000)}}]`;
  assert.is((await post(1, '/topics/orders/records', deep, 'application/json')).status, 400);
  const large = await post(1, '/topics/orders/records', Buffer.alloc(17 << 20));
  assert.equal([large.status, large.json['code']], [413, 'BODY_TOO_LARGE']);
  const batch = await post(1, '/topics/orders/records', Buffer.alloc(2 << 20));
  assert.equal([batch.status, batch.json['code']], [413, 'MESSAGE_TOO_LARGE']);
  const coordinators = await post(1, '/topics/__consumer_offsets/records', 'x');
  assert.ok(coordinators.status === 404 || coordinators.status === 400);
});

test('topics are made, described and removed; nodes say how they are', async () => {
  const made = await post(
    3,
    '/topics',
    '{"name":"http-made","partitions":2,"replicationFactor":3}',
  );
  assert.is(made.status, 201);
  assert.is(made.headers.get('location'), '/topics/http-made');
  const again = await post(1, '/topics', '{"name":"http-made"}');
  assert.equal([again.status, again.json['code']], [409, 'TOPIC_ALREADY_EXISTS']);
  const wrong = await post(1, '/topics', '{"name":"x","configs":{"retention.ms":"soon"}}');
  assert.equal([wrong.status, wrong.json['code']], [400, 'INVALID_CONFIG']);
  const refused: [string, string, RegExp][] = [
    ['', 'INVALID_REQUEST', /name/],
    ['{', 'INVALID_REQUEST', /not JSON/],
    ['[]', 'INVALID_REQUEST', /the body must be object/],
    ['{"name":7}', 'INVALID_REQUEST', /name must be string/],
    ['{"name":"x","partition":2}', 'INVALID_REQUEST', /"partition"; known.*partitions/],
    ['{"name":"x","partitions":1.5}', 'INVALID_REQUEST', /partitions must be integer \(it is 1.5/],
    ['{"name":"x","partitions":2147483648}', 'INVALID_REQUEST', /partitions must be <= 2147483647/],
    ['{"name":"x","partitions":0}', 'INVALID_PARTITIONS', /non-positive/],
    ['{"name":"x","configs":{"retention.ms":[]}}', 'INVALID_REQUEST', /configs.retention.ms must/],
  ];
  for (const [body, code, detail] of refused) {
    const { status, type, json } = await post(1, '/topics', body);
    assert.equal([status, type, json['code']], [400, 'application/problem+json', code], body);
    assert.match(String(json['detail']), detail);
  }
  const plain = '{"name":"plain","partitions":-1,"configs":{"retention.ms":60000}}';
  const defaults = await post(2, '/topics', plain);
  assert.equal(defaults.json['configs'], { 'retention.ms': '60000' });
  const described = await ask(2, '/topics/http-made');
  assert.is((described.json['partitions'] as unknown[]).length, 2);
  assert.ok(((await ask(1, '/topics')).json as unknown as string[]).includes('http-made'));
  assert.is((await ask(2, '/topics/http-made', { method: 'DELETE' })).status, 204);
  assert.is((await ask(3, '/topics/http-made')).status, 404);
  for (const node of [1, 2, 3]) {
    assert.is((await ask(node, '/livez')).json['status'], 'ok');
    assert.is((await ask(node, '/readyz')).status, 200);
    assert.is((await ask(node, '/cluster')).json['nodeId'], node);
  }
});

test('the leader is killed: another one answers, or it is said when to come again', async () => {
  const { topics } = await cluster.status();
  const orders = topics.find(({ name }) => name === 'orders');
  const leader = orders?.partitions[0]?.leader ?? 0;
  const other = [1, 2, 3].find((node) => node !== leader) as number;
  cluster.signal(leader, 'SIGKILL');
  const { status, json, headers } = await post(
    other,
    '/topics/orders/records?partition=0',
    'after',
  );
  assert.ok(status === 200 || status === 503, `${status} ${JSON.stringify(json)}`);
  if (status === 503) assert.is(headers.get('retry-after'), '1');
  const second = await post(other, '/topics/orders/records?partition=0', 'after');
  assert.is(second.status, 200);
});

test.run();
