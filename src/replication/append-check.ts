/**
 * Looks at the bytes of an append before anything is appended: whole batches, right CRC, offsets
 * and epoch as the slices say. Bytes that fail become a reason in words, never a throw. Shard
 * thread.
 */
import {
  BATCH_BASE_OFFSET,
  BATCH_LAST_OFFSET_DELTA,
  BATCH_LEADER_EPOCH,
  BATCH_SIZE,
  BatchRules,
  batchFaultName,
  batchFields,
  validateBatch,
} from '../native/batch.js';
import type { Append, BatchSlice } from '../raft/messages.js';

/** Why the payload of `message`, which begins at `start`, must not be appended; null when sound. */
export function appendFault(message: Append, bytes: Uint8Array, start: number): string | null {
  let at = start;
  for (const slice of message.slices) {
    if (slice.kind !== 'batches') continue;
    if (at + slice.byteLength > bytes.length) return 'payload shorter than its slices';
    const fault = sliceFault(slice, bytes, at);
    if (fault !== null) return fault;
    at += slice.byteLength;
  }
  return null;
}

/** Where the bytes of slice number `index` begin in a payload that begins at `start`. */
export function sliceBytesStart(message: Append, index: number, start: number): number {
  let at = start;
  for (let i = 0; i < index; i++) {
    const slice = message.slices[i];
    if (slice?.kind === 'batches') at += slice.byteLength;
  }
  return at;
}

function sliceFault(slice: BatchSlice, bytes: Uint8Array, start: number): string | null {
  const end = start + slice.byteLength;
  let expected = slice.from.offset;
  for (let at = start; at < end; at += batchFields[BATCH_SIZE] as number) {
    const fault = validateBatch(bytes, at, end - at, BatchRules.REPLICA);
    if (fault !== 0) return `batch at offset ${expected}: ${batchFaultName(fault)}`;
    if (batchFields[BATCH_BASE_OFFSET] !== expected) {
      return `batch at offset ${batchFields[BATCH_BASE_OFFSET]}, expected ${expected}`;
    }
    if (batchFields[BATCH_LEADER_EPOCH] !== slice.epoch) {
      const epoch = batchFields[BATCH_LEADER_EPOCH];
      return `batch at offset ${expected} of epoch ${epoch} in a slice of ${slice.epoch}`;
    }
    expected += (batchFields[BATCH_LAST_OFFSET_DELTA] as number) + 1;
  }
  return expected === slice.to.offset ? null : `batches end at ${expected}, not ${slice.to.offset}`;
}
