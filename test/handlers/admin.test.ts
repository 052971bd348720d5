/**
 * Metadata, topics, configs and producer ids on three real brokers, asked as clients ask: the traps
 * that made real clients fail elsewhere, and every refusal with its own code.
 */
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { ERROR } from '#src/protocol/errors.js';
import { createPartitionsApi } from '#src/protocol/messages/create-partitions.js';
import { createTopicsApi } from '#src/protocol/messages/create-topics.js';
import { deleteTopicsApi } from '#src/protocol/messages/delete-topics.js';
import { describeClusterApi } from '#src/protocol/messages/describe-cluster.js';
import { describeConfigsApi } from '#src/protocol/messages/describe-configs.js';
import { incrementalAlterConfigsApi } from '#src/protocol/messages/incremental-alter-configs.js';
import { initProducerIdApi } from '#src/protocol/messages/init-producer-id.js';
import { metadataApi } from '#src/protocol/messages/metadata.js';
import { TestCluster } from '../support/cluster.js';
import { Door, leaderDoor, makeBatch, only } from './kit.js';

const TOPIC = 2;
const BROKER = 4;
const cluster = await TestCluster.start({ settings: ['num.partitions=4'] });
const doors = await Promise.all(cluster.bootstrap.map((address) => Door.open(address)));
const [door] = doors as [Door];

test.after(async () => {
  for (const open of doors) open.close();
  await cluster.down();
});

// --- metadata --------------------------------------------------------------------------------

test('trap 5: brokers, a live controller, a cluster id', async () => {
  for (const own of doors) {
    for (let version = 1; version <= metadataApi.advertised.max; version++) {
      const answer = await own.connection.request(metadataApi, version, { topics: [] });
      assert.equal(
        answer.brokers.map(({ nodeId, host, port }) => [nodeId, `${host}:${port}`]).sort(),
        cluster.bootstrap.map((address, i) => [i + 1, address]),
      );
      assert.ok(answer.brokers.every(({ rack }) => rack !== null));
      assert.ok(answer.controllerId >= 1 && answer.controllerId <= 3, `v${version}`);
      if (version >= 2) assert.ok((answer.clusterId ?? '').length > 0);
      assert.equal(answer.topics, []);
    }
  }
});

test('an empty list is all topics in version 0 and none later; null is all', async () => {
  await door.createTopic('one');
  await door.createTopic('two');
  const names = async (version: number, topics: [] | null): Promise<(string | null)[]> => {
    const answer = await door.connection.request(metadataApi, version, { topics });
    return answer.topics.map(({ name }) => name).sort();
  };
  assert.equal(await names(0, []), ['one', 'two']);
  assert.equal(await names(1, []), []);
  assert.equal(await names(1, null), ['one', 'two']);
  assert.equal(await names(12, null), ['one', 'two']);
});

test('trap 11: an auto-created topic has leaders when it is told of, on every broker', async () => {
  for (const [i, own] of doors.entries()) {
    for (let n = 0; n < 5; n++) {
      const name = `auto-${i}-${n}`;
      const body = { topics: [{ name }], allowAutoTopicCreation: true };
      const answer = await own.connection.request(metadataApi, 6, body);
      const topic = only(answer.topics);
      assert.is(topic.errorCode, ERROR.NONE, name);
      assert.is(topic.partitions.length, 4);
      for (const partition of topic.partitions) {
        assert.is(partition.errorCode, ERROR.NONE);
        assert.ok(partition.leaderId >= 1);
        assert.is(partition.replicaNodes.length, 3);
      }
      // And nobody else calls it unknown.
      for (const other of doors) {
        const known = await other.connection.request(metadataApi, 6, {
          topics: [{ name }],
          allowAutoTopicCreation: false,
        });
        assert.is(only(known.topics).errorCode, ERROR.NONE);
      }
    }
  }
});

