/**
 * What the roles of one group share: term and vote, the log, the outbox and the tick count. The
 * outbox keeps the ordering promise of `Ready`: a message that rests on a term, a vote or a cleared
 * flag waits here until that is durable (R6), whoever made it.
 */
import { assert } from '../base/assert.js';
import { isSameVoter, type VoterId } from '../base/group.js';
import { isVoter, type RaftConfig } from './raft-config.js';
import type { RaftMessage, Term } from './messages.js';
import { RaftLog } from './raft-log.js';
import type { HardState, RaftEvent } from './ready.js';

/** Kafka's leader epoch is an int32. */
const TERM_MAX = 2 ** 31 - 1;

type Held = { readonly message: RaftMessage; readonly walSequence: number };

/** A message without its envelope: the core adds who, to whom, and the term. */
type Body<M extends RaftMessage> = M extends RaftMessage ? Omit<M, 'from' | 'to' | 'term'> : never;
export type MessageBody = Body<RaftMessage>;

export class Core {
  readonly config: RaftConfig;
  readonly log: RaftLog;
  readonly isVoter: boolean;
  /** Ticks since this group was opened: the core's only time. */
  nowTick = 0;
  #hard: HardState;
  /** The hard state must be handed to the driver. */
  #isHardDirty = false;
  /** Number in the write-ahead log of the newest hard state. */
  #hardSequence = 0;
  #held: Held[] = [];
  #outbox: RaftMessage[] = [];
  #events: RaftEvent[] = [];
  /** Names this replica's forgetfulness until a leader has cured it; 0 when it forgot nothing. */
  #forgetNonce: number;
  #hasRemembered = false;

  constructor(config: RaftConfig) {
    this.config = config;
    this.log = new RaftLog(config.log.start, config.log.end, config.log.epochs);
    this.isVoter = isVoter(config.members, config.self);
    this.#hard = config.hardState ?? { term: 0, votedFor: null };
    // What was recovered may have come from the page cache: write it again before resting on it.
    if (config.hardState !== null) this.#noteHardChange();
    this.#forgetNonce = config.isForgetful ? config.random.int(1, 2 ** 31) : 0;
    assert(
      config.log.epochs.every((entry) => entry.epoch <= this.#hard.term),
      'epochs <= term',
      {
        term: this.#hard.term,
      },
    );
  }

  get self(): VoterId {
    return this.config.self;
  }

  get term(): Term {
    return this.#hard.term;
  }

  /** The term is still the recovered one, in which this replica had voted for itself. */
  get isOwnTermOfOld(): boolean {
    const { hardState } = this.config;
    const isOwn = hardState?.votedFor != null && isSameVoter(hardState.votedFor, this.self);
    return isOwn && hardState.term === this.#hard.term;
  }

  get votedFor(): VoterId | null {
    return this.#hard.votedFor;
  }

  get isForgetful(): boolean {
    return this.#forgetNonce !== 0;
  }

  get forgetNonce(): number {
    return this.#forgetNonce;
  }

  /** True when term and vote as they are now would survive a power cut. */
  get isHardStateDurable(): boolean {
    return this.log.walSynced >= this.#hardSequence;
  }

  /** Enters a later term, with nobody voted for. */
  enterTerm(term: Term): void {
    assert(Number.isInteger(term) && term <= TERM_MAX, 'a term is an int32', { term });
    assert(term > this.#hard.term, 'terms rise', { term, own: this.#hard.term });
    this.#hard = { term, votedFor: null };
    this.#noteHardChange();
    // Answers given in an older term are of no use to anybody.
    this.#held = [];
    this.log.resetMatched();
  }

  voteFor(voter: VoterId): void {
    const before = this.#hard.votedFor;
    if (before !== null) {
      assert(isSameVoter(before, voter), 'one vote a term', { term: this.#hard.term });
      return;
    }
    this.#hard = { term: this.#hard.term, votedFor: voter };
    this.#noteHardChange();
  }

  /** A leader says that this replica holds again what it may have forgotten. */
  remember(): void {
    assert(this.#forgetNonce !== 0, 'only who forgot remembers');
    this.#forgetNonce = 0;
    this.#hasRemembered = true;
    this.#noteHardChange();
    this.emit({ kind: 'remembered' });
  }

  /** Sends in the current term; leaves when term, vote and flag as they are now are durable. */
  send(to: VoterId, body: MessageBody): void {
    this.post(this.envelope(to, body));
  }

  /** {@link send} of a message that has its envelope. */
  post(message: RaftMessage): void {
    const isEarly = this.config.mutant === 'vote-before-durable' && message.type === 'voted';
    if (this.isHardStateDurable || isEarly) this.#outbox.push(message);
    else this.#held.push({ message, walSequence: this.#hardSequence });
  }

  /** Sends what promises nothing: pre-votes and their answers. */
  sendEarly(to: VoterId, body: MessageBody, term: Term): void {
    this.#outbox.push({ from: this.self, to, term, ...body } as RaftMessage);
  }

  envelope(to: VoterId, body: MessageBody): RaftMessage {
    // The body last: copied first, and grown afterwards, it takes five times as long.
    return { from: this.self, to, term: this.#hard.term, ...body } as RaftMessage;
  }

  emit(event: RaftEvent): void {
    this.#events.push(event);
  }

  /** Lets go of what waited for the disk. */
  releaseHeld(): void {
    if (this.#held.length === 0) return;
    const synced = this.log.walSynced;
    const isFree = (held: Held): boolean => held.walSequence <= synced;
    for (const held of this.#held) if (isFree(held)) this.#outbox.push(held.message);
    this.#held = this.#held.filter((held) => !isFree(held));
  }

  get hasWork(): boolean {
    return (
      this.#isHardDirty ||
      this.#outbox.length > 0 ||
      this.#events.length > 0 ||
      this.#hasRemembered ||
      this.log.hasWork
    );
  }

  takeHardState(): HardState | null {
    if (!this.#isHardDirty) return null;
    this.#isHardDirty = false;
    return this.#hard;
  }

  takeRemembered(): boolean {
    const hasRemembered = this.#hasRemembered;
    this.#hasRemembered = false;
    return hasRemembered;
  }

  takeMessages(): readonly RaftMessage[] {
    const messages = this.#outbox;
    if (messages.length > 0) this.#outbox = [];
    return messages;
  }

  takeEvents(): readonly RaftEvent[] {
    const events = this.#events;
    if (events.length > 0) this.#events = [];
    return events;
  }

  #noteHardChange(): void {
    this.#isHardDirty = true;
    this.#hardSequence = this.log.noteWalChange();
  }
}
