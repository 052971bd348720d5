/**
 * A generation as others see it: in the log, and in the answers to its members. Pure functions of
 * the group's rounds.
 */
import { subscribedTopics } from './consumer-subscription.js';
import type { GroupMetadata } from './group-records.js';
import { EMPTY_BYTES, type JoinedMember, type JoinResponse } from './group-types.js';
import type { GroupMember } from './members.js';
import type { Rebalance } from './rebalance.js';

/** The group's record with these assignments. */
export function metadataOf(
  { members, protocolType, protocolName, generation, leaderId }: Rebalance,
  assignments: ReadonlyMap<string, Buffer>,
  currentStateTimestamp: number,
): GroupMetadata {
  return {
    protocolType: protocolType ?? '',
    generation,
    protocol: protocolName,
    leader: leaderId,
    currentStateTimestamp,
    members: Array.from(members.all(), (member) => ({
      memberId: member.memberId,
      groupInstanceId: member.groupInstanceId,
      clientId: member.clientId,
      clientHost: member.clientHost,
      rebalanceTimeoutMs: member.terms.rebalanceTimeoutMs,
      sessionTimeoutMs: member.terms.sessionTimeoutMs,
      subscription: member.terms.protocols.get(protocolName ?? '') ?? EMPTY_BYTES,
      assignment: assignments.get(member.memberId) ?? EMPTY_BYTES,
    })),
  };
}

/** A successful answer to a join of the current generation; its leader hears of everybody. */
export function joinResponseOf(round: Rebalance, { memberId }: GroupMember): JoinResponse {
  const { generation, protocolType, protocolName, leaderId } = round;
  return {
    error: null,
    generationId: generation,
    protocolType,
    protocolName,
    leader: leaderId ?? '',
    skipAssignment: false,
    memberId,
    members: leaderId === memberId ? joinedMembers(round) : [],
  };
}

/** Topics that the members of a consumer group read; null when somebody's cannot be read. */
export function topicsOf(round: Rebalance): ReadonlySet<string> | null {
  const topics = new Set<string>();
  for (const { metadata } of joinedMembers(round)) {
    const subscribed = subscribedTopics(metadata);
    if (subscribed === null) return null;
    for (const topic of subscribed) topics.add(topic);
  }
  return topics;
}

function joinedMembers({ members, protocolName }: Rebalance): JoinedMember[] {
  return Array.from(members.all(), ({ memberId, groupInstanceId, terms }) => ({
    memberId,
    groupInstanceId,
    metadata: terms.protocols.get(protocolName ?? '') ?? EMPTY_BYTES,
  }));
}
