/**
 * Partitions that another node leads, as the doors of this one see them: a call goes to the leader
 * over the peer link, and its answer comes back. Promises: every call is answered exactly once; a
 * produce that left and was not answered is TIMED_OUT, for nobody here knows what became of it; a
 * message that is none of ours is ignored. Both ends are in this file. Main thread.
 */
import { type Check, isAnything } from '../base/checks.js';
import type { Clock } from '../base/clock.js';
import { copyBytes } from '../base/copy-bytes.js';
import type { GroupKey } from '../base/group.js';
import { FORWARDED_CALLS_MAX, FORWARDED_FETCH_BYTES_MAX } from '../base/limits.js';
import type { LeaderEpoch, MonotonicMs, NodeId, Offset } from '../base/units.js';
import {
  absentPartition,
  type EpochEndAnswer,
  type Extent,
  type ExtentRequest,
  extentFailure,
  type FetchOutcome,
  type FetchRequest,
  fetchFailure,
  type OffsetAnswer,
  type OffsetQuestion,
  type PartitionAccess,
  type ProduceOptions,
  type ProduceOutcome,
  produceFailure,
} from './access.js';
import {
  type Ask,
  type ForwardMessage,
  isEpochEndAnswer,
  isExtent,
  isFetchOutcome,
  isOffsetAnswer,
  isProduceOutcome,
} from './forward-messages.js';

export type ForwardingOptions = {
  /** Begins the ids of this process's calls. */
  readonly incarnation: string;
  readonly clock: Clock;
  /** Partitions of this node, whichever shard they are on. */
  readonly local: (group: GroupKey) => PartitionAccess;
  /** A call for a group coordinator of this node; null when there is none, or it is nonsense. */
  readonly localGroup: (
    group: GroupKey,
    method: string,
    request: unknown,
    done: (response: unknown, bytes: number) => void,
  ) => void;
  /** False: it did not leave. `bytes` is about its size. */
  readonly send: (to: NodeId, message: ForwardMessage, bytes: number) => boolean;
};

/** A call of this node that waits for its answer. */
type Waiting = {
  readonly to: NodeId;
  readonly deadlineMs: MonotonicMs;
  /** The answer, or null when there will be none. */
  readonly done: (result: unknown) => void;
};

/** What an answer may take beyond the time that the leader itself was given. */
const SLACK_MS = 1_000;
const READ_MS = 5_000;
/** An answer that a full link did not take is tried again so long. */
const ANSWER_MS = 5_000;

type UnsentAnswer = {
  readonly to: NodeId;
  readonly message: ForwardMessage;
  readonly bytes: number;
  readonly deadlineMs: MonotonicMs;
};

export class Forwarding {
  readonly #options: ForwardingOptions;
  readonly #waiting = new Map<string, Waiting>();
  /** Calls of other nodes that are worked on here, by node and id; the value ends a long poll. */
  readonly #served = new Map<string, { readonly from: NodeId; cancel: () => void }>();
  #unsent: UnsentAnswer[] = [];
  #calls = 0;

  constructor(options: ForwardingOptions) {
    this.#options = options;
  }

  /** Calls that wait for other nodes; at most FORWARDED_CALLS_MAX. */
  get openCalls(): number {
    return this.#waiting.size;
  }

  /** The partition as `leader` serves it. */
  access(leader: NodeId, group: GroupKey): PartitionAccess {
    return new ForwardedPartition(this, leader, group);
  }

