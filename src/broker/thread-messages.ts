/**
 * What the main thread and the shards of one broker say to each other. Plain data: everything here
 * survives structured clone. Calls have an answer, notices have none.
 */
import type { MessagePort } from 'node:worker_threads';
import type { GroupKey } from '../base/group.js';
import type { LogLevel } from '../base/log-levels.js';
import type { DirectoryId, NodeId, TopicId } from '../base/units.js';
import type { LeaderFact } from '../control/announcer.js';
import type { ImageDelta } from '../control/delta.js';
import type { LeaderEntry } from '../control/messages.js';
import type { ControlOp } from '../control/operations.js';
import type { PartitionFacts, ProduceOptions } from '../partition/access.js';
import type { Greeting } from '../replication/peer-frame.js';
import type { PeerAddress } from '../replication/peer-links.js';
import type { BrokerConfig } from './config.js';
import type { ShardMetricFacts } from './shard-metrics.js';

/** Everything a shard needs to begin; ports are transferred with it. */
export type ShardInit = {
  readonly index: number;
  readonly config: BrokerConfig;
  readonly clusterId: string | null;
  readonly directoryId: DirectoryId;
  readonly incarnation: string;
  readonly isCleanStop: boolean;
  readonly isPageCacheLost: boolean;
  readonly main: MessagePort;
  /** By shard index; null at this shard's own place. */
  readonly shards: readonly (MessagePort | null)[];
  /** What it counts in, see ShardCounters. */
  readonly counters: SharedArrayBuffer;
};

/** main → shard, notices by name. */
export type ShardNotices = {
  /** `isCurrent`: the image holds this process's own registration. */
  image: { readonly delta: ImageDelta; readonly isCurrent: boolean };
  leaders: readonly LeaderEntry[];
  controller: NodeId;
  'cluster-id': string;
  /** Nodes whose disk has no room, this one's own included. */
  'low-disks': readonly NodeId[];
  peers: readonly PeerAddress[];
  client: { readonly fd: number };
  'http-client': { readonly fd: number };
  peer: { readonly fd: number; readonly greeting: Greeting; readonly leftover: Uint8Array };
  'log-level': LogLevel;
  transfer: { readonly topicId: TopicId; readonly partition: number; readonly to: NodeId };
};

/** shard → main, notices by name. */
export type MainNotices = {
  /** A connection for the framework, and what was read of it. */
  'http-client': { readonly fd: number; readonly unread: Uint8Array };
  leadership: readonly LeaderFact[];
  /** Deletions committed below this offset are done on this shard's disk. */
  reconciled: {
    readonly shard: number;
    readonly offset: number;
    /** Replicas that could not be opened yet. */
    readonly unopened: number;
  };
};

/** shard → main, call 'control'. */
export type ControlCall = { readonly operation: ControlOp; readonly timeoutMs: number };

/** shard → main, call 'produce-elsewhere': for the partition's leader, wherever that is. */
export type ForwardedProduce = {
  readonly group: GroupKey;
  readonly bytes: Uint8Array;
  readonly options: ProduceOptions;
};

/** main → shard, call 'facts': what for. */
export type FactsCall = 'status' | 'metrics';
export type ShardFacts = {
  /** Null unless the call is for metrics. */
  readonly metrics: ShardMetricFacts | null;
  readonly partitions: readonly PartitionFacts[];
  readonly strays: readonly string[];
  readonly counters: Readonly<Record<string, number | boolean>>;
};
