/**
 * What a fault is. The plan is data, made from the seed before anything runs; a kind knows how to
 * plan, how to prepare the cluster for itself, how to do it, and how to prove that it happened.
 * Kinds are constants: what one needs to remember of a cluster hangs on that cluster's launch.
 */
import type { Prng } from '#src/base/prng.js';
import type { TestCluster } from '../../support/cluster.js';
import type { ClusterLaunch } from '../../support/cluster-launch.js';

export type Fault = {
  readonly kind: string;
  /** Nodes that are hit: acks of what they lead are awaited from the hit on. */
  readonly nodes: readonly number[];
  /** From the fault to the moment when it is taken back. */
  readonly holdMs: number;
  /** No majority is connected while it lasts, so nobody owes acks before it is taken back. */
  readonly isMajorityLost: boolean;
  /** For the story: what the kind and the nodes do not say. */
  readonly detail?: string;
};

export type FaultKind<F extends Fault = Fault> = {
  readonly kind: string;
  /** Why it can not run on this machine, or null; printed, and an error under CI. */
  availability(): string | null;
  /** Broker settings without which it can not be seen. */
  readonly settings?: readonly string[];
  /** Nodes may serve damaged bytes for a while; a client must be able to tell, and ask again. */
  readonly mayServeDamage?: boolean;
  /** Writes into the launch what the nodes need; called once, before the cluster starts. */
  prepareCluster?(launch: ClusterLaunch): Promise<void> | void;
  /** `k=v` that the topics of the run must have under it. */
  readonly topicConfigs?: readonly string[];
  plan(random: Prng, nodeIds: readonly number[]): F;
  /** Does it, calls `onHit` right after, holds, takes it back. */
  apply(cluster: TestCluster, fault: F, onHit: () => void): Promise<void>;
  /** What {@link proofs} counts, for the message of a round in which it did not grow. */
  readonly proof: string;
  /** Counts since the cluster was started, from outside of this process's own intentions. */
  proofs(cluster: TestCluster): Promise<number> | number;
};

const HOLD_MS = { least: 50, most: 4_000 } as const;

/** A quick return races with the election, a slow one lets the node fall behind: tries both. */
export function planHold(random: Prng): number {
  return random.chance(0.3) ? random.int(HOLD_MS.least, 500) : random.int(1_000, HOLD_MS.most);
}

/** The plan of a kind that is the same for whichever nodes it hits. */
export function planNodes(kind: string, countOf: (nodes: number) => number): FaultKind['plan'] {
  return (random, nodeIds) => {
    const count = countOf(nodeIds.length);
    const nodes = pickNodes(random, nodeIds, count);
    return { kind, nodes, holdMs: planHold(random), isMajorityLost: isMajority(count, nodeIds) };
  };
}

export function pickNodes(random: Prng, nodeIds: readonly number[], count: number): number[] {
  return shuffled(random, nodeIds).slice(0, count).sort();
}

export function isMajority(count: number, nodeIds: readonly number[]): boolean {
  return count * 2 >= nodeIds.length;
}

export function shuffled<T>(random: Prng, items: readonly T[]): T[] {
  const rest = [...items];
  const result: T[] = [];
  while (rest.length > 0) result.push(...rest.splice(random.int(0, rest.length), 1));
  return result;
}
