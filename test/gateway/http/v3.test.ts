/** The v3 resources from three real nodes: each of them shows the same cluster. */
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { TestCluster } from '../../support/cluster.js';
import { type Answer, HttpClient } from './http-client.js';

const JSON_TYPE = 'application/json';
const V2 = 'application/vnd.kafka.v2+json';
const NODES = [1, 2, 3];

type Item = Readonly<Record<string, unknown>>;

let cluster: TestCluster;
let http: HttpClient;
let base: string;

function dataOf({ status, json }: Answer): Item[] {
  assert.is(status, 200, JSON.stringify(json));
  assert.is((json['metadata'] as Item)['next'], null);
  return json['data'] as Item[];
}

async function list(node: number, path: string): Promise<Item[]> {
  return dataOf(await http.ask(node, `${base}${path}`));
}

test.before(async () => {
  cluster = await TestCluster.start();
  http = new HttpClient(cluster);
  const [only] = dataOf(await http.ask(1, '/v3/clusters'));
  base = `/v3/clusters/${only?.['cluster_id']}`;
  assert.is(only?.['kind'], 'KafkaCluster');
  assert.is((only?.['metadata'] as Item)['self'], http.url(1, base));
});
test.after(() => cluster.down());

test('topics are made, shown with their settings, and removed', async () => {
  const configs = [{ name: 'retention.ms', value: '1000000' }];
  const wanted = { topic_name: 'made', partitions_count: 4, replication_factor: 3, configs };
  const made = await http.post(2, `${base}/topics`, JSON.stringify(wanted), JSON_TYPE);
  assert.is(made.status, 201, JSON.stringify(made.json));
  assert.is(made.headers.get('location'), http.url(2, `${base}/topics/made`));
  assert.equal(
    [made.json['kind'], made.json['partitions_count'], made.json['replication_factor']],
    ['KafkaTopic', 4, 3],
  );
  const again = await http.post(1, `${base}/topics`, JSON.stringify(wanted), JSON_TYPE);
  assert.equal([again.status, again.json['error_code']], [400, 40002]);
  // What it links to is there.
  const { related } = made.json['partitions'] as { related: string };
  assert.is(((await (await fetch(related)).json()) as { data: Item[] }).data.length, 4);
  for (const partition of await list(2, '/topics/made/partitions')) {
    const { related: leader } = partition['leader'] as { related: string };
    assert.is(((await (await fetch(leader)).json()) as Item)['kind'], 'KafkaBroker');
  }
  const found = await list(2, '/topics/made/configs');
  const retention = found.find(({ name }) => name === 'retention.ms');
  assert.equal(
    [retention?.['value'], retention?.['source'], retention?.['is_default']],
    ['1000000', 'DYNAMIC_TOPIC_CONFIG', false],
  );
  assert.ok(found.some(({ source }) => source === 'DEFAULT_CONFIG'));
  const remove = await http.ask(2, `${base}/topics/made`, { method: 'DELETE' });
  assert.is(remove.status, 204);
  assert.is((await http.ask(2, `${base}/topics/made`)).json['error_code'], 40403);
});

test('groups and lag, wherever the coordinators are', async () => {
  await cluster.createTopic('orders', 2);
  const lines = Array.from({ length: 10 }, (_, i) => `{"value":${i},"partition":${i % 2}}`);
  await http.post(1, '/topics/orders/records', lines.join('\n'), 'application/x-ndjson');
  const groups = ['a', 'b', 'c', 'd', 'e', 'f'];
  for (const [i, group] of groups.entries()) {
    const node = NODES[i % 3] as number;
    await http.post(node, `/consumers/${group}`, '{"name":"i"}', V2);
    const offsets = [{ topic: 'orders', partition: 1, offset: i % 5 }];
    const path = `/consumers/${group}/instances/i/offsets`;
    assert.is((await http.post(node, path, JSON.stringify({ offsets }), V2)).status, 204);
  }
  for (const node of NODES) {
    const brokers = await list(node, '/brokers');
    assert.equal(brokers.map(({ broker_id: id }) => id).sort(), NODES);
    const listed = await list(node, '/consumer-groups');
    assert.equal(
      listed.map(({ consumer_group_id: id, state }) => [id, state]),
      groups.map((group) => [group, 'EMPTY']),
    );
    const coordinators = new Set(listed.map(({ coordinator }) => JSON.stringify(coordinator)));
    assert.ok(coordinators.size > 1, 'the groups have several coordinators');
    for (const [i, group] of groups.entries()) {
      const [lag, ...more] = await list(node, `/consumer-groups/${group}/lags`);
      assert.is(more.length, 0);
      assert.equal(
        [lag?.['topic_name'], lag?.['partition_id'], lag?.['current_offset'], lag?.['lag']],
        ['orders', 1, i % 5, 5 - (i % 5)],
      );
    }
  }
});

test('errors have their numbers', async () => {
  const cases: [string, number, number, RegExp][] = [
    ['/v3/clusters/other', 404, 404, /not "other"/],
    [`${base}/topics/none`, 404, 40403, /none/],
    [`${base}/topics/none/configs`, 404, 40403, /none/],
    [`${base}/topics/orders/partitions/9`, 404, 40403, /not 9/],
    [`${base}/topics/orders/partitions/x`, 400, 400, /partition/],
    [`${base}/brokers/9`, 404, 404, /broker 9/],
    [`${base}/consumer-groups/none`, 404, 404, /none/],
    [`${base}/consumer-groups/none/lags`, 404, 404, /none/],
    ['/v3/nothing', 404, 404, /nothing/],
  ];
  for (const [path, status, code, message] of cases) {
    const answer = await http.ask(3, path);
    assert.equal([answer.status, answer.type], [status, JSON_TYPE], path);
    assert.is(answer.json['error_code'], code, path);
    assert.match(String(answer.json['message']), message);
  }
  const bodies: [string, number][] = [
    ['{"topic_name":"x","__proto__":{}}', 422],
    ['{"topic_name":"x","configs":[{"name":"__proto__","value":"1"}]}', 400],
    ['{"topic_name":"a/b"}', 400],
    ['{"topic_name":1}', 422],
    ['{', 400],
  ];
  for (const [body, status] of bodies) {
    assert.is((await http.post(1, `${base}/topics`, body, JSON_TYPE)).status, status, body);
  }
});

test.run();
