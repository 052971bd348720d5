/**
 * Group commit. One native thread per instance makes files durable; while it works on one group,
 * the next one gathers, and a file asked for twice in a group is synced once. Completions come back
 * on the owner's loop, in the order asked. An error is handed to every request of its file and is
 * never retried here: after a failed fsync the kernel may have dropped the dirty pages. It also
 * writes, for a loop that must not stand still while the kernel makes a writer wait.
 */
import { LograftError } from '../base/errors.js';
import type { FilePosition } from '../base/units.js';
import { native } from './addon.js';
import type { NativeHandle } from './addon.js';
import { NATIVE_CONSTANTS, SYNC_QUEUE_MAX } from './constants.js';
import { reportUncaught } from './uncaught.js';

export type SyncDone = (error: NodeJS.ErrnoException | null) => void;

export type SyncCounters = {
  /** Requests taken; groups they were served in; files actually synced. */
  requests: number;
  groups: number;
  syncs: number;
  errors: number;
  /** Longest group so far. */
  slowestGroupMicros: number;
  lastGroupMicros: number;
  /** Writes that the system made wait. */
  stalledWrites: number;
};

type Request = { readonly done: SyncDone; readonly syscall: string };

export class SyncThread {
  /** Callbacks in the order asked; `#head` is the next one to complete. */
  #waiting: (Request | undefined)[] = [];
  #head = 0;
  /** Results whose callback has not run. */
  readonly #due: number[] = [];
  readonly #results = new Int32Array(NATIVE_CONSTANTS.SYNC_QUEUE_MAX);
  readonly #handle: NativeHandle;
  readonly #onError: ((error: NodeJS.ErrnoException) => void) | undefined;
  #closing: Promise<void> | undefined;
  #isClosed = false;

  /** `onError` hears every error beside the request's own callback (to take the log offline). */
  constructor(onError?: (error: NodeJS.ErrnoException) => void) {
    this.#onError = onError;
    this.#handle = native.syncThreadOpen(this.#results, (count) => this.#onGroup(count));
  }

  /** Requests whose callback has not run. */
  get pending(): number {
    return this.#waiting.length - this.#head;
  }

  /** `done` runs when all that was written to `fd` before this call is durable. Keep `fd` open. */
  sync(fd: number, done: SyncDone): void {
    this.#mustTake();
    native.syncThreadPush(this.#handle, fd);
    this.#waiting.push({ done, syscall: 'fdatasync' });
  }

  /** Writes all of the bytes, of which it makes a copy; writes are carried out in order. */
  write(fd: number, position: FilePosition, bytes: Uint8Array, done: SyncDone): void {
    this.#mustTake();
    native.syncThreadWrite(this.#handle, fd, position, bytes, 0, bytes.length);
    this.#waiting.push({ done, syscall: 'write' });
  }

  /** Blocks until all that was asked for is done; callbacks run before it returns. */
  finish(): void {
    while (!this.#isClosed && this.pending > 0) {
      this.#onGroup(native.syncThreadAwaitIdle(this.#handle));
    }
  }

  counters(): SyncCounters {
    const into = new Float64Array(NATIVE_CONSTANTS.SYNC_COUNTER_COUNT);
    if (!this.#isClosed) native.syncThreadCounters(this.#handle, into);
    const at = (index: number): number => into[index] ?? 0;
    return {
      requests: at(0),
      groups: at(1),
      syncs: at(2),
      errors: at(3),
      slowestGroupMicros: at(4),
      lastGroupMicros: at(5),
      stalledWrites: at(6),
    };
  }

  /** Finishes what was asked, then ends the thread. Resolves after the last callback ran. */
  close(): Promise<void> {
    this.#closing ??= new Promise((resolve) => {
      native.syncThreadClose(this.#handle, () => {
        this.#isClosed = true;
        resolve();
      });
    });
    return this.#closing;
  }

  #mustTake(): void {
    if (this.#closing !== undefined) throw new LograftError('CLOSED', 'the sync thread is closed');
    if (this.pending < SYNC_QUEUE_MAX) return;
    throw new LograftError('STORAGE_FAILED', `more than ${SYNC_QUEUE_MAX} syncs are waiting`);
  }

  #onGroup(count: number): void {
    for (let i = 0; i < count; i++) this.#due.push(this.#results[i] ?? 0);
    // A callback may wait for what was asked later: the rest of this group comes first then.
    while (this.#due.length > 0) {
      const errno = this.#due.shift() as number;
      const request = this.#waiting[this.#head];
      this.#waiting[this.#head++] = undefined;
      try {
        if (request !== undefined) this.#complete(request, errno);
      } catch (error) {
        reportUncaught(error);
      }
    }
    this.#forgetCompleted();
  }

  #complete({ done, syscall }: Request, errno: number): void {
    if (errno === 0) {
      done(null);
      return;
    }
    const error = threadError(errno, syscall);
    try {
      this.#onError?.(error);
    } finally {
      done(error);
    }
  }

  #forgetCompleted(): void {
    if (this.#head === this.#waiting.length) {
      this.#waiting.length = 0;
      this.#head = 0;
    } else if (this.#head > 1024 && this.#head * 2 > this.#waiting.length) {
      this.#waiting = this.#waiting.slice(this.#head);
      this.#head = 0;
    }
  }
}

function threadError(errno: number, syscall: string): NodeJS.ErrnoException {
  const code = native.errnoName(errno);
  const error: NodeJS.ErrnoException = new Error(`${code}: ${syscall} failed`);
  error.code = code;
  error.errno = -errno;
  error.syscall = syscall;
  return error;
}
