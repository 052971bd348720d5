/** What a disk does to a log, in the codes that the rooms above know. */
import { LograftError } from '../base/errors.js';
import { isNoDescriptor, isShortage } from '../base/shortage.js';
import type { Offset } from '../base/units.js';

export function storageError(error: unknown, what: string): LograftError {
  if (error instanceof LograftError) return error;
  const { message } = error as NodeJS.ErrnoException;
  if (isNoDescriptor(error)) {
    const hint = 'raise the limit of open files (ulimit -n), or lower max.connections';
    return new LograftError('STORAGE_FULL', `${what}: no free descriptor`, hint, { cause: error });
  }
  if (isShortage(error)) {
    const hint = 'free space on the disk of the data directory';
    return new LograftError('STORAGE_FULL', `${what}: no space left`, hint, { cause: error });
  }
  const hint = 'check the disk, then restart the node';
  return new LograftError('STORAGE_FAILED', `${what}: ${message}`, hint, { cause: error });
}

/** As {@link storageError} for errors of the disk; a broken promise inside stays what it is. */
export function asStorageError(error: unknown, what: string): unknown {
  return (error as NodeJS.ErrnoException).code === undefined ? error : storageError(error, what);
}

/** A batch is not what was appended; a log opened with `suspectFrom` believes nothing behind it. */
export class DamagedLogError extends LograftError {
  readonly offset: Offset;

  constructor(offset: Offset) {
    super(
      'CORRUPT',
      `damaged bytes in the batch at offset ${offset}`,
      'a peer repairs the replica',
    );
    this.offset = offset;
  }
}
