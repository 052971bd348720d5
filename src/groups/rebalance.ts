/**
 * The rounds of one classic group: who is a member, which generation they are in, and when a round
 * begins, completes or is given up. Which request may do what is decided in classic-group.ts.
 *
 *                    join from nobody                    everybody rejoined, or time is up
 *     Empty ──────────────────────▶ PreparingRebalance ───────────────────────▶ CompletingRebalance
 *       ▲                              │    ▲    ▲                                  │          │
 *       └── nobody is left ────────────┘    │    └── member joins, leaves, dies, ───┘          │
 *                                           │        or changes what it offers       the leader's
 *                                           └────────────────── Stable ◀──────────── assignment
 *
 * Promise beyond Kafka's: a generation is in the log, committed, before any member hears of it, so
 * generations rise over a failover too, whatever the old coordinator handed out (G2). Such an open
 * generation is written without assignments and marked by timestamp -1; the next coordinator takes
 * it up where it was. Pure: time comes from the environment, effects leave through it.
 */
import { assert } from '../base/assert.js';
import { CONSUMER_PROTOCOL_TYPE } from './consumer-subscription.js';
import type { Deadline } from './deadlines.js';
import { joinResponseOf, metadataOf, topicsOf } from './generation.js';
import type { GroupEnvironment, StoreDone } from './group-environment.js';
import type { GroupMetadata } from './group-records.js';
import {
  EMPTY_BYTES,
  type GroupError,
  type GroupState,
  joinFailure,
  syncFailure,
} from './group-types.js';
import { InitialDelay } from './initial-delay.js';
import {
  type GroupMember,
  type MemberIdentity,
  Members,
  type MemberTerms,
  newMember,
} from './members.js';

export class Rebalance {
  readonly groupId: string;
  readonly members = new Members();
  /** Ids handed out with MEMBER_ID_REQUIRED whose owner has not come back yet. */
  readonly pending = new Map<string, Deadline>();
  state: GroupState = 'Empty';
  /** Only rises (G2), except when an expired group begins anew. */
  generation = 0;
  protocolType: string | null = null;
  protocolName: string | null = null;
  leaderId: string | null = null;
  /** Wall time of the last change of state; -1 if the record did not say. */
  stateTimestamp: number;
  /** Topics of all members; null when that is not known. */
  topics: ReadonlySet<string> | null = null;
  /** CompletingRebalance: the record that opens the generation is not committed yet. */
  isOpening = false;
  /** CompletingRebalance: the leader's assignment is on its way into the log. */
  isStoring = false;
  readonly #env: GroupEnvironment;
  readonly #joinDeadline: Deadline;
  readonly #syncDeadline: Deadline;
  /** Members that know the generation and have not asked for their assignment. */
  readonly #pendingSync = new Set<string>();
  /** Changes with the state: an answer of the log to an earlier round finds another number. */
  #round = 0;
  /** PreparingRebalance began in Empty. */
  #isInitial = false;
  readonly #initialDelay = new InitialDelay();

  constructor(groupId: string, env: GroupEnvironment) {
    this.groupId = groupId;
    this.#env = env;
    this.stateTimestamp = env.wallMs();
    this.#joinDeadline = env.deadlines.create(() => this.#joinTimeIsUp());
    this.#syncDeadline = env.deadlines.create(() => this.#syncTimeIsUp());
  }

