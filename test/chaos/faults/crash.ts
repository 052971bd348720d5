/**
 * SIGKILL: of one node, of a majority, of everybody at once. The proof is the system's own word
 * that the process is gone.
 */
import { type ProcessId, stateOf } from '#src/broker/processes.js';
import type { TestCluster } from '../../support/cluster.js';
import { sleep, waitFor } from '../../support/wait-for.js';
import { type Fault, type FaultKind, planNodes } from './fault.js';

const gone = new WeakMap<TestCluster, number>();

function crash(kind: string, countOf: (nodes: number) => number): FaultKind {
  return {
    kind,
    availability: () => null,
    plan: planNodes(kind, countOf),
    apply: applyCrash,
    proof: 'processes that ended by it',
    proofs: (cluster) => gone.get(cluster) ?? 0,
  };
}

async function applyCrash(cluster: TestCluster, fault: Fault, onHit: () => void): Promise<void> {
  const victims = fault.nodes.map((node) => cluster.process(node));
  for (const node of fault.nodes) cluster.signal(node, 'SIGKILL');
  onHit();
  await waitFor('killed nodes to be gone', () => victims.every(isGone), { everyMs: 5 });
  gone.set(cluster, (gone.get(cluster) ?? 0) + victims.length);
  await sleep(fault.holdMs);
  await Promise.all(fault.nodes.map((node) => cluster.startNode(node)));
}

function isGone(id: ProcessId): boolean {
  return stateOf(id) === 'gone';
}

export const kill = crash('kill', () => 1);
export const killTwo = crash('kill-two', () => 2);
export const killAll = crash('kill-all', (nodes) => nodes);
