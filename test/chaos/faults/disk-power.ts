/**
 * Power cuts: of one node, of two, of all at once. What a node had synced stays, what it had not is
 * gone. The proof is a file that was written right before the cut, and that is not there when the
 * disk is mounted again.
 *
 *     powercut       one node, when all replicas are in sync: nothing acknowledged may be lost even
 *                    with durability=cached
 *     powercut-two, powercut-all   a majority, whatever the state: with durability=synced only
 */
import { stateOf } from '#src/broker/processes.js';
import type { TestCluster } from '../../support/cluster.js';
import { waitInSync } from '../../support/in-sync.js';
import { LoopDisk, type Vanished } from '../../support/loop-disk.js';
import { sleep, waitFor } from '../../support/wait-for.js';
import { type Fault, type FaultKind, planNodes } from './fault.js';
import { disksOf, missingDisks, prepareDisks } from './node-disks.js';

const GONE_MS = 15_000;

export type PowerCounters = {
  /** After each of them the canary was gone. */
  readonly cuts: number;
  /** Bytes of the nodes' own files that were not synced and are gone. */
  readonly bytes: number;
};

const NONE: PowerCounters = { cuts: 0, bytes: 0 };
const counters = new WeakMap<TestCluster, PowerCounters>();

export function powerCounters(cluster: TestCluster): PowerCounters {
  return counters.get(cluster) ?? NONE;
}

/** Cuts the power of nodes, and ends them. Returns what brings their disks back. */
export async function cutPower(
  cluster: TestCluster,
  nodes: readonly number[],
): Promise<() => Promise<void>> {
  const disks = nodes.map((node) => disksOf(cluster).get(node) as LoopDisk);
  const victims = nodes.map((node) => cluster.process(node));
  LoopDisk.powerCut(disks);
  for (const node of nodes) cluster.signal(node, 'SIGKILL');
  const isGone = (): boolean => victims.every((id) => stateOf(id) === 'gone');
  await waitFor('nodes without power to be gone', isGone, { timeoutMs: GONE_MS, everyMs: 5 });
  return async () => {
    for (const disk of disks) note(cluster, await disk.remount());
  };
}

function note(cluster: TestCluster, { canaryBytes, bytes }: Vanished): void {
  if (canaryBytes === 0) throw new Error('a power cut took nothing: the canary is still there');
  const before = powerCounters(cluster);
  counters.set(cluster, { cuts: before.cuts + 1, bytes: before.bytes + bytes });
}

function powerKind(kind: string, countOf: (nodes: number) => number): FaultKind {
  return {
    kind,
    availability: missingDisks,
    prepareCluster: prepareDisks,
    plan: planNodes(kind, countOf),
    apply: applyPowerCut,
    proof: 'unsynced canaries that vanished',
    proofs: (cluster) => powerCounters(cluster).cuts,
  };
}

async function applyPowerCut(cluster: TestCluster, fault: Fault, onHit: () => void): Promise<void> {
  if (!fault.isMajorityLost) await waitInSync(cluster, 'all');
  const restore = await cutPower(cluster, fault.nodes);
  onHit();
  await sleep(fault.holdMs);
  await restore();
  await Promise.all(fault.nodes.map((node) => cluster.startNode(node)));
}

export const powercut = powerKind('powercut', () => 1);
export const powercutTwo = powerKind('powercut-two', () => 2);
export const powercutAll = powerKind('powercut-all', (nodes) => nodes);
