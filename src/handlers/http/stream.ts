/**
 * The log's own bytes by HTTP: whole record batches from the one that holds an offset up to the
 * high watermark (or a given end), as they lie in the segments. How many bytes that is is known
 * before the first one leaves; a follower of the log gets what comes after as well. This is the
 * way for partitions of other threads and nodes: bytes pass through memory, a piece at a time.
 */
import type { GroupKey } from '../../base/group.js';
import type { Offset } from '../../base/units.js';
import type { Extent, FetchData, FetchOutcome } from '../../partition/access.js';
import { BATCH_HEADER_BYTES, nextOffsetOf, readBatchHeader } from '../../records/batch.js';
import type { HttpContext } from './context.js';
import { fetchFrom, LEADER_MS_MAX, newsOf, type Place, placeOf } from './leader-reads.js';
import { untilLed } from './leader-retry.js';
import { outOfRange, partitionProblem } from './problem.js';

export type { Extent, FetchOutcome };

/** Batches that lie in a file of this shard. */
export type BatchRange = Extract<FetchData, { kind: 'range' }>['range'];

export type StreamQuery = {
  readonly offset: Place;
  /** Batches that end at or before it; null: the high watermark as it is now. */
  readonly end: Offset | null;
  /** Goes on with what is written later, until the client has enough. */
  readonly isFollowing: boolean;
};

/** What a stream will hold. Throws Problem. */
export async function extentOf(
  context: HttpContext,
  group: GroupKey,
  { offset, end }: StreamQuery,
): Promise<Extent> {
  const from = await placeOf(context, group, offset);
  const deadlineMs = context.clock.monotonicMs() + LEADER_MS_MAX;
  const extent = await untilLed<Extent>(context, deadlineMs, (done) => {
    context.leader(group).extent({ offset: from, endOffset: end }, done);
  });
  if (extent.error === null) return extent;
  if (extent.error === 'OFFSET_OUT_OF_RANGE') throw outOfRange(extent, from);
  throw partitionProblem(extent.error, null);
}

/** The bytes of an extent, then, for a follower, those that come later. Throws Problem. */
export async function* streamPieces(
  context: HttpContext,
  group: GroupKey,
  { firstOffset, nextOffset }: Extent,
  isFollowing: boolean,
  gone: AbortSignal,
): AsyncGenerator<Uint8Array> {
  let offset = firstOffset;
  while (!gone.aborted) {
    if (!isFollowing && offset >= nextOffset) return;
    const outcome = await fetchFrom(context, group, offset);
    const { data, highWatermark } = outcome;
    if (data === null || data.kind !== 'bytes') {
      await newsOf(context, group, Math.max(highWatermark, offset), Infinity, gone);
      continue;
    }
    const piece = batchesBelow(data.bytes, isFollowing ? Infinity : nextOffset);
    if (piece.nextOffset <= offset) return;
    context.sent(group.topicId, piece.length, piece.nextOffset - offset);
    offset = piece.nextOffset;
    yield data.bytes.subarray(0, piece.length);
  }
}

/** The batches that end at or before `end`. */
function batchesBelow(bytes: Uint8Array, end: Offset): { length: number; nextOffset: Offset } {
  let length = 0;
  let nextOffset = -1;
  while (length + BATCH_HEADER_BYTES <= bytes.length) {
    const header = readBatchHeader(bytes, length);
    if (length + header.sizeBytes > bytes.length || nextOffsetOf(header) > end) break;
    length += header.sizeBytes;
    nextOffset = nextOffsetOf(header);
  }
  return { length, nextOffset };
}
