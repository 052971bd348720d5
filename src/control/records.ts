/**
 * The metadata log's records: what the cluster has decided, in order. One record is the value of
 * one Kafka record; one operation is one record batch, so it commits whole or not at all.
 *
 *   value = msgpack map { kind, version, ...fields }   (useRecords: false, self-contained)
 *
 * A kind or version this program does not know stops it: skipping a decision would make its image
 * differ from the others' (invariant R5). Runs on any thread; pure.
 */
import { Packr } from 'msgpackr';
import { LograftError } from '../base/errors.js';
import type { VoterId } from '../base/group.js';
import { isPlainMsgpack } from '../base/plain-msgpack.js';
import type { DirectoryId, NodeId, Offset, TopicId } from '../base/units.js';

export type Endpoint = { readonly host: string; readonly port: number };

/** The first leader of the metadata group names the cluster; committed once. */
export type ClusterIdRecord = { readonly kind: 'cluster-id'; readonly clusterId: string };

/** Which record kinds may be written from here on; a node that does not know the level stops. */
export type FeatureLevelRecord = { readonly kind: 'feature-level'; readonly level: number };

/** A broker process introduces itself; it stays fenced until it has caught up and is ready. */
export type RegisterBrokerRecord = {
  readonly kind: 'register-broker';
  readonly nodeId: NodeId;
  readonly directoryId: DirectoryId;
  /** Random id of one process start. */
  readonly incarnation: string;
  readonly kafka: Endpoint;
  readonly peer: Endpoint;
  readonly rack: string | null;
  readonly shards: number;
};

/** Fencing names the incarnation, so that a late fence never hits a restarted broker. */
export type FenceBrokerRecord = {
  readonly kind: 'fence-broker' | 'unfence-broker';
  readonly nodeId: NodeId;
  readonly incarnation: string;
};

/**
 * Replica lists are indexes into `voters`, because a topic of a thousand partitions names the same
 * few directories again and again. The first replica of a partition is its preferred leader.
 */
export type CreateTopicRecord = {
  readonly kind: 'create-topic';
  readonly name: string;
  readonly topicId: TopicId;
  readonly configs: Readonly<Record<string, string>>;
  readonly voters: readonly VoterId[];
  readonly partitions: readonly (readonly number[])[];
};

export type AddPartitionsRecord = {
  readonly kind: 'add-partitions';
  readonly topicId: TopicId;
  /** Number of the first new partition: equals the partition count before this record. */
  readonly firstPartition: number;
  readonly voters: readonly VoterId[];
  readonly partitions: readonly (readonly number[])[];
};

export type DeleteTopicRecord = { readonly kind: 'delete-topic'; readonly topicId: TopicId };

/** Every broker has removed what was deleted below `through`: its tombstones may go. */
export type ForgetDeletedRecord = { readonly kind: 'forget-deleted'; readonly through: Offset };

/** The topic's whole set of dynamic configs after the change. */
export type TopicConfigsRecord = {
  readonly kind: 'topic-configs';
  readonly topicId: TopicId;
  readonly configs: Readonly<Record<string, string>>;
};

export type ProducerIdBlockRecord = {
  readonly kind: 'producer-id-block';
  readonly nodeId: NodeId;
  readonly firstProducerId: number;
  readonly count: number;
};

/** Answer of an operation, beside its records, so that a retry hears the answer and not a lie. */
export type OutcomeRecord = {
  readonly kind: 'outcome';
  readonly requestId: string;
  /** The result as msgpack. */
  readonly result: Uint8Array;
};

export type MetadataRecord =
  | ClusterIdRecord
  | FeatureLevelRecord
  | RegisterBrokerRecord
  | FenceBrokerRecord
  | CreateTopicRecord
  | AddPartitionsRecord
  | DeleteTopicRecord
  | ForgetDeletedRecord
  | TopicConfigsRecord
  | ProducerIdBlockRecord
  | OutcomeRecord;

/** Highest feature level this program understands, and the one a new cluster starts with. */
export const FEATURE_LEVEL_MAX = 1;

/** Highest version of each kind that this program reads; it writes exactly this one. */
const VERSIONS: Readonly<Record<MetadataRecord['kind'], number>> = {
  'cluster-id': 0,
  'feature-level': 0,
  'register-broker': 0,
  'fence-broker': 0,
  'unfence-broker': 0,
  'create-topic': 0,
  'add-partitions': 0,
  'delete-topic': 0,
  'forget-deleted': 0,
  'topic-configs': 0,
  'producer-id-block': 0,
  outcome: 0,
};

/** Copies byte fields: a view would keep the whole read buffer of the log in memory. */
const packr = new Packr({ useRecords: false, copyBuffers: true });

/** Value bytes of one record. */
export function encodeRecord(record: MetadataRecord): Buffer {
  return packr.pack({ version: VERSIONS[record.kind], ...record });
}

/** Reads one record's value. Throws `CORRUPT` on bytes, kinds or versions it does not know. */
export function decodeRecord(value: Uint8Array): MetadataRecord {
  const { version, ...record } = unpackMap(value);
  const { kind } = record;
  if (typeof kind !== 'string' || !Object.hasOwn(VERSIONS, kind)) {
    throw newerFormat(`metadata record of unknown kind ${JSON.stringify(kind)}`);
  }
  const known = VERSIONS[kind as MetadataRecord['kind']];
  if (typeof version !== 'number' || version < 0 || version > known) {
    throw newerFormat(`metadata record ${kind} of version ${String(version)} (known: ${known})`);
  }
  return record as unknown as MetadataRecord;
}

function unpackMap(value: Uint8Array): Record<string, unknown> {
  if (!isPlainMsgpack(value, 0, value.length)) {
    throw new LograftError('CORRUPT', 'metadata record is not plain msgpack');
  }
  let decoded: unknown;
  try {
    decoded = packr.unpack(value);
  } catch (error) {
    throw new LograftError('CORRUPT', 'metadata record is not msgpack', undefined, {
      cause: error,
    });
  }
  if (typeof decoded === 'object' && decoded !== null && !Array.isArray(decoded)) {
    return decoded as Record<string, unknown>;
  }
  throw new LograftError('CORRUPT', `metadata record is not a map but ${typeof decoded}`);
}

function newerFormat(what: string): LograftError {
  return new LograftError(
    'CORRUPT',
    `${what} in the metadata log`,
    'a newer lograft wrote it: start this node with that version or newer',
  );
}
