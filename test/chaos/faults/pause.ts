/**
 * SIGSTOP: of one node, and of two at once. The proof is the system's own word that the process was
 * stopped at the end of the hold, too.
 */
import { stateOf } from '#src/broker/processes.js';
import type { TestCluster } from '../../support/cluster.js';
import { sleep } from '../../support/wait-for.js';
import { type Fault, type FaultKind, planNodes } from './fault.js';

const paused = new WeakMap<TestCluster, number>();

function pauseOf(kind: string, count: number): FaultKind {
  return {
    kind,
    availability: () => null,
    plan: planNodes(kind, () => count),
    apply: applyPause,
    proof: 'processes found stopped',
    proofs: (cluster) => paused.get(cluster) ?? 0,
  };
}

async function applyPause(cluster: TestCluster, fault: Fault, onHit: () => void): Promise<void> {
  const victims = fault.nodes.map((node) => cluster.process(node));
  for (const node of fault.nodes) cluster.signal(node, 'SIGSTOP');
  onHit();
  await sleep(fault.holdMs);
  const stopped = victims.filter((id) => stateOf(id) === 'paused').length;
  paused.set(cluster, (paused.get(cluster) ?? 0) + stopped);
  for (const node of fault.nodes) cluster.signal(node, 'SIGCONT');
}

export const pause = pauseOf('pause', 1);
export const pauseTwo = pauseOf('pause-two', 2);
