/** Groups as ListGroups and DescribeGroups show them. Pure. */
import type { ClassicGroup } from './classic-group.js';
import {
  type DescribedGroup,
  EMPTY_BYTES,
  type GroupError,
  type ListGroupsRequest,
  type ListGroupsResponse,
} from './group-types.js';
import type { Rebalance } from './rebalance.js';

/** DescribeGroups: "authorized operations were not asked for". */
const OPERATIONS_NOT_ASKED = -(2 ** 31);

/** A group as DescribeGroups shows it. */
export function describeGroup(round: Rebalance): DescribedGroup {
  const { state, protocolName, members } = round;
  // Metadata and assignments belong to a generation: outside of one they are not shown.
  const isStable = state === 'Stable';
  return {
    error: null,
    groupId: round.groupId,
    groupState: state,
    protocolType: round.protocolType ?? '',
    protocolData: isStable ? (protocolName ?? '') : '',
    members: Array.from(members.all(), (member) => ({
      memberId: member.memberId,
      groupInstanceId: member.groupInstanceId,
      clientId: member.clientId,
      clientHost: member.clientHost,
      memberMetadata: (isStable && member.terms.protocols.get(protocolName ?? '')) || EMPTY_BYTES,
      memberAssignment: isStable ? member.assignment : EMPTY_BYTES,
    })),
    authorizedOperations: OPERATIONS_NOT_ASKED,
  };
}

/** A group that is not here is dead, says Kafka; with an error nothing is known of it. */
export function deadGroup(groupId: string, error: GroupError | null): DescribedGroup {
  return {
    error,
    groupId,
    groupState: error === null ? 'Dead' : '',
    protocolType: '',
    protocolData: '',
    members: [],
    authorizedOperations: OPERATIONS_NOT_ASKED,
  };
}

export function listGroups(
  groups: Iterable<ClassicGroup>,
  { statesFilter }: ListGroupsRequest,
): ListGroupsResponse['groups'] {
  const wanted = new Set(statesFilter.map((state) => state.trim().toLowerCase()));
  const listed: ListGroupsResponse['groups'][number][] = [];
  for (const { groupId, protocolType, state } of groups) {
    if (wanted.size > 0 && !wanted.has(state.toLowerCase())) continue;
    listed.push({ groupId, protocolType, groupState: state });
  }
  return listed;
}
