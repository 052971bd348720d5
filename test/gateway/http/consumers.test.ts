/**
 * Consumer instances by HTTP on three real nodes: members of real groups, beside a client that
 * speaks Kafka, wherever the coordinator is.
 */
import { Kafka, logLevel } from 'kafkajs';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { partitionFor } from '#src/groups/coordinator-of.js';
import { TestCluster } from '../../support/cluster.js';
import { waitFor } from '../../support/wait-for.js';
import { type Answer, HttpClient } from './http-client.js';

const V2 = 'application/vnd.kafka.v2+json';
const JSON_V2 = 'application/vnd.kafka.json.v2+json';
const BINARY_V2 = 'application/vnd.kafka.binary.v2+json';
const PARTITIONS = 6;

type Consumed = { topic: string; partition: number; offset: number; key: unknown; value: unknown };

let cluster: TestCluster;
let http: HttpClient;

test.before(async () => {
  cluster = await TestCluster.start();
  http = new HttpClient(cluster);
  await cluster.createTopic('orders', PARTITIONS);
  await cluster.createTopic('plain', 1);
});
test.after(() => cluster.down());

/** One consumer instance, spoken to on the node that made it. */
class Instance {
  readonly #node: number;
  readonly #path: string;

  private constructor(node: number, path: string) {
    this.#node = node;
    this.#path = path;
  }

  static async make(node: number, group: string, settings: object = {}): Promise<Instance> {
    const body = { format: 'json', 'auto.offset.reset': 'earliest', ...settings };
    const { status, json } = await http.post(node, `/consumers/${group}`, JSON.stringify(body), V2);
    assert.is(status, 200, JSON.stringify(json));
    const base = new URL(String(json['base_uri']));
    assert.is(Number(base.port), http.port(node));
    assert.ok(base.pathname.endsWith(`/instances/${json['instance_id']}`));
    return new Instance(node, base.pathname);
  }

