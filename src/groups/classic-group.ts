/**
 * One classic consumer group: what each request does and when it is answered. Which one is refused
 * is in group-rules.ts, the rounds themselves are in rebalance.ts. Join and sync answer through
 * `done`, exactly once, at once or later.
 *
 * Pure; belongs to one coordinator, on the thread of its partition.
 */
import { joinResponseOf } from './generation.js';
import type { GroupMetadata } from './group-records.js';
import {
  type ClientContext,
  type DescribedGroup,
  type GroupError,
  type HeartbeatRequest,
  type JoinRequest,
  joinFailure,
  type LeaveRequest,
  type LeaveResponse,
  type SyncRequest,
  syncFailure,
} from './group-types.js';
import { describeGroup } from './group-description.js';
import {
  type CommitIdentity,
  commitError,
  hasRoomFor,
  isSubscribedTo,
  memberError,
  supports,
  syncError,
  unusedSince,
} from './group-rules.js';
import { GROUP_RECORD_BYTES_MAX, NEW_MEMBER_JOIN_TIMEOUT_MS } from './limits.js';
import {
  copyProtocols,
  type GroupMember,
  isSameProtocols,
  type JoinDone,
  type MemberIdentity,
  memberBytes,
  type MemberTerms,
  type SyncDone,
} from './members.js';
import type { GroupEnvironment } from './group-environment.js';
import { Rebalance } from './rebalance.js';

export class ClassicGroup {
  readonly groupId: string;
  readonly #env: GroupEnvironment;
  readonly #round: Rebalance;
  /** Text after the client's name in a new member id; unique and hard to guess. */
  readonly #newId: () => string;

  constructor(groupId: string, env: GroupEnvironment, newId: () => string) {
    this.groupId = groupId;
    this.#env = env;
    this.#newId = newId;
    this.#round = new Rebalance(groupId, env);
  }

  /** Takes the group up from its record, for a coordinator that just loaded it. */
  restore(metadata: GroupMetadata): void {
    this.#round.restore(metadata);
  }

  // --- JoinGroup ---------------------------------------------------------------------------

  /** The coordinator has checked group id and session timeout. */
  join(request: JoinRequest, context: ClientContext, done: JoinDone): void {
    const { memberId } = request;
    const round = this.#round;
    if (!hasRoomFor(round, memberId, this.#env.settings.groupMaxSize)) {
      this.#refuseForRoom(memberId);
      done(joinFailure('GROUP_MAX_SIZE_REACHED', ''));
      return;
    }
    if (!supports(round, request)) {
      done(joinFailure('INCONSISTENT_GROUP_PROTOCOL', memberId));
      return;
    }
    const terms = termsOf(request);
    if (memberId === '') {
      this.#joinNew(request, terms, context, done);
      return;
    }
    if (round.pending.has(memberId)) {
      // A pending member got its id by a dynamic join: it cannot have become static since.
      if (request.groupInstanceId !== null) done(joinFailure('UNKNOWN_MEMBER_ID', memberId));
      else this.#addMember({ memberId, groupInstanceId: null, ...context }, request, terms, done);
      return;
    }
    const error = memberError(round.members, memberId, request.groupInstanceId);
    const member = round.members.get(memberId);
    if (error !== null || member === undefined) {
      done(joinFailure(error ?? 'UNKNOWN_MEMBER_ID', memberId));
      return;
    }
    this.#rejoin(member, terms, done);
  }

  #joinNew(request: JoinRequest, terms: MemberTerms, context: ClientContext, done: JoinDone): void {
    const { groupInstanceId } = request;
    const memberId = `${groupInstanceId ?? context.clientId}-${this.#newId()}`;
    const identity = { memberId, groupInstanceId, ...context };
    if (groupInstanceId !== null) {
      const holder = this.#round.members.staticMemberId(groupInstanceId);
      const old = holder === undefined ? undefined : this.#round.members.get(holder);
      if (old === undefined) this.#addMember(identity, request, terms, done);
      else this.#replaceStatic(old, identity, request, terms, done);
      return;
    }
    if (request.requireKnownMemberId) {
      // KIP-394: a client that never hears this answer leaves no ghost among the members.
      this.#round.addPending(memberId, request.sessionTimeoutMs);
      done(joinFailure('MEMBER_ID_REQUIRED', memberId));
      return;
    }
    this.#addMember(identity, request, terms, done);
  }

