/** The controller's decisions about topics, in Kafka's order of checks and with its error names. */
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { decide } from '#src/control/decide.js';
import { applyBatch, type ClusterImage } from '#src/control/image.js';
import { CLUSTER_PARTITIONS_MAX } from '#src/control/limits.js';
import type { ControlOp, ControlResults, NewTopic } from '#src/control/operations.js';
import { decodeRecord } from '#src/control/records.js';
import { decisionContext, directoryOf, idOf, imageHash, imageWithBrokers } from './fixtures.js';

/** Decides operations one after the other, as a controller would. */
class Story {
  image: ClusterImage = imageWithBrokers(3);
  records = 0;
  readonly #context = decisionContext();
  #requests = 0;

  run<K extends ControlOp['kind']>(
    op: Extract<ControlOp, { kind: K }>,
    requestId = `r${++this.#requests}`,
  ): ControlResults[K] {
    const { values, image, value } = decide(this.image, requestId, op, this.#context);
    const replayed = applyBatch(this.image, values.map(decodeRecord), this.image.appliedOffset);
    assert.is(imageHash(replayed), imageHash(image), 'the batch says what was decided');
    this.image = image;
    this.records = values.length;
    return value as ControlResults[K];
  }

  create(topics: readonly NewTopic[], isValidateOnly = false): ControlResults['createTopics'] {
    return this.run({ kind: 'createTopics', topics, isValidateOnly });
  }

  errorOf(topic: NewTopic): string | null {
    return this.create([topic])[0]?.error ?? null;
  }
}

function topic(name: string, more: Partial<NewTopic> = {}): NewTopic {
  return { name, partitions: 3, replicationFactor: 3, assignments: null, configs: {}, ...more };
}

test('a created topic has an id, its partitions and no message', () => {
  const story = new Story();
  const [created] = story.create([topic('orders', { configs: { 'retention.ms': '60000' } })]);
  assert.equal(created, {
    name: 'orders',
    error: null,
    message: null,
    topicId: idOf('topic', 1),
    partitions: 3,
    replicationFactor: 3,
  });
  const image = story.image.topics.get('orders');
  assert.equal(image?.configs, { 'retention.ms': '60000' });
  assert.equal(
    image?.partitions.map((p) => p.replicas[0]?.nodeId),
    [1, 2, 3],
  );
  assert.is(image?.partitions[0]?.replicas[0]?.directoryId, directoryOf(1));
});

test('-1 takes the broker defaults', () => {
  const [created] = new Story().create([topic('a', { partitions: -1, replicationFactor: -1 })]);
  assert.is(created?.partitions, 6);
  assert.is(created?.replicationFactor, 3);
});

test('names follow the rules of Kafka', () => {
  const story = new Story();
  const bad = ['', '.', '..', 'a/b', 'ä', 'a b', 'x'.repeat(250), '__cluster_metadata'];
  for (const name of bad) assert.is(story.errorOf(topic(name)), 'INVALID_TOPIC_EXCEPTION', name);
  assert.is(story.errorOf(topic('x'.repeat(249))), null);
  assert.is(story.errorOf(topic('a.b')), null);
  const [collides] = story.create([topic('a_b')]);
  assert.is(collides?.error, 'INVALID_TOPIC_EXCEPTION');
  assert.match(collides?.message ?? '', /collides with existing topic: a\.b/);
  assert.is(story.errorOf(topic('a-b')), null);
  assert.equal(story.create([topic('a.b')])[0]?.message, "Topic 'a.b' already exists.");
});

test('each topic of a request stands alone; duplicates are refused once', () => {
  const story = new Story();
  const results = story.create([topic('a'), topic('b', { partitions: 0 }), topic('c'), topic('c')]);
  assert.equal(
    results.map(({ name, error }) => [name, error]),
    [
      ['a', null],
      ['b', 'INVALID_PARTITIONS'],
      ['c', 'INVALID_REQUEST'],
    ],
  );
  assert.equal([...story.image.topics.keys()], ['a']);
  const same = story.create([topic('x.y'), topic('x_y')]);
  assert.is(same[1]?.error, 'INVALID_TOPIC_EXCEPTION', 'topics of one request see each other');
});

test('counts, factors and configs are checked', () => {
  const story = new Story();
  assert.is(story.errorOf(topic('a', { partitions: -2 })), 'INVALID_PARTITIONS');
  assert.is(story.errorOf(topic('a', { partitions: 10_001 })), 'INVALID_PARTITIONS');
  assert.is(story.errorOf(topic('a', { replicationFactor: 0 })), 'INVALID_REPLICATION_FACTOR');
  assert.is(story.errorOf(topic('a', { replicationFactor: 4 })), 'INVALID_REPLICATION_FACTOR');
  assert.is(story.errorOf(topic('a', { configs: { nothing: '1' } })), 'INVALID_CONFIG');
  assert.is(
    story.errorOf(topic('a', { configs: { 'cleanup.policy': 'compact' } })),
    'INVALID_CONFIG',
  );
  assert.is(story.image.topics.size, 0);
});

test('the cluster has a bound on partitions', () => {
  const story = new Story();
  const image = { ...story.image, partitionCount: CLUSTER_PARTITIONS_MAX - 2 };
  story.image = image;
  const { value } = decide(
    image,
    'r',
    { kind: 'createTopics', topics: [topic('a')], isValidateOnly: false },
    decisionContext(),
  );
  assert.is((value as ControlResults['createTopics'])[0]?.error, 'POLICY_VIOLATION');
});

test('manual assignments', () => {
  const story = new Story();
  const assigned = (assignments: number[][], more: Partial<NewTopic> = {}): string | null =>
    story.errorOf(topic('m', { partitions: -1, replicationFactor: -1, assignments, ...more }));
  assert.is(assigned([[1, 2]], { partitions: 1 }), 'INVALID_REQUEST');
  assert.is(assigned([[1, 2]], { replicationFactor: 2 }), 'INVALID_REQUEST');
  assert.is(assigned([[1, 9]]), 'INVALID_REPLICA_ASSIGNMENT');
  assert.is(assigned([[1, 1]]), 'INVALID_REPLICA_ASSIGNMENT');
  assert.is(assigned([[]]), 'INVALID_REPLICA_ASSIGNMENT');
  assert.is(assigned([]), 'INVALID_REPLICA_ASSIGNMENT');
  assert.is(assigned([[1, 2], [3]]), 'INVALID_REPLICA_ASSIGNMENT');
  assert.is(
    assigned([
      [2, 3],
      [3, 1],
    ]),
    null,
  );
  const { partitions } = story.image.topics.get('m') ?? { partitions: [] };
  assert.equal(
    partitions.map((p) => p.replicas.map((r) => r.nodeId)),
    [
      [2, 3],
      [3, 1],
    ],
  );
});

test('validate only commits nothing and names no id', () => {
  const story = new Story();
  const [result] = story.create([topic('a')], true);
  assert.equal([result?.error, result?.topicId, result?.partitions], [null, null, 3]);
  assert.is(story.records, 0);
  assert.is(story.image.topics.size, 0);
  assert.is(story.errorOf(topic('a')), null);
});

test('delete by name and by id; what is not there, and what is internal, is refused', () => {
  const story = new Story();
  story.create([topic('a'), topic('b'), topic('__consumer_offsets')]);
  const id = story.image.topics.get('b')?.topicId as string;
  const results = story.run({
    kind: 'deleteTopics',
    topics: [
      { name: 'a' },
      { topicId: id },
      { name: 'a' },
      { topicId: 'none' },
      { name: '__consumer_offsets' },
    ],
  });
  assert.equal(
    results.map(({ error }) => error),
    [null, null, 'UNKNOWN_TOPIC_OR_PARTITION', 'UNKNOWN_TOPIC_ID', 'INVALID_REQUEST'],
  );
  assert.is(results[1]?.name, 'b');
  assert.equal([...story.image.topics.keys()], ['__consumer_offsets']);
  assert.ok(story.image.deletedTopics.has(id));
});

test('partitions only grow', () => {
  const story = new Story();
  story.create([topic('a')]);
  const grow = (count: number, assignments: number[][] | null = null): string =>
    JSON.stringify(
      story.run({
        kind: 'createPartitions',
        topics: [{ name: 'a', count, assignments }],
        isValidateOnly: false,
      }),
    );
  assert.match(grow(3), /INVALID_PARTITIONS.*already has 3 partition/);
  assert.match(grow(2), /currently has 3 partition\(s\); 2 would not be an increase/);
  assert.match(grow(5, [[1, 2, 3]]), /INVALID_REPLICA_ASSIGNMENT/);
  assert.match(grow(4, [[1, 2]]), /INVALID_REPLICA_ASSIGNMENT/);
  assert.match(grow(4, [[3, 1, 2]]), /"error":null,"message":null/);
  assert.match(grow(6), /"error":null/);
  const leaders = story.image.topics.get('a')?.partitions.map((p) => p.replicas[0]?.nodeId);
  assert.equal(leaders, [1, 2, 3, 3, 1, 2]);
  const [unknown] = story.run({
    kind: 'createPartitions',
    topics: [{ name: 'zz', count: 4, assignments: null }],
    isValidateOnly: false,
  });
  assert.is(unknown?.error, 'UNKNOWN_TOPIC_OR_PARTITION');
});

test('a retry hears the first answer, not a lie', () => {
  const story = new Story();
  const create = { kind: 'createTopics', topics: [topic('a')], isValidateOnly: false } as const;
  const first = story.run(create, 'same');
  const again = story.run(create, 'same');
  assert.equal(again, first);
  assert.is(story.records, 0);
  assert.is(story.run(create, 'other')[0]?.error, 'TOPIC_ALREADY_EXISTS');
  const remove = { kind: 'deleteTopics', topics: [{ name: 'a' }] } as const;
  assert.equal(story.run(remove, 'gone'), story.run(remove, 'gone'));
  assert.is(story.run(create, 'same')[0]?.topicId, first[0]?.topicId, 'even after the deletion');
  assert.is(story.image.topics.size, 0);
});

test('configs are altered one topic at a time', () => {
  const story = new Story();
  story.create([topic('a', { configs: { 'retention.ms': '1' } })]);
  const results = story.run({
    kind: 'alterConfigs',
    topics: [
      { name: 'a', changes: [{ name: 'segment.bytes', operation: 'set', value: '65536' }] },
      { name: 'b', changes: [] },
    ],
    isValidateOnly: false,
  });
  assert.equal(
    results.map(({ error }) => error),
    [null, 'UNKNOWN_TOPIC_OR_PARTITION'],
  );
  assert.equal(story.image.topics.get('a')?.configs, {
    'retention.ms': '1',
    'segment.bytes': '65536',
  });
});

test('a node id belongs to the directory that registered first', () => {
  const story = new Story();
  const me = {
    kind: 'registerBroker',
    nodeId: 1,
    directoryId: directoryOf(1),
    incarnation: idOf('run', 1),
    kafka: { host: 'h', port: 1 },
    peer: { host: 'h', port: 2 },
    rack: null,
    shards: 1,
  } as const;
  assert.equal(story.run(me), { error: null, message: null, isStranger: false });
  assert.is(story.records, 0, 'the same process again changes nothing');
  story.run({ ...me, incarnation: 'second-run' });
  assert.is(story.image.brokers.get(1)?.incarnation, 'second-run');
  assert.is(story.image.brokers.get(1)?.isFenced, true);
  const stranger = story.run({ ...me, directoryId: 'wiped', incarnation: 'third-run' });
  assert.is(stranger.isStranger, true);
  assert.match(stranger.message ?? '', /wiped is a stranger/);
  assert.is(story.image.brokers.get(1)?.incarnation, 'second-run');
});

test('producer id blocks never overlap (M4)', () => {
  const story = new Story();
  const firsts = [1, 2, 1].map(
    (nodeId) => story.run({ kind: 'allocateProducerIds', nodeId }).firstProducerId,
  );
  assert.equal(firsts, [0, 1000, 2000]);
});

test('a request that is too large for one batch is refused in part, with a reason', () => {
  const story = new Story();
  const names = Array.from({ length: 9_000 }, (_, i) => `${'x'.repeat(60)}-${i}`);
  const results = story.create(names.map((name) => topic(name, { partitions: 1 })));
  const refused = results.filter(({ error }) => error === 'POLICY_VIOLATION');
  assert.ok(refused.length > 0 && refused.length < 9_000, `${refused.length}`);
  assert.is(story.image.topics.size, 9_000 - refused.length);
});

test.run();
