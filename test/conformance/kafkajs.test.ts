/**
 * kafkajs, the client that Node programs have: producer (idempotent too), consumer, groups, admin.
 * time limit: 240 s
 */
import { fileURLToPath } from 'node:url';
import { Kafka, type KafkaJSDeleteGroupsError, type KafkaMessage, logLevel } from 'kafkajs';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { ERROR } from '#src/protocol/errors.js';
import { storedCodecs } from '../support/batch-codecs.js';
import { Child } from '../support/child.js';
import { TestCluster } from '../support/cluster.js';
import { coordinatorOf } from '../support/group.js';
import { waitFor } from '../support/wait-for.js';
import { resumeAfterCoordinatorDeath, twoMembersAndADeath } from './group-scenarios.js';

const GZIP = 1;
const MEMBER = fileURLToPath(new URL('./kafkajs-member.js', import.meta.url));

const cluster = await TestCluster.start();
const kafka = new Kafka({
  clientId: 'conformance',
  brokers: [...cluster.bootstrap],
  logLevel: logLevel.ERROR,
  retry: { initialRetryTime: 100, retries: 15 },
});
const producer = kafka.producer();
const admin = kafka.admin();
await producer.connect();
await admin.connect();

type Read = KafkaMessage & { readonly partition: number };

/** Reads with a group of its own until `count` records came. */
async function readTopic(topic: string, count: number): Promise<Read[]> {
  const groupId = `reader-of-${topic}-${count}`;
  const consumer = kafka.consumer({ groupId, maxWaitTimeInMs: 200 });
  const found: Read[] = [];
  await consumer.connect();
  await consumer.subscribe({ topic, fromBeginning: true });
  await consumer.run({
    eachMessage: async ({ partition, message }) => {
      found.push({ ...message, partition });
    },
  });
  await waitFor(`${count} records of ${topic}`, () => found.length >= count, { timeoutMs: 30_000 });
  await consumer.disconnect();
  return found;
}

test('keys, values, headers and timestamps come back as they were', async () => {
  await cluster.createTopic('js-shapes', 3);
  const sent = Array.from({ length: 300 }, (_, i) => ({
    key: `key-${i % 17}`,
    value: `value-${i}`,
    headers: { trace: `t${i}` },
    timestamp: String(Date.now() - i),
  }));
  await producer.send({ topic: 'js-shapes', messages: sent, acks: -1 });
  const found = await readTopic('js-shapes', sent.length);
  const describe = (value: unknown, timestamp: string, trace: unknown): string =>
    `${String(value)} ${timestamp} ${String(trace)}`;
  assert.equal(
    found.map((m) => describe(m.value, m.timestamp, m.headers?.['trace'])).sort(),
    sent.map((m) => describe(m.value, m.timestamp, m.headers.trace)).sort(),
  );
  for (const key of new Set(sent.map((m) => m.key))) {
    const own = found.filter((m) => String(m.key) === key);
    assert.is(new Set(own.map((m) => m.partition)).size, 1, `${key} went to one partition`);
    const values = own.map((m) => Number(String(m.value).split('-')[1]));
    assert.equal(
      values,
      [...values].sort((a, b) => a - b),
      `${key} in order`,
    );
  }
});

test('an idempotent producer', async () => {
  await cluster.createTopic('js-exact', 2);
  const exact = kafka.producer({ idempotent: true, maxInFlightRequests: 1 });
  await exact.connect();
  for (let batch = 0; batch < 20; batch++) {
    const messages = Array.from({ length: 25 }, (_, i) => ({ value: `${batch * 25 + i}` }));
    await exact.send({ topic: 'js-exact', messages });
  }
  await exact.disconnect();
  const found = await readTopic('js-exact', 500);
  assert.equal(
    found.map((m) => Number(m.value)).sort((a, b) => a - b),
    Array.from({ length: 500 }, (_, i) => i),
  );
});

test('gzip passes through compressed', async () => {
  await cluster.createTopic('js-gzip', 1);
  const messages = Array.from({ length: 100 }, (_, i) => ({ value: `squeeze ${i}` }));
  await producer.send({ topic: 'js-gzip', messages, compression: GZIP });
  assert.is((await readTopic('js-gzip', 100)).length, 100);
  assert.equal(await storedCodecs(cluster.bootstrap, 'js-gzip'), ['gzip']);
});

test('acks 0 and 1', async () => {
  await cluster.createTopic('js-loose', 1);
  await producer.send({ topic: 'js-loose', messages: [{ value: 'one' }], acks: 1 });
  await producer.send({ topic: 'js-loose', messages: [{ value: 'none' }], acks: 0 });
  assert.is((await readTopic('js-loose', 2)).length, 2);
});

