/**
 * Operations that this node wants done, until the controller has answered: sent to whoever leads
 * now, sent again with the same request id when that changes or nothing is heard, given up at the
 * deadline. A retry is safe because the controller remembers outcomes by request id.
 */
import { Packr } from 'msgpackr';
import type { Clock } from '../base/clock.js';
import { LograftError } from '../base/errors.js';
import type { MonotonicMs, NodeId } from '../base/units.js';
import type { Answer } from './active-controller.js';
import { METADATA_BATCH_BYTES_MAX, REQUEST_RETRY_MS, REQUESTS_PENDING_MAX } from './limits.js';
import type { ControlOp, ControlResult } from './operations.js';

export type RequestsOptions = {
  readonly clock: Clock;
  readonly newRequestId: () => string;
  /** The controller as far as known; -1 for nobody. */
  readonly controllerId: () => NodeId;
  /** Hands a request to the controller, here or elsewhere; it may be lost. */
  readonly send: (to: NodeId, requestId: string, op: ControlOp) => void;
};

/** How an operation ends; TIMED_OUT: the outcome is unknown. */
export type Fate = ControlResult<ControlOp['kind']> | LograftError;

type Pending = {
  readonly op: ControlOp;
  readonly deadlineMs: MonotonicMs;
  readonly timeoutMs: number;
  readonly done: (fate: Fate) => void;
  sentTo: NodeId;
  sentAtMs: MonotonicMs;
};

const packr = new Packr({ useRecords: false });

export class Requests {
  readonly #options: RequestsOptions;
  readonly #pending = new Map<string, Pending>();
  #isClosed = false;

  constructor(options: RequestsOptions) {
    this.#options = options;
  }

  /** `done` is called once, with the answer or TIMED_OUT, INVALID_REQUEST or CLOSED. */
  ask(op: ControlOp, timeoutMs: number, done: (fate: Fate) => void): void {
    if (this.#isClosed) return done(closing());
    if (this.#pending.size >= REQUESTS_PENDING_MAX) {
      return done(new LograftError('TIMED_OUT', `${this.#pending.size} operations already wait`));
    }
    if (packr.pack(op).length > METADATA_BATCH_BYTES_MAX) {
      const reason = `${op.kind} asks for too much at once`;
      return done(new LograftError('INVALID_REQUEST', reason, 'split it'));
    }
    const deadlineMs = this.#options.clock.monotonicMs() + timeoutMs;
    const requestId = this.#options.newRequestId();
    const pending = { op, deadlineMs, timeoutMs, done, sentTo: -1, sentAtMs: -Infinity };
    this.#pending.set(requestId, pending);
    this.#maybeSend(requestId, pending);
  }

  /**
   * Only who was asked last is believed: another controller, asked since, may do what an older one
   * has refused.
   */
  onAnswer(from: NodeId, requestId: string, answer: Answer): void {
    const pending = this.#pending.get(requestId);
    if (pending === undefined || answer.kind === 'busy' || from !== pending.sentTo) return;
    if (answer.kind === 'not-controller') {
      // Asked again when the leader is known to have changed, or at the next retry.
      if (this.#options.controllerId() !== pending.sentTo) this.#maybeSend(requestId, pending);
      return;
    }
    this.#pending.delete(requestId);
    // The operation's kind decides the shape of its value; both ends are this program.
    const result = { offset: answer.offset, value: answer.value };
    pending.done(result as ControlResult<ControlOp['kind']>);
  }

  /** Sends what is due and gives up what is late; also when the controller may have changed. */
  tick(): void {
    const nowMs = this.#options.clock.monotonicMs();
    for (const [requestId, pending] of this.#pending) {
      if (nowMs < pending.deadlineMs) {
        this.#maybeSend(requestId, pending);
        continue;
      }
      this.#pending.delete(requestId);
      const { op, timeoutMs, done } = pending;
      done(
        new LograftError(
          'TIMED_OUT',
          `${op.kind} was not answered within ${timeoutMs} ms`,
          'a majority of the nodes must run; the operation may still take effect',
        ),
      );
    }
  }

  /** A controller has just begun to serve: what it ignored before is sent again. */
  retryNow(): void {
    for (const [requestId, pending] of this.#pending) {
      pending.sentAtMs = -Infinity;
      this.#maybeSend(requestId, pending);
    }
  }

  close(): void {
    this.#isClosed = true;
    const pending = [...this.#pending.values()];
    this.#pending.clear();
    for (const { done } of pending) done(closing());
  }

  #maybeSend(requestId: string, pending: Pending): void {
    const to = this.#options.controllerId();
    const nowMs = this.#options.clock.monotonicMs();
    if (to === -1) return;
    if (to === pending.sentTo && nowMs - pending.sentAtMs < REQUEST_RETRY_MS) return;
    pending.sentTo = to;
    pending.sentAtMs = nowMs;
    this.#options.send(to, requestId, pending.op);
  }
}

function closing(): LograftError {
  return new LograftError('CLOSED', 'the broker is closing');
}
