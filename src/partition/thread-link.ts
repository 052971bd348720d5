/**
 * Calls between the threads of one broker (main and shards) over a MessagePort: requests with an
 * answer, and one-way notices. Buffers that are named in `transfer` move without a copy. A call is
 * answered exactly once; when the other thread is gone every open call fails.
 */
import type { MessagePort, TransferListItem } from 'node:worker_threads';
import { assert } from '../base/assert.js';
import { type ErrorCode, LograftError } from '../base/errors.js';
import { THREAD_CALLS_MAX } from '../base/limits.js';

/** Answers a call; `transfer` lists the buffers of `result` that move with it. */
export type Answer = (result: unknown, transfer?: readonly TransferListItem[]) => void;
export type CallHandler = (payload: unknown, answer: Answer) => void;
export type NoticeHandler = (payload: unknown) => void;

type Wire =
  | { kind: 'call'; id: number; method: string; payload: unknown }
  | { kind: 'answer'; id: number; result: unknown }
  | { kind: 'failure'; id: number; code: ErrorCode; message: string }
  | { kind: 'notice'; method: string; payload: unknown };

type Pending = (error: LograftError | null, result: unknown) => void;

export class ThreadLink {
  readonly #port: MessagePort;
  readonly #calls = new Map<string, CallHandler>();
  readonly #requests = new Map<string, (payload: unknown) => Promise<unknown>>();
  readonly #notices = new Map<string, NoticeHandler>();
  readonly #pending = new Map<number, Pending>();
  #nextId = 1;

  constructor(port: MessagePort) {
    this.#port = port;
    port.on('message', (wire: Wire) => this.#receive(wire));
    port.on('close', () => this.#failAll());
  }

  onCall(method: string, handler: CallHandler): void {
    this.#calls.set(method, handler);
  }

  /** {@link onCall} for work that is a promise; a LograftError travels back as itself. */
  onRequest(method: string, work: (payload: unknown) => Promise<unknown>): void {
    this.#requests.set(method, work);
  }

  onNotice(method: string, handler: NoticeHandler): void {
    this.#notices.set(method, handler);
  }

  /** Asks the other thread; `done` gets an error when it failed there or is gone. */
  call(
    method: string,
    payload: unknown,
    transfer: readonly TransferListItem[],
    done: Pending,
  ): void {
    if (this.#pending.size >= THREAD_CALLS_MAX) {
      done(new LograftError('TIMED_OUT', `over ${THREAD_CALLS_MAX} open calls to a thread`), null);
      return;
    }
    const id = this.#nextId++;
    this.#pending.set(id, done);
    this.#port.postMessage({ kind: 'call', id, method, payload } satisfies Wire, transfer);
  }

  /** {@link call} as a promise, for everything that is not on a record's path. */
  request(method: string, payload: unknown): Promise<unknown> {
    return new Promise((resolve, reject) => {
      this.call(method, payload, [], (error, result) => {
        if (error === null) resolve(result);
        else reject(error);
      });
    });
  }

  notify(method: string, payload: unknown, transfer: readonly TransferListItem[] = []): void {
    this.#port.postMessage({ kind: 'notice', method, payload } satisfies Wire, transfer);
  }

  /** Calls without an answer yet; at most THREAD_CALLS_MAX. */
  get openCalls(): number {
    return this.#pending.size;
  }

  close(): void {
    this.#port.close();
  }

  #receive(wire: Wire): void {
    switch (wire.kind) {
      case 'call':
        this.#serve(wire.id, wire.method, wire.payload);
        return;
      case 'notice': {
        const handler = this.#notices.get(wire.method);
        assert(handler !== undefined, 'unknown notice between threads', { method: wire.method });
        handler(wire.payload);
        return;
      }
      case 'answer':
        this.#settle(wire.id, null, wire.result);
        return;
      case 'failure':
        this.#settle(wire.id, new LograftError(wire.code, wire.message), null);
        return;
    }
  }

  #serve(id: number, method: string, payload: unknown): void {
    const work = this.#requests.get(method);
    if (work !== undefined) {
      work(payload).then(
        (result) => this.#port.postMessage({ kind: 'answer', id, result } satisfies Wire),
        (error: unknown) => this.#sendFailure(id, error),
      );
      return;
    }
    const handler = this.#calls.get(method);
    assert(handler !== undefined, 'unknown call between threads', { method });
    try {
      handler(payload, (result, transfer) => {
        this.#port.postMessage({ kind: 'answer', id, result } satisfies Wire, transfer ?? []);
      });
    } catch (error) {
      this.#sendFailure(id, error);
    }
  }

  /** Only conditions that a caller may meet travel; anything else is a bug and ends the process. */
  #sendFailure(id: number, error: unknown): void {
    if (!(error instanceof LograftError)) throw error;
    const { code, message } = error;
    this.#port.postMessage({ kind: 'failure', id, code, message } satisfies Wire);
  }

  #settle(id: number, error: LograftError | null, result: unknown): void {
    const done = this.#pending.get(id);
    if (done === undefined) return;
    this.#pending.delete(id);
    done(error, result);
  }

  #failAll(): void {
    const open = [...this.#pending.values()];
    this.#pending.clear();
    for (const done of open) done(new LograftError('CLOSED', 'the other thread ended'), null);
  }
}