test('after CreateTopics every broker knows the topic and its leaders', async () => {
  for (let n = 0; n < 6; n++) {
    const name = `made-${n}`;
    await (doors[n % 3] as Door).createTopic(name, 3);
    for (const other of doors) {
      const body = { topics: [{ name }], allowAutoTopicCreation: false };
      const topic = only((await other.connection.request(metadataApi, 6, body)).topics);
      assert.is(topic.errorCode, ERROR.NONE);
      assert.ok(topic.partitions.every(({ errorCode }) => errorCode === ERROR.NONE));
    }
  }
});

test('what is not created by asking', async () => {
  const ask = async (name: string, allowAutoTopicCreation = true): Promise<number> => {
    const body = { topics: [{ name }], allowAutoTopicCreation };
    return only((await door.connection.request(metadataApi, 6, body)).topics).errorCode;
  };
  assert.is(await ask('not-wanted', false), ERROR.UNKNOWN_TOPIC_OR_PARTITION);
  for (const name of ['', '.', '..', 'a b', 'ä', 'x'.repeat(250), '../../etc', '__proto__/x']) {
    assert.is(await ask(name), ERROR.INVALID_TOPIC_EXCEPTION, name);
  }
  assert.is(await ask('__consumer_offsets'), ERROR.UNKNOWN_TOPIC_OR_PARTITION);
  const all = await door.connection.request(metadataApi, 6, { topics: null });
  assert.not(all.topics.some(({ isInternal }) => isInternal));
});

test('topics by id', async () => {
  const topics = [{ name: 'one' }];
  const named = only((await door.connection.request(metadataApi, 12, { topics })).topics);
  const { topicId } = named;
  const byId = { topics: [{ topicId, name: null }] };
  assert.is(only((await door.connection.request(metadataApi, 12, byId)).topics).name, 'one');
  const stranger = { topics: [{ topicId: 'AAAAAAAAAAAAAAAAAAAAZg', name: null }] };
  const unknown = only((await door.connection.request(metadataApi, 12, stranger)).topics);
  assert.equal([unknown.errorCode, unknown.name], [ERROR.UNKNOWN_TOPIC_ID, null]);
});

test('DescribeCluster', async () => {
  const answer = await door.connection.request(describeClusterApi, 0, {
    includeClusterAuthorizedOperations: false,
  });
  assert.is(answer.errorCode, ERROR.NONE);
  assert.is(answer.errorMessage, null);
  assert.equal(answer.brokers.map(({ brokerId }) => brokerId).sort(), [1, 2, 3]);
  assert.ok(answer.controllerId >= 1);
});

// --- topics ----------------------------------------------------------------------------------

type Asked = {
  readonly name?: string;
  readonly numPartitions?: number;
  readonly replicationFactor?: number;
  readonly assignments?: { partitionIndex: number; brokerIds: number[] }[];
  readonly configs?: { name: string; value: string | null }[];
};

async function create(asked: Asked, validateOnly = false) {
  const topic = {
    name: 'new',
    numPartitions: 1,
    replicationFactor: 1,
    assignments: [],
    configs: [],
  };
  const body = { topics: [{ ...topic, ...asked }], timeoutMs: 10_000, validateOnly };
  return only((await door.connection.request(createTopicsApi, 7, body)).topics);
}

