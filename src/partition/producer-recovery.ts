/**
 * Brings the state of idempotent producers back: from the file a clean stop left, or from the batch
 * headers of the log. The log is the truth; the file only saves the reading. Shard thread, start
 * and stop, and rarely after a deep truncation.
 */
import { LograftError } from '../base/errors.js';
import type { Mutant } from '../base/mutant.js';
import { readWhole, writeAtomically } from '../base/small-file.js';
import { walkBatches } from '../log/batch-walk.js';
import type { Disk } from '../log/disk.js';
import type { PartitionLog } from '../log/partition-log.js';
import { DamagedLogError } from '../log/storage-error.js';
import {
  BATCH_BASE_SEQUENCE,
  BATCH_LAST_OFFSET_DELTA,
  BATCH_MAX_TIMESTAMP,
  BATCH_PRODUCER_EPOCH,
  BATCH_PRODUCER_ID,
  batchFields,
  readBatchHeader,
} from '../native/batch.js';
import { crc32c } from '../native/crc32c.js';
import { nextOffsetOf } from '../records/batch.js';
import { parseProducers, serialiseProducers } from './producer-snapshot.js';
import { type ProducerBatch, ProducerState } from './producer-state.js';

const SNAPSHOT = 'producer-state';
/** Headers are read from ranges of about this size; the records between them are skipped. */
const REPLAY_BYTES = 64 << 20;

export type ProducerRecoveryOptions = {
  readonly expirationMs: number;
  readonly isCleanStop: boolean;
  /** Tests only. */
  readonly mutant?: Mutant | undefined;
};

/** The state that belongs to a log that was just opened. */
export function openProducers(
  disk: Disk,
  log: PartitionLog,
  options: ProducerRecoveryOptions,
): ProducerState {
  const producers = new ProducerState({ expirationMs: options.expirationMs });
  const path = `${log.directory}/${SNAPSHOT}`;
  const isThere = options.isCleanStop && disk.exists(path);
  const snapshot = isThere ? parseProducers(readWhole(disk, path), crc32c) : null;
  if (snapshot !== null && snapshot.endOffset === log.logEnd.offset) {
    producers.restore(snapshot.endOffset, snapshot.producers);
  } else if (options.mutant !== 'producers-not-rebuilt') {
    replayProducers(disk, log, producers);
  }
  disk.unlink(path);
  return producers;
}

/** Leaves the file for the next start. */
export function saveProducers(disk: Disk, log: PartitionLog, producers: ProducerState): void {
  if (producers.size === 0) return;
  writeAtomically(disk, log.directory, SNAPSHOT, serialiseProducers(producers, crc32c));
}

/**
 * Reads every batch header of the log into an empty state. Throws DamagedLogError where one batch
 * does not follow on the other: after a clean stop nobody has looked at them yet.
 */
export function replayProducers(disk: Disk, log: PartitionLog, producers: ProducerState): void {
  const end = log.logEnd.offset;
  let offset = log.logStart.offset;
  let before = offset;
  try {
    while (offset < end) {
      const range = log.locate(offset, REPLAY_BYTES, end);
      if (range === null) throw new DamagedLogError(before);
      let expected = range.baseOffset;
      const rangeEnd = {
        offset: range.nextOffset,
        filePosition: range.filePosition + range.length,
      };
      walkBatches(disk, range, range.filePosition, rangeEnd, (header) => {
        if (header.baseOffset !== expected) throw new DamagedLogError(before);
        before = expected;
        expected = nextOffsetOf(header);
        producers.replayed(header, header.baseOffset);
        return true;
      });
      if (expected !== range.nextOffset) throw new DamagedLogError(before);
      offset = expected;
    }
  } catch (error) {
    const isUnreadable = error instanceof LograftError && error.code === 'CORRUPT';
    throw isUnreadable ? new DamagedLogError(before) : error;
  }
}

/** What the producer state needs to know of a batch that was validated. */
export function producerBatchOf(bytes: Uint8Array, start: number, length: number): ProducerBatch {
  readBatchHeader(bytes, start, length);
  return {
    producerId: batchFields[BATCH_PRODUCER_ID] as number,
    producerEpoch: batchFields[BATCH_PRODUCER_EPOCH] as number,
    baseSequence: batchFields[BATCH_BASE_SEQUENCE] as number,
    lastOffsetDelta: batchFields[BATCH_LAST_OFFSET_DELTA] as number,
    maxTimestamp: batchFields[BATCH_MAX_TIMESTAMP] as number,
  };
}
