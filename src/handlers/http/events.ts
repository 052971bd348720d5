/**
 * A partition as a stream that does not end: every record from an offset on, in order, none twice,
 * whoever leads. Elections are waited for; what ends the stream is its client, the end of its
 * topic, or retention that has passed it.
 */
import { HTTP_RECORDS_MAX } from '../../base/limits.js';
import type { GroupKey } from '../../base/group.js';
import type { Place } from './leader-reads.js';
import type { LogRecord } from '../../records/records.js';
import type { HttpContext } from './context.js';
import { Problem } from './problem.js';
import { readRecords, type ReadResult } from './read.js';
import { topicNamed } from './topics.js';

export type EventSource = {
  readonly topic: string;
  readonly group: GroupKey;
  readonly from: Place;
};

/** A leader that says nothing any more is asked again so often. */
const WAIT_MS = 3_000;
const RETRY_MS = 100;

/**
 * Gives what there is, possibly nothing, first at once and then after each wait. The first problem
 * is thrown as it is; later ones only if time does not cure them.
 */
export async function* recordsFrom(
  context: HttpContext,
  source: EventSource,
  gone: AbortSignal,
): AsyncGenerator<readonly LogRecord[], void> {
  const { group, from: offset } = source;
  let found = await readRecords(context, group, { offset, max: HTTP_RECORDS_MAX, waitMs: 0 }, gone);
  while (!gone.aborted) {
    yield found.records;
    found = await readOn(context, source, found, gone);
  }
}

async function readOn(
  context: HttpContext,
  { topic, group }: EventSource,
  last: ReadResult,
  gone: AbortSignal,
): Promise<ReadResult> {
  const query = { offset: last.nextOffset, max: HTTP_RECORDS_MAX, waitMs: WAIT_MS };
  for (;;) {
    try {
      return await readRecords(context, group, query, gone);
    } catch (error) {
      if (!(error instanceof Problem) || error.status !== 503) throw error;
      if (gone.aborted) return { ...last, records: [] };
      mustExist(context, topic, group);
      await new Promise((resolve) => setTimeout(resolve, RETRY_MS));
    }
  }
}

/** Nobody leads a topic that was deleted, either; another one of its name is another log. */
function mustExist(context: HttpContext, topic: string, { topicId }: GroupKey): void {
  if (!context.isCurrent() || topicNamed(context, topic).topicId === topicId) return;
  throw new Problem(404, 'UNKNOWN_TOPIC', `topic ${topic} was deleted and made again`);
}
