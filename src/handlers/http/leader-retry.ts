/**
 * Asks the leader of a partition, and asks again while an election is on: what is refused for the
 * lack of a leader was certainly not done (LEADER_LOST is another matter, and is told). Ends at a
 * deadline; HTTP clients then try again.
 */
import type { MonotonicMs } from '../../base/units.js';
import type { PartitionError } from '../../partition/access.js';
import type { HttpContext } from './context.js';

/** Errors that say "not done, ask again" and that a new leader cures. */
const PASSING: ReadonlySet<PartitionError> = new Set([
  'NOT_LEADER',
  'FENCED_LEADER_EPOCH',
  'UNKNOWN_LEADER_EPOCH',
  'OFFSET_NOT_AVAILABLE',
]);
const RETRY_MS = 25;

export type Outcome = { readonly error: PartitionError | null };

/** `attempt` calls its argument once. The last outcome is the answer, whatever it says. */
export async function untilLed<T extends Outcome>(
  { clock }: Pick<HttpContext, 'clock'>,
  deadlineMs: MonotonicMs,
  attempt: (done: (outcome: T) => void) => void,
): Promise<T> {
  for (;;) {
    const outcome = await new Promise<T>(attempt);
    const isFinal = outcome.error === null || !PASSING.has(outcome.error);
    if (isFinal || clock.monotonicMs() + RETRY_MS >= deadlineMs) return outcome;
    await new Promise((resolve) => setTimeout(resolve, RETRY_MS));
  }
}
