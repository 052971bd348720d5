/** Producing as clients of the known REST proxies do (v2), through nodes that do not lead. */
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { TestCluster } from '../../support/cluster.js';
import { HttpClient } from './http-client.js';

const JSON_V2 = 'application/vnd.kafka.json.v2+json';
const BINARY_V2 = 'application/vnd.kafka.binary.v2+json';
const V2 = 'application/vnd.kafka.v2+json';

let cluster: TestCluster;
let http: HttpClient;

test.before(async () => {
  cluster = await TestCluster.start();
  http = new HttpClient(cluster);
  await cluster.createTopic('orders', 3);
});
test.after(() => cluster.down());

async function stored(partition: number): Promise<[unknown, unknown][]> {
  const { json } = await http.ask(3, `/topics/orders/partitions/${partition}/records`);
  return (json['records'] as { key: unknown; value: unknown }[]).map((r) => [r.key, r.value]);
}

test('embedded JSON is stored as it was written; null is null', async () => {
  const values = ['"text"', '{"id": 12345678901234567890}', 'null', '1.0', '{"__proto__":{"a":1}}'];
  const records = values.map((value) => `{"key":"k","value":${value},"partition":1}`).join(',');
  const made = await http.post(2, '/topics/orders', `{"records":[${records}]}`, JSON_V2);
  assert.equal([made.status, made.type], [200, V2]);
  assert.equal(made.json, {
    offsets: values.map((_, offset) => ({ partition: 1, offset, error_code: null, error: null })),
    key_schema_id: null,
    value_schema_id: null,
  });
  assert.equal(
    await stored(1),
    values.map((value) => ['"k"', value === 'null' ? null : value]),
  );
});

test('embedded bytes come as base64; a path names the partition', async () => {
  const body = '{"records":[{"key":"AAE=","value":"aGVsbG8="},{"value":"/w=="}]}';
  const type = `${BINARY_V2}; charset=utf-8`;
  const made = await http.post(1, '/topics/orders/partitions/2', body, type);
  const placed = made.json['offsets'] as { partition: number; offset: number }[];
  assert.equal(
    placed.map(({ partition, offset }) => [partition, offset]),
    [
      [2, 0],
      [2, 1],
    ],
  );
  assert.equal(await stored(2), [
    ['\u0000\u0001', 'hello'],
    [null, '/w=='],
  ]);
});

test('errors have their numbers', async () => {
  const one = '{"records":[{"value":1}]}';
  const cases: [string, string, string, number, number, RegExp][] = [
    ['/topics/none', one, JSON_V2, 404, 40401, /none/],
    ['/topics/orders/partitions/9', one, JSON_V2, 404, 40402, /0 to 2, not 9/],
    ['/topics/orders', '{"records":[{"value":1,"partition":9}]}', JSON_V2, 404, 40402, /not 9/],
    ['/topics/orders', one, 'application/vnd.kafka.avro.v2+json', 415, 415, /avro/],
    ['/topics/orders', '{"records":[', JSON_V2, 400, 400, /not JSON/],
    ['/topics/orders', '{"records":[]}', JSON_V2, 422, 422, /records/],
    ['/topics/orders', '{}', JSON_V2, 422, 422, /records/],
    ['/topics/orders', '{"records":[{"val":1}]}', JSON_V2, 422, 422, /"val"; known.*value/],
    ['/topics/orders', '{"records":[{"__proto__":1}]}', JSON_V2, 422, 422, /"__proto__"/],
    ['/topics/orders', '{"records":[{"constructor":1}]}', JSON_V2, 422, 422, /"constructor"/],
    ['/topics/orders', '{"records":[{"value":"*"}]}', BINARY_V2, 422, 422, /record 0.*base64/],
    ['/topics/orders', '{"records":[{"value":1}]}', BINARY_V2, 422, 422, /base64/],
    ['/topics/orders/partitions/x', one, JSON_V2, 400, 400, /partition/],
  ];
  for (const [path, body, type, status, code, message] of cases) {
    const { json, ...answer } = await http.post(1, path, body, type);
    assert.equal([answer.status, answer.type, json['error_code']], [status, V2, code], path + body);
    assert.match(String(json['message']), message);
  }
  const plain = await http.post(1, '/topics/orders', one, 'application/json');
  assert.equal([plain.status, plain.type], [415, 'application/problem+json']);
});

test('a partition that fails says so beside those that do not', async () => {
  const large = `"${'x'.repeat(2 << 20)}"`;
  const body = `{"records":[{"partition":0,"value":1},{"partition":1,"value":${large}}]}`;
  const { status, json } = await http.post(1, '/topics/orders', body, JSON_V2);
  const [good, bad] = json['offsets'] as Record<string, unknown>[];
  assert.equal([status, good?.['offset'], good?.['error_code']], [200, 0, null]);
  assert.equal([bad?.['partition'], bad?.['offset'], bad?.['error_code']], [null, null, 1]);
  assert.match(String(bad?.['error']), 'max.message.bytes');
});

test('topics have the v2 shape under the v2 type', async () => {
  const headers = { accept: V2 };
  for (const path of ['/topics', '/topics/orders', '/topics/orders/partitions']) {
    assert.is((await http.ask(2, path, { headers })).type, V2);
  }
  const one = await http.ask(2, '/topics/orders/partitions/0', { headers });
  assert.equal(Object.keys(one.json), ['partition', 'leader', 'replicas']);
  const none = await http.ask(2, '/topics/none', { headers });
  assert.equal([none.status, none.type, none.json['error_code']], [404, V2, 40401]);
});

test.run();
