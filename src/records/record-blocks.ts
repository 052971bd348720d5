/**
 * Records that wait for their place in a batch: finished but for what depends on it, so that native
 * code makes a batch of the blocks of many requests without looking into them. Pure.
 *
 *   timestamp (8) | tail length (4) | tail: keyLength | key | valueLength | value | headers …
 *
 * native/core/record_blocks.h reads the same.
 */
import { Buffer } from 'node:buffer';
import { writeInt64, writeUint32 } from '../base/int64.js';
import type { RecordInput } from './batch.js';
import { measureRecord, writeTail } from './record-writer.js';

const AT_TAIL_LENGTH = 8;
const HEAD_BYTES = 12;
/** Attributes and two deltas of zero, a byte each. */
const BEFORE_TAIL_BYTES = 3;

export function blockOf(record: RecordInput): Buffer {
  const timestamp = record.timestamp ?? -1;
  const measured = measureRecord(record, 0, timestamp);
  const tailBytes = measured.bodyBytes - BEFORE_TAIL_BYTES;
  const block = Buffer.allocUnsafe(HEAD_BYTES + tailBytes);
  writeInt64(block, timestamp, 0);
  writeUint32(block, tailBytes, AT_TAIL_LENGTH);
  writeTail(block, HEAD_BYTES, measured);
  return block;
}