test('CreateTopics: refusals', async () => {
  const manual = { numPartitions: -1, replicationFactor: -1 };
  const on = (...lists: number[][]) =>
    lists.map((brokerIds, partitionIndex) => ({ partitionIndex, brokerIds }));
  const cases: [Asked, number][] = [
    [{ name: 'one' }, ERROR.TOPIC_ALREADY_EXISTS],
    [{ name: '' }, ERROR.INVALID_TOPIC_EXCEPTION],
    [{ name: 'a/b' }, ERROR.INVALID_TOPIC_EXCEPTION],
    [{ numPartitions: 0 }, ERROR.INVALID_PARTITIONS],
    [{ numPartitions: -2 }, ERROR.INVALID_PARTITIONS],
    [{ numPartitions: 2 ** 31 - 1 }, ERROR.INVALID_PARTITIONS],
    [{ replicationFactor: 4 }, ERROR.INVALID_REPLICATION_FACTOR],
    [{ replicationFactor: 0 }, ERROR.INVALID_REPLICATION_FACTOR],
    [{ configs: [{ name: 'no.such', value: '1' }] }, ERROR.INVALID_CONFIG],
    [{ configs: [{ name: 'retention.ms', value: 'soon' }] }, ERROR.INVALID_CONFIG],
    [{ assignments: on([1]) }, ERROR.INVALID_REQUEST],
    [{ ...manual, assignments: on([1, 1]) }, ERROR.INVALID_REPLICA_ASSIGNMENT],
    [{ ...manual, assignments: on([9]) }, ERROR.INVALID_REPLICA_ASSIGNMENT],
    [{ ...manual, assignments: on([1, 2], [3]) }, ERROR.INVALID_REPLICA_ASSIGNMENT],
    [
      { ...manual, assignments: [{ partitionIndex: 1, brokerIds: [1] }] },
      ERROR.INVALID_REPLICA_ASSIGNMENT,
    ],
  ];
  for (const [asked, expected] of cases) {
    const { errorCode, errorMessage } = await create(asked);
    assert.is(errorCode, expected, `${JSON.stringify(asked)}: ${errorCode} ${errorMessage}`);
  }
  const twice = {
    name: 'twice',
    numPartitions: 1,
    replicationFactor: 1,
    assignments: [],
    configs: [],
  };
  const body = { topics: [twice, twice], timeoutMs: 5_000, validateOnly: false };
  const answer = await door.connection.request(createTopicsApi, 7, body);
  assert.is(only(answer.topics).errorCode, ERROR.INVALID_REQUEST);
});

test('CreateTopics: as assigned, with defaults, and only validated', async () => {
  const assignments = [
    { partitionIndex: 1, brokerIds: [3] },
    { partitionIndex: 0, brokerIds: [2] },
  ];
  const assigned = { name: 'assigned', numPartitions: -1, replicationFactor: -1, assignments };
  assert.is((await create(assigned)).errorCode, ERROR.NONE);
  const body = { topics: [{ name: 'assigned' }] };
  const { partitions } = only((await door.connection.request(metadataApi, 9, body)).topics);
  assert.equal(
    partitions.map(({ leaderId }) => leaderId),
    [2, 3],
  );
  const defaults = await create({ name: 'defaults', numPartitions: -1, replicationFactor: -1 });
  assert.equal([defaults.numPartitions, defaults.replicationFactor], [4, 3]);
  assert.is(defaults.errorMessage, null);
  // The Java admin client reads them without asking whether they are there.
  assert.ok(
    defaults.configs?.some(({ name, value }) => name === 'cleanup.policy' && value !== null),
  );
  assert.is((await create({ name: 'tried' }, true)).errorCode, ERROR.NONE);
  const all = await door.connection.request(metadataApi, 9, { topics: null });
  assert.not(all.topics.some(({ name }) => name === 'tried'));
});

test('CreatePartitions', async () => {
  await door.createTopic('growing', 2);
  const grow = async (name: string, count: number, brokers: number[][] | null = null) => {
    const assignments = brokers === null ? null : brokers.map((brokerIds) => ({ brokerIds }));
    const topics = [{ name, count, assignments }];
    const body = { topics, timeoutMs: 10_000, validateOnly: false };
    const answer = await door.connection.request(createPartitionsApi, 3, body);
    return only(answer.results).errorCode;
  };
  assert.is(await grow('growing', 2), ERROR.INVALID_PARTITIONS);
  assert.is(await grow('growing', 1), ERROR.INVALID_PARTITIONS);
  assert.is(await grow('nowhere', 5), ERROR.UNKNOWN_TOPIC_OR_PARTITION);
  assert.is(await grow('growing', 3, [[9, 1, 2]]), ERROR.INVALID_REPLICA_ASSIGNMENT);
  assert.is(await grow('growing', 5), ERROR.NONE);
  const leader = await leaderDoor(cluster.bootstrap, 'growing', 4);
  assert.is((await leader.produce('growing', 4, makeBatch())).baseOffset, 0);
  leader.close();
});

