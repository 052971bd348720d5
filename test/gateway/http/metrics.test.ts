/** /metrics on three real nodes: numbers are exact, bounded, and tell of a node that died. */
import { spawnSync } from 'node:child_process';
import { request } from 'node:http';
import { Kafka, logLevel, Partitioners } from 'kafkajs';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { METRICS } from '#src/observability/metric-table.js';
import { killNode } from '../../broker/admin.js';
import { TestCluster } from '../../support/cluster.js';
import { Exposition } from '../../support/exposition.js';
import { waitFor } from '../../support/wait-for.js';

const TOPICS_MAX = 4;
const SETTINGS = [
  `metrics.topics.max=${TOPICS_MAX}`,
  'replica.lag.time.max.ms=1000',
  'group.initial.rebalance.delay.ms=0',
];

let cluster: TestCluster;
let kafka: Kafka;
let nodes: readonly number[] = [1, 2, 3];

test.before(async () => {
  cluster = await TestCluster.start({ settings: SETTINGS });
  await cluster.createTopic('orders', 3);
  kafka = new Kafka({ brokers: [...cluster.bootstrap], logLevel: logLevel.NOTHING });
});
test.after(() => cluster.down());

function url(node: number, path: string): string {
  return `http://127.0.0.1:${cluster.basePort + 200 + node}${path}`;
}

async function page(node: number): Promise<string> {
  const response = await fetch(url(node, '/metrics'), { signal: AbortSignal.timeout(20_000) });
  assert.is(response.status, 200);
  assert.match(response.headers.get('content-type') ?? '', /^text\/plain; version=0\.0\.4/);
  return response.text();
}

function scrapeAll(): Promise<Exposition[]> {
  return Promise.all(nodes.map(async (node) => new Exposition(await page(node))));
}

async function sum(name: string, labels: Record<string, string> = {}): Promise<number> {
  return (await scrapeAll()).reduce((total, one) => total + one.sum(name, labels), 0);
}

async function produce(topic: string, count: number, partitions: number): Promise<void> {
  const producer = kafka.producer({ createPartitioner: Partitioners.DefaultPartitioner });
  await producer.connect();
  const messages = Array.from({ length: count }, (_, i) => ({
    ...{ value: `value ${i}`, partition: i % partitions },
  }));
  await producer.send({ topic, messages });
  await producer.disconnect();
}

/** On a connection of its own: one that has asked for a page is the main thread's for good. */
function post(node: number, path: string, body: string): Promise<number> {
  return new Promise((resolve, reject) => {
    const sent = request(url(node, path), { method: 'POST', agent: false }, (response) => {
      response.resume();
      response.once('end', () => resolve(response.statusCode ?? 0));
    });
    sent.once('error', reject);
    sent.end(body);
  });
}

test('a page says what the table says, and nothing else', async () => {
  await produce('orders', 1, 1);
  const text = await page(1);
  const { types, samples } = new Exposition(text);
  assert.equal(
    [...types].sort(),
    Object.entries(METRICS)
      .map(([name, { type }]) => [name, type] as [string, string])
      .sort(),
  );
  for (const { name, labels } of samples) {
    const family = (name in METRICS ? name : name.replace(/_(bucket|sum|count)$/, '')) as never;
    const own = Object.keys(labels).filter((label) => label !== 'le');
    assert.equal(own.sort(), [...METRICS[family]['labels']].sort(), name);
  }
  const promtool = spawnSync('promtool', ['check', 'metrics'], { input: text, encoding: 'utf8' });
  if (promtool.error === undefined) assert.is(promtool.status, 0, promtool.stderr);
  else process.stdout.write('# skip: promtool is not installed\n');
});

test('traffic is counted to the byte, through every door', async () => {
  const topic = { topic: 'orders' };
  await produce('orders', 299, 3);
  assert.is(await sum('lograft_topic_records_in_total', topic), 300);
  const bytes = await sum('lograft_topic_bytes_in_total', topic);
  await waitFor('all replicas to hold all bytes', async () => {
    return (await sum('lograft_log_size_bytes', topic)) === 3 * bytes;
  });
  assert.is(await sum('lograft_topic_bytes_out_total', topic), 0);
  assert.is((await cluster.consumed('orders')).length, 300);
  assert.is(await sum('lograft_topic_bytes_out_total', topic), bytes);
  assert.is(await sum('lograft_topic_records_out_total', topic), 300);
  assert.ok((await sum('lograft_kafka_request_duration_seconds_count', { api: 'Fetch' })) > 0);

  // Its leader answers such a request in the shard.
  const { topics } = await cluster.status();
  const leader = topics.find(({ name }) => name === 'orders')?.partitions[0]?.leader ?? 0;
  assert.is(await post(leader, '/topics/orders/records?partition=0', 'one'), 200);
  assert.is(await sum('lograft_topic_records_in_total', topic), 301);
  const http = { kind: 'produce' };
  assert.is(await sum('lograft_http_request_duration_seconds_count', http), 1);
  // One node streams it from its own disk, two get it from that one.
  let streamed = 0;
  for (const node of nodes) {
    const stream = await fetch(url(node, '/topics/orders/partitions/0/stream?offset=earliest'));
    streamed += (await stream.arrayBuffer()).byteLength;
  }
  assert.is(await sum('lograft_topic_bytes_out_total', topic), bytes + streamed);
  assert.is(await sum('lograft_topic_records_out_total', topic), 300 + 3 * 102);
  const read = await fetch(url(1, '/topics/orders/partitions/1/records?offset=90&max=4'));
  assert.is(((await read.json()) as { records: unknown[] }).records.length, 4);
  assert.is(await sum('lograft_topic_records_out_total', topic), 300 + 3 * 102 + 4);
});

