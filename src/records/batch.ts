/**
 * The record batch, version 2: the unit of everything. Read, written and stamped here for tools,
 * internal topics and tests; on the hot path native code does the same over the bytes in place.
 *
 *   0          8        12       16      17      21      23         27          35          43
 *   | baseOffset | length | epoch | magic | crc32c | attrs | lastDelta | baseTime  | maxTime   |
 *   43           51          53          57          61
 *   | producerId | prodEpoch | baseSeq   | records   | records …
 *
 * `length` counts what is behind it. The CRC covers everything from `attrs` on: base offset and
 * leader epoch lie in front of it, so a leader stamps them without touching the checksum.
 * attrs: bits 0–2 codec, 3 LogAppendTime, 4 transactional, 5 control, 6 delete horizon.
 */
import { assert } from '../base/assert.js';
import { readInt64, readUint32, writeInt64, writeUint32 } from '../base/int64.js';
import type { LeaderEpoch, Offset, WallMs } from '../base/units.js';
import { measureRecord, recordBytes, writeRecord } from './record-writer.js';

export const BATCH_HEADER_BYTES = 61;
/** Bytes in front of what `length` counts. */
const BATCH_PREFIX_BYTES = 12;
export const BATCH_CRC_START = 21;

const AT_LENGTH = 8;
const AT_LEADER_EPOCH = 12;
const AT_MAGIC = 16;
const AT_CRC = 17;
const AT_ATTRIBUTES = 21;
const AT_LAST_OFFSET_DELTA = 23;
const AT_BASE_TIMESTAMP = 27;
const AT_MAX_TIMESTAMP = 35;
const AT_PRODUCER_ID = 43;
const AT_PRODUCER_EPOCH = 51;
const AT_BASE_SEQUENCE = 53;
const AT_RECORD_COUNT = 57;

export const CODEC_MASK = 0x07;
export const LOG_APPEND_TIME_BIT = 0x08;
export const CONTROL_BIT = 0x20;

export type BatchHeader = {
  baseOffset: Offset;
  /** Bytes of the whole batch, the first 12 too. */
  sizeBytes: number;
  leaderEpoch: LeaderEpoch;
  magic: number;
  /** uint32, as the header claims. */
  crc: number;
  attributes: number;
  lastOffsetDelta: number;
  baseTimestamp: WallMs;
  maxTimestamp: WallMs;
  producerId: number;
  producerEpoch: number;
  baseSequence: number;
  recordCount: number;
};

export type RecordHeader = { readonly key: string; readonly value: Uint8Array | null };

export type RecordInput = {
  readonly key?: Uint8Array | string | null;
  readonly value: Uint8Array | string | null;
  readonly headers?: readonly RecordHeader[];
  readonly timestamp?: WallMs;
};

export type BatchInput = {
  readonly records: readonly RecordInput[];
  readonly baseOffset?: Offset;
  readonly leaderEpoch?: LeaderEpoch;
  readonly producerId?: number;
  readonly producerEpoch?: number;
  readonly baseSequence?: number;
  /** Codec and flags; the caller compresses nothing here, codec bits must be 0. */
  readonly attributes?: number;
};

/** Checksum of a range as uint32; given from outside, because this room may not load the addon. */
export type Checksum = (bytes: Uint8Array, start: number, length: number) => number;

/** An all-zero header to be filled again and again by {@link readBatchHeader}. */
export function emptyHeader(): BatchHeader {
  return {
    baseOffset: 0,
    sizeBytes: 0,
    leaderEpoch: 0,
    magic: 0,
    crc: 0,
    attributes: 0,
    lastOffsetDelta: 0,
    baseTimestamp: 0,
    maxTimestamp: 0,
    producerId: 0,
    producerEpoch: 0,
    baseSequence: 0,
    recordCount: 0,
  };
}

