/**
 * One member of one Raft group, as a value: messages and ticks in, {@link Ready} out. No clock,
 * socket, file, promise or random source of its own; the same code serves every partition and the
 * metadata group.
 *
 *   stranger          follower ──▶ candidate ──▶ leader
 *   (not a voter         ▲  ◀── a leader, or a ──┘   │
 *    by directory id)    └───── higher term ◀────────┘  also: no majority, asked to
 *
 * Elected is not yet serving: see {@link RaftGroup.isServingAt}. A restarted leader starts as a
 * follower of its old term and can only lead a later one (R7).
 */
import { assert, unreachable } from '../base/assert.js';
import { isSameVoter, type VoterId } from '../base/group.js';
import { comparePositions, type Position } from '../base/position.js';
import { LEADER_NONE, type NodeId, type Offset } from '../base/units.js';
import { Core } from './core.js';
import { Election, type ElectionOutcome } from './election.js';
import { Following } from './following.js';
import { Leadership } from './leadership.js';
import {
  type Append,
  isLeaderMessage,
  type RaftMessage,
  type Slice,
  type SnapshotChunk,
  type Term,
  type TimeoutNow,
  type Vote,
} from './messages.js';
import { assertKnobs, isMember, isVoter, type RaftConfig } from './raft-config.js';
import type { FollowerStatus, Order, RaftRole, Ready, StepDownReason, SyncToken } from './ready.js';

export class RaftGroup {
  readonly #core: Core;
  readonly #election: Election;
  readonly #following: Following;
  readonly #isStranger: boolean;
  #leadership: Leadership | null = null;
  #mayStand = true;

  constructor(config: RaftConfig) {
    assertKnobs(config.knobs);
    this.#core = new Core(config);
    this.#election = new Election(this.#core);
    this.#following = new Following(this.#core);
    this.#isStranger = !isMember(config.members, config.self);
  }

