/**
 * Reads records for HTTP: whole batches from the leader up to the high watermark, unpacked and cut
 * to the records that were asked for. A read at the end waits for news as long as its client does.
 */
import type { Offset } from '../../base/units.js';
import type { GroupKey } from '../../base/group.js';
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

/** Records of one answer, when nobody says how many. */
export const READ_RECORDS_DEFAULT = 500;

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

const NOTHING = new Uint8Array();

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
    const bytes = outcome.data?.kind === 'bytes' ? outcome.data.bytes : NOTHING;
    const found = await recordsIn(context, bytes, from, max);
    const isOver = gone.aborted || clock.monotonicMs() >= deadlineMs;
    if (found.records.length > 0 || isOver) {
      if (bytes.length > 0) context.sent(group.topicId, bytes.length, found.records.length);
      return { ...found, highWatermark, logStartOffset };
    }
    // Batches that hold nothing for a reader are passed over, not read again.
    const isPassing = found.nextOffset > from;
    from = found.nextOffset;
    if (isPassing) continue;
    await newsOf(context, group, Math.max(highWatermark, from), deadlineMs, gone);
  }
}

/** At most `max` records of whole batches, from an offset on; a part of one at the end is left. */
export async function recordsIn(
  { decompress }: Pick<HttpContext, 'decompress'>,
  bytes: Uint8Array,
  from: Offset,
  max: number,
): Promise<{ records: LogRecord[]; nextOffset: Offset }> {
  const records: LogRecord[] = [];
  let nextOffset = from;
  for (let at = 0; at + BATCH_HEADER_BYTES <= bytes.length && records.length < max; ) {
    const header = readBatchHeader(bytes, at);
    if (at + header.sizeBytes > bytes.length) break;
    const { attributes, sizeBytes } = header;
    if ((attributes & CONTROL_BIT) === 0) {
      const codec = attributes & CODEC_MASK;
      const payload = bytes.subarray(at + BATCH_HEADER_BYTES, at + sizeBytes);
      const plain = codec === 0 ? payload : await decompress(codec, payload);
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
