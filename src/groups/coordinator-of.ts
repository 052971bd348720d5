/** Which partition of __consumer_offsets, and so which broker, coordinates a group. Pure. */
import { type GroupKey, OFFSETS_TOPIC } from '../base/group.js';
import type { TopicId } from '../base/units.js';

/** As much of an image as it takes. */
type Topics = {
  get(
    name: string,
  ): { readonly topicId: TopicId; readonly partitions: readonly unknown[] } | undefined;
};

/** Null before the topic is made. */
export function coordinatorOf(topics: Topics, groupId: string): GroupKey | null {
  const topic = topics.get(OFFSETS_TOPIC);
  if (topic === undefined) return null;
  return { topicId: topic.topicId, partition: partitionFor(groupId, topic.partitions.length) };
}

const INT32_MIN = -(2 ** 31);

/**
 * Kafka's rule: the absolute value of Java's `String.hashCode` (over UTF-16 code units, 32 bits)
 * modulo the number of partitions. The one value without an absolute value counts as 0.
 */
export function partitionFor(groupId: string, partitionCount: number): number {
  let hash = 0;
  for (let i = 0; i < groupId.length; i++) {
    hash = (Math.imul(hash, 31) + groupId.charCodeAt(i)) | 0;
  }
  return (hash === INT32_MIN ? 0 : Math.abs(hash)) % partitionCount;
}
