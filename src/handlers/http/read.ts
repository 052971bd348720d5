/**
 * Reads records for HTTP: whole batches from the leader up to the high watermark, unpacked and cut
 * to the records that were asked for. A read at the end waits for news as long as its client does.
 */
import type { Offset } from '../../base/units.js';
import type { GroupKey } from '../../base/group.js';
import type { FetchOutcome } from '../../partition/access.js';
import {
  BATCH_HEADER_BYTES,
  CODEC_MASK,
  CONTROL_BIT,
  nextOffsetOf,
  readBatchHeader,
} from '../../records/batch.js';
import { iterateRecords, type LogRecord } from '../../records/records.js';
import type { HttpContext } from './context.js';
import { fetchFrom, LEADER_MS_MAX, newsOf, type Place, placeOf } from './leader-reads.js';

export type ReadQuery = {
  readonly offset: Place;
  /** Records. */
  readonly max: number;
  readonly waitMs: number;
  /** How long an election may keep the reader; a few seconds by default. */
  readonly leaderMs?: number;
};

export type ReadResult = {
  readonly records: readonly LogRecord[];
  /** Where to read on. */
  readonly nextOffset: Offset;
  readonly highWatermark: Offset;
  readonly logStartOffset: Offset;
};

/** `gone` ends a wait early. Throws Problem. */
export async function readRecords(
  context: HttpContext,
  group: GroupKey,
  { offset, max, waitMs, leaderMs = LEADER_MS_MAX }: ReadQuery,
  gone: AbortSignal,
): Promise<ReadResult> {
  const { clock } = context;
  const deadlineMs = clock.monotonicMs() + waitMs;
  let from = await placeOf(context, group, offset);
  for (;;) {
    const outcome = await fetchFrom(context, group, from, leaderMs);
    const { highWatermark, logStartOffset } = outcome;
    const found = await recordsIn(context, outcome, from, max);
    const isOver = gone.aborted || clock.monotonicMs() >= deadlineMs;
    if (found.records.length > 0 || isOver) {
      const bytes = outcome.data?.kind === 'bytes' ? outcome.data.bytes.length : 0;
      if (bytes > 0) context.sent(group.topicId, bytes, found.records.length);
      return { ...found, highWatermark, logStartOffset };
    }
    // Batches that hold nothing for a reader are passed over, not read again.
    const isPassing = found.nextOffset > from;
    from = found.nextOffset;
    if (isPassing) continue;
    await newsOf(context, group, Math.max(highWatermark, from), deadlineMs, gone);
  }
}

async function recordsIn(
  context: HttpContext,
  { data }: FetchOutcome,
  from: Offset,
  max: number,
): Promise<{ records: LogRecord[]; nextOffset: Offset }> {
  const records: LogRecord[] = [];
  let nextOffset = from;
  if (data === null || data.kind !== 'bytes') return { records, nextOffset };
  const { bytes } = data;
  for (let at = 0; at + BATCH_HEADER_BYTES <= bytes.length && records.length < max; ) {
    const header = readBatchHeader(bytes, at);
    if (at + header.sizeBytes > bytes.length) break;
    const { attributes, sizeBytes } = header;
    if ((attributes & CONTROL_BIT) === 0) {
      const codec = attributes & CODEC_MASK;
      const payload = bytes.subarray(at + BATCH_HEADER_BYTES, at + sizeBytes);
      const plain = codec === 0 ? payload : await context.decompress(codec, payload);
      for (const record of iterateRecords(bytes, at, () => plain)) {
        if (record.offset < from) continue;
        if (records.length >= max) return { records, nextOffset };
        records.push(record);
        nextOffset = record.offset + 1;
      }
    }
    nextOffset = Math.max(nextOffset, nextOffsetOf(header));
    at += sizeBytes;
  }
  return { records, nextOffset };
}
