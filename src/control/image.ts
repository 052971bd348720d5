/**
 * The cluster image: everything the metadata log has decided up to `appliedOffset`, as one
 * immutable value. `applyRecord` is pure and total order in, same image out (invariants R5 and M1),
 * on the main thread and, through deltas, on every shard. Applying one record shares everything it
 * does not change.
 */
import { assert, unreachable } from '../base/assert.js';
import { LograftError } from '../base/errors.js';
import type { VoterId } from '../base/group.js';
import type { NodeId, Offset, TopicId } from '../base/units.js';
import {
  DELETED_TOPICS_MAX,
  DELETED_TOPICS_SLACK,
  OUTCOME_BYTES_MAX,
  OUTCOMES_PER_GENERATION,
} from './limits.js';
import { type BrokerLoad, withLoad } from './load.js';
import { PersistentMap } from './persistent-map.js';
import {
  type AddPartitionsRecord,
  type CreateTopicRecord,
  type Endpoint,
  FEATURE_LEVEL_MAX,
  type FenceBrokerRecord,
  type MetadataRecord,
  type OutcomeRecord,
  type RegisterBrokerRecord,
  type TopicConfigsRecord,
} from './records.js';
import { foldTopicName } from './topic-name.js';

export type BrokerImage = {
  readonly nodeId: NodeId;
  readonly directoryId: string;
  readonly incarnation: string;
  readonly kafka: Endpoint;
  readonly peer: Endpoint;
  readonly rack: string | null;
  readonly shards: number;
  /** Fenced brokers are not in Metadata's broker list and get no leaders. */
  readonly isFenced: boolean;
  /** Offset of the registration; the broker is unfenced only after it has applied beyond it. */
  readonly registeredAt: Offset;
};

/**
 * The wish: who is to hold the partition. Invariant: `replicas` is not empty and names no node
 * twice.
 */
export type PartitionImage = {
  readonly partition: number;
  readonly replicas: readonly VoterId[];
};

export type TopicImage = {
  readonly name: string;
  readonly topicId: TopicId;
  readonly isInternal: boolean;
  /** Dynamic topic configs only; defaults come from `topic-config.ts`. */
  readonly configs: Readonly<Record<string, string>>;
  /** Invariant: `partitions[i].partition === i`. */
  readonly partitions: readonly PartitionImage[];
  readonly createdAt: Offset;
};

/**
 * A committed deletion, remembered until every registered broker has removed its replicas: a
 * snapshot would otherwise hide it from a broker that was down.
 */
export type DeletedTopic = { readonly topicId: TopicId; readonly deletedAt: Offset };

/**
 * Answers of recent operations by request id (msgpack bytes), in two generations: bounded in count
 * and bytes without a clock, so that every replica forgets the same ones.
 */
export type RecentOutcomes = {
  readonly current: PersistentMap<Uint8Array>;
  /** Bytes in `current`. */
  readonly currentBytes: number;
  readonly previous: PersistentMap<Uint8Array>;
};

export type ClusterImage = {
  readonly clusterId: string | null;
  readonly featureLevel: number;
  /** Everything below is applied; also the next offset to apply. */
  readonly appliedOffset: Offset;
  readonly brokers: ReadonlyMap<NodeId, BrokerImage>;
  readonly topics: PersistentMap<TopicImage>;
  /** Invariant: the same topics as `topics`, by id. */
  readonly topicsById: PersistentMap<TopicImage>;
  readonly deletedTopics: PersistentMap<DeletedTopic>;
  /** Derived, sum over all topics. */
  readonly partitionCount: number;
  /** Derived: what each broker is to lead and hold. */
  readonly loads: ReadonlyMap<NodeId, BrokerLoad>;
  /**
   * Derived: topic names with `.` or `_` by their folded form, so that a collision is one look-up.
   */
  readonly foldedNames: PersistentMap<string>;
  /** Invariant M4: never goes down; ids below belong to blocks already given. */
  readonly nextProducerId: number;
  readonly outcomes: RecentOutcomes;
};

const INTERNAL_TOPICS: ReadonlySet<string> = new Set(['__consumer_offsets', '__transaction_state']);