  #addMember(
    identity: MemberIdentity,
    request: JoinRequest,
    terms: MemberTerms,
    done: JoinDone,
  ): void {
    const round = this.#round;
    if (round.members.bytes + memberBytes(identity, terms) > GROUP_RECORD_BYTES_MAX) {
      done(joinFailure('GROUP_MAX_SIZE_REACHED', ''));
      return;
    }
    const member = round.createMember(identity, terms);
    round.addMember(member, request.protocolType);
    round.members.awaitJoin(member, done);
    round.touch(member, NEW_MEMBER_JOIN_TIMEOUT_MS);
    round.rebalanceOrComplete();
  }

  /** A member that is known joins again: a new round only if something can change by it. */
  #rejoin(member: GroupMember, terms: MemberTerms, done: JoinDone): void {
    const round = this.#round;
    const isSame = isSameProtocols(member.terms.protocols, terms.protocols);
    const isLeader = round.leaderId === member.memberId;
    switch (round.state) {
      case 'PreparingRebalance':
        break;
      case 'CompletingRebalance':
        // Its answer may have been lost on the way: the same generation again.
        if (!isSame) break;
        if (round.isOpening) this.#awaitJoin(member, done);
        else done(joinResponseOf(round, member));
        return;
      case 'Stable':
        // A leader may want a round for reasons that are not in its metadata (new partitions).
        if (isLeader || !isSame) break;
        done(joinResponseOf(round, member));
        return;
      default:
        done(joinFailure('UNKNOWN_MEMBER_ID', member.memberId));
        return;
    }
    if (!this.#setTerms(member, terms, done)) return;
    this.#awaitJoin(member, done);
    round.rebalanceOrComplete();
  }

  /** A static member restarted and took its place back under a new id (KIP-345). */
  #replaceStatic(
    old: GroupMember,
    identity: MemberIdentity,
    request: JoinRequest,
    terms: MemberTerms,
    done: JoinDone,
  ): void {
    const round = this.#round;
    if (!this.#hasBytesFor(old, terms)) {
      done(joinFailure('GROUP_MAX_SIZE_REACHED', ''));
      return;
    }
    const oldLeaderId = round.leaderId ?? '';
    const member = round.createMember(identity, terms);
    round.replaceMember(old, member);
    this.#awaitJoin(member, done);
    if (round.state === 'PreparingRebalance') {
      round.completeIfAllJoined();
      return;
    }
    if (round.state !== 'Stable' || round.members.selectProtocol() !== round.protocolName) {
      // The leader may be assigning to the old id right now, or the protocol changes.
      round.prepare();
      return;
    }
    round.storeUnchanged((error) => {
      const answer = round.members.takeJoin(member);
      round.touch(member);
      if (answer === null) return;
      if (error !== null) {
        answer(joinFailure(error, ''));
        return;
      }
      const response = joinResponseOf(round, member);
      // An old client that hears it leads would assign anew while nobody else takes part: it is
      // told the old id leads (Kafka's way). A new one is told to skip the assignment (KIP-814).
      answer(
        request.supportSkippingAssignment
          ? { ...response, skipAssignment: round.leaderId === member.memberId }
          : { ...response, leader: oldLeaderId, members: [] },
      );
    });
  }

  #awaitJoin(member: GroupMember, done: JoinDone): void {
    // Its client gave up on an earlier request; that one still needs an answer on its connection.
    this.#round.members.takeJoin(member)?.(joinFailure('REBALANCE_IN_PROGRESS', member.memberId));
    this.#round.members.awaitJoin(member, done);
  }

  #setTerms(member: GroupMember, terms: MemberTerms, done: JoinDone): boolean {
    if (!this.#hasBytesFor(member, terms)) {
      done(joinFailure('GROUP_MAX_SIZE_REACHED', member.memberId));
      return false;
    }
    this.#round.members.setTerms(member, terms);
    return true;
  }

  #hasBytesFor(member: GroupMember, terms: MemberTerms): boolean {
    const growth = memberBytes(member, terms) - memberBytes(member, member.terms);
    return growth <= 0 || this.#round.members.bytes + growth <= GROUP_RECORD_BYTES_MAX;
  }

  /** Who came back too late for a place is no member any longer. */
  #refuseForRoom(memberId: string): void {
    const round = this.#round;
    round.dropPending(memberId);
    const member = round.members.get(memberId);
    if (member !== undefined) round.dropMember(member);
    round.completeIfAllJoined();
  }

  // --- SyncGroup, Heartbeat, LeaveGroup ----------------------------------------------------

  sync(request: SyncRequest, done: SyncDone): void {
    const round = this.#round;
    const member = round.members.get(request.memberId);
    const error = syncError(round, request);
    if (error !== null || member === undefined) {
      done(syncFailure(error ?? 'UNKNOWN_MEMBER_ID'));
      return;
    }
    round.syncArrived(member);
    if (round.state === 'Stable') {
      const { protocolType, protocolName } = round;
      done({ error: null, protocolType, protocolName, assignment: member.assignment });
      return;
    }
    member.sync?.(syncFailure('REBALANCE_IN_PROGRESS'));
    member.sync = done;
    if (round.leaderId === member.memberId) this.#assign(request);
  }

  #assign(request: SyncRequest): void {
    const round = this.#round;
    const assignments = new Map<string, Buffer>();
    let bytes = round.members.bytes;
    for (const { memberId, assignment } of request.assignments) {
      if (!round.members.has(memberId)) continue;
      bytes += assignment.length;
      assignments.set(memberId, Buffer.from(assignment));
    }
    if (bytes > GROUP_RECORD_BYTES_MAX) {
      round.giveUpAssignment('MESSAGE_TOO_LARGE');
      return;
    }
    round.storeAssignment(assignments);
  }

  heartbeat(request: HeartbeatRequest): GroupError | null {
    const { state, generation, members } = this.#round;
    const error = memberError(this.#round.members, request.memberId, request.groupInstanceId);
    if (error !== null) return error;
    if (request.generationId !== generation) return 'ILLEGAL_GENERATION';
    const member = members.get(request.memberId);
    if (member === undefined) return 'UNKNOWN_MEMBER_ID';
    this.#round.touch(member);
    return state === 'PreparingRebalance' ? 'REBALANCE_IN_PROGRESS' : null;
  }

  leave(request: LeaveRequest): LeaveResponse {
    const round = this.#round;
    const { size } = round.members;
    const members = request.members.map(({ memberId, groupInstanceId }) => ({
      memberId,
      groupInstanceId,
      error: this.#leaveOne(memberId, groupInstanceId),
    }));
    if (round.state === 'PreparingRebalance') round.completeIfAllJoined();
    else if (round.members.size < size) round.prepare();
    round.noteDeserted();
    return { error: null, members };
  }

  #leaveOne(memberId: string, groupInstanceId: string | null): GroupError | null {
    const round = this.#round;
    if (round.pending.has(memberId)) {
      round.dropPending(memberId);
      return null;
    }
    // An administrator removes a static member by its instance id alone.
    const holder =
      memberId === '' && groupInstanceId !== null
        ? (round.members.staticMemberId(groupInstanceId) ?? '')
        : memberId;
    const error = memberError(round.members, holder, groupInstanceId);
    if (error !== null) return error;
    const member = round.members.get(holder);
    if (member !== undefined) round.dropMember(member);
    return null;
  }

  // --- offsets -----------------------------------------------------------------------------

  /** May these offsets be committed now? An accepted commit also keeps its member alive. */
  acceptCommit(request: CommitIdentity): GroupError | null {
    const isBlind = this.#env.mutant === 'old-generation-commits';
    const { generation: generationId } = this.#round;
    const error = commitError(this.#round, isBlind ? { ...request, generationId } : request);
    const member = this.#round.members.get(request.memberId);
    if (error === null && member !== undefined) this.#round.touch(member);
    return error;
  }

  /** See {@link unusedSince}. */
  unusedSince(topic: string, commitTimestamp: number): number | null {
    return unusedSince(this.#round, topic, commitTimestamp);
  }

  isSubscribedTo(topic: string): boolean {
    return isSubscribedTo(this.#round, topic);
  }

  // --- views -------------------------------------------------------------------------------

  get state(): Rebalance['state'] {
    return this.#round.state;
  }

  get memberCount(): number {
    return this.#round.members.size;
  }

  get generation(): number {
    return this.#round.generation;
  }

  get protocolType(): string {
    return this.#round.protocolType ?? '';
  }

  /** No members and none on the way: it may be deleted. */
  get isDeserted(): boolean {
    return this.#round.state === 'Empty' && this.#round.pending.size === 0;
  }

  describe(): DescribedGroup {
    return describeGroup(this.#round);
  }

  /** Ends the group in memory; everybody who waits hears `error`. */
  kill(error: GroupError): void {
    this.#round.kill(error);
  }
}

function termsOf(request: JoinRequest): MemberTerms {
  return {
    rebalanceTimeoutMs: request.rebalanceTimeoutMs,
    sessionTimeoutMs: request.sessionTimeoutMs,
    protocols: copyProtocols(request.protocols),
  };
}
