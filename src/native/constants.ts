/**
 * Numbers that C++ and TypeScript must agree on. The addon exports its own copy and `addon.ts`
 * compares the two at load: a drift stops the process at start instead of reading wrong fields.
 */
import { HTTP_JSON_DEPTH_MAX, HTTP_RECORD_HEADERS_MAX, HTTP_RECORDS_MAX } from '../base/limits.js';

export const NATIVE_CONSTANTS = Object.freeze({
  /** Bytes of a record batch before its records. */
  BATCH_HEADER_BYTES: 61,
  /** Length of the shared result array of the batch calls. */
  BATCH_FIELD_COUNT: 12,
  BATCH_FAULT_COUNT: 11,
  JSON_DEPTH_MAX: HTTP_JSON_DEPTH_MAX,
  CUT_RECORDS_MAX: HTTP_RECORDS_MAX,
  CUT_HEADERS_MAX: HTTP_RECORD_HEADERS_MAX,
  CUT_FAULT_COUNT: 8,
  TELL_FAULT_COUNT: 2,
  TELL_FIELD_COUNT: 3,
  /** Of a record's block before its tail, and what a batch may add to a block. */
  BLOCK_HEAD_BYTES: 12,
  RECORD_GROWTH_MAX: 9,
  /** Requests a sync thread takes before it refuses; also the length of its result array. */
  SYNC_QUEUE_MAX: 16_384,
  /** Events handed to TypeScript in one call, and int32 fields of each. */
  EVENTS_MAX: 4_096,
  EVENT_STRIDE: 5,
  EVENT_KIND_COUNT: 7,
  CLOSE_REASON_COUNT: 9,
  SOCKET_COUNTER_COUNT: 19,
  FILE_COUNTER_COUNT: 8,
  SYNC_COUNTER_COUNT: 7,
  /** From this size on a file range leaves by sendfile rather than through memory. */
  SENDFILE_BYTES_MIN: 65_536,
});

export const SYNC_QUEUE_MAX: number = NATIVE_CONSTANTS.SYNC_QUEUE_MAX;
export const SENDFILE_BYTES_MIN: number = NATIVE_CONSTANTS.SENDFILE_BYTES_MIN;
