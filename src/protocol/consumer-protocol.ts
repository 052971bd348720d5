/**
 * What members of a consumer group tell each other through the broker, which does not look inside:
 * the subscription of each, the assignment of each (Kafka's "consumer" protocol, version 0), and
 * the range assignor. Pure.
 *
 *     subscription   version int16 | topics [string] | user data bytes
 *     assignment     version int16 | [topic string, partitions [int32]] | user data bytes
 */
import { CodecError, Reader } from './reader.js';
import { Writer } from './writer.js';

const VERSION = 0;
/** Fewest bytes of one topic in either message. */
const TOPIC_BYTES_MIN = 2;
const PARTITION_BYTES = 4;

/** Topic → partitions. */
export type Assignment = ReadonlyMap<string, readonly number[]>;

export function encodeSubscription(topics: readonly string[]): Buffer {
  const writer = new Writer();
  writer.int16(VERSION);
  writer.length(topics.length, false);
  for (const topic of topics) writer.string(topic, false);
  writer.length(-1, false);
  return finish(writer);
}

/** Later versions only add fields behind these. Throws CodecError. */
export function decodeSubscription(bytes: Buffer): string[] {
  const reader = new Reader(bytes, 0, bytes.length);
  reader.int16();
  const topics: string[] = [];
  for (let left = countOf(reader, TOPIC_BYTES_MIN); left > 0; left--) {
    topics.push(reader.string(reader.length16()));
  }
  return topics;
}

export function encodeAssignment(assignment: Assignment): Buffer {
  const writer = new Writer();
  writer.int16(VERSION);
  writer.length(assignment.size, false);
  for (const [topic, partitions] of assignment) {
    writer.string(topic, false);
    writer.length(partitions.length, false);
    for (const partition of partitions) writer.int32(partition);
  }
  writer.length(-1, false);
  return finish(writer);
}

/** An empty assignment has no bytes at all. Throws CodecError. */
export function decodeAssignment(bytes: Buffer): Assignment {
  const assignment = new Map<string, number[]>();
  if (bytes.length === 0) return assignment;
  const reader = new Reader(bytes, 0, bytes.length);
  reader.int16();
  for (let left = countOf(reader, TOPIC_BYTES_MIN); left > 0; left--) {
    const topic = reader.string(reader.length16());
    const partitions: number[] = [];
    for (let p = countOf(reader, PARTITION_BYTES); p > 0; p--) partitions.push(reader.int32());
    assignment.set(topic, partitions);
  }
  return assignment;
}

/** Null for bytes of another form: clients wrote them, and the broker did not look inside. */
export function readable<T>(decode: () => T): T | null {
  try {
    return decode();
  } catch (error) {
    if (error instanceof CodecError) return null;
    throw error;
  }
}

export type Subscriber = { readonly memberId: string; readonly topics: readonly string[] };

/**
 * Range: of each topic every subscriber, in order of member ids, gets a run of neighbouring
 * partitions; the first ones get one more when it does not come out even.
 */
export function assignRanges(
  subscribers: readonly Subscriber[],
  partitionCounts: ReadonlyMap<string, number>,
): Map<string, Assignment> {
  const assignments = new Map(subscribers.map((s) => [s.memberId, new Map<string, number[]>()]));
  for (const [topic, count] of partitionCounts) {
    const takers = subscribers
      .filter((s) => s.topics.includes(topic))
      .map((s) => s.memberId)
      .sort();
    takers.forEach((memberId, i) => {
      const share = Math.floor(count / takers.length);
      const extra = count % takers.length;
      const from = i * share + Math.min(i, extra);
      const length = share + (i < extra ? 1 : 0);
      if (length === 0) return;
      assignments.get(memberId)?.set(
        topic,
        Array.from({ length }, (_, k) => from + k),
      );
    });
  }
  return assignments;
}

function countOf(reader: Reader, elementBytes: number): number {
  const count = reader.length32();
  reader.checkCount(count, elementBytes);
  return Math.max(count, 0);
}

function finish(writer: Writer): Buffer {
  return writer.finish().chunks[0] as Buffer;
}
