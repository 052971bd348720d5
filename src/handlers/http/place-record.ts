/** Which partitions records may go to, and the way into the batch of this turn. Shard thread. */
import type { GroupKey } from '../../base/group.js';
import type { TopicId } from '../../base/units.js';
import type { TopicImage } from '../../control/image.js';
import type { Acks } from '../../partition/access.js';
import { partitionOfKey } from '../../records/partitioner.js';
import type { HandlerContext } from '../context.js';
import type { RecordDone, TurnBatches } from './turn-batches.js';

export type RecordRequest = {
  readonly topic: string;
  readonly partition: number | null;
  readonly key: string | null;
};

/** What a request with one record says of it. */
export type PlainRecord = {
  readonly key: string | null;
  readonly contentType: string | null;
  readonly value: Buffer;
};

export type RecordParts = PlainRecord & {
  readonly acks: Acks;
  readonly timeoutMs: number | null;
};

export const PRODUCE_MS_DEFAULT = 10_000;

/** The partition of a record; null when this node does not lead it, or knows nothing of it. */
export function choosePartition(
  context: HandlerContext,
  { topic: name, partition, key }: RecordRequest,
): GroupKey | null {
  const topic = context.isCurrent() ? context.image().topics.get(name) : undefined;
  if (topic === undefined || topic.isInternal) return null;
  const { topicId, partitions } = topic;
  const wanted =
    partition ?? (key === null ? null : partitionOfKey(Buffer.from(key), partitions.length));
  if (wanted === null) return anyPartition(context, topic);
  return isLedHere(context, topicId, wanted) ? { topicId, partition: wanted } : null;
}

/** A topic that many records are written to at once. */
export type TopicToWrite = {
  readonly topicId: TopicId;
  readonly partitions: number;
  /** For records without a key: one that is led here; null when none is. */
  readonly anyPartition: number | null;
};

/** Null when this node knows nothing of it, or nobody may write to it. */
export function topicToWrite(context: HandlerContext, name: string): TopicToWrite | null {
  const topic = context.isCurrent() ? context.image().topics.get(name) : undefined;
  if (topic === undefined || topic.isInternal) return null;
  const { topicId, partitions } = topic;
  const anywhere = anyPartition(context, topic)?.partition ?? null;
  return { topicId, partitions: partitions.length, anyPartition: anywhere };
}

/** The value as it is, and its content type as a header. */
export function recordOf({ key, contentType, value }: PlainRecord) {
  return {
    key: key === null ? null : Buffer.from(key),
    value,
    headers: contentType === null ? [] : [{ key: 'content-type', value: Buffer.from(contentType) }],
  };
}

/** Hands a record to the batch of this turn; {@link TurnBatches.add} says how long it is needed. */
export function placeRecord(
  { context, batches }: { readonly context: HandlerContext; readonly batches: TurnBatches },
  group: GroupKey,
  parts: RecordParts,
  done: RecordDone,
): void {
  const { contentType, acks, timeoutMs } = parts;
  const { key, value, headers } = recordOf(parts);
  const record = { key, value, headers, timestamp: context.clock.wallMs() };
  const bytes = value.length + (key?.length ?? 0) + (contentType?.length ?? 0);
  batches.add(group, record, { acks, timeoutMs: timeoutMs ?? PRODUCE_MS_DEFAULT, bytes }, done);
}

function isLedHere(context: HandlerContext, topicId: TopicId, partition: number): boolean {
  return context.leaders().leaderOf(topicId, partition) === context.nodeId;
}

/** One that is led here; records of one millisecond share it, and so a batch. */
function anyPartition(
  context: HandlerContext,
  { topicId, partitions }: TopicImage,
): GroupKey | null {
  const first = Math.floor(context.clock.monotonicMs()) % partitions.length;
  for (let i = 0; i < partitions.length; i++) {
    const partition = (first + i) % partitions.length;
    if (isLedHere(context, topicId, partition)) return { topicId, partition };
  }
  return null;
}
