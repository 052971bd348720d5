/**
 * Who leads what, as the partitions themselves tell it: the fact beside the image's wish. Entries
 * are merged so that order of arrival does not matter: a higher leader epoch wins, and within one
 * epoch (one leader, invariant R1) the higher version. One table on the main thread, a copy on each
 * shard.
 */
import type { NodeId, TopicId } from '../base/units.js';
import { LEADER_NONE } from '../base/units.js';
import type { ClusterImage } from './image.js';
import type { LeaderEntry } from './messages.js';

export class LeaderTable {
  readonly #topics = new Map<TopicId, Map<number, LeaderEntry>>();

  get(topicId: TopicId, partition: number): LeaderEntry | undefined {
    return this.#topics.get(topicId)?.get(partition);
  }

  /** Who leads the partition as far as it was told; -1 for nobody. */
  leaderOf(topicId: TopicId, partition: number): NodeId {
    return this.get(topicId, partition)?.leaderId ?? LEADER_NONE;
  }

  /** Merges entries and returns those that changed something (to be passed on to the shards). */
  merge(entries: readonly LeaderEntry[]): LeaderEntry[] {
    return entries.filter((entry) => this.#mergeOne(entry));
  }

  removeTopic(topicId: TopicId): void {
    this.#topics.delete(topicId);
  }

  /** Drops topics that the image says are deleted. */
  removeDeleted(image: ClusterImage): void {
    for (const topicId of this.#topics.keys()) {
      if (image.deletedTopics.has(topicId)) this.#topics.delete(topicId);
    }
  }

  /** Everything, for a shard or a node that starts with nothing. */
  *entries(): Generator<LeaderEntry> {
    for (const partitions of this.#topics.values()) yield* partitions.values();
  }

  #mergeOne(entry: LeaderEntry): boolean {
    const partitions = this.#topics.get(entry.topicId) ?? new Map<number, LeaderEntry>();
    const known = partitions.get(entry.partition);
    if (known !== undefined && !isNewer(entry, known)) return false;
    partitions.set(entry.partition, entry);
    this.#topics.set(entry.topicId, partitions);
    return true;
  }
}

/** What Metadata says of a partition: -1 when the leader is unknown, gone or fenced. */
export function leaderSeenByClients(
  image: ClusterImage,
  table: LeaderTable,
  topicId: TopicId,
  partition: number,
): NodeId {
  const entry = table.get(topicId, partition);
  if (entry === undefined || entry.leaderId === LEADER_NONE) return LEADER_NONE;
  const broker = image.brokers.get(entry.leaderId);
  return broker === undefined || broker.isFenced ? LEADER_NONE : entry.leaderId;
}

/** Whether every partition of the topic has a serving leader that clients may be sent to. */
export function hasLeaders(image: ClusterImage, table: LeaderTable, topicId: TopicId): boolean {
  const topic = image.topicsById.get(topicId);
  if (topic === undefined) return true;
  return topic.partitions.every(
    ({ partition }) => leaderSeenByClients(image, table, topicId, partition) !== LEADER_NONE,
  );
}

function isNewer(entry: LeaderEntry, known: LeaderEntry): boolean {
  if (entry.leaderEpoch !== known.leaderEpoch) return entry.leaderEpoch > known.leaderEpoch;
  return entry.version > known.version;
}
