/**
 * The records inside a batch, for tools, internal topics and searches by time. Pure. A record:
 *
 *   length (varint) | attributes (1) | timestampDelta | offsetDelta | keyLength | key |
 *   valueLength | value | headerCount | (keyLength | key | valueLength | value) …
 */
import { LograftError } from '../base/errors.js';
import type { Offset, WallMs } from '../base/units.js';
import {
  BATCH_HEADER_BYTES,
  type BatchHeader,
  CODEC_MASK,
  LOG_APPEND_TIME_BIT,
  type RecordHeader,
  readBatchHeader,
} from './batch.js';
import { VarintReader } from './varint.js';

export type LogRecord = {
  readonly offset: Offset;
  readonly timestamp: WallMs;
  /** Views of the batch's bytes. */
  readonly key: Uint8Array | null;
  readonly value: Uint8Array | null;
  readonly headers: readonly RecordHeader[];
};

/** Turns the payload of a compressed batch into plain records; codec is attributes & 7. */
export type Decompress = (codec: number, payload: Uint8Array) => Uint8Array;

/**
 * The records of the batch at `start`, in order. Throws CORRUPT when they do not fit their batch,
 * and INVALID_REQUEST for a compressed batch when no `decompress` is given.
 */
export function* iterateRecords(
  bytes: Uint8Array,
  start: number,
  decompress?: Decompress,
): Generator<LogRecord> {
  const header = readBatchHeader(bytes, start);
  const codec = header.attributes & CODEC_MASK;
  let payload = bytes.subarray(start + BATCH_HEADER_BYTES, start + header.sizeBytes);
  if (codec !== 0) {
    if (decompress === undefined) {
      throw new LograftError('INVALID_REQUEST', `the batch is compressed with codec ${codec}`);
    }
    payload = decompress(codec, payload);
  }
  const reader = new VarintReader(payload, 0, payload.length);
  for (let i = 0; i < header.recordCount; i++) yield readRecord(reader, header);
}

function readRecord(reader: VarintReader, header: BatchHeader): LogRecord {
  const length = reader.next();
  const end = reader.at + length;
  if (length < 0 || end > reader.end) {
    throw new LograftError('CORRUPT', `a record of ${length} bytes ends behind its batch`);
  }
  reader.at += 1;
  const timestampDelta = reader.next();
  const offset = header.baseOffset + reader.next();
  const key = reader.take(reader.next());
  const value = reader.take(reader.next());
  const headers: RecordHeader[] = [];
  for (let left = reader.next(); left > 0; left--) {
    const name = Buffer.from(reader.take(reader.next()) ?? []).toString();
    headers.push({ key: name, value: reader.take(reader.next()) });
  }
  if (reader.at !== end) throw new LograftError('CORRUPT', 'a record is longer than its fields');
  const isAppendTime = (header.attributes & LOG_APPEND_TIME_BIT) !== 0;
  const timestamp = isAppendTime ? header.maxTimestamp : header.baseTimestamp + timestampDelta;
  return { offset, timestamp, key, value, headers };
}
