/** The partitions that a consumer instance reads now, and how far it is in each. */
import type { GroupKey } from '../../../base/group.js';
import type { Offset } from '../../../base/units.js';
import type { HttpContext } from '../context.js';
import { partitionOf, topicNamed } from '../topics.js';

export type TopicPartition = { readonly topic: string; readonly partition: number };
export type TopicPartitionOffset = TopicPartition & { readonly offset: Offset };

export type Owned = TopicPartition & {
  readonly group: GroupKey;
  /** Next record to give out; null before it is known. */
  position: Offset | null;
  /** Below it everything was given out before the latest request: the client is done with that. */
  processed: Offset | null;
};

/** Replaced as a whole when the assignment changes: whoever read for an old one notices. */
export type OwnedMap = ReadonlyMap<string, Owned>;

export function ownedKey({ topic, partition }: TopicPartition): string {
  return `${partition} ${topic}`;
}

/** Those of `kept` keep their positions. Partitions that do not exist (any more) are left out. */
export function ownedOf(
  context: HttpContext,
  partitions: Iterable<TopicPartition>,
  kept: OwnedMap,
): OwnedMap {
  const owned = new Map<string, Owned>();
  for (const { topic, partition } of partitions) {
    const image = context.image().topics.get(topic);
    if (image?.partitions[partition] === undefined) continue;
    const group = { topicId: image.topicId, partition };
    const key = ownedKey({ topic, partition });
    const former = kept.get(key);
    const isSame = former?.group.topicId === image.topicId;
    owned.set(key, isSame ? former : { topic, partition, group, position: null, processed: null });
  }
  return owned;
}

/** Throws Problem 404. */
export function mustExist(context: HttpContext, partitions: readonly TopicPartition[]): void {
  for (const { topic, partition } of partitions) partitionOf(topicNamed(context, topic), partition);
}

/** By topic, as the coordinator wants them. */
export function byTopic<T extends TopicPartition>(
  partitions: Iterable<T>,
): { name: string; partitions: T[] }[] {
  const topics = new Map<string, T[]>();
  for (const partition of partitions) {
    const list = topics.get(partition.topic) ?? [];
    topics.set(partition.topic, list);
    list.push(partition);
  }
  return [...topics].map(([name, list]) => ({ name, partitions: list }));
}
