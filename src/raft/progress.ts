/**
 * One follower as its leader sees it, and the flow control of what is sent to it.
 *
 *            rejected                      accepted
 *   probe ◀──────────── replicate      probe ────────▶ replicate     one append at a time in probe,
 *     ▲  ◀─ lost, link down ─┘           │ below the log's start     a window of them in replicate
 *     └──────── installed ── snapshot ◀──┘
 *
 * Invariant: `match <= next`; in `replicate` the in-flight appends lie between them.
 */
import { assert } from '../base/assert.js';
import type { VoterId } from '../base/group.js';
import {
  comparePositions,
  maxPosition,
  minPosition,
  ORIGIN,
  type Position,
} from '../base/position.js';
import type { RaftKnobs } from './raft-config.js';

type InFlight = { readonly end: Position; readonly bytes: number };

/** A heartbeat: how far the follower must have come when it answers. */
type Beat = { round: number; next: Position; end: Position; tick: number };

export type SnapshotTransfer = {
  readonly position: Position;
  readonly totalBytes: number;
  receivedBytes: number;
};

export class Progress {
  readonly id: VoterId;
  readonly isVoter: boolean;
  state: 'probe' | 'replicate' | 'snapshot' = 'probe';
  /** Durable at the follower and the same as here: what counts towards a commit. */
  match: Position = ORIGIN;
  /** Where the next append begins. */
  next: Position;
  /** Nothing more is sent until an answer comes or the link is up again. */
  #isPaused = false;
  /** Heartbeat round when it was paused: an answer to a later one says that nothing will come. */
  #pausedRound = 0;
  /** Where the probe on its way ends: its answer covers that or refuses. */
  #probeEnd = ORIGIN;
  /** Newest round begun when `match` last rose: only a later refusal can contradict it. */
  #matchRound = 0;
  lastHeardTick: number;
  /** It has said something in this term; before that `lastHeardTick` is only when it began. */
  #hasAnswered = false;
  ackedRound = 0;
  /** Nonce of a follower that forgot and must catch up to `rememberAt` before it counts. */
  forgetful = 0;
  rememberAt: Position = ORIGIN;
  /** Null while the driver has not captured one yet. */
  transfer: SnapshotTransfer | null = null;
  /** The follower held everything that the leader had at this tick. */
  caughtUpTick: number;
  #beat: Beat = { round: 0, next: ORIGIN, end: ORIGIN, tick: 0 };
  #inflight: InFlight[] = [];
  #inflightBytes = 0;

  constructor(id: VoterId, isVoterOfGroup: boolean, next: Position, nowTick: number) {
    this.id = id;
    this.isVoter = isVoterOfGroup;
    this.next = next;
    this.lastHeardTick = nowTick;
    this.caughtUpTick = nowTick;
  }

  get isPaused(): boolean {
    return this.#isPaused;
  }

  pause(round: number): void {
    this.#isPaused = true;
    this.#pausedRound = round;
  }

  resume(): void {
    this.#isPaused = false;
  }

  /** The nonce of a loss that it has caught up with; 0 for none. */
  get remembered(): number {
    return comparePositions(this.match, this.rememberAt) >= 0 ? this.forgetful : 0;
  }

