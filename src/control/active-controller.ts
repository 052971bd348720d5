/**
 * The controller while this node leads the metadata group: one operation at a time is decided over
 * the newest image (committed or not), appended as one batch, and answered once it is committed and
 * applied. Made when the leader serves and has applied everything, thrown away when it no longer
 * leads; what was open is then answered "not the controller", and its outcome is learnt from the
 * successor.
 */
import { assert } from '../base/assert.js';
import type { Clock } from '../base/clock.js';
import { LograftError } from '../base/errors.js';
import type { Mutant } from '../base/mutant.js';
import type { MonotonicMs, NodeId, Offset } from '../base/units.js';
import type { Logger } from '../observability/logger.js';
import { decide } from './decide.js';
import type { TopicDecisionContext } from './decide-topics.js';
import { Draft } from './draft.js';
import type { ClusterImage } from './image.js';
import { APPEND_REST_MS, FORGET_INTERVAL_MS, REQUESTS_PENDING_MAX } from './limits.js';
import { Liveness } from './liveness.js';
import type { HeartbeatMessage, ResponseMessage } from './messages.js';
import type { ControlOp } from './operations.js';
import type { MetadataLog, MetadataReplica } from './ports.js';
import { FEATURE_LEVEL_MAX, type MetadataRecord } from './records.js';
import { ToldAnswers } from './told-answers.js';

export type Answer = ResponseMessage['answer'];

export type ActiveControllerOptions = {
  readonly image: ClusterImage;
  readonly replica: MetadataReplica;
  readonly log: MetadataLog;
  readonly clock: Clock;
  readonly context: TopicDecisionContext;
  readonly sessionTimeoutMs: number;
  /** Committed by the first leader of a cluster that has no id yet. */
  readonly newClusterId: () => string;
  readonly logger: Logger;
  /** Tests only: a classical mistake. */
  readonly mutant?: Mutant | undefined;
};

type OpenAnswer = {
  readonly requestId: string;
  readonly endOffset: Offset;
  readonly value: unknown;
  readonly done: (answer: Answer) => void;
};

export class ActiveController {
  readonly #options: ActiveControllerOptions;
  readonly #liveness: Liveness;
  /** The newest image, with everything appended. Invariant: its applied offset is the log's end. */
  #image: ClusterImage;
  /** Waiting for their commit, by ascending `endOffset`. */
  #open: OpenAnswer[] = [];
  /** Requests that wait for a commit or a confirmation: a retry of one changes nothing. */
  readonly #inFlight = new Set<string>();
  readonly #told = new ToldAnswers();
  #tickedAtMs: MonotonicMs;
  #forgottenAtMs: MonotonicMs;
  #appliedOffset: Offset;
  /** After the log refused a batch, nothing of the controller's own is tried before this. */
  #restUntilMs: MonotonicMs = 0;
  #isClosed = false;

  constructor(options: ActiveControllerOptions) {
    const nowMs = options.clock.monotonicMs();
    this.#options = options;
    this.#image = options.image;
    this.#appliedOffset = options.image.appliedOffset;
    this.#liveness = new Liveness(options.sessionTimeoutMs, nowMs);
    this.#tickedAtMs = nowMs;
    this.#forgottenAtMs = nowMs;
  }

  /** Commits what every cluster has from its first moment. */
  start(): void {
    if (this.#image.clusterId !== null) return;
    this.#appendRecords([
      { kind: 'cluster-id', clusterId: this.#options.newClusterId() },
      { kind: 'feature-level', level: FEATURE_LEVEL_MAX },
    ]);
  }

