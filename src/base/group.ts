/** Identity of a replicated group (one per partition) and of those who vote in it. */
import type { DirectoryId, NodeId, TopicId } from './units.js';

export type GroupKey = { readonly topicId: TopicId; readonly partition: number };

/** A voter is a node together with its log directory: a wiped disk is somebody else. */
export type VoterId = { readonly nodeId: NodeId; readonly directoryId: DirectoryId };

/** One text for maps and log lines. */
export function groupText(group: GroupKey): string {
  return `${group.topicId}:${group.partition}`;
}

export function isSameVoter(a: VoterId, b: VoterId): boolean {
  return a.nodeId === b.nodeId && a.directoryId === b.directoryId;
}

/** The metadata group lives on the main thread; its topic id is fixed (KRaft uses the same one). */
export const METADATA_GROUP: GroupKey = { topicId: 'AAAAAAAAAAAAAAAAAAAAAQ', partition: 0 };
export const METADATA_TOPIC = '__cluster_metadata';

/** Where group coordinators keep their words; its partitions elect the coordinators. */
export const OFFSETS_TOPIC = '__consumer_offsets';
