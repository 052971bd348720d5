/**
 * What the clients of a control plan ask for: topics made, removed, made again under the same name,
 * grown and configured, producer ids, and a few records. Pure data, drawn from a seed.
 */
import type { Prng } from '#src/base/prng.js';

/** `node`: whom the client asks first; `name`: a number that stands for a topic's name. */
export type AdminOperation =
  | {
      readonly kind: 'create';
      readonly node: number;
      readonly name: number;
      readonly partitions: number;
      readonly replication: number;
    }
  | { readonly kind: 'delete'; readonly node: number; readonly name: number }
  | { readonly kind: 'grow'; readonly node: number; readonly name: number; readonly by: number }
  | {
      readonly kind: 'configure';
      readonly node: number;
      readonly name: number;
      readonly value: number;
    }
  | { readonly kind: 'block'; readonly node: number }
  | {
      readonly kind: 'produce';
      readonly node: number;
      readonly name: number;
      /** Which part of the topic's partitions. */
      readonly at: number;
    };

export type TimedAdminOperation = { readonly atMs: number; readonly operation: AdminOperation };

export type AdminShape = {
  readonly names: number;
  readonly nodes: number;
  readonly faultsUntilMs: number;
};

export function makeAdminOperations(random: Prng, shape: AdminShape): TimedAdminOperation[] {
  const meanMs = random.pick([30, 120, 400]);
  const operations: TimedAdminOperation[] = [];
  for (let atMs = 0; ; ) {
    atMs += random.float() * 2 * meanMs;
    if (atMs >= shape.faultsUntilMs) return operations;
    operations.push({ atMs, operation: next(random, shape) });
  }
}

function next(random: Prng, { names, nodes }: AdminShape): AdminOperation {
  const at = random.float();
  const node = random.int(1, nodes + 1);
  const name = random.int(0, names);
  if (at < 0.3) {
    const replication = random.pick([1, 2, 3, 3, 3]);
    return { kind: 'create', node, name, partitions: random.int(1, 4), replication };
  }
  if (at < 0.42) return { kind: 'delete', node, name };
  if (at < 0.5) return { kind: 'grow', node, name, by: random.int(1, 3) };
  if (at < 0.58) return { kind: 'configure', node, name, value: random.int(1_000, 9_000) };
  if (at < 0.66) return { kind: 'block', node };
  return { kind: 'produce', node, name, at: random.float() };
}
