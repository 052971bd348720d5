/**
 * What may be asked of the controller, and the answers: plain objects that cross threads and nodes
 * unchanged. Error names are Kafka's; `message` is null when there is nothing to say (clients
 * compare).
 */
import type { DirectoryId, NodeId, Offset, TopicId } from '../base/units.js';
import type { Endpoint } from './records.js';

/** The closed set of errors the controller answers with, under Kafka's names. */
export type ControlError =
  | 'INVALID_TOPIC_EXCEPTION'
  | 'TOPIC_ALREADY_EXISTS'
  | 'UNKNOWN_TOPIC_OR_PARTITION'
  | 'UNKNOWN_TOPIC_ID'
  | 'INVALID_PARTITIONS'
  | 'INVALID_REPLICATION_FACTOR'
  | 'INVALID_REPLICA_ASSIGNMENT'
  | 'INVALID_CONFIG'
  | 'INVALID_REQUEST'
  | 'POLICY_VIOLATION'
  | 'DUPLICATE_BROKER_REGISTRATION'
  | 'STALE_BROKER_EPOCH';

export type Refusal = { readonly error: ControlError; readonly message: string | null };

/** `error: null` means done. */
export type Outcome = { readonly error: ControlError | null; readonly message: string | null };

export type NewTopic = {
  readonly name: string;
  /** -1 takes the broker's `num.partitions`. */
  readonly partitions: number;
  /** -1 takes `default.replication.factor`. */
  readonly replicationFactor: number;
  /** Node ids per partition, preferred leader first; null lets placement choose. */
  readonly assignments: readonly (readonly NodeId[])[] | null;
  readonly configs: Readonly<Record<string, string>>;
};

export type CreateTopicsOp = {
  readonly kind: 'createTopics';
  readonly topics: readonly NewTopic[];
  readonly isValidateOnly: boolean;
};

export type TopicRef = { readonly name: string } | { readonly topicId: TopicId };

export type DeleteTopicsOp = {
  readonly kind: 'deleteTopics';
  readonly topics: readonly TopicRef[];
};

export type CreatePartitionsOp = {
  readonly kind: 'createPartitions';
  readonly topics: readonly {
    readonly name: string;
    /** The new total. */
    readonly count: number;
    /** Node ids of each added partition; null lets placement choose. */
    readonly assignments: readonly (readonly NodeId[])[] | null;
  }[];
  readonly isValidateOnly: boolean;
};

export type ConfigChange = {
  readonly name: string;
  readonly operation: 'set' | 'delete' | 'append' | 'subtract';
  /** Ignored by `delete`. */
  readonly value: string | null;
};

export type AlterConfigsOp = {
  readonly kind: 'alterConfigs';
  readonly topics: readonly {
    readonly name: string;
    readonly changes: readonly ConfigChange[];
  }[];
  readonly isValidateOnly: boolean;
};

export type RegisterBrokerOp = {
  readonly kind: 'registerBroker';
  readonly nodeId: NodeId;
  readonly directoryId: DirectoryId;
  readonly incarnation: string;
  readonly kafka: Endpoint;
  readonly peer: Endpoint;
  readonly rack: string | null;
  readonly shards: number;
};

export type AllocateProducerIdsOp = {
  readonly kind: 'allocateProducerIds';
  readonly nodeId: NodeId;
};

export type ControlOp =
  | CreateTopicsOp
  | DeleteTopicsOp
  | CreatePartitionsOp
  | AlterConfigsOp
  | RegisterBrokerOp
  | AllocateProducerIdsOp;

export type CreatedTopic = Outcome & {
  readonly name: string;
  /** Null when refused or only validated. */
  readonly topicId: TopicId | null;
  /** -1 when refused. */
  readonly partitions: number;
  readonly replicationFactor: number;
};

export type DeletedTopicResult = Outcome & {
  readonly name: string | null;
  readonly topicId: TopicId | null;
};

export type NamedOutcome = Outcome & { readonly name: string };

/** Answer of each operation; per topic in the order asked. */
export type ControlResults = {
  createTopics: readonly CreatedTopic[];
  deleteTopics: readonly DeletedTopicResult[];
  createPartitions: readonly NamedOutcome[];
  alterConfigs: readonly NamedOutcome[];
  /** `isStranger`: the node id belongs to another directory; this one neither votes nor counts. */
  registerBroker: Outcome & { readonly isStranger: boolean };
  allocateProducerIds: Outcome & { readonly firstProducerId: number; readonly count: number };
};

export type ControlResult<K extends ControlOp['kind']> = {
  /** A broker that has applied up to here (exclusive) has seen the outcome. */
  readonly offset: Offset;
  readonly value: ControlResults[K];
};
