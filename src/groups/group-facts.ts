/** Groups with members and committed offsets, for metrics. Bounded: what is left out is told. */
import type { GroupCoordinator } from './coordinator.js';

export type GroupFacts = {
  readonly groupId: string;
  readonly members: number;
  readonly offsets: readonly {
    readonly topic: string;
    readonly partition: number;
    readonly offset: number;
  }[];
};

export type GroupsFacts = { readonly groups: readonly GroupFacts[]; readonly leftOut: number };

/** At most `groupsMax` groups, in the order in which the coordinators know them. */
export function groupFacts(
  coordinators: Iterable<GroupCoordinator>,
  groupsMax: number,
): GroupsFacts {
  const groups: GroupFacts[] = [];
  let leftOut = 0;
  for (const { served } of coordinators) {
    for (const [groupId, group] of served?.groups ?? []) {
      if (groups.length >= groupsMax) {
        leftOut++;
        continue;
      }
      const committed = [...(served?.ledger.offsets.committedOf(groupId) ?? [])];
      const offsets = committed.flatMap(([topic, partitions]) =>
        partitions.map(([partition, { offset }]) => ({ topic, partition, offset })),
      );
      groups.push({ groupId, members: group.memberCount, offsets });
    }
  }
  return { groups, leftOut };
}
