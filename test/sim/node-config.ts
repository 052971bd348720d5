/** The topics of a simulated cluster: their names, their ids and their configs in force. */
import { type GroupKey, OFFSETS_TOPIC, type VoterId } from '#src/base/group.js';
import type { PartitionSpec } from '#src/partition/shard.js';
import type { Plan } from './plan.js';

export const TOPIC = 'sim';
export const TOPIC_ID = 'c2ltdWxhdGVkdG9waWNpZA';

/** Of the topic that group coordinators write to. */
export const OFFSETS_TOPIC_ID = 'c2ltdWxhdGVkb2Zmc2V0cw';

export function topicOf({ topicId }: GroupKey): string {
  return topicId === OFFSETS_TOPIC_ID ? OFFSETS_TOPIC : TOPIC;
}

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
  const topic = topicOf(group);
  return { group, topic, isInternal: topic !== TOPIC, configs, voters };
}
