/**
 * One term of leading: who has what, what goes out next, what is committed, whether a majority
 * still listens. Made when an election is won and thrown away when leading ends. Commits only
 * positions of the own term by counting (R8), counts only durable ones (R9).
 */
import { assert } from '../base/assert.js';
import { isSameVoter, type VoterId } from '../base/group.js';
import { comparePositions, isSamePosition, ORIGIN, type Position } from '../base/position.js';
import type { NodeId, Offset } from '../base/units.js';
import type { Core } from './core.js';
import {
  type Append,
  type Appended,
  EPOCH_NONE,
  type Rejection,
  type Slice,
  type SnapshotChunk,
  type SnapshotReceived,
  sliceEnd,
} from './messages.js';
import { Progress } from './progress.js';
import { quorumNumber, quorumPosition } from './quorum.js';
import type { FollowerStatus, Order } from './ready.js';

/** A follower that left this many heartbeats unanswered can not be asked to lead. */
const SUCCESSOR_BEATS = 3;

type Transfer = { readonly to: VoterId; readonly deadlineTick: number; isAsked: boolean };

export class Leadership {
  readonly #core: Core;
  readonly #progress = new Map<NodeId, Progress>();
  /** One entry a voter; null stands for this replica. */
  readonly #voters: readonly (Progress | null)[];
  /** Place behind this term's epoch start: nothing is served before it is committed. */
  readonly #servingFrom: Position;
  #round = 0;
  #isRoundDue = false;
  #isCommitUntold = false;
  #nextBeatTick = 0;
  #transfer: Transfer | null = null;
  /** After a gap in time: leads nothing until this round is confirmed. */
  #gapRound = 0;

  /** Appends the epoch start. The caller has won an election in the core's term. */
  constructor(core: Core) {
    this.#core = core;
    const at = core.log.end;
    core.log.appendMark({ kind: 'epoch-start', epoch: core.term, at });
    this.#servingFrom = core.log.end;
    const { voters, learners } = core.config.members;
    for (const id of [...voters, ...learners]) {
      if (isSameVoter(id, core.self)) continue;
      const isVoter = voters.includes(id);
      this.#progress.set(id.nodeId, new Progress(id, isVoter, at, core.nowTick));
    }
    this.#voters = voters.map((id) => (isSameVoter(id, core.self) ? null : this.#mustProgress(id)));
    this.#isRoundDue = true;
  }

