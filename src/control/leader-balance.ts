/**
 * Spreads leaders back after a failover: each node looks at the partitions it leads and gives those
 * away whose preferred leader (first replica) is live and in sync. Pure; each leader moves only its
 * own partitions, a few at a time, so no two nodes ever decide about the same one.
 */
import type { GroupKey } from '../base/group.js';
import type { NodeId } from '../base/units.js';
import type { ClusterImage } from './image.js';
import type { LeaderTable } from './leader-table.js';

export type LeaderTransfer = GroupKey & { readonly to: NodeId };

export type BalanceInput = {
  readonly image: ClusterImage;
  readonly table: LeaderTable;
  readonly self: NodeId;
  /** Nodes that were live long enough to be trusted with leadership again. */
  readonly isSteady: (nodeId: NodeId) => boolean;
  /** Partitions that came back, or never went, and are left where they are for a while. */
  readonly isResting?: (group: GroupKey) => boolean;
  readonly transfersMax: number;
};

/** Transfers that this node asks of its own partitions, at most `transfersMax`. */
export function balanceLeaders(input: BalanceInput): LeaderTransfer[] {
  const transfers: LeaderTransfer[] = [];
  for (const topic of input.image.topicsById.values()) {
    for (const { partition, replicas } of topic.partitions) {
      if (transfers.length >= input.transfersMax) return transfers;
      const to = replicas[0]?.nodeId;
      if (to === undefined || to === input.self) continue;
      const group = { topicId: topic.topicId, partition };
      if (mayMove(input, group, to)) transfers.push({ ...group, to });
    }
  }
  return transfers;
}

function mayMove(
  { image, table, self, isSteady, isResting }: BalanceInput,
  group: GroupKey,
  to: NodeId,
): boolean {
  const entry = table.get(group.topicId, group.partition);
  if (entry === undefined || entry.leaderId !== self || !entry.inSync.includes(to)) return false;
  const broker = image.brokers.get(to);
  if (broker === undefined || broker.isFenced || !isSteady(to)) return false;
  return isResting === undefined || !isResting(group);
}
