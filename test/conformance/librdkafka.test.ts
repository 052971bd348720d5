/**
 * librdkafka 2.15 through its Node binding: the newest C client, with its newest protocol versions.
 * time limit: 240 s
 */
import { fileURLToPath } from 'node:url';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { storedCodecs } from '../support/batch-codecs.js';
import { Child } from '../support/child.js';
import { missingRdkafka } from '../support/clients.js';
import { TestCluster } from '../support/cluster.js';
import { testWith } from '../support/requires.js';
import { waitFor } from '../support/wait-for.js';
import { resumeAfterCoordinatorDeath, twoMembersAndADeath } from './group-scenarios.js';
import { type RdConfig, type RdMessage, makeConsumer, makeProducer, settled } from './rdkafka.js';

const MEMBER = fileURLToPath(new URL('./librdkafka-member.js', import.meta.url));
const FLUSH_MS = 30_000;

const missing = missingRdkafka();
const rdTest = testWith(missing);
const cluster = missing === null ? await TestCluster.start() : null;
const servers: RdConfig = { 'bootstrap.servers': cluster?.bootstrap.join(',') ?? '' };

function running(): TestCluster {
  if (cluster === null) throw new Error('no cluster');
  return cluster;
}

type Outgoing = { readonly value: string; readonly key?: string; readonly partition?: number };

/** Sends everything and demands a delivery report without an error for each record. */
async function produce(topic: string, records: readonly Outgoing[], config: RdConfig = {}) {
  const producer = makeProducer({ ...servers, dr_cb: true, ...config });
  const offsets: string[] = [];
  const errors: Error[] = [];
  producer.on('delivery-report', (error, { partition, offset }) => {
    if (error === null || error === undefined) offsets.push(`${partition}:${offset}`);
    else errors.push(error);
  });
  await settled((done) => producer.connect({}, done));
  producer.setPollInterval(20);
  for (const { value, key, partition } of records) {
    producer.produce(topic, partition ?? null, Buffer.from(value), key ?? null);
  }
  await settled((done) => producer.flush(FLUSH_MS, done));
  // Flushed means answered; the reports still come with the next polls.
  await waitFor(
    'a report for every record',
    () => offsets.length + errors.length === records.length,
  );
  await settled((done) => producer.disconnect(done));
  assert.equal(errors, []);
  return offsets;
}

/** Reads partitions by assignment, from their beginning, until `count` records came. */
async function readTopic(topic: string, partitions: number, count: number): Promise<RdMessage[]> {
  const consumer = makeConsumer({ ...servers, 'group.id': `of-${topic}` });
  await settled((done) => consumer.connect({}, done));
  consumer.assign(
    Array.from({ length: partitions }, (_, partition) => ({ topic, partition, offset: 0 })),
  );
  consumer.setDefaultConsumeTimeout(200);
  const found: RdMessage[] = [];
  const endMs = performance.now() + 30_000;
  while (found.length < count && performance.now() < endMs) {
    found.push(...(await settled<readonly RdMessage[]>((done) => consumer.consume(1_000, done))));
  }
  await settled((done) => consumer.disconnect(done));
  assert.is(found.length, count, `records of ${topic}`);
  return found;
}

const numbered = (count: number): Outgoing[] =>
  Array.from({ length: count }, (_, i) => ({ value: `value-${i}`, key: `key-${i % 13}` }));

rdTest('what was produced is consumed, each at the offset of its delivery report', async () => {
  await running().createTopic('rd-plain', 3);
  const records = numbered(3_000);
  const reports = await produce('rd-plain', records);
  const found = await readTopic('rd-plain', 3, records.length);
  assert.equal(found.map((m) => `${m.partition}:${m.offset}`).sort(), reports.sort());
  assert.equal(found.map((m) => String(m.value)).sort(), records.map((r) => r.value).sort());
});

rdTest('an idempotent producer keeps order and count', async () => {
  await running().createTopic('rd-exact', 1);
  const records = numbered(5_000);
  await produce('rd-exact', records, { 'enable.idempotence': true, 'batch.num.messages': 50 });
  const found = await readTopic('rd-exact', 1, records.length);
  assert.equal(
    found.map((m) => String(m.value)),
    records.map((r) => r.value),
  );
});

rdTest('every codec passes through as the producer compressed it', async () => {
  for (const codec of ['gzip', 'snappy', 'lz4', 'zstd']) {
    const topic = `rd-${codec}`;
    await running().createTopic(topic, 1);
    const records = numbered(2_000);
    await produce(topic, records, { 'compression.codec': codec, 'linger.ms': 50 });
    const found = await readTopic(topic, 1, records.length);
    assert.equal(
      found.map((m) => String(m.value)),
      records.map((r) => r.value),
      codec,
    );
    assert.equal(await storedCodecs(running().bootstrap, topic), [codec]);
  }
});

rdTest('an empty topic ends at 0', async () => {
  await running().createTopic('rd-empty', 1);
  const consumer = makeConsumer({ ...servers, 'group.id': 'rd-empty' });
  await settled((done) => consumer.connect({}, done));
  const { lowOffset, highOffset } = await settled<{ lowOffset: number; highOffset: number }>(
    (done) => consumer.queryWatermarkOffsets('rd-empty', 0, 10_000, done),
  );
  await settled((done) => consumer.disconnect(done));
  assert.equal([lowOffset, highOffset], [0, 0]);
});

const kit = {
  name: 'rd',
  get cluster() {
    return running();
  },
  member: (topic: string, group: string) =>
    new Child(process.execPath, [MEMBER, running().bootstrap.join(','), topic, group]),
  produce: async (topic: string, partition: number, values: readonly string[]) => {
    await produce(
      topic,
      values.map((value) => ({ value, partition })),
    );
  },
};

rdTest('two members share a group, and one takes over when the other is killed', () =>
  twoMembersAndADeath(kit),
);

rdTest('a group goes on from its commits after its coordinator was killed', () =>
  resumeAfterCoordinatorDeath(kit),
);

test.after(async () => {
  await cluster?.down();
});

test.run();
