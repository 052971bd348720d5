/**
 * The metadata group's log as the control plane wants to see it: batches of record values. An
 * ordinary partition log underneath, with ordinary record batches. Main thread.
 */
import { assert } from '../base/assert.js';
import type { MetadataBatch, MetadataLog } from '../control/ports.js';
import type { Disk } from '../log/disk.js';
import type { PartitionLog } from '../log/partition-log.js';
import { crc32c } from '../native/crc32c.js';
import { encodeBatch, readBatchHeader } from '../records/batch.js';
import { iterateRecords } from '../records/records.js';

const EMPTY = Buffer.alloc(0);

export function metadataLog(disk: Disk, log: PartitionLog): MetadataLog {
  return {
    get logStartOffset() {
      return log.logStartOffset;
    },
    read: (from, end, maxBytes) => readBatches(disk, log, { from, end, maxBytes }),
    trimTo: (offset) => log.trimTo(offset),
    encodeBatch: (values, timestampMs) =>
      encodeBatch(
        {
          records: values.map((value) => ({ value, timestamp: timestampMs })),
        },
        crc32c,
      ),
  };
}

function readBatches(
  disk: Disk,
  log: PartitionLog,
  wanted: { from: number; end: number; maxBytes: number },
): MetadataBatch[] {
  const range = log.locate(wanted.from, wanted.maxBytes, wanted.end);
  if (range === null) return [];
  assert(range.baseOffset === wanted.from, 'metadata is read batch by batch', {
    baseOffset: range.baseOffset,
    from: wanted.from,
  });
  const bytes = Buffer.allocUnsafe(range.length);
  disk.readAt(range, range.filePosition, bytes, 0, range.length);
  const batches: MetadataBatch[] = [];
  for (let at = 0; at < bytes.length; ) {
    const header = readBatchHeader(bytes, at);
    const values: Uint8Array[] = [];
    for (const record of iterateRecords(bytes, at)) values.push(record.value ?? EMPTY);
    batches.push({ baseOffset: header.baseOffset, values, sizeBytes: header.sizeBytes });
    at += header.sizeBytes;
  }
  return batches;
}