  /** Room for one more append now. */
  mayAppend(knobs: RaftKnobs): boolean {
    if (this.#isPaused || this.state === 'snapshot') return false;
    if (this.state === 'probe') return true;
    return (
      this.#inflight.length < knobs.inflightMessagesMax &&
      this.#inflightBytes < knobs.inflightBytesMax
    );
  }

  windowBytes(knobs: RaftKnobs): number {
    return Math.min(knobs.appendBytesMax, knobs.inflightBytesMax - this.#inflightBytes);
  }

  onSent(end: Position, bytes: number, round: number): void {
    assert(comparePositions(end, this.next) >= 0, 'appends go forward', { end });
    if (this.state === 'probe') {
      this.pause(round);
      this.#probeEnd = end;
      return;
    }
    assert(this.state === 'replicate', 'nothing is appended during a snapshot');
    this.next = end;
    this.#inflight.push({ end, bytes });
    this.#inflightBytes += bytes;
  }

  /** A heartbeat left: its answer tells whether everything sent before it has arrived. */
  onBeat(round: number, logEnd: Position, nowTick: number): void {
    // An unanswered beat stays the yardstick, so that a slow follower can still be found in sync.
    if (this.#beat.round > this.ackedRound) return;
    this.#beat = { round, next: this.next, end: logEnd, tick: nowTick };
  }

  /** It answered in this term, and within so many ticks. */
  wasHeardWithin(ticks: number, nowTick: number): boolean {
    return this.#hasAnswered && nowTick - this.lastHeardTick <= ticks;
  }

  onHeard(round: number, nowTick: number): void {
    this.#hasAnswered = true;
    this.lastHeardTick = nowTick;
    this.ackedRound = Math.max(this.ackedRound, round);
  }

  /** An answer of heartbeat round `round`, while the leader is in round `leaderRound`. */
  onAccepted(match: Position, received: Position, round: number, leaderRound: number): void {
    assert(comparePositions(match, received) <= 0, 'what is synced was received', { match });
    if (comparePositions(match, this.match) > 0) {
      this.match = match;
      this.#matchRound = leaderRound;
      this.next = maxPosition(this.next, match);
    }
    if (comparePositions(this.match, this.#beat.end) >= 0) {
      this.caughtUpTick = Math.max(this.caughtUpTick, this.#beat.tick);
    }
    if (round > this.#pausedRound) this.#isPaused = false;
    if (this.state === 'snapshot') {
      const isInstalled =
        this.transfer !== null && comparePositions(this.match, this.transfer.position) >= 0;
      if (isInstalled) this.becomeProbe();
      return;
    }
    if (this.state === 'probe') {
      // An older answer may say as little as where the probe starts: its own one is still to come.
      const awaited = this.#isPaused ? this.#probeEnd : this.next;
      const reached = maxPosition(received, this.match);
      if (comparePositions(reached, awaited) >= 0) this.#becomeReplicate(reached);
      return;
    }
    this.next = maxPosition(this.next, received);
    this.#freeTo(received);
    const isLost =
      this.ackedRound >= this.#beat.round && comparePositions(received, this.#beat.next) < 0;
    if (isLost) this.becomeProbe();
  }

  /**
   * A probe at `position` failed, as an answer of round `round` says; the logs may agree up to
   * `meeting` (null: unknown epochs only).
   * Returns true when the follower turned out to have lost what it had acknowledged.
   */
  onRejected(position: Position, meeting: Position | null, round: number): boolean {
    if (this.state === 'snapshot') return false;
    const isBelowMatch = comparePositions(position, this.match) <= 0;
    // It held this once: a refusal from before that is late, whatever it says.
    if (isBelowMatch && round <= this.#matchRound) return false;
    if (this.state === 'replicate') {
      if (isBelowMatch) return false;
      this.becomeProbe();
    } else if (comparePositions(position, this.next) !== 0) {
      return false;
    }
    const isLoss = isBelowMatch && this.forgetful === 0;
    const isCloser = meeting !== null && comparePositions(meeting, position) < 0;
    const guess = isCloser ? meeting : ORIGIN;
    if (isBelowMatch) this.match = minPosition(this.match, guess);
    this.next = maxPosition(this.match, guess);
    this.#isPaused = false;
    return isLoss;
  }

  /** The follower runs again, without something it may have acknowledged. */
  restartForgetful(nonce: number, logEnd: Position): void {
    assert(nonce !== 0, 'a nonce names a loss');
    this.forgetful = nonce;
    this.rememberAt = logEnd;
    this.match = ORIGIN;
    this.becomeProbe();
    this.next = logEnd;
  }

  becomeProbe(): void {
    this.state = 'probe';
    this.next = this.match;
    this.#isPaused = false;
    this.transfer = null;
    this.#clearFlight();
    // What was sent before is being sent again: no answer may call it lost a second time.
    this.#beat.next = ORIGIN;
  }

  becomeSnapshot(): void {
    assert(this.state !== 'snapshot', 'one snapshot at a time');
    this.state = 'snapshot';
    this.#isPaused = false;
    this.transfer = null;
    this.#clearFlight();
  }

  #becomeReplicate(next: Position): void {
    assert(comparePositions(this.match, next) <= 0, 'match <= next', {
      match: this.match,
      next,
    });
    this.state = 'replicate';
    this.next = next;
    this.#isPaused = false;
    this.#clearFlight();
  }

  #freeTo(received: Position): void {
    while (true) {
      const first = this.#inflight[0];
      if (first === undefined || comparePositions(first.end, received) > 0) return;
      this.#inflight.shift();
      this.#inflightBytes -= first.bytes;
    }
  }

  #clearFlight(): void {
    this.#inflight = [];
    this.#inflightBytes = 0;
  }
}