test('DeleteTopics by name and by id; what is gone is unknown at every broker', async () => {
  await door.createTopic('short');
  await door.createTopic('lived');
  const topics = [{ name: 'lived' }];
  const { topicId } = only((await door.connection.request(metadataApi, 12, { topics })).topics);
  const byName = { topicNames: ['short', 'nowhere'], timeoutMs: 10_000 };
  const first = await door.connection.request(deleteTopicsApi, 5, byName);
  assert.equal(
    first.responses.map(({ name, errorCode }) => [name, errorCode]),
    [
      ['short', ERROR.NONE],
      ['nowhere', ERROR.UNKNOWN_TOPIC_OR_PARTITION],
    ],
  );
  const byId = { topics: [{ name: null, topicId }], timeoutMs: 10_000 };
  const second = await door.connection.request(deleteTopicsApi, 6, byId);
  assert.equal(
    [only(second.responses).errorCode, only(second.responses).name],
    [ERROR.NONE, 'lived'],
  );
  const again = await door.connection.request(deleteTopicsApi, 6, byId);
  assert.is(only(again.responses).errorCode, ERROR.UNKNOWN_TOPIC_ID);
  for (const own of doors) {
    const { errorCode } = await own.produce('short', 0, makeBatch());
    assert.is(errorCode, ERROR.UNKNOWN_TOPIC_OR_PARTITION);
  }
});

// --- configs ---------------------------------------------------------------------------------

async function configOf(resourceType: number, resourceName: string, key: string, at = door) {
  const resources = [{ resourceType, resourceName, configurationKeys: [key] }];
  const body = { resources, includeSynonyms: true, includeDocumentation: true };
  const answer = await at.connection.request(describeConfigsApi, 4, body);
  return only(only(answer.results).configs);
}

async function alter(name: string, configs: { name: string; value: string | null; op?: number }[]) {
  const changes = configs.map((config) => ({ ...config, configOperation: config.op ?? 0 }));
  const resources = [{ resourceType: TOPIC, resourceName: name, configs: changes }];
  const body = { resources, validateOnly: false };
  const answer = await door.connection.request(incrementalAlterConfigsApi, 1, body);
  return only(answer.responses);
}

test('DescribeConfigs is honest about values and where they come from', async () => {
  await door.createTopic('described', 1, { 'retention.ms': '1234567' });
  const set = await configOf(TOPIC, 'described', 'retention.ms');
  assert.equal([set.value, set.configSource, set.isSensitive], ['1234567', 1, false]);
  const sources = set.synonyms.map(({ source }) => source);
  assert.equal([sources[0], sources.at(-1)], [1, 5]);
  const unset = await configOf(TOPIC, 'described', 'index.interval.bytes');
  assert.equal([unset.value, unset.configSource], ['4096', 5]);
  const policy = await configOf(TOPIC, 'described', 'cleanup.policy');
  assert.is(policy.value, 'delete');
  const partitions = await configOf(BROKER, '1', 'num.partitions');
  assert.equal([partitions.value, partitions.configSource], ['4', 4]);
  const resources = [
    { resourceType: TOPIC, resourceName: 'nowhere', configurationKeys: null },
    { resourceType: BROKER, resourceName: '2', configurationKeys: null },
    { resourceType: 8, resourceName: '', configurationKeys: null },
    { resourceType: BROKER, resourceName: '1', configurationKeys: null },
  ];
  const answer = await door.connection.request(describeConfigsApi, 1, { resources });
  assert.equal(
    answer.results.map(({ errorCode }) => errorCode),
    [ERROR.UNKNOWN_TOPIC_OR_PARTITION, ERROR.INVALID_REQUEST, ERROR.INVALID_REQUEST, ERROR.NONE],
  );
});