  /** Decides an operation; `done` is called once, now or later, unless the request is in flight. */
  handle(requestId: string, op: ControlOp, done: (answer: Answer) => void): void {
    if (this.#inFlight.has(requestId)) return;
    const told = this.#told.find(requestId);
    if (told !== undefined) {
      done({ kind: 'done', offset: told.endOffset, value: told.value });
      return;
    }
    if (this.#inFlight.size >= REQUESTS_PENDING_MAX) {
      done({ kind: 'busy' });
      return;
    }
    const { context, mutant } = this.#options;
    const decision = decide(this.#image, requestId, op, context, mutant);
    const endOffset = decision.image.appliedOffset;
    if (decision.values.length > 0 && !this.#append(decision.values, decision.image)) {
      done({ kind: 'busy' });
      return;
    }
    this.#inFlight.add(requestId);
    const open = { requestId, endOffset, value: decision.value, done };
    const isHasty =
      mutant === 'answer-before-commit' ||
      (mutant === 'producer-block-before-commit' && op.kind === 'allocateProducerIds');
    if (isHasty) this.#answer(open);
    else if (decision.values.length > 0) this.#open.push(open);
    else this.#answerConfirmed(open);
  }

  heard(message: HeartbeatMessage): void {
    this.#liveness.heard(message, this.#options.clock.monotonicMs());
    this.#judge();
  }

  tick(): void {
    const nowMs = this.#options.clock.monotonicMs();
    if (nowMs - this.#tickedAtMs > this.#options.sessionTimeoutMs / 2)
      this.#liveness.forgive(nowMs);
    this.#tickedAtMs = nowMs;
    this.#judge();
    if (nowMs - this.#forgottenAtMs < FORGET_INTERVAL_MS) return;
    this.#forgottenAtMs = nowMs;
    this.#forgetDeleted();
  }

  /** Answers what is committed and applied below `offset`. */
  onApplied(offset: Offset): void {
    this.#appliedOffset = offset;
    let count = 0;
    while (count < this.#open.length && (this.#open[count] as OpenAnswer).endOffset <= offset)
      count++;
    if (count === 0) return;
    for (const open of this.#open.splice(0, count)) this.#answer(open);
  }

  close(leaderId: NodeId): void {
    this.#isClosed = true;
    const open = this.#open;
    this.#open = [];
    this.#inFlight.clear();
    for (const { done } of open) done({ kind: 'not-controller', leaderId });
  }

  /**
   * An answer that commits nothing still has to be true: a deposed leader must not say "exists"
   * from an old image (invariant R13), and what it rests on must be committed.
   */
  #answerConfirmed(open: OpenAnswer): void {
    if (this.#options.mutant === 'answer-without-confirmation') return this.#answer(open);
    this.#options.replica.confirmLeadership((isConfirmed) => {
      if (this.#isClosed || !isConfirmed) {
        this.#inFlight.delete(open.requestId);
        open.done({ kind: 'not-controller', leaderId: this.#options.replica.leaderId });
        return;
      }
      if (this.#options.mutant !== 'refusal-not-remembered') this.#told.add(open.requestId, open);
      this.#open.push(open);
      this.#open.sort((a, b) => a.endOffset - b.endOffset);
      this.onApplied(this.#appliedOffset);
    });
  }

  #answer({ requestId, endOffset, value, done }: OpenAnswer): void {
    this.#inFlight.delete(requestId);
    done({ kind: 'done', offset: endOffset, value });
  }

  #judge(): void {
    const nowMs = this.#options.clock.monotonicMs();
    if (nowMs < this.#restUntilMs) return;
    const records = this.#liveness.judge(this.#image, nowMs);
    if (records.length === 0 || !this.#appendRecords(records)) return;
    for (const { kind, nodeId, incarnation } of records) {
      const text = kind === 'fence-broker' ? 'broker is fenced' : 'broker is live';
      this.#options.logger.info({ nodeId, incarnation }, text);
    }
  }

  #forgetDeleted(): void {
    if (this.#image.deletedTopics.size === 0) return;
    const isEarly = this.#options.mutant === 'tombstones-forgotten-early';
    const through = isEarly
      ? this.#appliedOffset
      : this.#liveness.reconciledEverywhere(this.#image);
    for (const { deletedAt } of this.#image.deletedTopics.values()) {
      if (deletedAt >= through) continue;
      this.#appendRecords([{ kind: 'forget-deleted', through }]);
      return;
    }
  }

  #appendRecords(records: readonly MetadataRecord[]): boolean {
    const draft = new Draft(this.#image);
    for (const record of records) {
      assert(draft.add(record) === null, "the controller's own records fit in a batch");
    }
    return this.#append(draft.values, draft.image);
  }

  /** One batch in the metadata log; false when the log does not take it now. */
  #append(values: readonly Uint8Array[], image: ClusterImage): boolean {
    const { replica, log, clock, logger } = this.#options;
    const batch = log.encodeBatch(values, clock.wallMs());
    let baseOffset: Offset;
    try {
      baseOffset = replica.append(batch, 0, batch.length);
    } catch (error) {
      if (!(error instanceof LograftError)) throw error;
      this.#restUntilMs = clock.monotonicMs() + APPEND_REST_MS;
      logger.warn({ code: error.code, reason: error.message }, 'metadata log refused a batch');
      return false;
    }
    assert(baseOffset === this.#image.appliedOffset, 'only the controller appends metadata', {
      baseOffset,
      expected: this.#image.appliedOffset,
    });
    this.#image = image;
    return true;
  }
}
