/** The topic of a simulated cluster: its name, its id and its configs in force. */
import type { GroupKey, VoterId } from '#src/base/group.js';
import type { PartitionSpec } from '#src/partition/shard.js';
import type { Plan } from './plan.js';

export const TOPIC = 'sim';
export const TOPIC_ID = 'c2ltdWxhdGVkdG9waWNpZA';

export function specOf(plan: Plan, group: GroupKey, voters: readonly VoterId[]): PartitionSpec {
  const { log } = plan;
  const configs: Record<string, string> = {
    'max.message.bytes': '1048588',
    'message.timestamp.type': 'CreateTime',
    'message.timestamp.before.max.ms': String(Number.MAX_SAFE_INTEGER),
    'message.timestamp.after.max.ms': String(Number.MAX_SAFE_INTEGER),
    'min.insync.replicas': '1',
    'segment.bytes': String(log.segmentBytes),
    'segment.ms': '604800000',
    'segment.index.bytes': '10485760',
    'index.interval.bytes': String(log.indexIntervalBytes),
    'retention.bytes': String(log.retentionBytes),
    'retention.ms': String(log.retentionMs),
    durability: log.durability,
  };
  return { group, topic: TOPIC, isInternal: false, configs, voters };
}