  post(what: string, body: object | null): Promise<Answer> {
    const text = body === null ? '' : JSON.stringify(body);
    return http.post(this.#node, `${this.#path}/${what}`, text, V2);
  }

  get(what: string, accept = V2): Promise<Answer> {
    return http.ask(this.#node, `${this.#path}/${what}`, { headers: { accept } });
  }

  async records(timeoutMs = 500, accept = JSON_V2): Promise<Consumed[]> {
    const { status, type, json } = await this.get(`records?timeout=${timeoutMs}`, accept);
    assert.is(status, 200, JSON.stringify(json));
    assert.is(type, accept);
    return json as unknown as Consumed[];
  }

  async partitions(): Promise<number[]> {
    const { partitions } = (await this.get('assignments')).json as {
      partitions: { partition: number }[];
    };
    return partitions.map(({ partition }) => partition);
  }

  async delete(): Promise<void> {
    const { status } = await http.ask(this.#node, this.#path, { method: 'DELETE' });
    assert.is(status, 204);
  }
}

async function produce(values: readonly string[], partition: number | null = null): Promise<void> {
  const records = values.map((value, i) => {
    return `{"value":${value},"partition":${partition ?? i % PARTITIONS}}`;
  });
  const body = `{"records":[${records.join(',')}]}`;
  const { status, json } = await http.post(1, '/topics/orders', body, JSON_V2);
  assert.is(status, 200, JSON.stringify(json));
}

test('one instance: subscribe, read, commit; the next one reads on', async () => {
  const values = ['{"n":12345678901234567890}', '"b"', 'null', '3.0', '[]', 'true'];
  await produce(values);
  const first = await Instance.make(2, 'one', { 'auto.commit.enable': 'false' });
  assert.is((await first.post('subscription', { topics: ['orders'] })).status, 204);
  assert.equal((await first.get('subscription')).json, { topics: ['orders'] });
  const read: Consumed[] = [];
  await waitFor('six records', async () => {
    read.push(...(await first.records()));
    return read.length >= 6;
  });
  assert.equal(read.map(({ partition }) => partition).sort(), [0, 1, 2, 3, 4, 5]);
  assert.equal(Object.keys(read[0] ?? {}), ['topic', 'key', 'value', 'partition', 'offset']);
  assert.is((await first.post('offsets', null)).status, 204);
  await produce(['"late"'], 4);
  const some = [{ topic: 'orders', partition: 4 }];
  const { json } = await first.get('offsets');
  const offsets = json['offsets'] as { partition: number; offset: number }[];
  assert.is(offsets.length, PARTITIONS);
  assert.is(offsets.find(({ partition }) => partition === 4)?.offset, 1);
  await first.delete();
  assert.is((await first.get('assignments')).json['error_code'], 40403);
  const second = await Instance.make(3, 'one');
  await second.post('subscription', { topics: ['orders'] });
  const next = await waitFor('the late record', async () => {
    const found = await second.records(2_000);
    return found.length > 0 ? found : null;
  });
  assert.equal(
    next.map(({ partition, offset, value }) => [partition, offset, value]),
    [[4, 1, 'late']],
  );
  // Offsets as they are written are the next to be read.
  await second.post('offsets', { offsets: [{ ...some[0], offset: 1 }] });
  const stored = (await second.get('offsets')).json['offsets'] as { offset: number }[];
  assert.ok(stored.some(({ offset }) => offset === 1));
  await second.delete();
});

test('two instances on two nodes and a kafkajs consumer share a group', async () => {
  const group = 'shared';
  const kafka = new Kafka({ brokers: [...cluster.bootstrap], logLevel: logLevel.NOTHING });
  const consumer = kafka.consumer({ groupId: group, heartbeatInterval: 500 });
  const byKafka: string[] = [];
  let assigned: number[] = [];
  consumer.on('consumer.group_join', ({ payload }) => {
    assigned = payload.memberAssignment['orders'] ?? [];
  });
  const instances = [await Instance.make(1, group), await Instance.make(2, group)];
  const byHttp: string[] = [];
  try {
    for (const instance of instances) await instance.post('subscription', { topics: ['orders'] });
    await consumer.connect();
    await consumer.subscribe({ topic: 'orders', fromBeginning: true });
    await consumer.run({
      eachMessage: async ({ message }) => {
        byKafka.push(String(message.value));
      },
    });
    const shares = async (): Promise<number[][]> => [
      ...(await Promise.all(instances.map((instance) => instance.partitions()))),
      assigned,
    ];
    await waitFor(
      'two partitions each',
      async () => (await shares()).every((share) => share.length === 2),
      { timeoutMs: 40_000 },
    );
    assert.equal((await shares()).flat().sort(), [0, 1, 2, 3, 4, 5]);
    const values = Array.from({ length: 60 }, (_, i) => `"shared-${i}"`);
    await produce(values);
    const mine = (text: string): boolean => text.startsWith('"shared-');
    await waitFor(
      'all records',
      async () => {
        const read = await Promise.all(instances.map((instance) => instance.records(200)));
        byHttp.push(...read.flat().map(({ value }) => JSON.stringify(value)));
        return byHttp.filter(mine).length + byKafka.filter(mine).length >= 60;
      },
      { timeoutMs: 30_000 },
    );
    assert.equal([...byHttp, ...byKafka].filter(mine).sort(), [...values].sort());
    assert.is(byKafka.filter(mine).length, 20);
    const members = kafka.admin();
    await members.connect();
    const { groups } = await members.describeGroups([group]);
    await members.disconnect();
    assert.is(groups[0]?.members.length, 3);
    // Who is deleted leaves its share to the others at once, not after its session.
    await instances[0]?.delete();
    await waitFor(
      'the share of the one that left',
      async () => ((await instances[1]?.partitions())?.length ?? 0) + assigned.length === 6,
      { timeoutMs: 20_000 },
    );
  } finally {
    await consumer.disconnect();
  }
  await instances[1]?.delete();
});

test('partitions by hand: beginning, end and anywhere between', async () => {
  const instance = await Instance.make(3, 'by-hand', { format: 'binary' });
  assert.is((await instance.get('records')).status, 409);
  const partitions = [{ topic: 'plain', partition: 0 }];
  assert.is((await instance.post('assignments', { partitions })).status, 204);
  assert.equal((await instance.get('assignments')).json, { partitions });
  const both = await instance.post('subscription', { topics: ['plain'] });
  assert.equal([both.status, both.json['error_code']], [409, 40903]);
  for (const text of ['a', 'b', 'c']) await http.post(1, '/topics/plain/records', text);
  const values = async (): Promise<unknown[]> =>
    (await instance.records(5_000, BINARY_V2)).map(({ value }) => value);
  assert.equal(await values(), ['YQ==', 'Yg==', 'Yw==']);
  await instance.post('positions', { offsets: [{ ...partitions[0], offset: 1 }] });
  assert.equal(await values(), ['Yg==', 'Yw==']);
  await instance.post('positions/beginning', { partitions });
  assert.is((await values()).length, 3);
  await instance.post('positions/end', { partitions });
  const waiting = values();
  await http.post(2, '/topics/plain/records', 'd');
  assert.equal(await waiting, ['ZA==']);
  const elsewhere = { offsets: [{ topic: 'orders', partition: 0, offset: 0 }] };
  assert.is((await instance.post('positions', elsewhere)).status, 409);
  const wrong = await instance.get('records', JSON_V2);
  assert.equal([wrong.status, wrong.json['error_code']], [406, 40601]);
  await instance.delete();
  const json = await Instance.make(3, 'by-hand');
  await json.post('assignments', { partitions });
  // The first one was deleted after all records: its group is at the end.
  assert.equal(await json.records(0), []);
  await json.post('positions/beginning', { partitions });
  const none = await json.get('records?timeout=5000', JSON_V2);
  assert.equal([none.status, none.json['error_code']], [422, 422]);
  assert.match(String(none.json['message']), /plain-0 at offset \d+ is no JSON/);
  await json.delete();
});

test('what is wrong has its number', async () => {
  const post = (path: string, body: string): Promise<Answer> => http.post(1, path, body, V2);
  const cases: [string, string, number, number][] = [
    ['/consumers/g', '{"name":"a"}', 200, 0],
    ['/consumers/g', '{"name":"a"}', 409, 40902],
    ['/consumers/g', '{"name":"../x"}', 422, 422],
    ['/consumers/g', '{"format":"avro"}', 422, 422],
    ['/consumers/g', '{"__proto__":{"format":"json"}}', 422, 422],
    ['/consumers/g', '{"auto.offset.reset":"middle"}', 422, 422],
    ['/consumers/g', '[]', 422, 422],
    ['/consumers/g/instances/none/subscription', '{"topics":["orders"]}', 404, 40403],
    ['/consumers/g/instances/a/subscription', '{"topics":["none"]}', 404, 40401],
    ['/consumers/g/instances/a/subscription', '{"topics":[]}', 400, 400],
    ['/consumers/g/instances/a/subscription', '{"topic_pattern":".*"}', 422, 422],
    ['/consumers/g/instances/a/offsets', '{"offsets":[{"topic":"orders"}]}', 422, 422],
  ];
  for (const [path, body, status, code] of cases) {
    const answer = await post(path, body);
    assert.equal([answer.status, answer.json['error_code'] ?? 0], [status, code], path + body);
    assert.is(answer.type, V2);
  }
  assert.is((await http.ask(2, '/consumers/g/instances/a/assignments')).status, 404);
  assert.is((await http.ask(1, '/consumers/g/instances/a', { method: 'DELETE' })).status, 204);
});

/** Node by partition of the coordinators' topic. */
async function coordinatorNodes(): Promise<number[]> {
  const kafka = new Kafka({ brokers: [...cluster.bootstrap], logLevel: logLevel.NOTHING });
  const admin = kafka.admin();
  await admin.connect();
  const { topics } = await admin.fetchTopicMetadata({ topics: ['__consumer_offsets'] });
  await admin.disconnect();
  const partitions = [...(topics[0]?.partitions ?? [])];
  return partitions.sort((a, b) => a.partitionId - b.partitionId).map(({ leader }) => leader);
}

test('the coordinator is killed: the member goes on with the next one', async () => {
  const leaders = await coordinatorNodes();
  const groups = Array.from({ length: 50 }, (_, i) => `lost-${i}`);
  // Another node coordinates than the one the instance lives on, and the latter stays.
  const coordinator = 3;
  const group = groups.find((name) => {
    return leaders[partitionFor(name, leaders.length)] === coordinator;
  });
  assert.ok(group !== undefined, 'node 3 coordinates none of fifty groups');
  const instance = await Instance.make(1, group);
  await instance.post('subscription', { topics: ['orders'] });
  await waitFor('an assignment', async () => (await instance.partitions()).length === PARTITIONS);
  while ((await instance.records(1_000)).length > 0);
  assert.is((await instance.post('offsets', null)).status, 204);
  cluster.signal(coordinator, 'SIGKILL');
  const seen = new Set<unknown>();
  const values = Array.from({ length: 12 }, (_, i) => `"after-${i}"`);
  await waitFor(
    'a leader for each partition',
    async () =>
      (await cluster.topic('orders')).partitions.every((p) => p.leader > 0 && p.leader < 3),
    { timeoutMs: 20_000 },
  );
  await produce(values);
  await waitFor(
    'what was written since',
    async () => {
      for (const { value } of await instance.records(500)) seen.add(value);
      return seen.size === values.length;
    },
    { timeoutMs: 30_000 },
  );
  const committed = await waitFor(
    'a commit at the new coordinator',
    async () => ((await instance.post('offsets', null)).status === 204 ? true : null),
    { timeoutMs: 20_000 },
  );
  assert.ok(committed);
  await instance.delete();
  await cluster.startNode(coordinator);
});

test.run();