  get role(): RaftRole {
    if (this.#isStranger) return 'stranger';
    if (this.#leadership !== null) return 'leader';
    return this.#election.isStanding ? 'candidate' : 'follower';
  }

  /** Who leads the newest term, as far as known. */
  get leaderId(): NodeId {
    if (this.#leadership !== null) return this.#core.self.nodeId;
    return this.#following.leader?.nodeId ?? LEADER_NONE;
  }

  get term(): Term {
    return this.#core.term;
  }

  get commit(): Position {
    return this.#core.log.commit;
  }

  get end(): Position {
    return this.#core.log.end;
  }

  /** Everything below is durable here. */
  get syncedEnd(): Position {
    return this.#core.log.synced;
  }

  get isForgetful(): boolean {
    return this.#core.isForgetful;
  }

  /** A leader whose epoch start is committed, as far as its owner knows, and sure since a gap. */
  isServingAt(commit: Position): boolean {
    return this.#leadership?.isServingAt(commit) ?? false;
  }

  /** A leader that takes entries: not handing over, not back from a gap unconfirmed. */
  get mayPropose(): boolean {
    const leadership = this.#leadership;
    return leadership !== null && !leadership.isTransferring && leadership.isConfirmedSinceGap;
  }

  /** Newest round that a majority answered, see {@link requestRound}; 0 when not leading. */
  get confirmedRound(): number {
    return this.#leadership?.confirmedRound ?? 0;
  }

  followers(): FollowerStatus[] {
    return this.#leadership?.followers() ?? [];
  }

  /** One unit of time has passed. */
  tick(): void {
    if (this.#isStranger) return;
    this.#core.nowTick++;
    if (this.#leadership !== null) {
      if (!this.#leadership.tick()) this.#stopLeading('no-majority');
      return;
    }
    if (!this.#core.isVoter || !this.#election.isDue) return;
    if (this.#mayStand) this.#startPreVote();
    else this.#election.postpone();
  }

  /**
   * A message of another member. What is of no use is dropped. Nothing from outside throws, except
   * that a leader whose log contradicts itself or ours breaks an invariant, which stops the group.
   */
  step(message: RaftMessage): void {
    const { config, self } = this.#core;
    if (this.#isStranger || !isSameVoter(message.to, self)) return;
    if (!isMember(config.members, message.from) || isSameVoter(message.from, self)) {
      this.#core.emit({ kind: 'unknown-sender', from: message.from });
      return;
    }
    if (message.type === 'pre-vote') {
      if (!isVoter(config.members, message.from)) return;
      this.#election.onPreVote(message, this.#leadership !== null);
      return;
    }
    if (message.type === 'vote') {
      this.#onVote(message);
      return;
    }
    if (message.term > this.#core.term) this.#enterTerm(message);
    if (message.term < this.#core.term) {
      // Answers to pre-votes are given in any term; the rest of the past is over.
      if (message.type === 'pre-voted') this.#onMessage(message);
      else if (isLeaderMessage(message)) this.#following.answerStale(message.from);
      return;
    }
    this.#onMessage(message);
  }

  /** The driver made durable what the token covers. */
  synced(token: SyncToken): void {
    const { log } = this.#core;
    if (!log.onSynced(token)) return;
    this.#core.releaseHeld();
    this.#onOutcome(this.#election.onDurable());
    if (this.#leadership !== null) this.#leadership.maybeCommit();
    else this.#following.onSynced();
  }

  /** The driver could not write all (its disk is full): the log is what lies in [start, end). */
  writesFailed(start: Position, end: Position): void {
    assert(this.#leadership === null, 'a leader writes before it proposes');
    this.#core.log.retreatTo(start, end);
  }

  /** The link to a node closed. If it led, the group looks for a new leader at once. */
  peerDown(nodeId: NodeId): void {
    this.#leadership?.peerDown(nodeId);
    const leader = this.#following.leader;
    if (this.#leadership !== null || leader === null || leader.nodeId !== nodeId) return;
    this.#following.leader = null;
    this.#election.onLeaderLost(leader);
  }

  /** The link to a node is up, or takes bytes again. */
  peerUp(nodeId: NodeId): void {
    this.#leadership?.peerUp(nodeId);
  }

  /** The process stood still for longer than an election timeout. */
  resumedAfterGap(): void {
    if (this.#leadership !== null) this.#leadership.onGap();
    else this.#election.onGap();
  }

  /** A batch of `records` records was written behind the end of the log, in the own term. */
  propose(records: number): void {
    assert(this.#leadership !== null, 'only a leader appends (R2)');
    this.#core.log.proposeBatch(records);
  }

  /** Queues a mark that moves the log start. Returns false when this is no (willing) leader. */
  proposeLogStart(logStartOffset: Offset): boolean {
    if (!this.mayPropose || this.#leadership === null) return false;
    this.#leadership.proposeLogStart(logStartOffset);
    return true;
  }

  /** The log's start moved, by a committed mark or below a local snapshot. */
  setLogStart(start: Position): void {
    this.#core.log.setStart(start);
  }

  /**
   * Asks for a heartbeat round that begins after this call. This leader led at the time of the call
   * once {@link confirmedRound} reaches the number returned, in the same term. -1 when not leading.
   */
  requestRound(): number {
    return this.#leadership?.requestRound() ?? -1;
  }

  /** Hands over to a voter that will be waited for; false when that is not possible. */
  transferTo(nodeId: NodeId): boolean {
    return this.#leadership?.transferTo(nodeId) ?? false;
  }

  /** Stops leading, without a successor in mind. */
  stepDown(): void {
    if (this.#leadership !== null) this.#stopLeading('asked');
  }

  /** Whether this replica may try to lead (its disk takes writes). It votes in any case. */
  setMayStand(mayStand: boolean): void {
    this.#mayStand = mayStand;
  }

  /** Whether {@link takeReady} would return something; cheap. */
  get hasWork(): boolean {
    return this.#core.hasWork || (this.#leadership?.isBeatDue ?? false);
  }

  /** True when log writes wait in a Ready: a leader's next batch must come behind them. */
  get hasWrites(): boolean {
    return this.#core.log.hasWrites;
  }

  /** Work to do, in the order of its fields; null when there is none. */
  takeReady(): Ready | null {
    const core = this.#core;
    this.#leadership?.flushBeats();
    if (!core.hasWork) return null;
    const writes = core.log.takeWrites();
    return {
      hardState: core.takeHardState(),
      writes,
      hasRemembered: core.takeRemembered(),
      sync: core.log.takeSync(),
      messages: core.takeMessages(),
      // Told in the next one, when these writes are known to have been possible.
      commit: writes.length > 0 ? null : core.log.takeCommit(),
      events: core.takeEvents(),
    };
  }

  /** What to read from the log and send; ask again until it is empty. */
  takeOrders(): Order[] {
    return this.#leadership?.takeOrders() ?? [];
  }

  /** The message for an append order, with the slices that were read for it. Counts as sent. */
  appendMessage(to: VoterId, slices: readonly Slice[]): Append {
    return this.#mustLead().appendMessage(to, slices);
  }

  /** Answers a capture order: the state ends at `position`. */
  offerSnapshot(to: VoterId, position: Position, totalBytes: number): void {
    this.#mustLead().offerSnapshot(to, position, totalBytes);
  }

  /** The message for a chunk order. Counts as sent. */
  snapshotMessage(to: VoterId, start: number, bytes: Uint8Array): SnapshotChunk {
    return this.#mustLead().snapshotMessage(to, start, bytes);
  }

  /** The link did not take what an order asked for. */
  sendRefused(to: VoterId): void {
    this.#mustLead().onSendRefused(to);
  }

  #onMessage(message: Exclude<RaftMessage, { type: 'pre-vote' | 'vote' }>): void {
    switch (message.type) {
      case 'pre-voted':
        return this.#onOutcome(this.#election.onPreVoted(message));
      case 'voted':
        return this.#onOutcome(this.#election.onVoted(message));
      case 'appended':
        return this.#leadership?.onAppended(message);
      case 'snapshot-received':
        return this.#leadership?.onSnapshotReceived(message);
      case 'append':
        this.#hearLeader(message.from);
        return this.#following.onAppend(message);
      case 'heartbeat':
        this.#hearLeader(message.from);
        return this.#following.onHeartbeat(message);
      case 'snapshot':
        this.#hearLeader(message.from);
        return this.#following.onChunk(message);
      case 'timeout-now':
        return this.#onTimeoutNow(message);
      default:
        return unreachable(message);
    }
  }

  /** A later term exists: whatever this replica was, it now follows. */
  #enterTerm(message: RaftMessage): void {
    if (this.#leadership !== null) this.#stopLeading('higher-term');
    this.#core.enterTerm(message.term);
    this.#following.follow(null);
    this.#election.onIdle();
  }

  #hearLeader(from: VoterId): void {
    assert(this.#leadership === null, 'one leader a term (R1)', { term: this.#core.term });
    const known = this.#following.leader;
    if (known === null) {
      this.#core.log.resetMatched();
      this.#following.follow(from);
    } else {
      assert(isSameVoter(known, from), 'one leader a term (R1)', { term: this.#core.term });
    }
    this.#election.onLeaderHeard();
  }

  #onVote(message: Vote): void {
    if (!isVoter(this.#core.config.members, message.from)) return;
    const { term } = this.#core;
    if (message.term < term) {
      this.#core.send(message.from, { type: 'voted', isGranted: false });
      return;
    }
    const hasLeader = this.#leadership !== null || this.#election.hearsLeader;
    if (message.term > term) {
      if (hasLeader && !message.isTransfer) return;
      this.#enterTerm(message);
    }
    this.#election.onVote(message);
  }

  #onTimeoutNow(message: TimeoutNow): void {
    const leader = this.#following.leader;
    const isLeaders = leader !== null && isSameVoter(leader, message.from);
    const { isVoter: isOwnVoter, isForgetful } = this.#core;
    if (!isLeaders || !isOwnVoter || isForgetful || !this.#mayStand) return;
    this.#startVote(true, false);
  }

  #startPreVote(): void {
    this.#following.follow(null);
    this.#onOutcome(this.#election.startPreVote());
  }

  #startVote(isTransfer: boolean, isRecovery: boolean): void {
    this.#following.follow(null);
    this.#election.startVote(isTransfer, isRecovery);
  }

  #onOutcome(outcome: ElectionOutcome): void {
    switch (outcome) {
      case 'none':
        return;
      case 'campaign':
        return this.#startVote(false, false);
      case 'recovery-campaign':
        return this.#startVote(false, true);
      case 'won':
        return this.#lead();
      case 'recovery-won': {
        this.#core.emit({ kind: 'possible-data-loss', from: this.#core.log.end });
        if (this.#core.isForgetful) this.#core.remember();
        return this.#lead();
      }
      default:
        return unreachable(outcome);
    }
  }

  #lead(): void {
    const core = this.#core;
    assert(this.#leadership === null, 'nobody leads twice');
    assert(core.isVoter && !core.isForgetful, 'a leader is a voter that forgot nothing');
    assert(core.log.lastEpoch < core.term, 'a leader opens a new epoch (R7)', { term: core.term });
    assert(comparePositions(core.log.commit, core.log.end) <= 0, 'commit <= end');
    const reason = this.#election.onWon();
    this.#following.follow(null);
    this.#leadership = new Leadership(core);
    core.emit({ kind: 'leader', term: core.term, reason });
  }

  #stopLeading(reason: StepDownReason): void {
    assert(this.#leadership !== null, 'only a leader steps down');
    this.#leadership = null;
    this.#core.log.resetMatched();
    this.#election.onIdle();
    this.#core.emit({ kind: 'stepped-down', term: this.#core.term, reason });
  }

  #mustLead(): Leadership {
    assert(this.#leadership !== null, 'orders are worked off in the turn they were taken in');
    return this.#leadership;
  }
}
