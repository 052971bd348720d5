/** What one scrape is made of, gathered before anything is written down. Types only. */
import type { Worker } from 'node:worker_threads';
import type { GroupKey } from '../../base/group.js';
import type { NodeId, Offset } from '../../base/units.js';
import type { ClusterImage } from '../../control/image.js';
import type { LeaderTable } from '../../control/leader-table.js';
import type { ShardCounters } from '../../observability/shard-counters.js';
import type { ShardFacts } from '../thread-messages.js';
import type { TopicNames } from './topic-names.js';

export type ScrapeInput = {
  readonly nodeId: NodeId;
  readonly shards: readonly ShardFacts[];
  /** By shard, as `shards` and `workers` are. */
  readonly counters: readonly ShardCounters[];
  readonly workers: readonly Worker[];
  readonly main: MainFacts;
  readonly image: ClusterImage;
  readonly leaders: LeaderTable;
  readonly names: TopicNames;
  /** A partition's high watermark as its leader says it; null when nobody does in time. */
  readonly endOffset: (group: GroupKey) => Promise<Offset | null>;
};

export type MainFacts = {
  readonly counters: ShardCounters;
  readonly httpConnections: number;
  readonly forwardedCalls: number;
  readonly threadCalls: number;
  /** max.connections */
  readonly connectionsMax: number;
};
