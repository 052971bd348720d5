/**
 * The one place that decides whether a log's disk is still of use. A full disk refuses one change
 * and leaves the log as it was; any other error of the disk ends it for good. A broken promise
 * inside the program passes through as the bug it is.
 */
import { LograftError } from '../base/errors.js';
import { asStorageError, storageError } from './storage-error.js';

export class LogHealth {
  readonly #name: string;
  #failure: LograftError | null = null;
  #isClosed = false;

  /** `name` is the log's folder, for messages. */
  constructor(name: string) {
    this.#name = name;
  }

  /** Why the log takes nothing more, or null. */
  get failure(): LograftError | null {
    return this.#failure;
  }

  get isClosed(): boolean {
    return this.#isClosed;
  }

  close(): void {
    this.#isClosed = true;
    this.#failure ??= new LograftError('CLOSED', `the log ${this.#name} is closed`);
  }

  /** The first failure is the one that is told. */
  fail(cause: unknown): LograftError {
    this.#failure ??= storageError(cause, `the log ${this.#name}`);
    return this.#failure;
  }

  /** Runs a change that must happen wholly or be refused by a full disk before it begins. */
  change<T>(what: string, change: () => T): T {
    try {
      return change();
    } catch (error) {
      throw this.judge(error, what);
    }
  }

  /** Runs something that may as well happen later: a full disk only puts it off. */
  attempt(what: string, change: () => void): void {
    try {
      change();
    } catch (error) {
      const failure = this.judge(error, what);
      if (!(failure instanceof LograftError)) throw failure;
    }
  }

  read<T>(read: () => T): T {
    if (this.#isClosed) throw this.#failure as LograftError;
    try {
      return read();
    } catch (error) {
      throw asStorageError(error, `read ${this.#name}`);
    }
  }

  /** What to throw for an error of a change. */
  judge(error: unknown, what: string): unknown {
    const failure = asStorageError(error, `${what} ${this.#name}`);
    if (!(failure instanceof LograftError) || failure.code === 'STORAGE_FULL') return failure;
    return this.fail(failure);
  }
}
