/**
 * Questions to the leader of a partition, wherever it is, that every reader by HTTP asks: where is
 * a place, what lies there, is there news. Each waits for an election and throws a Problem.
 */
import type { Clock } from '../../base/clock.js';
import type { GroupKey } from '../../base/group.js';
import type { MonotonicMs, Offset } from '../../base/units.js';
import type {
  Extent,
  FetchOutcome,
  OffsetAnswer,
  OffsetQuestion,
  PartitionAccess,
} from '../../partition/access.js';
import type { HttpContext } from './context.js';
import { untilLed } from './leader-retry.js';
import { outOfRange, partitionProblem } from './problem.js';

/** Where to begin. */
export type Place = Offset | 'earliest' | 'latest';

/** Bytes of the log that one fetch brings, but for a batch that is larger by itself. */
const FETCH_BYTES_MAX = 1 << 20;
/** A waiting reader looks at least so often, whatever it was told. */
const LOOK_MS_MAX = 30_000;
/** How long an election may keep a reader. */
export const LEADER_MS_MAX = 5_000;

/** The offset that a place stands for now. */
export async function placeOf(
  context: HttpContext,
  group: GroupKey,
  place: Place,
): Promise<Offset> {
  if (typeof place === 'number') return place;
  return (await askOffset(context, group, { kind: place })).offset;
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

/** Whole batches from the one that holds `offset`; an election may keep it for `leaderMs`. */
export async function fetchFrom(
  context: HttpContext,
  group: GroupKey,
  offset: Offset,
  leaderMs = LEADER_MS_MAX,
): Promise<FetchOutcome> {
  const deadlineMs = context.clock.monotonicMs() + leaderMs;
  const outcome = await untilLed<FetchOutcome>(context, deadlineMs, (done) => {
    const request = { offset, maxBytes: FETCH_BYTES_MAX, isFirst: true, currentLeaderEpoch: -1 };
    context.leader(group).fetch(request, done);
  });
  if (outcome.error === null) return outcome;
  if (outcome.error !== 'OFFSET_OUT_OF_RANGE') throw partitionProblem(outcome.error, null);
  const extent = await new Promise<Extent>((done) => {
    context.leader(group).extent({ offset, endOffset: null }, done);
  });
  throw outOfRange(extent, offset);
}

export type Wait = {
  readonly partition: PartitionAccess;
  readonly clock: Clock;
  readonly offset: Offset;
  readonly deadlineMs: MonotonicMs;
};

/**
 * Calls once, in a turn to come, when the high watermark has passed the offset or the time is over.
 * What it returns makes it forget the wait.
 */
export function onNews({ partition, clock, offset, deadlineMs }: Wait, wake: () => void) {
  let isOver = false;
  const end = (): void => {
    isOver = true;
    clearTimeout(timer);
    cancel();
  };
  const pass = (): void => {
    if (isOver) return;
    end();
    wake();
  };
  const leftMs = Math.min(deadlineMs - clock.monotonicMs(), LOOK_MS_MAX);
  const timer = setTimeout(pass, Math.max(0, leftMs));
  // Whoever commits is not to be called into, nor before this one returns.
  const cancel = partition.onAdvance(offset, () => setImmediate(pass));
  return end;
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
    const end = (): void => {
      gone.removeEventListener('abort', end);
      cancel();
      resolve();
    };
    const { clock } = context;
    const cancel = onNews({ partition: context.leader(group), clock, offset, deadlineMs }, end);
    gone.addEventListener('abort', end, { once: true });
  });
}
