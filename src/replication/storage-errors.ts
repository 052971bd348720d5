/** What a disk's errors mean to a replica: a shortage passes, everything else ends it. */
import { LograftError } from '../base/errors.js';
import { isShortage } from '../base/shortage.js';

/** True for an error that says there is no space (or descriptor), from the system or the log. */
export function isDiskFull(error: unknown): boolean {
  return isShortage(error) || (error as { code?: unknown } | null)?.code === 'STORAGE_FULL';
}

/** Any other trouble with the disk, as the error that ends a replica. */
export function storageFailure(cause: unknown): LograftError {
  if (cause instanceof LograftError) return cause;
  const reason = cause instanceof Error ? cause.message : String(cause);
  return new LograftError('STORAGE_FAILED', reason, 'check the disk, then restart the node', {
    cause,
  });
}
