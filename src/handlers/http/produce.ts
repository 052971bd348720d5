/**
 * Writes records that came by HTTP: keys choose the partition as Kafka's clients choose it, records
 * of one partition go into one batch, and the answer tells the place of each once as many as `acks`
 * says have it.
 */
import { LEADER_NONE, type Offset, type WallMs } from '../../base/units.js';
import type { TopicImage } from '../../control/image.js';
import type { Acks, ProduceOutcome } from '../../partition/access.js';
import { encodeBatch, type RecordInput } from '../../records/batch.js';
import { partitionOfKey } from '../../records/partitioner.js';
import type { HttpContext } from './context.js';
import { untilLed } from './leader-retry.js';
import { badRequest, partitionProblem, type Problem } from './problem.js';
import type { RecordDraft } from './record-json.js';
import { partitionOf, writable } from './topics.js';

export type ProduceQuery = {
  /** For records that do not name one themselves; null: by key, or any. */
  readonly partition: number | null;
  readonly acks: Acks;
  readonly timeoutMs: number;
};

/** Where a record is now; offset -1 with acks=0, for nobody knows. */
export type Placed = { readonly partition: number; readonly offset: Offset };

/** One partition's share of a request. */
export type Share = {
  readonly partition: number;
  /** Which of the request's records they are. */
  readonly places: number[];
  readonly records: RecordInput[];
};

/** The same, written. */
export type ShareBatch = Omit<Share, 'records'> & { readonly bytes: Uint8Array };

export type ShareRule = {
  /** For records that do not name one themselves; null: by key, or `any`. */
  readonly partition: number | null;
  readonly any: number;
  /** For records without a timestamp. */
  readonly nowMs: WallMs;
};

export type ProduceResult = {
  /** In the order of the records; null where the record's partition failed. */
  readonly placed: readonly (Placed | null)[];
  /** Of the partitions that failed, the first one's. */
  readonly problem: Problem | null;
};

/** Throws Problem when nothing was written. */
export async function produceRecords(
  context: HttpContext,
  topic: TopicImage,
  drafts: readonly RecordDraft[],
  query: ProduceQuery,
): Promise<ProduceResult> {
  writable(topic);
  if (drafts.length === 0) throw badRequest('there is no record in the request');
  const any = anyPartition(context, topic);
  const rule = { partition: query.partition, any, nowMs: context.clock.wallMs() };
  const batches = sharesOf(topic, drafts, rule).map(({ partition, places, records }) => {
    return { partition, places, bytes: encodeBatch({ records }, context.checksum) };
  });
  return produceBatches(context, topic, batches, query);
}

/** Every record of the request is in one of the batches. */
export async function produceBatches(
  context: HttpContext,
  topic: TopicImage,
  batches: readonly ShareBatch[],
  query: ProduceQuery,
): Promise<ProduceResult> {
  writable(topic);
  const count = batches.reduce((sum, { places }) => sum + places.length, 0);
  const placed = new Array<Placed | null>(count).fill(null);
  let problem: Problem | null = null;
  await Promise.all(
    batches.map(async (batch) => {
      const { partition, places } = batch;
      const outcome = await produceBatch(context, topic, batch, query);
      if (outcome.error !== null) {
        problem ??= partitionProblem(outcome.error, outcome.message, { partition });
        return;
      }
      places.forEach((place, i) => {
        const offset = outcome.baseOffset < 0 ? -1 : outcome.baseOffset + i;
        placed[place] = { partition, offset };
      });
    }),
  );
  return { placed, problem };
}

function produceBatch(
  context: HttpContext,
  topic: TopicImage,
  { partition, bytes }: ShareBatch,
  { acks, timeoutMs }: ProduceQuery,
): Promise<ProduceOutcome> {
  const group = partitionOf(topic, partition);
  const deadlineMs = context.clock.monotonicMs() + timeoutMs;
  return untilLed<ProduceOutcome>(context, deadlineMs, (done) => {
    const leftMs = Math.max(1, Math.round(deadlineMs - context.clock.monotonicMs()));
    const options = { acks, timeoutMs: leftMs };
    context.leader(group).produce(bytes, 0, bytes.length, options, done);
  });
}

/** In the order in which their partitions appear. Throws Problem 404 for one that is not there. */
export function sharesOf(
  topic: TopicImage,
  drafts: readonly RecordDraft[],
  { partition, any, nowMs }: ShareRule,
): Share[] {
  const shares = new Map<number, Share>();
  drafts.forEach((draft, place) => {
    const chosen = draft.partition ?? partition ?? byKey(topic, draft.input.key) ?? any;
    partitionOf(topic, chosen);
    const share = shares.get(chosen) ?? { partition: chosen, places: [], records: [] };
    shares.set(chosen, share);
    share.places.push(place);
    share.records.push({ timestamp: nowMs, ...draft.input });
  });
  return [...shares.values()];
}

function byKey(topic: TopicImage, key: RecordInput['key']): number | null {
  if (key === undefined || key === null) return null;
  const bytes = typeof key === 'string' ? Buffer.from(key) : key;
  return partitionOfKey(bytes, topic.partitions.length);
}

let turns = 0;

/** Requests take turns: over partitions that are led here, else over those that are led at all. */
export function anyPartition(context: HttpContext, topic: TopicImage): number {
  const count = topic.partitions.length;
  turns = (turns + 1) % Number.MAX_SAFE_INTEGER;
  let led: number | null = null;
  for (let i = 0; i < count; i++) {
    const partition = (turns + i) % count;
    const leader = context.leaders().leaderOf(topic.topicId, partition);
    if (leader === context.nodeId) return partition;
    if (leader !== LEADER_NONE) led ??= partition;
  }
  return led ?? turns % count;
}
