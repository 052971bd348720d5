/** What a log's own errors mean to a client: one place for appends and reads. Pure. */
import { LograftError } from '../base/errors.js';
import type { PartitionError } from './access.js';

/**
 * Why an append was refused; what is no error of the log is a bug and is thrown on. Damage that an
 * append comes upon, in the segment it is to go to, has stopped the partition: no more than that.
 */
export function appendErrorOf(error: LograftError): PartitionError {
  const { code } = error;
  if (code === 'CORRUPT') return 'STORAGE_FAILED';
  if (code === 'NOT_LEADER' || code === 'STORAGE_FULL' || code === 'STORAGE_FAILED') return code;
  throw error;
}

/**
 * Why bytes that are there cannot be served. A sector that cannot be read, or bytes that are no
 * batch, are the trouble of one request: the client hears of it, the node serves on.
 */
export function readErrorOf(error: unknown): PartitionError {
  if (!(error instanceof LograftError)) throw error;
  return error.code === 'STORAGE_FULL' ? 'STORAGE_FULL' : 'STORAGE_FAILED';
}
