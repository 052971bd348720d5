/**
 * The error every room throws for conditions a caller may meet. `code` is a closed set per room;
 * one function in `handlers/` maps them to Kafka's codes.
 */

export type ErrorCode =
  | 'CONFIG_INVALID'
  | 'ADDRESS_IN_USE'
  | 'DIRECTORY_LOCKED'
  | 'DIRECTORY_FOREIGN'
  | 'STORAGE_FAILED'
  | 'STORAGE_FULL'
  | 'CORRUPT'
  | 'NOT_LEADER'
  | 'NOT_CONTROLLER'
  | 'TIMED_OUT'
  | 'CLOSED'
  | 'INVALID_REQUEST'
  | 'NATIVE_MISSING'
  | 'NOT_RUNNING'
  | 'ALREADY_RUNNING'
  | 'NOT_FOUND'
  | 'USAGE'
  | 'PROMISE_BROKEN';

export class LograftError extends Error {
  override readonly name = 'LograftError';
  readonly code: ErrorCode;
  /** What the reader can do about it; one sentence. */
  readonly hint: string | undefined;

  constructor(code: ErrorCode, message: string, hint?: string, options?: ErrorOptions) {
    super(message, options);
    this.code = code;
    this.hint = hint;
  }
}
