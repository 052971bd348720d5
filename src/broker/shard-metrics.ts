/**
 * What only the shard knows at the time of a scrape: who owns the slots of its counters, its
 * groups, how full its queues are. Asked for with its facts, once a scrape. Shard thread.
 */
import type { TopicId } from '../base/units.js';
import type { HotDoor } from '../gateway/http/hot/hot-door.js';
import type { KafkaGateway } from '../gateway/kafka/kafka-gateway.js';
import type { GroupsFacts } from '../groups/group-facts.js';
import type { GroupHost } from '../groups/group-host.js';
import type { LoopMeter } from '../observability/loop-meter.js';
import type { ShardCounters } from '../observability/shard-counters.js';
import type { ThreadLink } from '../partition/thread-link.js';

export type ShardMetricFacts = {
  /** Topics by slot of the counters. */
  readonly owners: readonly (TopicId | null)[];
  readonly groups: GroupsFacts;
  readonly connections: { readonly kafka: number; readonly http: number };
  /** Of the fullest of its links to other threads. */
  readonly threadCalls: number;
  readonly heapUsedBytes: number;
};

export type ShardMetricParts = {
  readonly counters: ShardCounters;
  readonly loop: LoopMeter;
  readonly groups: GroupHost;
  readonly kafka: KafkaGateway;
  readonly http: HotDoor;
  readonly links: readonly (ThreadLink | null)[];
  /** metrics.groups.max */
  readonly groupsMax: number;
};

export function shardMetricFacts(parts: ShardMetricParts): ShardMetricFacts {
  const { counters, loop, groups, kafka, http, links, groupsMax } = parts;
  loop.watchGc();
  return {
    owners: counters.owners,
    groups: groups.facts(groupsMax),
    connections: { kafka: kafka.connectionCount, http: http.connectionCount },
    threadCalls: Math.max(0, ...links.map((link) => link?.openCalls ?? 0)),
    heapUsedBytes: process.memoryUsage().heapUsed,
  };
}
