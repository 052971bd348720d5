/**
 * Which request a classic group refuses, and with which error. Kafka's rules in Kafka's order of
 * checks: clients depend on which error comes first. Nothing here changes anything. Pure.
 */
import { CONSUMER_PROTOCOL_TYPE } from './consumer-subscription.js';
import type {
  ClientContext,
  GroupError,
  GroupSettings,
  JoinRequest,
  SyncRequest,
} from './group-types.js';
import { MEMBER_PROTOCOLS_MAX, TEXT_BYTES_MAX } from './limits.js';
import type { Members } from './members.js';
import type { Rebalance } from './rebalance.js';

/** Who commits offsets. */
export type CommitIdentity = {
  readonly generationId: number;
  readonly memberId: string;
  readonly groupInstanceId: string | null;
};

/** What a join must fulfil whatever group it is for. */
export function joinRefusal(
  request: JoinRequest & ClientContext,
  settings: GroupSettings,
): GroupError | null {
  const { sessionTimeoutMs, clientId, clientHost, groupInstanceId, protocolType } = request;
  if (
    sessionTimeoutMs < settings.groupMinSessionTimeoutMs ||
    sessionTimeoutMs > settings.groupMaxSessionTimeoutMs
  ) {
    return 'INVALID_SESSION_TIMEOUT';
  }
  const texts = [clientId, clientHost, groupInstanceId ?? '', protocolType];
  for (const { name } of request.protocols) texts.push(name);
  return texts.some((text) => Buffer.byteLength(text) > TEXT_BYTES_MAX) ? 'INVALID_REQUEST' : null;
}

/** Is it who it says it is? A static member that was replaced is fenced (KIP-345). */
export function memberError(
  members: Members,
  memberId: string,
  groupInstanceId: string | null,
): GroupError | null {
  if (groupInstanceId !== null) {
    const holder = members.staticMemberId(groupInstanceId);
    if (holder === undefined) return 'UNKNOWN_MEMBER_ID';
    if (holder !== memberId) return 'FENCED_INSTANCE_ID';
  }
  return members.has(memberId) ? null : 'UNKNOWN_MEMBER_ID';
}

/** group.max.size, counted as Kafka does: in a round only those who came back take a place. */
export function hasRoomFor(
  { members, state, pending }: Rebalance,
  memberId: string,
  groupMaxSize: number,
): boolean {
  if (memberId === '' && pending.size >= groupMaxSize) return false;
  switch (state) {
    case 'PreparingRebalance':
      if ((members.get(memberId)?.join ?? null) !== null) return true;
      return members.awaitingJoin < groupMaxSize;
    case 'CompletingRebalance':
    case 'Stable':
      return members.has(memberId) || members.size < groupMaxSize;
    default:
      return true;
  }
}

/** Can this member take part in the group's protocol? */
export function supports(
  { state, members, protocolType }: Rebalance,
  request: JoinRequest,
): boolean {
  const count = request.protocols.length;
  if (count === 0 || count > MEMBER_PROTOCOLS_MAX || request.protocolType === '') return false;
  if (state === 'Empty') return true;
  if (protocolType !== request.protocolType) return false;
  return members.supportsAny(request.protocols.map((protocol) => protocol.name));
}

export function syncError(round: Rebalance, request: SyncRequest): GroupError | null {
  const { state, generation, protocolType, protocolName, isOpening, members } = round;
  if (state === 'Empty') return 'UNKNOWN_MEMBER_ID';
  const error = memberError(members, request.memberId, request.groupInstanceId);
  if (error !== null) return error;
  if (request.generationId !== generation) return 'ILLEGAL_GENERATION';
  if (request.protocolType !== null && request.protocolType !== protocolType) {
    return 'INCONSISTENT_GROUP_PROTOCOL';
  }
  if (request.protocolName !== null && request.protocolName !== protocolName) {
    return 'INCONSISTENT_GROUP_PROTOCOL';
  }
  // Nobody was told of the opening generation yet: whoever names it is guessing.
  return state === 'PreparingRebalance' || isOpening ? 'REBALANCE_IN_PROGRESS' : null;
}

export function commitError(
  { state, generation, members }: Rebalance,
  request: CommitIdentity,
): GroupError | null {
  const { generationId, memberId, groupInstanceId } = request;
  // Consumers that assign themselves, and administrators, commit while nobody is a member.
  if (generationId < 0 && state === 'Empty') return null;
  if (generationId < 0 && memberId === '' && groupInstanceId === null) return 'UNKNOWN_MEMBER_ID';
  const error = memberError(members, memberId, groupInstanceId);
  if (error !== null) return error;
  if (generationId !== generation) return 'ILLEGAL_GENERATION';
  return state === 'CompletingRebalance' ? 'REBALANCE_IN_PROGRESS' : null;
}

/**
 * The wall time from which an offset counts as unused, or null while it is in use: since the group
 * is empty, or since its last commit when no member reads that topic (KIP-211).
 */
export function unusedSince(
  { state, protocolType, topics, stateTimestamp, pending }: Rebalance,
  topic: string,
  commitTimestamp: number,
): number | null {
  if (protocolType === null) return pending.size === 0 ? commitTimestamp : null;
  if (state === 'Empty') return stateTimestamp === -1 ? commitTimestamp : stateTimestamp;
  if (state !== 'Stable' || topics === null) return null;
  return topics.has(topic) ? null : commitTimestamp;
}

/** True when a member reads the topic, or may. */
export function isSubscribedTo({ state, topics, protocolType }: Rebalance, topic: string): boolean {
  if (state === 'Empty') return false;
  return topics === null ? protocolType === CONSUMER_PROTOCOL_TYPE : topics.has(topic);
}
