/**
 * Asks the coordinator of a group, looking for it again while it moves or loads. Every call of a
 * member may be sent twice: the coordinator knows members and generations.
 */
import type { MonotonicMs } from '../../../base/units.js';
import type { GroupError } from '../../../groups/group-types.js';
import type { GroupCalls } from '../../context.js';
import { ensureOffsetsTopic } from '../../find-coordinator.js';
import type { HttpContext } from '../context.js';
import { Problem } from '../problem.js';

/** Not done, for it was asked of the wrong node or too early. */
const MOVED: ReadonlySet<GroupError> = new Set([
  'NOT_COORDINATOR',
  'COORDINATOR_NOT_AVAILABLE',
  'COORDINATOR_LOAD_IN_PROGRESS',
]);
/** The generation that a member spoke of is over: the next join cures that. */
export const GENERATION_OVER: ReadonlySet<GroupError> = new Set([
  'REBALANCE_IN_PROGRESS',
  'ILLEGAL_GENERATION',
  'UNKNOWN_MEMBER_ID',
]);
const ANSWER_MS = 5_000;
const RETRY_MS = 100;

export type Times = {
  /** How long one answer may take. */
  readonly answerMs: number;
  readonly deadlineMs: MonotonicMs;
};

/** Null when nobody answered until the deadline. Without `times`: what is answered at once. */
export async function askCoordinator<M extends keyof GroupCalls>(
  context: HttpContext,
  method: M,
  request: GroupCalls[M][0],
  times: Times = timesFrom(context.clock.monotonicMs()),
): Promise<GroupCalls[M][1] | null> {
  const { answerMs, deadlineMs } = times;
  await ensureOffsetsTopic(context);
  for (;;) {
    const response = await context.callGroup(method, request.groupId, request, answerMs);
    if (response !== null && !errorsOf(response).some((error) => MOVED.has(error))) return response;
    if (context.clock.monotonicMs() + RETRY_MS >= deadlineMs) return null;
    await new Promise((resolve) => setTimeout(resolve, RETRY_MS));
  }
}

function timesFrom(nowMs: MonotonicMs): Times {
  return { answerMs: ANSWER_MS, deadlineMs: nowMs + ANSWER_MS };
}

type Partitions = readonly { readonly error: GroupError | null }[];
type Response = {
  readonly error?: GroupError | null;
  readonly topics?: readonly { readonly partitions: Partitions }[];
};

/** Of the response, or of its partitions. */
export function errorsOf(response: GroupCalls[keyof GroupCalls][1]): GroupError[] {
  const { error = null, topics = [] } = response as Response;
  if (error !== null) return [error];
  return topics.flatMap(({ partitions }) => partitions.flatMap((p) => p.error ?? []));
}

export function noCoordinator(groupId: string): Problem {
  return new Problem(503, 'NO_COORDINATOR', `no coordinator of group ${groupId} answers now`);
}