test('admin: topics, partitions, configs, offsets', async () => {
  await admin.createTopics({
    waitForLeaders: true,
    topics: [
      {
        topic: 'js-admin',
        numPartitions: 2,
        replicationFactor: 3,
        configEntries: [{ name: 'retention.ms', value: '3600000' }],
      },
    ],
  });
  assert.ok((await admin.listTopics()).includes('js-admin'));
  await admin.createPartitions({ topicPartitions: [{ topic: 'js-admin', count: 4 }] });
  const { topics } = await admin.fetchTopicMetadata({ topics: ['js-admin'] });
  assert.is(topics[0]?.partitions.length, 4);
  const { resources } = await admin.describeConfigs({
    includeSynonyms: false,
    resources: [{ type: 2, name: 'js-admin' }],
  });
  const retention = resources[0]?.configEntries.find(
    (entry) => entry.configName === 'retention.ms',
  );
  assert.is(retention?.configValue, '3600000');
  const offsets = await admin.fetchTopicOffsets('js-admin');
  assert.equal(
    offsets.map(({ offset, low, high }) => [offset, low, high]),
    Array.from({ length: 4 }, () => ['0', '0', '0']),
    'an empty topic ends at 0',
  );
  await admin.deleteTopics({ topics: ['js-admin'] });
  await waitFor('the topic to be gone', async () => {
    return !(await admin.listTopics()).includes('js-admin');
  });
});

test('a topic is created on first use', async () => {
  await producer.send({ topic: 'js-made-by-use', messages: [{ value: 'first' }] });
  assert.equal(
    (await readTopic('js-made-by-use', 1)).map((m) => [m.offset, String(m.value)]),
    [['0', 'first']],
  );
});

test('committed offsets are what admin reads, and can be reset', async () => {
  await cluster.createTopic('js-commits', 1);
  const messages = Array.from({ length: 10 }, (_, i) => ({ value: String(i) }));
  await producer.send({ topic: 'js-commits', messages });
  await readTopic('js-commits', 10);
  const groupId = 'reader-of-js-commits-10';
  const committed = async (): Promise<string | undefined> => {
    const [topic] = await admin.fetchOffsets({ groupId, topics: ['js-commits'] });
    return topic?.partitions[0]?.offset;
  };
  assert.is(await committed(), '10');
  await admin.setOffsets({
    groupId,
    topic: 'js-commits',
    partitions: [{ partition: 0, offset: '4' }],
  });
  assert.is(await committed(), '4');
  const { groups } = await admin.listGroups();
  assert.ok(groups.some((group) => group.groupId === groupId));
  const described = await admin.describeGroups([groupId]);
  assert.is(described.groups[0]?.state, 'Empty');
});

test('a group is deleted when it is empty, whatever happens to its coordinator then', async () => {
  const groupId = 'reader-of-js-commits-10';
  const errorOf = async (): Promise<number> => {
    try {
      return (await admin.deleteGroups([groupId]))[0]?.errorCode ?? -1;
    } catch (error) {
      return (error as KafkaJSDeleteGroupsError).groups[0]?.errorCode ?? -1;
    }
  };
  const listed = async (): Promise<boolean> =>
    (await admin.listGroups()).groups.some((group) => group.groupId === groupId);
  const consumer = kafka.consumer({ groupId, maxWaitTimeInMs: 200 });
  const isMember = new Promise((resolve) => consumer.on(consumer.events.GROUP_JOIN, resolve));
  await consumer.connect();
  await consumer.subscribe({ topic: 'js-commits' });
  await consumer.run({ eachMessage: () => Promise.resolve() });
  await isMember;
  assert.is(await errorOf(), ERROR.NON_EMPTY_GROUP);
  await consumer.disconnect();
  assert.is(await errorOf(), ERROR.NONE);
  assert.is(await listed(), false);
  const coordinator = await coordinatorOf(cluster.bootstrap, groupId);
  cluster.signal(coordinator, 'SIGKILL');
  const next = async (): Promise<boolean> => {
    return (await coordinatorOf(cluster.bootstrap, groupId)) !== coordinator;
  };
  await waitFor('another coordinator', next, { timeoutMs: 30_000 });
  assert.is(await errorOf(), ERROR.GROUP_ID_NOT_FOUND);
  const [topic] = await admin.fetchOffsets({ groupId, topics: ['js-commits'] });
  assert.is(topic?.partitions[0]?.offset, '-1');
  await cluster.startNode(coordinator, '--wait-in-sync');
});

const kit = {
  name: 'js',
  cluster,
  member: (topic: string, group: string) =>
    new Child(process.execPath, [MEMBER, cluster.bootstrap.join(','), topic, group]),
  produce: async (topic: string, partition: number, values: readonly string[]) => {
    const messages = values.map((value) => ({ value, partition }));
    await producer.send({ topic, messages });
  },
};

test('two members share a group, and one takes over when the other is killed', () =>
  twoMembersAndADeath(kit));

test('a group goes on from its commits after its coordinator was killed', () =>
  resumeAfterCoordinatorDeath(kit));

test.after(async () => {
  await producer.disconnect();
  await admin.disconnect();
  await cluster.down();
});

test.run();
