/**
 * Becoming leader: when to stand, whom to ask, how to count; and whether to give others a vote.
 *
 *   follower ──timeout──▶ pre-vote ──majority──▶ vote ──majority──▶ leader
 *                            └── all present, too many forgot, longest log ──▶ vote (unanimous) ─┘
 *
 * A vote is given once a term, only to a log at least as long as the own one, never while a live
 * leader is heard, and leaves when it is durable.
 */
import { assert } from '../base/assert.js';
import { isSameVoter, type VoterId } from '../base/group.js';
import { comparePositions, type Position } from '../base/position.js';
import type { LeaderEpoch, NodeId } from '../base/units.js';
import type { Core } from './core.js';
import type { PreVote, PreVoted, Term, Vote, Voted } from './messages.js';
import { majorityOf } from './quorum.js';
import type { ElectionReason } from './ready.js';

/** Ticks in which one of two that stand at the same moment gives way to the other. */
const CONTEST_TICKS = 2;
/** After a refused candidacy without a leader in sight: this often soon again, then in peace. */
const QUICK_RETRIES_MAX = 3;

type Answer = {
  readonly isGranted: boolean;
  readonly hasLeader: boolean;
  readonly isForgetful: boolean;
  readonly lastEpoch: LeaderEpoch;
  readonly lastPosition: Position;
};

type Ballot = {
  readonly phase: 'pre-vote' | 'vote';
  /** The term it is held in; a pre-vote leaves that as it is. */
  readonly term: Term;
  readonly nonce: number;
  readonly isRecovery: boolean;
  readonly startTick: number;
  readonly answers: Map<NodeId, Answer>;
  /** The own vote counts once it is durable. */
  hasOwnVote: boolean;
};

export type ElectionOutcome = 'none' | 'campaign' | 'recovery-campaign' | 'won' | 'recovery-won';

export class Election {
  readonly #core: Core;
  #ballot: Ballot | null = null;
  /** Stand when this tick comes and no leader was heard. */
  #standTick: number;
  #heardLeaderTick = Number.NEGATIVE_INFINITY;
  #quickRetries = 0;
  #hasYielded = false;
  /** Why this replica stands, or will when its time comes. */
  #reason: ElectionReason = 'start';

  constructor(core: Core) {
    this.#core = core;
    this.#standTick = core.nowTick + this.#firstTimeout();
  }

  get isStanding(): boolean {
    return this.#ballot !== null;
  }

  /** A leader was heard so lately that nobody else should get a vote. */
  get hearsLeader(): boolean {
    const { nowTick, config } = this.#core;
    return nowTick - this.#heardLeaderTick < config.knobs.electionTicksMin;
  }

  get isDue(): boolean {
    return this.#core.nowTick >= this.#standTick;
  }

  /** A message of the current leader: patience starts anew. */
  onLeaderHeard(): void {
    this.#ballot = null;
    this.#heardLeaderTick = this.#core.nowTick;
    this.#standTick = this.#core.nowTick + this.#randomTimeout();
    this.#quickRetries = 0;
    this.#hasYielded = false;
    this.#reason = 'timeout';
  }

  /** The link to the leader closed: the first live voter in order stands at once. */
  onLeaderLost(leader: VoterId): void {
    const { config, nowTick } = this.#core;
    const others = config.members.voters.filter((voter) => !isSameVoter(voter, leader));
    this.#heardLeaderTick = Number.NEGATIVE_INFINITY;
    this.#reason = 'link-closed';
    this.#standTick = Math.min(this.#standTick, nowTick + 1 + this.#turnTicks(others));
  }

  /** Returns what it stood for; after a term of leading it will be for want of a leader. */
  onWon(): ElectionReason {
    const reason = this.#reason;
    this.onIdle();
    this.#reason = 'timeout';
    return reason;
  }

  /** Leading or standing ended without a known leader. */
  onIdle(): void {
    this.#ballot = null;
    this.#heardLeaderTick = Number.NEGATIVE_INFINITY;
    this.#standTick = this.#core.nowTick + this.#randomTimeout();
  }

  /** Time passed unseen: what waits in the sockets gets its chance first. */
  onGap(): void {
    this.#standTick = this.#core.nowTick + this.#randomTimeout();
  }

  /** This replica may not stand now (its disk is full): ask again later. */
  postpone(): void {
    this.#standTick = this.#core.nowTick + this.#randomTimeout();
  }