test('syncs, commits, elections and threads have numbers', async () => {
  for (const exposition of await scrapeAll()) {
    const { sum: of } = { sum: (name: string) => exposition.sum(name) };
    assert.ok(of('lograft_sync_duration_seconds_count') > 0);
    assert.is(of('lograft_replicas') > 0, true);
    assert.is(of('lograft_leaderless_partitions'), 0);
    assert.is(of('kafka_brokers'), 3);
    assert.ok(of('lograft_event_loop_delay_seconds_count') > 0);
    assert.ok(of('lograft_event_loop_active_seconds_total') > 0);
    assert.ok(of('process_resident_memory_bytes') > 1 << 20);
    assert.is(exposition.sum('lograft_queue_length_max', { queue: 'thread_calls' }), 65_536);
    assert.ok(exposition.sum('lograft_connections', { door: 'http' }) > 0);
  }
  assert.ok((await sum('lograft_commit_duration_seconds_count')) > 0);
  const elections = await sum('lograft_elections_total');
  assert.ok(elections >= (await sum('lograft_leaders')));
  assert.ok((await sum('lograft_elections_total', { reason: 'start' })) > 0);
});

test('the lag of a group is right, at its coordinator alone', async () => {
  await cluster.createTopic('lagging', 3);
  await produce('lagging', 50, 3);
  const consumer = kafka.consumer({ groupId: 'readers' });
  await consumer.connect();
  await consumer.subscribe({ topic: 'lagging', fromBeginning: true });
  let seen = 0;
  const group = { consumergroup: 'readers', topic: 'lagging' };
  await consumer.run({
    autoCommitThreshold: 1,
    eachMessage: async () => {
      seen++;
    },
  });
  await waitFor('all records', () => seen === 50, { timeoutMs: 30_000 });
  await waitFor('no lag', async () => {
    const [offsets, lag] = [
      await sum('kafka_consumergroup_current_offset', group),
      await sum('kafka_consumergroup_lag', group),
    ];
    return offsets === 50 && lag === 0;
  });
  assert.is(await sum('kafka_consumergroup_members', { consumergroup: 'readers' }), 1);
  await consumer.disconnect();
  await produce('lagging', 7, 3);
  assert.is(await sum('kafka_consumergroup_lag', group), 7);
  assert.is(await sum('kafka_topic_partition_current_offset', { topic: 'lagging' }), 57);
  const shown = (await scrapeAll()).filter((e) => e.of('kafka_consumergroup_lag').length > 0);
  assert.is(shown.length, 1);
  assert.is(shown[0]?.of('kafka_consumergroup_lag', group).length, 3);
});

test('however many topics there are, so many have series', async () => {
  const names = Array.from({ length: 8 }, (_, i) => `many-${i}`);
  for (const name of names) assert.is(await post(1, '/topics', JSON.stringify({ name })), 201);
  const before = await sum('lograft_topic_records_in_total');
  for (const name of names) await produce(name, 10, 1);
  for (const exposition of await scrapeAll()) {
    const topics = new Set(exposition.samples.flatMap(({ labels: { topic } }) => topic ?? []));
    assert.ok(topics.has('other'));
    assert.ok(topics.size <= TOPICS_MAX + 1, [...topics].join());
    assert.ok(exposition.sum('lograft_metrics_left_out', { what: 'topics' }) > 0);
  }
  const other = await sum('lograft_topic_records_in_total', { topic: 'other' });
  assert.is(await sum('lograft_topic_records_in_total'), before + 80);
  // What was counted goes on being counted when its topic goes.
  for (const name of names) await fetch(url(1, `/topics/${name}`), { method: 'DELETE' });
  await waitFor('deletion', async () => (await sum('lograft_metrics_left_out')) === 0);
  assert.is(await sum('lograft_topic_records_in_total'), before + 80);
  assert.ok((await sum('lograft_topic_records_in_total', { topic: 'other' })) >= other);
});

test('a dead node shows at the others', async () => {
  assert.is(await sum('lograft_under_replicated_partitions'), 0);
  await killNode(cluster, 3);
  nodes = [1, 2];
  await waitFor('every partition to be short of a replica', async () => {
    const led = await sum('lograft_leaders');
    return led > 0 && (await sum('lograft_under_replicated_partitions')) === led;
  });
  await waitFor('the controller to fence it', async () => (await sum('kafka_brokers')) === 4);
  for (const exposition of await scrapeAll()) {
    assert.is(exposition.sum('lograft_leaderless_partitions'), 0);
  }
  const flag = 'kafka_topic_partition_under_replicated_partition';
  assert.is(await sum(flag, { topic: 'orders' }), 3);
  assert.ok((await sum('lograft_elections_total', { reason: 'link-closed' })) > 0);
});

test.run();
