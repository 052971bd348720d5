/**
 * Answers of ListOffsets that need no quorum: the log's start, a time, the largest timestamp. What
 * cannot be read is told to the client. Shard thread.
 */
import type { LeaderEpoch, Offset, WallMs } from '../base/units.js';
import type { PartitionLog } from '../log/partition-log.js';
import type { OffsetAnswer, OffsetQuestion, PartitionError } from './access.js';
import { readErrorOf } from './storage-code.js';

/** What a leader knows when it is asked. */
export type LookupView = {
  readonly log: PartitionLog;
  readonly highWatermark: Offset;
  readonly leaderEpoch: LeaderEpoch;
};

export function lookUpOffset(
  view: LookupView,
  question: Exclude<OffsetQuestion, { kind: 'latest' }>,
): OffsetAnswer {
  try {
    return lookUp(view, question);
  } catch (error) {
    return offsetFailure(readErrorOf(error));
  }
}

export function offsetAnswer(
  offset: Offset,
  timestampMs: WallMs,
  leaderEpoch: LeaderEpoch,
): OffsetAnswer {
  return { error: null, offset, timestampMs, leaderEpoch: offset < 0 ? -1 : leaderEpoch };
}

export function offsetFailure(error: PartitionError): OffsetAnswer {
  return { error, offset: -1, timestampMs: -1, leaderEpoch: -1 };
}

function lookUp(
  { log, highWatermark, leaderEpoch }: LookupView,
  question: Exclude<OffsetQuestion, { kind: 'latest' }>,
): OffsetAnswer {
  if (question.kind === 'earliest') return offsetAnswer(log.logStartOffset, -1, leaderEpoch);
  const found =
    question.kind === 'max-timestamp'
      ? log.maxTimestamp(highWatermark)
      : log.offsetForTimestamp(question.timestampMs, highWatermark);
  if (found === null) return offsetAnswer(-1, -1, leaderEpoch);
  return offsetAnswer(found.offset, found.timestamp, found.leaderEpoch);
}
