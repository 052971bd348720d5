/** Positions that a group has stored, and storing them. */
import type { Offset } from '../../../base/units.js';
import type { HttpContext } from '../context.js';
import { Problem } from '../problem.js';
import { askCoordinator, errorsOf, GENERATION_OVER, noCoordinator } from './ask-coordinator.js';
import type { Identity } from './membership.js';
import { byTopic, ownedKey, type TopicPartition, type TopicPartitionOffset } from './owned.js';

export type Committed = TopicPartitionOffset & { readonly metadata: string };

/** As nobody's member. */
export const NO_MEMBER: Identity = { memberId: '', generationId: -1 };

/** `offset` is the next one to read, as everywhere in Kafka. Throws Problem. */
export async function commitOffsets(
  context: HttpContext,
  groupId: string,
  identity: Identity,
  offsets: readonly TopicPartitionOffset[],
): Promise<void> {
  if (offsets.length === 0) return;
  const topics = byTopic(offsets).map(({ name, partitions }) => ({
    name,
    partitions: partitions.map(({ partition, offset }) => ({
      partitionIndex: partition,
      committedOffset: offset,
      committedLeaderEpoch: -1,
      committedMetadata: '',
    })),
  }));
  const request = { groupId, ...identity, groupInstanceId: null, retentionTimeMs: -1, topics };
  const response = await askCoordinator(context, 'commitOffsets', request);
  if (response === null) throw noCoordinator(groupId);
  const [error] = errorsOf(response);
  if (error === undefined) return;
  if (!GENERATION_OVER.has(error)) {
    throw new Problem(409, error, `the offsets were refused: ${error}`);
  }
  const text = 'the group has rebalanced: the partitions may be with another consumer now';
  throw new Problem(409, 'REBALANCED', `${text} (${error})`);
}

/** Of these partitions, or (null) of all, those that have one; by {@link ownedKey}. */
export async function committedOffsets(
  context: HttpContext,
  groupId: string,
  partitions: readonly TopicPartition[] | null,
): Promise<ReadonlyMap<string, Committed>> {
  const found = new Map<string, Committed>();
  if (partitions?.length === 0) return found;
  const named = partitions === null ? null : byTopic(partitions);
  const topics =
    named?.map((topic) => ({
      name: topic.name,
      partitionIndexes: topic.partitions.map(({ partition }) => partition),
    })) ?? null;
  const request = { groupId, topics };
  const response = await askCoordinator(context, 'fetchOffsets', request);
  if (response === null) throw noCoordinator(groupId);
  const [error] = errorsOf(response);
  if (error !== undefined)
    throw new Problem(409, error, `no offsets of group ${groupId}: ${error}`);
  for (const { name: topic, partitions: answered } of response.topics) {
    for (const { partitionIndex: partition, committedOffset: offset, metadata } of answered) {
      if (offset < 0) continue;
      found.set(ownedKey({ topic, partition }), { topic, partition, offset, metadata });
    }
  }
  return found;
}

/** Of records that were given out: those the client is done with, or all. */
export function positionsOf(
  owned: Iterable<TopicPartition & Readonly<Record<'position' | 'processed', Offset | null>>>,
  which: 'position' | 'processed',
): TopicPartitionOffset[] {
  const offsets: TopicPartitionOffset[] = [];
  for (const { topic, partition, [which]: offset } of owned) {
    if (offset !== null) offsets.push({ topic, partition, offset });
  }
  return offsets;
}