test('IncrementalAlterConfigs takes effect on every leader', async () => {
  await door.createTopic('altered', 3);
  const big = (): Buffer => makeBatch({ valueBytes: 5_000 });
  const errors = async (): Promise<number[]> => {
    const codes: number[] = [];
    for (const partition of [0, 1, 2]) {
      const leader = await leaderDoor(cluster.bootstrap, 'altered', partition);
      codes.push((await leader.produce('altered', partition, big())).errorCode);
      leader.close();
    }
    return codes;
  };
  assert.equal(await errors(), [0, 0, 0]);
  const lowered = await alter('altered', [{ name: 'max.message.bytes', value: '2000' }]);
  assert.equal([lowered.errorCode, lowered.errorMessage], [ERROR.NONE, null]);
  const tooLarge = ERROR.MESSAGE_TOO_LARGE;
  assert.equal(await errors(), [tooLarge, tooLarge, tooLarge]);
  for (const own of doors) {
    assert.is((await configOf(TOPIC, 'altered', 'max.message.bytes', own)).value, '2000');
  }
  const reset = await alter('altered', [{ name: 'max.message.bytes', value: null, op: 1 }]);
  assert.is(reset.errorCode, ERROR.NONE);
  assert.equal(await errors(), [0, 0, 0]);
});

test('IncrementalAlterConfigs: refusals', async () => {
  const one = (name: string, value: string | null, op = 0) => alter('one', [{ name, value, op }]);
  assert.is((await one('no.such', '1')).errorCode, ERROR.INVALID_CONFIG);
  assert.is((await one('retention.ms', 'soon')).errorCode, ERROR.INVALID_CONFIG);
  assert.is((await one('retention.ms', '1', 9)).errorCode, ERROR.INVALID_REQUEST);
  const nowhere = await alter('nowhere', [{ name: 'retention.ms', value: '1' }]);
  assert.is(nowhere.errorCode, ERROR.UNKNOWN_TOPIC_OR_PARTITION);
  const broker = [{ resourceType: BROKER, resourceName: '1', configs: [] }];
  const body = { resources: broker, validateOnly: false };
  const answer = await door.connection.request(incrementalAlterConfigsApi, 1, body);
  assert.is(only(answer.responses).errorCode, ERROR.INVALID_REQUEST);
});

// --- producer ids ----------------------------------------------------------------------------

test('trap 10: InitProducerId gives ids that no two producers share', async () => {
  const ask = (own: Door, version: number) =>
    own.connection.request(initProducerIdApi, version, {
      transactionalId: null,
      transactionTimeoutMs: 60_000,
    });
  const asked = doors.flatMap((own) => Array.from({ length: 50 }, (_, i) => ask(own, i % 5)));
  const answers = await Promise.all(asked);
  assert.ok(
    answers.every(({ errorCode, producerEpoch }) => errorCode === 0 && producerEpoch === 0),
  );
  assert.is(new Set(answers.map(({ producerId }) => producerId)).size, 150);
});

test('InitProducerId: the next epoch of an id, and no transactions', async () => {
  const body = { transactionTimeoutMs: 60_000, producerId: 7_000, producerEpoch: 3 };
  const bumped = await door.connection.request(initProducerIdApi, 4, {
    ...body,
    transactionalId: null,
  });
  assert.equal([bumped.producerId, bumped.producerEpoch], [7_000, 4]);
  const worn = { ...body, producerEpoch: 32_766, transactionalId: null };
  const fresh = await door.connection.request(initProducerIdApi, 4, worn);
  assert.is.not(fresh.producerId, 7_000);
  assert.is(fresh.producerEpoch, 0);
  const transactional = { ...body, transactionalId: 'tx' };
  const refused = await door.connection.request(initProducerIdApi, 4, transactional);
  assert.is(refused.errorCode, ERROR.TRANSACTIONAL_ID_AUTHORIZATION_FAILED);
});

test.run();
