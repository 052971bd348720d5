/**
 * The fault plan is data, made from the seed before anything runs: which nodes are hit in each
 * round, how, for how long. Applying it is the only impure part.
 */
import type { Prng } from '#src/base/prng.js';
import type { TestCluster } from '../support/cluster.js';
import { sleep } from '../support/wait-for.js';

/** `kill` and `pause` take one node; `kill-two` the majority; `kill-all` everybody at once. */
export const FAULT_KINDS = ['kill', 'pause', 'kill-two', 'kill-all'] as const;
export type FaultKind = (typeof FAULT_KINDS)[number];

export type Fault = {
  readonly kind: FaultKind;
  readonly nodes: readonly number[];
  /** From the fault to the moment when the nodes come back. */
  readonly holdMs: number;
};

export type FaultPlan = readonly Fault[];

const HOLD_MS = { least: 50, most: 4_000 } as const;

export function planFaults(
  random: Prng,
  rounds: number,
  kinds: readonly FaultKind[],
  nodeIds: readonly number[],
): FaultPlan {
  return Array.from({ length: rounds }, () => {
    const kind = random.pick(kinds);
    const hit = kind === 'kill-all' ? nodeIds.length : kind === 'kill-two' ? 2 : 1;
    // A quick return races with the election, a slow one lets the node fall behind: try both.
    const holdMs = random.chance(0.3)
      ? random.int(HOLD_MS.least, 500)
      : random.int(1_000, HOLD_MS.most);
    return { kind, nodes: shuffled(random, nodeIds).slice(0, hit).sort(), holdMs };
  });
}

export function isMajorityHit(fault: Fault, nodeCount: number): boolean {
  return fault.nodes.length * 2 >= nodeCount;
}

/** Hits the nodes, holds, and brings them back; `onHit` is called right after the signals. */
export async function applyFault(
  cluster: TestCluster,
  fault: Fault,
  onHit: () => void,
): Promise<void> {
  const isPause = fault.kind === 'pause';
  for (const node of fault.nodes) cluster.signal(node, isPause ? 'SIGSTOP' : 'SIGKILL');
  onHit();
  await sleep(fault.holdMs);
  if (isPause) {
    for (const node of fault.nodes) cluster.signal(node, 'SIGCONT');
    return;
  }
  await Promise.all(fault.nodes.map((node) => cluster.startNode(node)));
}

function shuffled<T>(random: Prng, items: readonly T[]): T[] {
  const rest = [...items];
  const result: T[] = [];
  while (rest.length > 0) result.push(...rest.splice(random.int(0, rest.length), 1));
  return result;
}