  /** Returns how to withdraw; `done` gets null when there is no answer, `isSent` says why. */
  call(
    to: NodeId,
    group: GroupKey,
    ask: Ask,
    { timeoutMs, bytes = 0 }: { timeoutMs: number; bytes?: number },
    done: (result: unknown, isSent: boolean) => void,
  ): () => void {
    const { incarnation, clock, send } = this.#options;
    this.#calls += 1;
    const callId = `${incarnation}:${this.#calls}`;
    const isFull = this.#waiting.size >= FORWARDED_CALLS_MAX;
    const deadlineMs = clock.monotonicMs() + timeoutMs;
    this.#waiting.set(callId, { to, deadlineMs, done: (result) => done(result, true) });
    if (isFull || !send(to, { kind: 'partition-call', callId, group, ask }, bytes)) {
      this.#waiting.delete(callId);
      done(null, false);
      return () => {};
    }
    return () => {
      if (this.#waiting.delete(callId)) send(to, { kind: 'partition-cancel', callId }, 0);
    };
  }

  onMessage(from: NodeId, message: ForwardMessage): void {
    switch (message.kind) {
      case 'partition-call':
        return this.#serve(from, message.callId, message.group, message.ask);
      case 'partition-answer':
        return this.#settle(message.callId, message.result);
      case 'partition-cancel':
        return this.#endServed(servedKey(from, message.callId));
    }
  }

  onLinkDown(peer: NodeId): void {
    for (const [callId, { to }] of this.#waiting) if (to === peer) this.#settle(callId, null);
    for (const [key, { from }] of this.#served) if (from === peer) this.#endServed(key);
    this.#unsent = this.#unsent.filter(({ to }) => to !== peer);
  }

  tick(): void {
    const nowMs = this.#options.clock.monotonicMs();
    for (const [callId, { deadlineMs }] of this.#waiting) {
      if (nowMs >= deadlineMs) this.#settle(callId, null);
    }
    for (const answer of this.#unsent.splice(0)) {
      if (nowMs < answer.deadlineMs) this.#sendAnswer(answer);
    }
  }

  #settle(callId: string, result: unknown): void {
    const waiting = this.#waiting.get(callId);
    if (waiting === undefined) return;
    this.#waiting.delete(callId);
    waiting.done(result);
  }

  // --- the leader's end ----------------------------------------------------------------------

  #serve(from: NodeId, callId: string, group: GroupKey, ask: Ask): void {
    const key = servedKey(from, callId);
    // Over the bound nothing is said: the asker's time runs out.
    if (this.#served.has(key) || this.#served.size >= FORWARDED_CALLS_MAX) return;
    const served = { from, cancel: () => {} };
    this.#served.set(key, served);
    const answer = (result: unknown, bytes = 0): void => {
      if (!this.#served.delete(key)) return;
      const message: ForwardMessage = { kind: 'partition-answer', callId, result };
      const deadlineMs = this.#options.clock.monotonicMs() + ANSWER_MS;
      this.#sendAnswer({ to: from, message, bytes, deadlineMs });
    };
    const partition = this.#options.local(group);
    switch (ask.kind) {
      case 'produce':
        partition.produce(ask.bytes, 0, ask.bytes.length, ask.options, (o) => answer(o));
        return;
      case 'fetch':
        partition.fetch(ask.request, (outcome) => answer(outcome, bytesOf(outcome)));
        return;
      case 'extent':
        partition.extent(ask.request, (extent) => answer(extent));
        return;
      case 'advance':
        served.cancel = partition.onAdvance(ask.offset, () => answer(true));
        return;
      case 'offset':
        partition.offsetFor(ask.question, ask.epoch, (found) => answer(found));
        return;
      case 'epoch-end':
        partition.epochEnd(ask.leaderEpoch, ask.epoch, (found) => answer(found));
        return;
      case 'group':
        this.#options.localGroup(group, ask.method, ask.request, answer);
        return;
    }
  }

  #endServed(key: string): void {
    const served = this.#served.get(key);
    this.#served.delete(key);
    served?.cancel();
  }

  #sendAnswer(answer: UnsentAnswer): void {
    const { to, message, bytes } = answer;
    if (this.#options.send(to, message, bytes)) return;
    if (this.#unsent.length < FORWARDED_CALLS_MAX) this.#unsent.push(answer);
  }
}

class ForwardedPartition implements PartitionAccess {
  readonly #forwarding: Forwarding;
  readonly #leader: NodeId;
  readonly #group: GroupKey;

  constructor(forwarding: Forwarding, leader: NodeId, group: GroupKey) {
    this.#forwarding = forwarding;
    this.#leader = leader;
    this.#group = group;
  }

  produce(
    bytes: Uint8Array,
    start: number,
    length: number,
    options: ProduceOptions,
    done: (outcome: ProduceOutcome) => void,
  ): void {
    // The link packs it at the end of the turn, when the caller's bytes may be gone.
    const copy = copyBytes(bytes, start, start + length);
    const ask: Ask = { kind: 'produce', bytes: copy, options };
    const timeoutMs = options.timeoutMs + SLACK_MS;
    this.#call(ask, { timeoutMs, bytes: length }, isProduceOutcome, (outcome, isSent) => {
      const error = isSent ? 'TIMED_OUT' : 'NOT_LEADER';
      done((outcome as ProduceOutcome | null) ?? produceFailure(error, NO_ANSWER));
    });
  }

  fetch(request: FetchRequest, done: (outcome: FetchOutcome) => void): void {
    const maxBytes = Math.min(request.maxBytes, FORWARDED_FETCH_BYTES_MAX);
    const ask: Ask = { kind: 'fetch', request: { ...request, maxBytes } };
    this.#call(ask, { timeoutMs: READ_MS }, isFetchOutcome, (outcome) => {
      done((outcome as FetchOutcome | null) ?? fetchFailure('NOT_LEADER'));
    });
  }

  extent(request: ExtentRequest, done: (extent: Extent) => void): void {
    this.#call({ kind: 'extent', request }, { timeoutMs: READ_MS }, isExtent, (extent) => {
      done((extent as Extent | null) ?? extentFailure('NOT_LEADER'));
    });
  }

  onAdvance(offset: Offset, wake: () => void): () => void {
    const timeoutMs = Number.POSITIVE_INFINITY;
    return this.#call({ kind: 'advance', offset }, { timeoutMs }, isAnything, () => wake());
  }

  offsetFor(
    question: OffsetQuestion,
    epoch: LeaderEpoch | -1,
    done: (answer: OffsetAnswer) => void,
  ): void {
    const ask: Ask = { kind: 'offset', question, epoch };
    this.#call(ask, { timeoutMs: READ_MS }, isOffsetAnswer, (answer) => {
      if (answer === null) absentPartition.offsetFor(question, epoch, done);
      else done(answer as OffsetAnswer);
    });
  }

  epochEnd(
    leaderEpoch: LeaderEpoch,
    epoch: LeaderEpoch | -1,
    done: (answer: EpochEndAnswer) => void,
  ): void {
    const ask: Ask = { kind: 'epoch-end', leaderEpoch, epoch };
    this.#call(ask, { timeoutMs: READ_MS }, isEpochEndAnswer, (answer) => {
      if (answer === null) absentPartition.epochEnd(leaderEpoch, epoch, done);
      else done(answer as EpochEndAnswer);
    });
  }

  /** An answer of the wrong shape is as good as none. */
  #call(
    ask: Ask,
    times: { timeoutMs: number; bytes?: number },
    isAnswer: Check,
    done: (result: unknown, isSent: boolean) => void,
  ): () => void {
    return this.#forwarding.call(this.#leader, this.#group, ask, times, (result, isSent) => {
      done(isAnswer(result) ? result : null, isSent);
    });
  }
}

const NO_ANSWER = 'the leader did not answer';

function servedKey(from: NodeId, callId: string): string {
  return `${from}/${callId}`;
}

function bytesOf({ data }: FetchOutcome): number {
  return data?.kind === 'bytes' ? data.bytes.length : 0;
}
