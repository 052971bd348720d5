/**
 * Reads records for HTTP: whole batches from the leader up to the high watermark, unpacked and cut
 * to the records that were asked for. A read at the end waits for news as long as its client does.
 */
import type { MonotonicMs, Offset } from '../../base/units.js';
import type { GroupKey } from '../../base/group.js';
import type { Extent, FetchOutcome, OffsetAnswer, OffsetQuestion } from '../../partition/access.js';
import {
  BATCH_HEADER_BYTES,
  CODEC_MASK,
  CONTROL_BIT,
  nextOffsetOf,
  readBatchHeader,
} from '../../records/batch.js';
import { iterateRecords, type LogRecord } from '../../records/records.js';
import type { HttpContext } from './context.js';
import { untilLed } from './leader-retry.js';
import { outOfRange, partitionProblem } from './problem.js';

export type ReadQuery = {
  readonly offset: Offset | 'earliest' | 'latest';
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

/** Bytes of the log that one answer is made of, but for a batch that is larger by itself. */
const READ_BYTES_MAX = 1 << 20;
/** A waiting reader looks at least so often, whatever it was told. */
const LOOK_MS_MAX = 30_000;
/** How long an election may keep a reader. */
const LEADER_MS_MAX = 5_000;

/** `gone` ends a wait early. Throws Problem. */
export async function readRecords(
  context: HttpContext,
  group: GroupKey,
  { offset, max, waitMs, leaderMs = LEADER_MS_MAX }: ReadQuery,
  gone: AbortSignal,
): Promise<ReadResult> {
  const { clock } = context;
  const deadlineMs = clock.monotonicMs() + waitMs;
  let from = typeof offset === 'number' ? offset : await placeOf(context, group, offset);
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

/** The offset that `earliest` or `latest` stands for now. */
async function placeOf(
  context: HttpContext,
  group: GroupKey,
  kind: 'earliest' | 'latest',
): Promise<Offset> {
  return (await askOffset(context, group, { kind })).offset;
}

export async function askOffset(
  context: HttpContext,
  group: GroupKey,
  question: OffsetQuestion,
): Promise<OffsetAnswer> {
  const deadlineMs = context.clock.monotonicMs() + LEADER_MS_MAX;
  const answer = await untilLed<OffsetAnswer>(context, deadlineMs, (done) => {
    context.leader(group).offsetFor(question, -1, done);
  });
  if (answer.error !== null) throw partitionProblem(answer.error, null);
  return answer;
}

async function fetchFrom(
  context: HttpContext,
  group: GroupKey,
  offset: Offset,
  leaderMs: number,
): Promise<FetchOutcome> {
  const deadlineMs = context.clock.monotonicMs() + leaderMs;
  const outcome = await untilLed<FetchOutcome>(context, deadlineMs, (done) => {
    const request = { offset, maxBytes: READ_BYTES_MAX, isFirst: true, currentLeaderEpoch: -1 };
    context.leader(group).fetch(request, done);
  });
  if (outcome.error === null) return outcome;
  if (outcome.error !== 'OFFSET_OUT_OF_RANGE') throw partitionProblem(outcome.error, null);
  const extent = await new Promise<Extent>((done) => {
    context.leader(group).extent({ offset, endOffset: null }, done);
  });
  throw outOfRange(extent, offset);
}

/** Until the high watermark passes `offset`, the time is over or the client has gone. */
export function newsOf(
  context: HttpContext,
  group: GroupKey,
  offset: Offset,
  deadlineMs: MonotonicMs,
  gone: AbortSignal,
): Promise<void> {
  return new Promise((resolve) => {
    let cancel = (): void => {};
    const end = (): void => {
      clearTimeout(timer);
      gone.removeEventListener('abort', end);
      cancel();
      resolve();
    };
    const leftMs = Math.min(deadlineMs - context.clock.monotonicMs(), LOOK_MS_MAX);
    const timer = setTimeout(end, Math.max(0, leftMs));
    cancel = context.leader(group).onAdvance(offset, end);
    gone.addEventListener('abort', end, { once: true });
  });
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
