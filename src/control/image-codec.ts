/**
 * The image as bytes. Everything is written in sorted order, so equal images give equal bytes on
 * every node, whatever history led there, and the hash of the bytes can be compared (invariant R5).
 *
 *   msgpack map { version, clusterId, …, brokers: [...], topics: [...], deleted: [...], … }
 *
 * Replica lists are indexes into one table of voters. `snapshot-file.ts` adds the checksum.
 */
import { Packr } from 'msgpackr';
import { LograftError } from '../base/errors.js';
import type { VoterId } from '../base/group.js';
import type { NodeId, Offset, TopicId } from '../base/units.js';
import {
  type BrokerImage,
  type ClusterImage,
  type DeletedTopic,
  isInternalTopic,
  type TopicImage,
} from './image.js';
import { withLoad } from './load.js';
import { PersistentMap } from './persistent-map.js';
import { foldTopicName } from './topic-name.js';

const IMAGE_VERSION = 0;

type PackedTopic = {
  readonly name: string;
  readonly topicId: TopicId;
  readonly createdAt: Offset;
  /** Sorted by name. */
  readonly configs: readonly (readonly [string, string])[];
  readonly partitions: readonly (readonly number[])[];
};

type PackedImage = {
  readonly version: number;
  readonly clusterId: string | null;
  readonly featureLevel: number;
  readonly appliedOffset: Offset;
  readonly nextProducerId: number;
  readonly brokers: readonly BrokerImage[];
  readonly voters: readonly VoterId[];
  readonly topics: readonly PackedTopic[];
  readonly deleted: readonly DeletedTopic[];
  readonly currentBytes: number;
  readonly current: readonly (readonly [string, Uint8Array])[];
  readonly previous: readonly (readonly [string, Uint8Array])[];
};

/** Copies byte fields: a view would keep the whole snapshot in memory. */
const packr = new Packr({ useRecords: false, copyBuffers: true });

export function encodeImage(image: ClusterImage): Buffer {
  const topics = sortedEntries(image.topics).map(([, topic]) => topic);
  const voters = new VoterTable();
  const packed: PackedImage = {
    version: IMAGE_VERSION,
    clusterId: image.clusterId,
    featureLevel: image.featureLevel,
    appliedOffset: image.appliedOffset,
    nextProducerId: image.nextProducerId,
    brokers: [...image.brokers.values()].sort((a, b) => a.nodeId - b.nodeId).map(packBroker),
    topics: topics.map((topic) => packTopic(topic, voters)),
    voters: voters.list,
    deleted: sortedEntries(image.deletedTopics).map(([topicId, { deletedAt }]) => ({
      topicId,
      deletedAt,
    })),
    currentBytes: image.outcomes.currentBytes,
    current: sortedEntries(image.outcomes.current),
    previous: sortedEntries(image.outcomes.previous),
  };
  return packr.pack(packed);
}

/**
 * Reads what `encodeImage` wrote. Throws `CORRUPT` for another version; the caller checks the sum.
 */
export function decodeImage(bytes: Uint8Array): ClusterImage {
  const packed = packr.unpack(bytes) as PackedImage;
  if (packed.version !== IMAGE_VERSION) {
    throw new LograftError(
      'CORRUPT',
      `cluster image of version ${String(packed.version)} (known: ${IMAGE_VERSION})`,
      'a newer lograft wrote it: start this node with that version or newer',
    );
  }
  const topics = packed.topics.map((topic) => unpackTopic(topic, packed.voters));
  const replicas = topics.flatMap((topic) =>
    topic.partitions.map((partition) => partition.replicas),
  );
  return {
    clusterId: packed.clusterId,
    featureLevel: packed.featureLevel,
    appliedOffset: packed.appliedOffset,
    brokers: new Map<NodeId, BrokerImage>(packed.brokers.map((broker) => [broker.nodeId, broker])),
    topics: PersistentMap.from(topics.map((topic) => [topic.name, topic])),
    topicsById: PersistentMap.from(topics.map((topic) => [topic.topicId, topic])),
    deletedTopics: PersistentMap.from(packed.deleted.map((entry) => [entry.topicId, entry])),
    partitionCount: replicas.length,
    loads: withLoad(new Map(), replicas, 1),
    foldedNames: PersistentMap.from(topics.flatMap(foldedEntry)),
    nextProducerId: packed.nextProducerId,
    outcomes: {
      current: PersistentMap.from(packed.current),
      currentBytes: packed.currentBytes,
      previous: PersistentMap.from(packed.previous),
    },
  };
}

/** Fields in one fixed order: msgpack keeps the order in which an object was built. */
function packBroker(broker: BrokerImage): BrokerImage {
  return {
    nodeId: broker.nodeId,
    directoryId: broker.directoryId,
    incarnation: broker.incarnation,
    kafka: { host: broker.kafka.host, port: broker.kafka.port },
    peer: { host: broker.peer.host, port: broker.peer.port },
    rack: broker.rack,
    shards: broker.shards,
    isFenced: broker.isFenced,
    registeredAt: broker.registeredAt,
  };
}

function packTopic(topic: TopicImage, voters: VoterTable): PackedTopic {
  return {
    name: topic.name,
    topicId: topic.topicId,
    createdAt: topic.createdAt,
    configs: Object.entries(topic.configs).sort(byKey),
    partitions: topic.partitions.map(({ replicas }) => replicas.map((v) => voters.indexOf(v))),
  };
}

function unpackTopic(packed: PackedTopic, voters: readonly VoterId[]): TopicImage {
  const { name, topicId, createdAt } = packed;
  return {
    name,
    topicId,
    isInternal: isInternalTopic(name),
    configs: Object.fromEntries(packed.configs),
    partitions: packed.partitions.map((indexes, partition) => ({
      partition,
      replicas: indexes.map((index) => voters[index] as VoterId),
    })),
    createdAt,
  };
}

function foldedEntry({ name }: TopicImage): [string, string][] {
  const folded = foldTopicName(name);
  return folded === null ? [] : [[folded, name]];
}

/** Distinct voters in order of first use. */
export class VoterTable {
  readonly list: VoterId[] = [];
  readonly #indexes = new Map<string, number>();

  indexOf(voter: VoterId): number {
    const key = `${voter.nodeId}@${voter.directoryId}`;
    const known = this.#indexes.get(key);
    if (known !== undefined) return known;
    this.#indexes.set(key, this.list.length);
    return this.list.push({ nodeId: voter.nodeId, directoryId: voter.directoryId }) - 1;
  }
}

function sortedEntries<V>(map: ReadonlyMap<string, V>): [string, V][] {
  return [...map].sort(byKey);
}

function byKey(a: readonly [string, unknown], b: readonly [string, unknown]): number {
  return a[0] < b[0] ? -1 : a[0] > b[0] ? 1 : 0;
}