/** Reads the 61 bytes at `start`, which must be there; says nothing about their truth. */
export function readBatchHeader(
  bytes: Uint8Array,
  start: number,
  into: BatchHeader = emptyHeader(),
): BatchHeader {
  assert(start + BATCH_HEADER_BYTES <= bytes.length, 'a batch header is 61 bytes', { start });
  into.baseOffset = readInt64(bytes, start);
  into.sizeBytes = BATCH_PREFIX_BYTES + (readUint32(bytes, start + AT_LENGTH) | 0);
  into.leaderEpoch = readUint32(bytes, start + AT_LEADER_EPOCH) | 0;
  into.magic = bytes[start + AT_MAGIC] as number;
  into.crc = readUint32(bytes, start + AT_CRC);
  into.attributes = readInt16(bytes, start + AT_ATTRIBUTES);
  into.lastOffsetDelta = readUint32(bytes, start + AT_LAST_OFFSET_DELTA) | 0;
  into.baseTimestamp = readInt64(bytes, start + AT_BASE_TIMESTAMP);
  into.maxTimestamp = readInt64(bytes, start + AT_MAX_TIMESTAMP);
  into.producerId = readInt64(bytes, start + AT_PRODUCER_ID);
  into.producerEpoch = readInt16(bytes, start + AT_PRODUCER_EPOCH);
  into.baseSequence = readUint32(bytes, start + AT_BASE_SEQUENCE) | 0;
  into.recordCount = readUint32(bytes, start + AT_RECORD_COUNT) | 0;
  return into;
}

/** True when the fields can be those of a batch: magic, length and offsets make sense. */
export function isPlausible(header: BatchHeader): boolean {
  return (
    header.magic === 2 &&
    header.sizeBytes >= BATCH_HEADER_BYTES &&
    header.baseOffset >= 0 &&
    Number.isSafeInteger(header.baseOffset + 2 ** 31) &&
    header.lastOffsetDelta >= 0 &&
    header.leaderEpoch >= 0
  );
}

export function nextOffsetOf(header: BatchHeader): Offset {
  return header.baseOffset + header.lastOffsetDelta + 1;
}

/** True when the checksum of a whole batch at `start` matches; the batch's bytes must be there. */
export function isSound(bytes: Uint8Array, start: number, sizeBytes: number, crc: Checksum) {
  return (
    crc(bytes, start + BATCH_CRC_START, sizeBytes - BATCH_CRC_START) ===
    readUint32(bytes, start + AT_CRC)
  );
}

/** Writes what a leader owns of a batch; the checksum does not cover it. */
export function stampLeader(
  bytes: Uint8Array,
  start: number,
  baseOffset: Offset,
  leaderEpoch: LeaderEpoch,
): void {
  writeInt64(bytes, baseOffset, start);
  writeUint32(bytes, leaderEpoch, start + AT_LEADER_EPOCH);
}

/**
 * A whole uncompressed batch, in bytes that `take` gives: exactly as many as it is asked for, each
 * of them is written. Records without a timestamp take -1, "none".
 */
export function encodeBatch(
  input: BatchInput,
  crc: Checksum,
  take: (bytes: number) => Buffer = Buffer.allocUnsafe,
): Buffer {
  const { records, attributes = 0 } = input;
  assert(records.length > 0, 'a batch has a record');
  assert((attributes & CODEC_MASK) === 0, 'batches are encoded uncompressed', { attributes });
  const baseTimestamp = records[0]?.timestamp ?? -1;
  const measured = records.map((record, i) => measureRecord(record, i, baseTimestamp));
  const size = measured.reduce((sum, record) => sum + recordBytes(record), BATCH_HEADER_BYTES);
  const bytes = take(size);
  let at = BATCH_HEADER_BYTES;
  for (const record of measured) at = writeRecord(bytes, at, record);
  assert(at === size, 'a batch is as long as was measured', { at, size });
  const maxTimestamp = records.reduce((max, { timestamp = -1 }) => Math.max(max, timestamp), -1);
  stampLeader(bytes, 0, input.baseOffset ?? 0, input.leaderEpoch ?? 0);
  writeUint32(bytes, bytes.length - BATCH_PREFIX_BYTES, AT_LENGTH);
  bytes[AT_MAGIC] = 2;
  bytes.writeInt16BE(attributes, AT_ATTRIBUTES);
  writeUint32(bytes, records.length - 1, AT_LAST_OFFSET_DELTA);
  writeInt64(bytes, baseTimestamp, AT_BASE_TIMESTAMP);
  writeInt64(bytes, maxTimestamp, AT_MAX_TIMESTAMP);
  writeInt64(bytes, input.producerId ?? -1, AT_PRODUCER_ID);
  bytes.writeInt16BE(input.producerEpoch ?? -1, AT_PRODUCER_EPOCH);
  writeUint32(bytes, input.baseSequence ?? -1, AT_BASE_SEQUENCE);
  writeUint32(bytes, records.length, AT_RECORD_COUNT);
  writeUint32(bytes, crc(bytes, BATCH_CRC_START, bytes.length - BATCH_CRC_START), AT_CRC);
  return bytes;
}

function readInt16(bytes: Uint8Array, at: number): number {
  return (((bytes[at] as number) << 24) >> 16) | (bytes[at + 1] as number);
}