export const EMPTY_IMAGE: ClusterImage = Object.freeze({
  clusterId: null,
  featureLevel: 0,
  appliedOffset: 0,
  brokers: new Map(),
  topics: PersistentMap.empty<TopicImage>(),
  topicsById: PersistentMap.empty<TopicImage>(),
  deletedTopics: PersistentMap.empty<DeletedTopic>(),
  partitionCount: 0,
  loads: new Map(),
  foldedNames: PersistentMap.empty<string>(),
  nextProducerId: 0,
  outcomes: {
    current: PersistentMap.empty<Uint8Array>(),
    currentBytes: 0,
    previous: PersistentMap.empty<Uint8Array>(),
  },
});

export function isInternalTopic(name: string): boolean {
  return INTERNAL_TOPICS.has(name);
}

/** Brokers that clients may be sent to, by ascending node id. */
export function liveBrokers(image: ClusterImage): BrokerImage[] {
  return [...image.brokers.values()]
    .filter((broker) => !broker.isFenced)
    .sort((a, b) => a.nodeId - b.nodeId);
}

/** Answer remembered for a request id, if the operation was committed not too long ago. */
export function rememberedOutcome(image: ClusterImage, requestId: string): Uint8Array | undefined {
  return image.outcomes.current.get(requestId) ?? image.outcomes.previous.get(requestId);
}

/** The image after the records of one batch that lies at `baseOffset`. */
export function applyBatch(
  image: ClusterImage,
  records: readonly MetadataRecord[],
  baseOffset: Offset,
): ClusterImage {
  assert(baseOffset === image.appliedOffset, 'metadata batch is not the next one', {
    baseOffset,
    appliedOffset: image.appliedOffset,
  });
  let next = image;
  for (const record of records) next = applyRecord(next, record);
  return next;
}

/**
 * The image after the record at `image.appliedOffset`. Pure; throws when the record cannot follow.
 */
export function applyRecord(image: ClusterImage, record: MetadataRecord): ClusterImage {
  const changed = change(image, record);
  return { ...changed, appliedOffset: image.appliedOffset + 1 };
}

function change(image: ClusterImage, record: MetadataRecord): ClusterImage {
  switch (record.kind) {
    case 'cluster-id':
      assert(image.clusterId === null, 'the cluster id is committed once', {
        has: image.clusterId,
        gets: record.clusterId,
      });
      return { ...image, clusterId: record.clusterId };
    case 'feature-level':
      return setFeatureLevel(image, record.level);
    case 'register-broker':
      return registerBroker(image, record);
    case 'fence-broker':
    case 'unfence-broker':
      return setFenced(image, record);
    case 'create-topic':
      return createTopic(image, record);
    case 'add-partitions':
      return addPartitions(image, record);
    case 'topic-configs':
      return setConfigs(image, record);
    case 'delete-topic':
      return deleteTopic(image, record.topicId);
    case 'forget-deleted':
      return forgetDeleted(image, record.through);
    case 'producer-id-block':
      assert(record.firstProducerId === image.nextProducerId, 'producer id blocks are consecutive');
      return { ...image, nextProducerId: record.firstProducerId + record.count };
    case 'outcome':
      return rememberOutcome(image, record);
    default:
      return unreachable(record);
  }
}

function setFeatureLevel(image: ClusterImage, level: number): ClusterImage {
  if (level <= FEATURE_LEVEL_MAX) return { ...image, featureLevel: level };
  throw new LograftError(
    'CORRUPT',
    `the cluster is at feature level ${level}, known are levels up to ${FEATURE_LEVEL_MAX}`,
    'start this node with a newer lograft',
  );
}

function registerBroker(image: ClusterImage, record: RegisterBrokerRecord): ClusterImage {
  const { kind: _kind, ...fields } = record;
  const brokers = new Map(image.brokers);
  brokers.set(record.nodeId, { ...fields, isFenced: true, registeredAt: image.appliedOffset });
  return { ...image, brokers };
}

function setFenced(image: ClusterImage, record: FenceBrokerRecord): ClusterImage {
  const broker = image.brokers.get(record.nodeId);
  if (broker === undefined || broker.incarnation !== record.incarnation) return image;
  const brokers = new Map(image.brokers);
  brokers.set(record.nodeId, { ...broker, isFenced: record.kind === 'fence-broker' });
  return { ...image, brokers };
}

function createTopic(image: ClusterImage, record: CreateTopicRecord): ClusterImage {
  const { name, topicId } = record;
  assert(!image.topics.has(name), 'a created topic is new by name', { name, topicId });
  assert(!image.topicsById.has(topicId), 'a created topic is new by id', { name, topicId });
  return withTopic(image, {
    name,
    topicId,
    isInternal: isInternalTopic(name),
    configs: record.configs,
    partitions: partitionImages(record, 0),
    createdAt: image.appliedOffset,
  });
}