  /**
   * The epoch start is committed, as an owner knows who was told of commits up to here, and no gap
   * in time awaits a quorum's word. In the middle of a turn the core knows more than its owner, who
   * must not show less than leaders showed before.
   */
  isServingAt(commit: Position): boolean {
    const { config, log } = this.#core;
    const known = config.mutant === 'serving-before-told' ? log.commit : commit;
    return comparePositions(known, this.#servingFrom) >= 0 && this.isConfirmedSinceGap;
  }

  get isConfirmedSinceGap(): boolean {
    return this.#gapRound === 0 || this.confirmedRound >= this.#gapRound;
  }

  get isBeatDue(): boolean {
    return this.#isRoundDue || this.#isCommitUntold;
  }

  get isTransferring(): boolean {
    return this.#transfer !== null;
  }

  /** A majority has answered this round, so it led when the round began. */
  get confirmedRound(): number {
    const rounds = this.#voters.map((progress) => progress?.ackedRound ?? this.#round);
    return quorumNumber(rounds);
  }

  /** The number of a round that begins after this call. */
  requestRound(): number {
    this.#isRoundDue = true;
    return this.#round + 1;
  }

  onGap(): void {
    this.#gapRound = this.requestRound();
  }

  /** Heartbeats, and the end of transfers that take too long. False: no majority is heard. */
  tick(): boolean {
    const { nowTick, config } = this.#core;
    if (!this.#hasMajority) return this.#resign();
    if (nowTick >= this.#nextBeatTick) this.#isRoundDue = true;
    const transfer = this.#transfer;
    if (transfer !== null && nowTick >= transfer.deadlineTick) {
      this.#transfer = null;
      this.#core.emit({ kind: 'transfer-abandoned', to: transfer.to });
    }
    assert(config.knobs.heartbeatTicks > 0, 'beats have a distance');
    return true;
  }

  /**
   * False once no majority has been heard of for a mean election timeout (R14): about when others
   * elect a leader, so that clients that wait here are sent on when there is one.
   */
  get #hasMajority(): boolean {
    const { nowTick, config } = this.#core;
    const heard = this.#voters.map((progress) => progress?.lastHeardTick ?? nowTick);
    const { electionTicksMin, electionTicksMax } = config.knobs;
    return nowTick - quorumNumber(heard) < (electionTicksMin + electionTicksMax) / 2;
  }

  /**
   * The others may hear this leader though it does not hear them, and would wait for another
   * election timeout. One is asked, so that votes are not split.
   */
  #resign(): false {
    const [best] = this.#voters
      .filter((progress): progress is Progress => progress?.forgetful === 0)
      .sort((a, b) => comparePositions(b.match, a.match) || b.lastHeardTick - a.lastHeardTick);
    if (best !== undefined) this.#core.send(best.id, { type: 'timeout-now' });
    return false;
  }

  /** Moves the commit position as far as durable positions of a majority allow. */
  maybeCommit(): void {
    const { log, term, config } = this.#core;
    const isEarly = config.mutant === 'count-self-before-sync';
    const own = isEarly ? log.end : log.synced;
    const positions = this.#voters.map((progress) => {
      if (progress === null) return own;
      return progress.forgetful === 0 ? progress.match : ORIGIN;
    });
    const reached = quorumPosition(positions);
    if (comparePositions(reached, log.commit) <= 0) return;
    const isOwnTerm = log.epochs.epochEndingAt(reached) === term;
    if (!isOwnTerm && config.mutant !== 'commit-older-epoch') return;
    const hasMoved = log.commitTo(reached);
    assert(hasMoved, 'a commit position rises');
    if (config.knobs.isCommitAnnounced) this.#isCommitUntold = true;
  }

  onAppended(message: Appended): void {
    const progress = this.#progressOf(message.from);
    if (progress === null || !this.#isSane(message)) return;
    progress.onHeard(message.round, this.#core.nowTick);
    if (message.forgetful !== 0 && message.forgetful !== progress.forgetful) {
      progress.restartForgetful(message.forgetful, this.#core.log.end);
      return;
    }
    if (message.forgetful === 0) progress.forgetful = 0;
    if (message.rejection === null) {
      const { match, received, round } = message;
      progress.onAccepted(match, received, round, this.#round);
    } else {
      this.#onRejected(progress, message.rejection, message.round);
    }
    this.maybeCommit();
    this.#maybeHandOver();
  }

  #onRejected(progress: Progress, rejection: Rejection, round: number): void {
    const { log } = this.#core;
    const meeting =
      rejection.epoch === EPOCH_NONE
        ? rejection.end
        : log.epochs.meet(rejection.epoch, rejection.end, log.end);
    if (progress.onRejected(rejection.position, meeting, round)) {
      this.#core.emit({
        kind: 'follower-lost-data',
        voter: progress.id,
        at: progress.match,
      });
    }
  }

  onSnapshotReceived(message: SnapshotReceived): void {
    const progress = this.#progressOf(message.from);
    if (progress === null) return;
    progress.onHeard(message.round, this.#core.nowTick);
    const transfer = progress.transfer;
    if (transfer === null || !isSamePosition(transfer.position, message.position)) return;
    if (message.receivedBytes > transfer.totalBytes) return;
    transfer.receivedBytes = message.receivedBytes;
    progress.resume();
  }

  peerDown(nodeId: NodeId): void {
    const progress = this.#progress.get(nodeId);
    if (progress === undefined) return;
    if (progress.state !== 'snapshot') progress.becomeProbe();
    progress.pause(this.#round);
  }

  peerUp(nodeId: NodeId): void {
    const progress = this.#progress.get(nodeId);
    if (progress === undefined || !progress.isPaused) return;
    progress.resume();
    this.#isRoundDue = true;
  }

  /**
   * Begins handing over to a voter; false when it is none, when one is under way, or when it was
   * not heard lately: nothing is proposed meanwhile, so a node that was cut off would cost acks.
   */
  transferTo(nodeId: NodeId): boolean {
    const progress = this.#progress.get(nodeId);
    if (progress === undefined || !progress.isVoter || progress.forgetful !== 0) return false;
    if (this.#transfer !== null || !this.#isHeard(progress)) return false;
    const deadlineTick = this.#core.nowTick + this.#core.config.knobs.electionTicksMin;
    this.#transfer = { to: progress.id, deadlineTick, isAsked: false };
    this.#maybeHandOver();
    return true;
  }

  #maybeHandOver(): void {
    const transfer = this.#transfer;
    if (transfer === null || transfer.isAsked) return;
    const progress = this.#progressOf(transfer.to);
    assert(progress !== null, 'a successor is a voter');
    if (!isSamePosition(progress.match, this.#core.log.end)) return;
    transfer.isAsked = true;
    this.#core.send(transfer.to, { type: 'timeout-now' });
  }

  /** Puts heartbeats that are due into the outbox. */
  flushBeats(): void {
    if (this.#isRoundDue) {
      this.#isRoundDue = false;
      this.#round++;
      this.#nextBeatTick = this.#core.nowTick + this.#core.config.knobs.heartbeatTicks;
    } else if (!this.#isCommitUntold) return;
    this.#isCommitUntold = false;
    const { log } = this.#core;
    for (const progress of this.#progress.values()) {
      const { remembered } = progress;
      const body = { round: this.#round, commit: log.commit, remembered };
      this.#core.send(progress.id, { type: 'heartbeat', ...body });
      progress.onBeat(this.#round, log.end, this.#core.nowTick);
    }
  }

  /** What needs the log to be said; see {@link Order}. */
  takeOrders(): Order[] {
    const orders: Order[] = [];
    for (const progress of this.#progress.values()) {
      const order = this.#orderFor(progress);
      if (order !== null) orders.push(order);
    }
    return orders;
  }

  #orderFor(progress: Progress): Order | null {
    const { log, config } = this.#core;
    if (progress.isPaused) return null;
    const isBelowLog = comparePositions(progress.next, log.start) < 0;
    if (progress.state !== 'snapshot' && isBelowLog) progress.becomeSnapshot();
    if (progress.state === 'snapshot') {
      const transfer = progress.transfer;
      if (transfer === null) return { kind: 'capture', to: progress.id };
      const start = transfer.receivedBytes;
      const end = Math.min(transfer.totalBytes, start + config.knobs.snapshotChunkBytes);
      return { kind: 'chunk', to: progress.id, start, end };
    }
    if (!progress.mayAppend(config.knobs)) return null;
    const isNews = comparePositions(progress.next, log.end) < 0;
    if (progress.state === 'replicate' && !isNews) return null;
    return {
      kind: 'append',
      to: progress.id,
      from: progress.next,
      limit: log.end,
      bytesMax: progress.windowBytes(config.knobs),
    };
  }

  appendMessage(to: VoterId, slices: readonly Slice[]): Append {
    const progress = this.#mustProgress(to);
    const { log, self, term } = this.#core;
    const prevPosition = progress.next;
    const last = slices.at(-1);
    const end = last === undefined ? prevPosition : sliceEnd(last);
    const isInLog = comparePositions(end, log.end) <= 0;
    assert(isInLog, 'only what is in the log is sent', { end, logEnd: log.end });
    let bytes = 0;
    for (const slice of slices) if (slice.kind === 'batches') bytes += slice.byteLength;
    progress.onSent(end, bytes, this.#round);
    return {
      type: 'append',
      from: self,
      to,
      term,
      round: this.#round,
      prevEpoch: log.epochs.epochEndingAt(prevPosition),
      prevPosition,
      slices,
      commit: log.commit,
      remembered: progress.remembered,
    };
  }

  /**
   * The driver captured a state that ends at `position`: committed, and it knows so even where this
   * log does not. After a restart the log learns of commits again only when its own epoch start is
   * committed, which may need the very follower that waits for the snapshot.
   */
  offerSnapshot(to: VoterId, position: Position, totalBytes: number): void {
    const progress = this.#mustProgress(to);
    const { log } = this.#core;
    assert(comparePositions(position, log.end) <= 0, 'a leader holds what is committed (R4, R15)');
    assert(comparePositions(position, log.start) >= 0, 'the log goes on where a snapshot ends');
    progress.transfer = { position, totalBytes, receivedBytes: 0 };
  }

  snapshotMessage(to: VoterId, chunkStart: number, bytes: Uint8Array): SnapshotChunk {
    const progress = this.#mustProgress(to);
    const transfer = progress.transfer;
    assert(transfer !== null, 'a snapshot was offered');
    progress.pause(this.#round);
    return this.#core.envelope(to, {
      type: 'snapshot',
      round: this.#round,
      position: transfer.position,
      epochs: this.#core.log.epochs.below(transfer.position),
      totalBytes: transfer.totalBytes,
      chunkStart,
      bytes,
    }) as SnapshotChunk;
  }

  /** The link did not take an append or a chunk: once more from what is known, when it is up. */
  onSendRefused(to: VoterId): void {
    const progress = this.#mustProgress(to);
    if (progress.state === 'replicate') progress.becomeProbe();
    progress.pause(this.#round);
  }

  followers(): FollowerStatus[] {
    const { nowTick } = this.#core;
    return [...this.#progress.values()].map((progress) => ({
      id: progress.id,
      isVoter: progress.isVoter,
      state: progress.state,
      match: progress.match,
      isForgetful: progress.forgetful !== 0,
      ticksBehind: nowTick - progress.caughtUpTick,
      isHeard: this.#isHeard(progress),
    }));
  }

  #isHeard(progress: Progress): boolean {
    const { nowTick, config } = this.#core;
    return progress.wasHeardWithin(SUCCESSOR_BEATS * config.knobs.heartbeatTicks, nowTick);
  }

  /** Moves the log start by a mark; clients see it once that is committed. */
  proposeLogStart(logStartOffset: Offset): void {
    const { log, term } = this.#core;
    assert(logStartOffset <= log.commit.offset, 'log start <= high watermark', { logStartOffset });
    log.appendMark({ kind: 'log-start', epoch: term, at: log.end, logStartOffset });
  }

  #progressOf(id: VoterId): Progress | null {
    const progress = this.#progress.get(id.nodeId);
    return progress !== undefined && isSameVoter(progress.id, id) ? progress : null;
  }

  #mustProgress(id: VoterId): Progress {
    const progress = this.#progressOf(id);
    assert(progress !== null, 'every other member has a progress', { nodeId: id.nodeId });
    return progress;
  }

  /** A follower cannot hold more of a leader's log than there is. */
  #isSane(message: Appended): boolean {
    const { match, received } = message;
    const isSane =
      comparePositions(match, received) <= 0 &&
      comparePositions(received, this.#core.log.end) <= 0 &&
      message.round <= this.#round;
    if (!isSane) {
      this.#core.emit({ kind: 'malformed', from: message.from, detail: 'appended' });
    }
    return isSane;
  }
}
