/**
 * What the demo's writer and its judge share: how a record looks, and the list of acknowledged ones
 * that goes from one process to the other. A value is its number and filler that follows from the
 * number, so that a single changed byte shows.
 */
import { createHash } from 'node:crypto';

/** One acknowledged record. */
export type JournalEntry = {
  readonly partition: number;
  /** -1 when the broker confirmed a repetition without naming the offset. */
  readonly offset: number;
  /** Number of the record in its partition, from 0. */
  readonly number: number;
};

/** What the judge finds. */
export type Verdict = {
  readonly read: number;
  readonly lost: number;
  readonly changed: number;
  readonly duplicated: number;
};

const FILLER_CHARACTERS = 100;

export function valueOf(partition: number, number: number): string {
  const seed = createHash('sha256').update(`${partition}:${number}`).digest('base64url');
  return `${partition}:${number}:${seed.repeat(3).slice(0, FILLER_CHARACTERS)}`;
}

/** Number in a value that claims to be one of ours; -1 for anything else. */
export function numberIn(value: string): number {
  return Number(/^\d+:(\d+):/.exec(value)?.[1] ?? -1);
}

/** One line an entry: smaller than JSON, and a judge in another language could read it. */
export function encodeJournal(entries: readonly JournalEntry[]): string {
  return entries.map((e) => `${e.partition} ${e.offset} ${e.number}\n`).join('');
}

export function decodeJournal(text: string): JournalEntry[] {
  return text
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => {
      const [partition, offset, number] = line.split(' ').map(Number) as [number, number, number];
      return { partition, offset, number };
    });
}

/**
 * Compares what was acknowledged with what was read, a partition at a time. `readValues` are the
 * values by offset. Lost: acknowledged and not there. Changed: there with other bytes, or a record
 * that nobody wrote. Duplicated: the same record at a second offset.
 */
export function judgePartition(
  partition: number,
  journal: readonly JournalEntry[],
  readValues: ReadonlyMap<number, string>,
): Verdict {
  const seen = new Map<number, number>();
  let changed = 0;
  let duplicated = 0;
  for (const [offset, value] of readValues) {
    const number = numberIn(value);
    if (value !== valueOf(partition, number)) changed += 1;
    else if (seen.has(number)) duplicated += 1;
    else seen.set(number, offset);
  }
  let lost = 0;
  for (const { offset, number } of journal) {
    const foundAt = seen.get(number);
    if (foundAt === undefined) lost += 1;
    else if (offset !== -1 && foundAt !== offset) changed += 1;
  }
  return { read: readValues.size, lost, changed, duplicated };
}
