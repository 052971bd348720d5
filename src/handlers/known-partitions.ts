/**
 * Requests about positions name partitions: those that do not exist are refused without bothering
 * the coordinator, and its answers are put back among them.
 */
import type { GroupError } from '../groups/group-types.js';
import type { ErrorName } from '../protocol/errors.js';
import type { HandlerContext } from './context.js';
import { kafkaCode } from './error-code.js';

type Topic<P> = { readonly name: string; readonly partitions: readonly P[] };
type Partition = { readonly partitionIndex: number };
type Answered = Partition & { readonly error: GroupError | null };

/** What exists of these; topics of which nothing does are left out. */
export function knownPartitions<P extends Partition>(
  context: HandlerContext,
  topics: readonly Topic<P>[],
): Topic<P>[] {
  const known = topics.map(({ name, partitions }) => {
    const topic = context.image().topics.get(name);
    const exists = (p: P): boolean => topic?.partitions[p.partitionIndex] !== undefined;
    return { name, partitions: partitions.filter(exists) };
  });
  return known.filter(({ partitions }) => partitions.length > 0);
}

/** A code for every partition that was asked for: `otherwise` where nobody answered. */
export function codesOf(
  asked: readonly Topic<Partition>[],
  answered: readonly Topic<Answered>[],
  otherwise: ErrorName,
) {
  const codes = new Map<string, number>();
  for (const { name, partitions } of answered) {
    for (const { partitionIndex, error } of partitions) {
      codes.set(`${name}/${partitionIndex}`, kafkaCode(error ?? 'NONE'));
    }
  }
  return asked.map(({ name, partitions }) => ({
    name,
    partitions: partitions.map(({ partitionIndex }) => ({
      partitionIndex,
      errorCode: codes.get(`${name}/${partitionIndex}`) ?? kafkaCode(otherwise),
    })),
  }));
}
