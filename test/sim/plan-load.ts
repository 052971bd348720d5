/**
 * What the clients of a plan do: batches of idempotent producers, questions, reads and trims, with
 * their times. Pure data, drawn from a seed.
 */
import type { Prng } from '#src/base/prng.js';
import type { MemberOperation } from './groups/group-plan.js';
import type { Profile } from './plan.js';

export type LogOperation =
  | {
      readonly kind: 'produce';
      readonly group: number;
      readonly producer: number;
      readonly records: number;
      readonly bytes: number;
    }
  /** ListOffsets(latest); with `at` also by the timestamp of that part of what is there. */
  | { readonly kind: 'ask'; readonly group: number; readonly at?: number }
  /** The consumer goes on; with `at` a reader looks at that part of what is there. */
  | { readonly kind: 'fetch'; readonly group: number; readonly at?: number; readonly bytes: number }
  /** DeleteRecords up to a part of what is committed. */
  | { readonly kind: 'trim'; readonly group: number; readonly to: number }
  /** The producer gives up what it has not heard of and goes on with a new producer epoch. */
  | { readonly kind: 'bump'; readonly group: number; readonly producer: number };

export type Operation = LogOperation | MemberOperation;

export type TimedOperation = { readonly atMs: number; readonly operation: Operation };

export type LoadShape = {
  readonly groups: number;
  readonly producers: number;
  readonly profile: Profile;
  readonly faultsUntilMs: number;
};

export function makeOperations(random: Prng, shape: LoadShape): TimedOperation[] {
  const { profile, groups, producers, faultsUntilMs } = shape;
  const meanMs = meanMsOf(random, profile);
  const recordsMax = random.pick([1, 3]);
  const bytesMax = random.pick([8, 200]);
  const operations: TimedOperation[] = [];
  for (let atMs = 0; ; ) {
    atMs += random.float() * 2 * meanMs;
    if (atMs >= faultsUntilMs) return operations;
    const group = random.int(0, groups);
    const producer = random.int(0, producers);
    operations.push({ atMs, operation: next(random, group, producer, recordsMax, bytesMax) });
    // Now and then several batches at once, so that more than one is in flight.
    if (random.chance(0.15)) {
      for (let i = random.int(1, 6); i > 0; i--) {
        const bytes = random.int(1, bytesMax + 1);
        const records = random.int(1, recordsMax + 1);
        operations.push({ atMs, operation: { kind: 'produce', group, producer, records, bytes } });
      }
    }
  }
}

function meanMsOf(random: Prng, profile: Profile): number {
  if (profile === 'sparse') return random.int(2_000, 12_000);
  return profile === 'busy' ? random.int(5, 50) : random.int(40, 400);
}

function next(
  random: Prng,
  group: number,
  producer: number,
  recordsMax: number,
  bytesMax: number,
): LogOperation {
  const at = random.float();
  if (at < 0.55) {
    const records = random.int(1, recordsMax + 1);
    return { kind: 'produce', group, producer, records, bytes: random.int(1, bytesMax + 1) };
  }
  if (at < 0.66) return { kind: 'ask', group };
  if (at < 0.72) return { kind: 'ask', group, at: random.float() };
  const bytes = random.pick([1, 300, 100_000]);
  if (at < 0.9) return { kind: 'fetch', group, bytes };
  if (at < 0.97) return { kind: 'fetch', group, at: random.float(), bytes };
  if (at < 0.99) return { kind: 'trim', group, to: random.float() };
  return { kind: 'bump', group, producer };
}
