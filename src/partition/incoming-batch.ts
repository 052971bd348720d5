/**
 * What a client may append. One native call looks at all bytes of the batch; here its verdict
 * becomes an error that names the value, and the topic's own rules are added. Nothing is kept of
 * the bytes.
 */
import {
  BATCH_BASE_SEQUENCE,
  BATCH_LAST_OFFSET_DELTA,
  BATCH_MAX_TIMESTAMP,
  BATCH_PRODUCER_EPOCH,
  BATCH_PRODUCER_ID,
  BATCH_RECORD_COUNT,
  BATCH_SIZE,
  BatchFault,
  BatchRules,
  batchFields,
  stampAppendTime,
  validateBatch,
} from '../native/batch.js';
import type { WallMs } from '../base/units.js';
import type { PartitionError } from './access.js';

/** The topic settings that decide whether a batch is welcome; Kafka's names in comments. */
export type AppendRules = {
  /** max.message.bytes */
  readonly batchBytesMax: number;
  /** message.timestamp.type is LogAppendTime */
  readonly isLogAppendTime: boolean;
  /** message.timestamp.before.max.ms */
  readonly timestampBeforeMsMax: number;
  /** message.timestamp.after.max.ms */
  readonly timestampAfterMsMax: number;
};

/** Header fields the partition needs after validation. */
export type IncomingBatch = {
  readonly recordCount: number;
  readonly producerId: number;
  readonly producerEpoch: number;
  readonly baseSequence: number;
  readonly lastOffsetDelta: number;
  readonly maxTimestamp: WallMs;
};

export type Rejection = { readonly error: PartitionError; readonly message: string };

/** Bytes of a batch before its records: the smallest a batch can be. */
const BATCH_HEADER_BYTES = 61;

/**
 * Checks one batch of a produce request in place; with LogAppendTime it also stamps the time.
 * Returns the fields, or why it is refused (always definite: nothing was appended).
 */
export function checkIncoming(
  bytes: Uint8Array,
  start: number,
  length: number,
  rules: AppendRules,
  nowMs: WallMs,
): IncomingBatch | Rejection {
  if (length < BATCH_HEADER_BYTES) {
    return reject('CORRUPT_MESSAGE', `a record batch has ${BATCH_HEADER_BYTES} bytes at least`);
  }
  if (length > rules.batchBytesMax) {
    const bound = `max.message.bytes is ${rules.batchBytesMax}`;
    return reject('MESSAGE_TOO_LARGE', `the record batch has ${length} bytes, ${bound}`);
  }
  const fault = validateBatch(bytes, start, length, BatchRules.CLIENT);
  if (fault !== 0) return describeFault(fault);
  const size = field(BATCH_SIZE);
  if (size !== length) {
    const text = `expected one record batch of ${length} bytes, the first has ${size}`;
    return reject('INVALID_RECORD', text);
  }
  const batch: IncomingBatch = {
    recordCount: field(BATCH_RECORD_COUNT),
    producerId: field(BATCH_PRODUCER_ID),
    producerEpoch: field(BATCH_PRODUCER_EPOCH),
    baseSequence: field(BATCH_BASE_SEQUENCE),
    lastOffsetDelta: field(BATCH_LAST_OFFSET_DELTA),
    maxTimestamp: rules.isLogAppendTime ? nowMs : field(BATCH_MAX_TIMESTAMP),
  };
  if (rules.isLogAppendTime) {
    stampAppendTime(bytes, start, nowMs);
    return batch;
  }
  return checkTimestamps(batch, rules, nowMs) ?? batch;
}

export function isRejection(result: IncomingBatch | Rejection): result is Rejection {
  return 'error' in result;
}

function checkTimestamps(
  batch: IncomingBatch,
  rules: AppendRules,
  nowMs: WallMs,
): Rejection | null {
  // -1 means the records carry no time.
  if (batch.maxTimestamp < 0) return null;
  if (batch.maxTimestamp - nowMs > rules.timestampAfterMsMax) {
    const bound = `message.timestamp.after.max.ms (${rules.timestampAfterMsMax})`;
    return reject(
      'INVALID_TIMESTAMP',
      `timestamp ${batch.maxTimestamp} is more than ${bound} ahead`,
    );
  }
  if (nowMs - batch.maxTimestamp > rules.timestampBeforeMsMax) {
    const bound = `message.timestamp.before.max.ms (${rules.timestampBeforeMsMax})`;
    return reject('INVALID_TIMESTAMP', `timestamp ${batch.maxTimestamp} is more than ${bound} old`);
  }
  return null;
}

function describeFault(fault: number): Rejection {
  switch (fault) {
    case BatchFault.BAD_MAGIC:
      return reject(
        'UNSUPPORTED_FOR_MESSAGE_FORMAT',
        'only record batches of magic 2 are accepted',
      );
    case BatchFault.BAD_CRC:
      return reject('CORRUPT_MESSAGE', 'the CRC-32C of the record batch does not match its bytes');
    case BatchFault.TRUNCATED:
    case BatchFault.BAD_LENGTH:
      return reject('CORRUPT_MESSAGE', 'the length in the record batch does not match its bytes');
    case BatchFault.BAD_COUNT:
    case BatchFault.BAD_DELTA:
    case BatchFault.BAD_RECORD:
      return reject(
        'INVALID_RECORD',
        'the records do not match the count and offsets of their batch',
      );
    case BatchFault.BAD_TIMESTAMP:
      return reject('INVALID_TIMESTAMP', 'a timestamp does not match the header of its batch');
    case BatchFault.BAD_SEQUENCE:
      return reject('INVALID_RECORD', 'the sequence or producer epoch of the batch is negative');
    default:
      return reject(
        'INVALID_RECORD',
        'attributes a client may not set (control, reserved or codec)',
      );
  }
}

function field(index: number): number {
  return batchFields[index] as number;
}

function reject(error: PartitionError, message: string): Rejection {
  return { error, message };
}
