/**
 * Validation and stamping of one record batch (magic 2) in one native call. Nothing is allocated:
 * the header's numbers land in the shared array `batchFields` and are good until the next call.
 * Promise: bytes from outside become a fault code, never a throw and never a read past `length`.
 * Runs on the calling thread; the format's ruler is in `native/core/batch.h`.
 */
import type { LeaderEpoch, Offset, WallMs } from '../base/units.js';
import { native } from './addon.js';
import { NATIVE_CONSTANTS } from './constants.js';

export const BATCH_HEADER_BYTES: number = NATIVE_CONSTANTS.BATCH_HEADER_BYTES;

/** Indexes into {@link batchFields}. The size is the whole batch's, its first 12 bytes included. */
export const BATCH_SIZE = 0;
export const BATCH_BASE_OFFSET = 1;
export const BATCH_LEADER_EPOCH = 2;
export const BATCH_ATTRIBUTES = 3;
export const BATCH_LAST_OFFSET_DELTA = 4;
export const BATCH_RECORD_COUNT = 5;
export const BATCH_BASE_TIMESTAMP = 6;
export const BATCH_MAX_TIMESTAMP = 7;
export const BATCH_PRODUCER_ID = 8;
export const BATCH_PRODUCER_EPOCH = 9;
export const BATCH_BASE_SEQUENCE = 10;
export const BATCH_CRC = 11;

/**
 * Rules of {@link validateBatch}. Length, magic, CRC, offsets and the codec are always checked;
 * bytes behind the batch are the caller's to notice (`BATCH_SIZE` against `length`).
 */
export const BatchRules = Object.freeze({
  /** Bytes that a broker wrote: holes between offsets and control batches are fine. */
  REPLICA: 0,
  FILE: 0,
  /**
   * From a client: no control, transactional or delete-horizon bit; no LogAppendTime; count and
   * delta agree; the sequence fits the producer id; uncompressed records are walked. As Kafka does,
   * a maxTimestamp other than the records' own is corrected in place (with the CRC), because some
   * producers never set it.
   */
  CLIENT: 1,
});

/** What is wrong with a batch. The order is part of the border to C++. */
const BATCH_FAULTS = Object.freeze([
  'NONE',
  'TRUNCATED',
  'BAD_LENGTH',
  'BAD_MAGIC',
  'BAD_CRC',
  'BAD_COUNT',
  'BAD_DELTA',
  'BAD_ATTRIBUTES',
  'BAD_TIMESTAMP',
  'BAD_SEQUENCE',
  'BAD_RECORD',
] as const);

export type BatchFaultName = (typeof BATCH_FAULTS)[number];

export const BatchFault = Object.freeze({
  NONE: 0,
  /** More bytes are needed than `length` has. */
  TRUNCATED: 1,
  /** The length field is below a header's. */
  BAD_LENGTH: 2,
  BAD_MAGIC: 3,
  BAD_CRC: 4,
  BAD_COUNT: 5,
  /** Offsets: lastOffsetDelta against the count, a record's delta, or an unsafe base offset. */
  BAD_DELTA: 6,
  BAD_ATTRIBUTES: 7,
  BAD_TIMESTAMP: 8,
  BAD_SEQUENCE: 9,
  /** A record's lengths do not fit its batch. */
  BAD_RECORD: 10,
});

/** Results of the last call of this environment; overwritten by the next one. */
export const batchFields = new Float64Array(NATIVE_CONSTANTS.BATCH_FIELD_COUNT);
native.setBatchFields(batchFields);

export function batchFaultName(fault: number): BatchFaultName {
  return BATCH_FAULTS[fault] ?? 'BAD_RECORD';
}

/** Checks the batch at `start`; 0 or a {@link BatchFault}. Fields are filled when the header is. */
export function validateBatch(
  bytes: Uint8Array,
  start: number,
  length: number,
  rules: number,
): number {
  return native.validateBatch(bytes, start, length, rules);
}

/** Fills {@link batchFields} from a header alone: no CRC, and the records may lie elsewhere. */
export function readBatchHeader(bytes: Uint8Array, start: number, length: number): number {
  return native.readBatchHeader(bytes, start, length);
}

/** Writes what the leader assigns; both fields lie in front of the CRC's range. */
export function stampBatch(
  bytes: Uint8Array,
  start: number,
  baseOffset: Offset,
  leaderEpoch: LeaderEpoch,
): void {
  native.stampBatch(bytes, start, baseOffset, leaderEpoch);
}

/** LogAppendTime: sets attribute bit 3 and maxTimestamp, and computes the CRC anew. */
export function stampAppendTime(bytes: Uint8Array, start: number, wallMs: WallMs): void {
  native.stampAppendTime(bytes, start, wallMs);
}