function addPartitions(image: ClusterImage, record: AddPartitionsRecord): ClusterImage {
  const topic = mustTopic(image, record.topicId);
  assert(record.firstPartition === topic.partitions.length, 'partitions are added at the end', {
    firstPartition: record.firstPartition,
    partitions: topic.partitions.length,
  });
  const added = partitionImages(record, record.firstPartition);
  return withTopic(image, { ...topic, partitions: [...topic.partitions, ...added] });
}

function partitionImages(
  record: CreateTopicRecord | AddPartitionsRecord,
  first: number,
): PartitionImage[] {
  return record.partitions.map((indexes, i) => ({
    partition: first + i,
    replicas: indexes.map((index) => {
      const voter = record.voters[index];
      assert(voter !== undefined, 'a replica index names a voter', { index });
      return voter;
    }),
  }));
}

function setConfigs(image: ClusterImage, record: TopicConfigsRecord): ClusterImage {
  return withTopic(image, { ...mustTopic(image, record.topicId), configs: record.configs });
}

function withTopic(image: ClusterImage, topic: TopicImage): ClusterImage {
  const before = image.topicsById.get(topic.topicId)?.partitions.length ?? 0;
  const added = topic.partitions.slice(before).map(({ replicas }) => replicas);
  const folded = foldTopicName(topic.name);
  return {
    ...image,
    topics: image.topics.with(topic.name, topic),
    topicsById: image.topicsById.with(topic.topicId, topic),
    partitionCount: image.partitionCount + added.length,
    loads: added.length === 0 ? image.loads : withLoad(image.loads, added, 1),
    foldedNames:
      before > 0 || folded === null
        ? image.foldedNames
        : image.foldedNames.with(folded, topic.name),
  };
}

function deleteTopic(image: ClusterImage, topicId: TopicId): ClusterImage {
  const topic = mustTopic(image, topicId);
  const deleted = { topicId, deletedAt: image.appliedOffset };
  const removed = topic.partitions.map(({ replicas }) => replicas);
  const folded = foldTopicName(topic.name);
  return {
    ...image,
    topics: image.topics.without(topic.name),
    topicsById: image.topicsById.without(topicId),
    deletedTopics: boundDeleted(image.deletedTopics.with(topicId, deleted)),
    partitionCount: image.partitionCount - removed.length,
    loads: withLoad(image.loads, removed, -1),
    foldedNames: folded === null ? image.foldedNames : image.foldedNames.without(folded),
  };
}

function forgetDeleted(image: ClusterImage, through: Offset): ClusterImage {
  const kept = [...image.deletedTopics].filter(([, deleted]) => deleted.deletedAt >= through);
  return { ...image, deletedTopics: PersistentMap.from(kept) };
}

/**
 * A broker that never comes back must not make tombstones grow for ever. Forgetting the oldest is
 * safe: a folder that neither the image nor a tombstone names is moved aside as stray, not deleted.
 */
function boundDeleted(deleted: PersistentMap<DeletedTopic>): PersistentMap<DeletedTopic> {
  if (deleted.size <= DELETED_TOPICS_MAX) return deleted;
  const newestFirst = [...deleted].sort((a, b) => b[1].deletedAt - a[1].deletedAt);
  return PersistentMap.from(newestFirst.slice(0, DELETED_TOPICS_MAX - DELETED_TOPICS_SLACK));
}

function rememberOutcome(image: ClusterImage, record: OutcomeRecord): ClusterImage {
  const { requestId, result } = record;
  const { current, currentBytes, previous } = image.outcomes;
  const isFull = current.size >= OUTCOMES_PER_GENERATION || currentBytes >= OUTCOME_BYTES_MAX;
  const kept = isFull ? PersistentMap.empty<Uint8Array>() : current;
  const outcomes = {
    current: kept.with(requestId, result),
    currentBytes: (isFull ? 0 : currentBytes) + result.length,
    previous: isFull ? current : previous,
  };
  return { ...image, outcomes };
}

function mustTopic(image: ClusterImage, topicId: TopicId): TopicImage {
  const topic = image.topicsById.get(topicId);
  assert(topic !== undefined, 'the record names a topic that exists', { topicId });
  return topic;
}
