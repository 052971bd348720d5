/**
 * Bytes of a range of a log for those who are no socket: another shard, a coordinator. Promise:
 * what the disk refuses is an error of this one reading, in the log's own codes, never an accident
 * of the thread. Shard thread.
 */
import { LograftError } from '../base/errors.js';
import type { LogRange } from '../log/log-types.js';
import { asStorageError } from '../log/storage-error.js';
import {
  BATCH_HEADER_BYTES,
  type Checksum,
  isPlausible,
  isSound,
  readBatchHeader,
} from '../records/batch.js';

/** Reads a range of a file into bytes of its own, which can be moved to another thread. */
export type ReadRange = (
  fd: number,
  filePosition: number,
  length: number,
) => Uint8Array<ArrayBuffer>;

export function readBytes(range: LogRange, readRange: ReadRange): Uint8Array<ArrayBuffer> {
  const { fd, filePosition, length } = range;
  if (range.bytes !== null) return range.bytes;
  try {
    return readRange(fd, filePosition, length);
  } catch (error) {
    throw asStorageError(error, 'a range of the log cannot be read');
  }
}

/** As {@link readBytes}, and every batch is what was appended. */
export function readSoundBytes(range: LogRange, readRange: ReadRange, crc: Checksum): Uint8Array {
  const bytes = readBytes(range, readRange);
  for (let at = 0; at < bytes.length; ) {
    const rest = bytes.length - at;
    const header = rest < BATCH_HEADER_BYTES ? null : readBatchHeader(bytes, at);
    const isWhole = header !== null && isPlausible(header) && header.sizeBytes <= rest;
    if (!isWhole || !isSound(bytes, at, header.sizeBytes, crc)) {
      const hint = 'a peer repairs the replica';
      throw new LograftError('CORRUPT', `damaged bytes ${at} behind ${range.baseOffset}`, hint);
    }
    at += header.sizeBytes;
  }
  return bytes;
}