  /** Asks everybody whether standing makes sense. */
  startPreVote(): ElectionOutcome {
    const { config, log, term, self } = this.#core;
    // What it stood for before came to nothing.
    if (this.#reason === 'transfer' || this.#reason === 'recovery') this.#reason = 'timeout';
    const ballot = this.#open('pre-vote', false);
    ballot.hasOwnVote = true;
    this.#core.emit({ kind: 'pre-vote' });
    for (const voter of config.members.voters) {
      if (isSameVoter(voter, self)) continue;
      const body = {
        nonce: ballot.nonce,
        lastEpoch: log.lastEpoch,
        lastPosition: log.end,
        isForgetful: this.#core.isForgetful,
      };
      this.#core.sendEarly(voter, { type: 'pre-vote', ...body }, term + 1);
    }
    return this.#evaluate();
  }

  /** Stands in a new term. The requests leave when term and own vote are durable (R6). */
  startVote(isTransfer: boolean, isRecovery: boolean): void {
    const core = this.#core;
    assert(core.isVoter, 'only voters stand');
    assert(!core.isForgetful || isRecovery, 'who forgot stands only in a recovery');
    if (isTransfer) this.#reason = 'transfer';
    else if (isRecovery) this.#reason = 'recovery';
    const isRepeated = core.config.mutant === 'same-term-after-restart' && core.isOwnTermOfOld;
    if (!isRepeated) core.enterTerm(core.term + 1);
    core.voteFor(core.self);
    this.#open('vote', isRecovery);
    core.emit({ kind: 'campaign', term: core.term });
    for (const voter of core.config.members.voters) {
      if (isSameVoter(voter, core.self)) continue;
      const body = { lastEpoch: core.log.lastEpoch, lastPosition: core.log.end };
      core.send(voter, { type: 'vote', ...body, isTransfer, isRecovery });
    }
  }

  /** The disk has caught up: the own vote may count now. */
  onDurable(): ElectionOutcome {
    if (this.#ballot === null || this.#ballot.hasOwnVote) return 'none';
    if (!this.#core.isHardStateDurable) return 'none';
    this.#ballot.hasOwnVote = true;
    return this.#evaluate();
  }

  onPreVoted(message: PreVoted): ElectionOutcome {
    const ballot = this.#ballot;
    if (ballot === null || ballot.phase !== 'pre-vote') return 'none';
    if (ballot.nonce !== message.nonce) return 'none';
    ballot.answers.set(message.from.nodeId, message);
    return this.#evaluate();
  }

  onVoted(message: Voted): ElectionOutcome {
    const ballot = this.#ballot;
    if (ballot === null || ballot.phase !== 'vote') return 'none';
    assert(message.term === this.#core.term, 'answers of other terms were dropped');
    ballot.answers.set(message.from.nodeId, {
      isGranted: message.isGranted,
      hasLeader: false,
      isForgetful: false,
      lastEpoch: -1,
      lastPosition: this.#core.log.start,
    });
    return this.#evaluate();
  }

  /** Answers "would you?"; changes neither term nor vote. */
  onPreVote(message: PreVote, isLeader: boolean): void {
    const { log, term, isForgetful } = this.#core;
    const hasLeader = isLeader || this.hearsLeader;
    const isLongEnough = this.#isLogEnough(message.lastEpoch, message.lastPosition);
    const isGranted =
      this.#core.isVoter &&
      !isForgetful &&
      !message.isForgetful &&
      !hasLeader &&
      isLongEnough &&
      message.term > term &&
      this.#givesWay(message);
    if (!hasLeader && !isLongEnough) this.#standSoon();
    const body = { nonce: message.nonce, isGranted, hasLeader, isForgetful };
    const own = { lastEpoch: log.lastEpoch, lastPosition: log.end };
    this.#core.sendEarly(message.from, { type: 'pre-voted', ...body, ...own }, term);
  }

  /** The caller has entered the term of the request. */
  onVote(message: Vote): void {
    const { votedFor, isForgetful, isVoter, term } = this.#core;
    assert(message.term === term, 'requests of other terms were dropped', { term });
    const isFree = votedFor === null || isSameVoter(votedFor, message.from);
    const isGranted =
      isVoter &&
      isFree &&
      (!isForgetful || message.isRecovery) &&
      this.#isLogEnough(message.lastEpoch, message.lastPosition);
    if (isGranted) {
      this.#core.voteFor(message.from);
      this.#ballot = null;
      this.#standTick = this.#core.nowTick + this.#randomTimeout();
    }
    this.#core.send(message.from, { type: 'voted', isGranted });
  }

  #isLogEnough(epoch: LeaderEpoch, end: Position): boolean {
    if (this.#core.config.mutant === 'vote-without-log-check') return true;
    return this.#core.log.isAtMost(epoch, end);
  }

  /** Of two that ask each other at the same moment, the one with the better claim goes on. */
  #givesWay(message: PreVote): boolean {
    const ballot = this.#ballot;
    const { nowTick, self, log } = this.#core;
    if (ballot === null || ballot.phase !== 'pre-vote') return true;
    if (nowTick - ballot.startTick >= CONTEST_TICKS) return true;
    const isEven =
      message.lastEpoch === log.lastEpoch && comparePositions(message.lastPosition, log.end) === 0;
    if (isEven && self.nodeId < message.from.nodeId) return false;
    if (!this.#hasYielded) {
      this.#hasYielded = true;
      this.#ballot = null;
      this.#standTick = nowTick + this.#retryTicks();
    }
    return true;
  }

  /** Somebody with a shorter log stands: this replica has the better claim. */
  #standSoon(): void {
    if (this.#core.isForgetful || this.#ballot !== null) return;
    const soon = this.#core.nowTick + 1 + this.#core.config.random.int(0, 2);
    this.#standTick = Math.min(this.#standTick, soon);
  }

  #open(phase: Ballot['phase'], isRecovery: boolean): Ballot {
    const { nowTick, config } = this.#core;
    const ballot: Ballot = {
      phase,
      term: this.#core.term,
      nonce: config.random.int(1, 2 ** 31),
      isRecovery,
      startTick: nowTick,
      answers: new Map(),
      hasOwnVote: false,
    };
    const isQuick = phase === 'pre-vote' && this.#quickRetries < QUICK_RETRIES_MAX;
    if (isQuick) this.#quickRetries++;
    this.#standTick = nowTick + (isQuick ? this.#retryTicks() : this.#randomTimeout());
    this.#ballot = ballot;
    return ballot;
  }

  #evaluate(): ElectionOutcome {
    const ballot = this.#ballot;
    assert(ballot !== null, 'an open ballot is counted');
    assert(ballot.term === this.#core.term, 'a ballot ends with its term', { term: ballot.term });
    const { voters } = this.#core.config.members;
    const granted = [...ballot.answers.values()].filter((answer) => answer.isGranted).length;
    if (ballot.phase === 'vote') {
      const votes = granted + (ballot.hasOwnVote ? 1 : 0);
      if (ballot.isRecovery) return votes === voters.length ? 'recovery-won' : 'none';
      return votes >= majorityOf(voters.length) ? 'won' : 'none';
    }
    const own = this.#core.isForgetful ? 0 : 1;
    if (own === 1 && granted + own >= majorityOf(voters.length)) return 'campaign';
    return this.#mayRecover(ballot) ? 'recovery-campaign' : 'none';
  }

  /** All voters answered, too many forgot, nobody hears a leader, and this log is the longest. */
  #mayRecover(ballot: Ballot): boolean {
    const { config, log, self, isForgetful } = this.#core;
    const { voters } = config.members;
    let kept = isForgetful ? 0 : 1;
    for (const voter of voters) {
      if (isSameVoter(voter, self)) continue;
      const answer = ballot.answers.get(voter.nodeId);
      if (answer === undefined || answer.hasLeader) return false;
      if (!answer.isForgetful) kept++;
      const order =
        answer.lastEpoch - log.lastEpoch || comparePositions(answer.lastPosition, log.end);
      if (order > 0 || (order === 0 && voter.nodeId < self.nodeId)) return false;
    }
    return kept < majorityOf(voters.length);
  }

  /** A pre-vote disturbs nobody: whoever hears a leader refuses it, so the start need not wait. */
  #firstTimeout(): number {
    const { knobs, members } = this.#core.config;
    return knobs.isEager ? 1 + this.#turnTicks(members.voters) : this.#randomTimeout();
  }

  /** When this replica's turn comes if `voters` stand one after the other. */
  #turnTicks(voters: readonly VoterId[]): number {
    const { config, self } = this.#core;
    const index = voters.findIndex((voter) => isSameVoter(voter, self));
    return Math.max(0, index) * config.knobs.standTicks + config.random.int(0, 2);
  }

  #randomTimeout(): number {
    const { electionTicksMin, electionTicksMax } = this.#core.config.knobs;
    return this.#core.config.random.int(electionTicksMin, electionTicksMax);
  }

  #retryTicks(): number {
    const { standTicks } = this.#core.config.knobs;
    return this.#core.config.random.int(standTicks, 2 * standTicks + 1);
  }
}
