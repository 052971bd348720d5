/**
 * What a handler may see of the broker. One handler decides one Kafka API: a request object in, a
 * response object out, no sockets and no files. The composition root fills this in per shard.
 */
import type { Clock } from '../base/clock.js';
import type { GroupKey } from '../base/group.js';
import type { NodeId, TopicId } from '../base/units.js';
import type { ClusterImage } from '../control/image.js';
import type { LeaderTable } from '../control/leader-table.js';
import type { ControlOp, ControlResult } from '../control/operations.js';
import type { ConfigEntry } from '../control/topic-config.js';
import type {
  ClientContext,
  DeleteGroupResponse,
  DescribedGroup,
  GroupNamed,
  HeartbeatRequest,
  HeartbeatResponse,
  JoinRequest,
  JoinResponse,
  LeaveRequest,
  LeaveResponse,
  ListGroupsRequest,
  ListGroupsResponse,
  OffsetCommitRequest,
  OffsetCommitResponse,
  OffsetDeleteRequest,
  OffsetDeleteResponse,
  OffsetFetchRequest,
  OffsetFetchResponse,
  SyncRequest,
  SyncResponse,
} from '../groups/group-types.js';
import type { PartitionAccess } from '../partition/access.js';
import type { Api, Decoded, Encodable } from '../protocol/schema.js';

/** Settings that handlers look at; Kafka's names in comments. */
export type HandlerSettings = {
  /** auto.create.topics.enable */
  readonly isAutoCreate: boolean;
  /** offsets.topic.num.partitions */
  readonly offsetsPartitions: number;
  /** offsets.topic.replication.factor */
  readonly offsetsReplicationFactor: number;
  /** fetch.max.bytes */
  readonly fetchBytesMax: number;
};

/** Every call a group coordinator answers: what goes in and what comes out. */
export type GroupCalls = {
  join: [JoinRequest & ClientContext, JoinResponse];
  sync: [SyncRequest, SyncResponse];
  heartbeat: [HeartbeatRequest, HeartbeatResponse];
  leave: [LeaveRequest, LeaveResponse];
  commitOffsets: [OffsetCommitRequest, OffsetCommitResponse];
  fetchOffsets: [OffsetFetchRequest, OffsetFetchResponse];
  deleteOffsets: [OffsetDeleteRequest, OffsetDeleteResponse];
  describe: [GroupNamed, DescribedGroup];
  deleteGroup: [GroupNamed, DeleteGroupResponse];
};

/**
 * Runs one call at the coordinator of `groupId` if this broker holds its partition, whichever shard
 * that is on; null when it does not.
 */
export type CallGroup = <M extends keyof GroupCalls>(
  method: M,
  groupId: string,
  request: GroupCalls[M][0],
  done: (response: GroupCalls[M][1] | null) => void,
) => void;

export type HandlerContext = {
  readonly nodeId: NodeId;
  readonly clock: Clock;
  readonly settings: HandlerSettings;
  image(): ClusterImage;
  /** False while this broker starts: what the image lacks may well exist. */
  isCurrent(): boolean;
  leaders(): LeaderTable;
  /** The controller as this node knows it; -1 for nobody. */
  controllerId(): NodeId;
  partition(group: GroupKey): PartitionAccess;
  /** Records of a topic left for a client. */
  sent(topicId: TopicId, bytes: number, records: number): void;
  control<K extends ControlOp['kind']>(
    operation: Extract<ControlOp, { kind: K }>,
    timeoutMs: number,
  ): Promise<ControlResult<K>>;
  readonly callGroup: CallGroup;
  /** Groups of every coordinator of this broker. */
  listGroups(request: ListGroupsRequest, done: (response: ListGroupsResponse) => void): void;
  /** The next unused producer id of this broker's block. */
  nextProducerId(): Promise<number>;
  /** This node's status document as JSON. */
  status(): Promise<string>;
  /** An administrative command as JSON, answered with JSON. */
  admin(command: string): Promise<string>;
  /** Effective settings of a topic or of this broker, for DescribeConfigs. */
  readonly configs: ConfigReader;
};

/** Values in force with their sources; `names` null for all. */
export type ConfigReader = {
  topic(
    configs: Readonly<Record<string, string>>,
    names: readonly string[] | null,
  ): readonly ConfigEntry[];
  broker(names: readonly string[] | null): readonly ConfigEntry[];
};

/** External parts of a response: bytes of a file that follow by sendfile. */
export type FileRange = {
  readonly fd: number;
  readonly filePosition: number;
  /** The bytes where they are not in the file yet. */
  readonly bytes: Uint8Array | null;
};

export type RequestInfo = {
  readonly apiVersion: number;
  readonly clientId: string | null;
  /** Address of the client, without its port. */
  readonly clientHost: string;
  /** Called when the client has gone: who waits for something adds itself, and takes itself out. */
  readonly onGone: Set<() => void>;
};

/** In place of an answer: closes the connection, with a reason for the log. */
export class HangUp {
  readonly reason: string;

  constructor(reason: string) {
    this.reason = reason;
  }
}

/** Calls `respond` exactly once, now or later; null means that nothing is sent (acks=0). */
export type Handler<A extends Api> = (
  context: HandlerContext,
  request: Decoded<A['request']>,
  info: RequestInfo,
  respond: (response: Encodable<A['response']> | HangUp | null) => void,
) => void;