  /** Takes up a group as its record describes it. */
  restore(metadata: GroupMetadata): void {
    const { protocol } = metadata;
    const isForgotten = this.#env.mutant === 'generation-not-persisted';
    this.generation = isForgotten ? 0 : metadata.generation;
    this.protocolType = metadata.protocolType === '' ? null : metadata.protocolType;
    this.protocolName = protocol;
    this.leaderId = metadata.leader;
    this.stateTimestamp = metadata.currentStateTimestamp;
    for (const { subscription, assignment, ...identity } of metadata.members) {
      const protocols = new Map([[protocol ?? '', subscription]]);
      const member = this.createMember(identity, { ...identity, protocols });
      member.isNew = false;
      member.assignment = assignment;
      this.members.add(member);
      this.touch(member);
    }
    this.#readTopics();
    if (this.members.size === 0) return;
    this.state = 'Stable';
    if (metadata.currentStateTimestamp === -1) {
      this.#transition('CompletingRebalance');
      this.#expectSyncs();
    }
    if (this.members.size > this.#env.settings.groupMaxSize) this.prepare();
  }

  createMember(identity: MemberIdentity, terms: MemberTerms): GroupMember {
    const session = this.#env.deadlines.create(() => this.#sessionIsOver(member));
    const member = newMember(identity, terms, session);
    return member;
  }

  addMember(member: GroupMember, protocolType: string): void {
    if (this.members.size === 0) this.protocolType = protocolType;
    this.leaderId ??= member.memberId;
    this.members.add(member);
    this.dropPending(member.memberId);
    if (this.state === 'PreparingRebalance') this.#initialDelay.noteNewcomer();
  }

  /** A restarted static member: a new id in the old one's place, whose last owner is fenced. */
  replaceMember(old: GroupMember, replacement: GroupMember): void {
    this.#answerBoth(old, 'FENCED_INSTANCE_ID', old.memberId);
    this.#forget(old);
    replacement.assignment = old.assignment;
    replacement.isNew = old.isNew;
    this.members.add(replacement);
    if (this.leaderId === old.memberId) this.leaderId = replacement.memberId;
    this.touch(replacement);
  }

  /** Removes a member; whatever it waits for ends with UNKNOWN_MEMBER_ID, so that it joins anew. */
  dropMember(member: GroupMember): void {
    this.#answerBoth(member, 'UNKNOWN_MEMBER_ID', '');
    this.#forget(member);
    if (this.leaderId !== member.memberId) return;
    const next = this.members.all().next().value;
    this.leaderId = next === undefined ? null : next.memberId;
  }

  addPending(memberId: string, sessionTimeoutMs: number): void {
    const deadline = this.#env.deadlines.create(() => {
      this.dropPending(memberId);
      this.completeIfAllJoined();
      this.noteDeserted();
    });
    this.pending.set(memberId, deadline);
    this.#env.deadlines.set(deadline, this.#env.now() + sessionTimeoutMs);
  }

  dropPending(memberId: string): void {
    const deadline = this.pending.get(memberId);
    if (deadline === undefined) return;
    this.#env.deadlines.cancel(deadline);
    this.pending.delete(memberId);
  }

  /** The member lives: its session ends `timeoutMs` from now. */
  touch(member: GroupMember, timeoutMs: number = member.terms.sessionTimeoutMs): void {
    this.#env.deadlines.set(member.session, this.#env.now() + timeoutMs);
  }

  noteDeserted(): void {
    if (this.state !== 'Empty' || this.pending.size > 0) return;
    this.#env.onDeserted(this.groupId);
  }

  // --- rounds ------------------------------------------------------------------------------

  /** After members came, went or changed: a new round, or the end of the one that gathers. */
  rebalanceOrComplete(): void {
    if (this.state === 'PreparingRebalance') this.completeIfAllJoined();
    else this.prepare();
  }

  /** Begins a round: everybody has to join again. */
  prepare(): void {
    assert(this.state !== 'Dead' && this.state !== 'PreparingRebalance', 'cannot rebalance', {
      groupId: this.groupId,
      state: this.state,
    });
    const wasEmpty = this.state === 'Empty';
    const wasCompleting = this.state === 'CompletingRebalance';
    this.#pendingSync.clear();
    this.#env.deadlines.cancel(this.#syncDeadline);
    this.#transition('PreparingRebalance');
    this.#isInitial = wasEmpty;
    if (wasCompleting) this.#answerSyncs('REBALANCE_IN_PROGRESS');
    const timeoutMs = this.members.rebalanceTimeoutMs();
    const delayMs = this.#env.settings.groupInitialRebalanceDelayMs;
    // An empty group waits for its delay, not for its members: nobody knows who they will be.
    const isReady = wasEmpty ? delayMs === 0 : this.#hasEverybodyJoined();
    if (isReady) this.#completeJoin();
    else if (wasEmpty)
      this.#setIn(this.#joinDeadline, this.#initialDelay.begin(delayMs, timeoutMs));
    else this.#setIn(this.#joinDeadline, timeoutMs);
  }

  completeIfAllJoined(): void {
    if (this.state !== 'PreparingRebalance' || this.#isInitial) return;
    if (this.#hasEverybodyJoined()) this.#completeJoin();
  }

  /** This member has the generation and asks for its assignment. */
  syncArrived(member: GroupMember): void {
    this.#pendingSync.delete(member.memberId);
    if (this.#pendingSync.size === 0) this.#env.deadlines.cancel(this.#syncDeadline);
  }

  /** Writes the leader's assignment; when a quorum has it, the group is stable and all are told. */
  storeAssignment(assignments: ReadonlyMap<string, Buffer>): void {
    if (this.isStoring) return;
    this.isStoring = true;
    const round = this.#round;
    const value = metadataOf(this, assignments, this.#env.wallMs());
    this.#env.store(this.groupId, value, (error) => {
      if (round !== this.#round) return;
      if (error !== null) {
        this.giveUpAssignment(error);
        return;
      }
      for (const member of this.members.all()) {
        member.assignment = assignments.get(member.memberId) ?? EMPTY_BYTES;
      }
      this.#transition('Stable');
      this.#answerSyncs(null);
    });
  }

  /** The assignment cannot be kept: all who wait for it are told, and a new round begins. */
  giveUpAssignment(error: GroupError): void {
    this.#answerSyncs(error);
    this.prepare();
  }

  /** Writes the group as it is (a static member's new id). `done` is dropped if a round begins. */
  storeUnchanged(done: StoreDone): void {
    const round = this.#round;
    const assignments = new Map<string, Buffer>();
    for (const member of this.members.all()) assignments.set(member.memberId, member.assignment);
    const value = metadataOf(this, assignments, this.stateTimestamp);
    this.#env.store(this.groupId, value, (error) => {
      if (round === this.#round) done(error);
    });
  }

  /** The coordinator lost the group or deletes it: nobody may wait here any longer. */
  kill(error: GroupError): void {
    this.#transition('Dead');
    const { deadlines } = this.#env;
    deadlines.cancel(this.#joinDeadline);
    deadlines.cancel(this.#syncDeadline);
    for (const deadline of this.pending.values()) deadlines.cancel(deadline);
    for (const member of this.members.all()) {
      deadlines.cancel(member.session);
      this.#answerBoth(member, error, member.memberId);
    }
  }

  #transition(state: GroupState): void {
    this.#round += 1;
    this.state = state;
    this.stateTimestamp = this.#env.wallMs();
    this.isOpening = false;
    this.isStoring = false;
  }

  #joinTimeIsUp(): void {
    if (this.state !== 'PreparingRebalance') return;
    const delayMs = this.#env.settings.groupInitialRebalanceDelayMs;
    const nextMs = this.#isInitial ? this.#initialDelay.next(delayMs) : null;
    if (nextMs === null) this.#completeJoin();
    else this.#setIn(this.#joinDeadline, nextMs);
  }

  #completeJoin(): void {
    this.#env.deadlines.cancel(this.#joinDeadline);
    // Static members keep their place until their session ends; the others had their time.
    for (const member of [...this.members.all()]) {
      if (member.join === null && member.groupInstanceId === null) this.dropMember(member);
    }
    if (this.members.size === 0) {
      this.#becomeEmpty();
      return;
    }
    const leaderId = this.members.firstWaiting(this.leaderId);
    if (leaderId === null) {
      // Only static members are left and none came: their sessions decide.
      this.#setIn(this.#joinDeadline, this.members.rebalanceTimeoutMs());
      return;
    }
    this.leaderId = leaderId;
    this.generation += 1;
    this.protocolName = this.members.selectProtocol();
    this.#readTopics();
    this.#transition('CompletingRebalance');
    this.#open();
  }

  #becomeEmpty(): void {
    this.generation += 1;
    this.protocolName = null;
    this.leaderId = null;
    this.#readTopics();
    this.#transition('Empty');
    // Nobody waits for this one. Without it a failover brings the last members back for the rest
    // of their sessions, which is safe.
    const value = metadataOf(this, new Map(), this.stateTimestamp);
    this.#env.store(this.groupId, value, null);
    this.noteDeserted();
  }

  /** Makes the generation known to the quorum, then to the members. */
  #open(): void {
    this.isOpening = true;
    const round = this.#round;
    const opened: StoreDone = (error) => {
      if (round !== this.#round) return;
      this.isOpening = false;
      for (const member of this.members.all()) {
        const done = this.members.takeJoin(member);
        this.touch(member);
        if (error === null) member.isNew = false;
        if (done === null) continue;
        done(error === null ? joinResponseOf(this, member) : joinFailure(error, member.memberId));
      }
      if (error === null) this.#expectSyncs();
      else this.prepare();
    };
    const isEarly = this.#env.mutant === 'generation-told-before-commit';
    this.#env.store(this.groupId, metadataOf(this, new Map(), -1), isEarly ? null : opened);
    if (isEarly) opened(null);
  }

  #expectSyncs(): void {
    for (const member of this.members.all()) this.#pendingSync.add(member.memberId);
    this.#setIn(this.#syncDeadline, this.members.rebalanceTimeoutMs());
  }

  #syncTimeIsUp(): void {
    if (this.#pendingSync.size === 0) return;
    if (this.state !== 'CompletingRebalance' && this.state !== 'Stable') return;
    for (const memberId of [...this.#pendingSync]) {
      const member = this.members.get(memberId);
      if (member !== undefined) this.dropMember(member);
    }
    this.prepare();
  }

  #sessionIsOver(member: GroupMember): void {
    // Who waits for an answer cannot heartbeat; a first join however is given up after a while.
    if (!member.isNew && (member.join !== null || member.sync !== null)) return;
    this.dropMember(member);
    if (this.state === 'PreparingRebalance') this.completeIfAllJoined();
    else this.prepare();
  }

  #answerSyncs(error: GroupError | null): void {
    for (const member of this.members.all()) {
      if (error !== null) member.assignment = EMPTY_BYTES;
      const done = member.sync;
      if (done === null) continue;
      member.sync = null;
      this.touch(member);
      if (error !== null) {
        done(syncFailure(error));
        continue;
      }
      const { protocolType, protocolName } = this;
      done({ error: null, protocolType, protocolName, assignment: member.assignment });
    }
  }

  #answerBoth(member: GroupMember, error: GroupError, memberId: string): void {
    const join = this.members.takeJoin(member);
    const { sync } = member;
    member.sync = null;
    if (join !== null) join(joinFailure(error, memberId));
    if (sync !== null) sync(syncFailure(error));
  }

  #forget(member: GroupMember): void {
    this.#env.deadlines.cancel(member.session);
    this.#pendingSync.delete(member.memberId);
    this.members.remove(member);
  }

  #hasEverybodyJoined(): boolean {
    return this.members.awaitingJoin === this.members.size && this.pending.size === 0;
  }

  #readTopics(): void {
    this.topics = this.protocolType === CONSUMER_PROTOCOL_TYPE ? topicsOf(this) : null;
  }

  #setIn(deadline: Deadline, delayMs: number): void {
    this.#env.deadlines.set(deadline, this.#env.now() + delayMs);
  }
}
