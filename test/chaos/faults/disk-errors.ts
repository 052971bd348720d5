/**
 * Disks that fail, write less than asked, tear a write, or take their time: the shim's orders. The
 * proof is the shim's own count of what it did.
 *
 *     eio        a write or a sync fails; the node may go on without what failed, but must not sync
 *                the same file again; it is restarted, sometimes after a power cut
 *     short      writes take a part of the bytes, on one node or on all
 *     torn       a write takes a part, and the process ends at that moment
 *     slowdisk   one node's syncs, or its writes, take long (L4)
 */
import type { Prng } from '#src/base/prng.js';
import { stateOf } from '#src/broker/processes.js';
import type { TestCluster } from '../../support/cluster.js';
import { sleep, waitFor } from '../../support/wait-for.js';
import { cutPower } from './disk-power.js';
import {
  ALWAYS,
  DiskShim,
  type FileKind,
  type ShimCounters,
  type ShimOrders,
} from './disk-shim.js';
import { type Fault, type FaultKind, pickNodes, planHold } from './fault.js';
import { missingDisks, prepareDisks, prepareShim, shimOf } from './node-disks.js';

type Proof = keyof ShimCounters;

type DiskFault = Fault & {
  readonly orders: ShimOrders;
  /** Only of eio: how the node ends. */
  readonly hasPowerCut?: boolean;
};

/** Under load every file is written and synced more often than that, but for an idle moment. */
const HIT_MS = 20_000;
const GONE_MS = 10_000;

type Details = Pick<DiskFault, 'nodes' | 'holdMs' | 'orders' | 'hasPowerCut'>;

type Behaviour = {
  readonly proof: readonly Proof[];
  readonly plan: (random: Prng, nodeIds: readonly number[]) => Details;
  readonly apply: (cluster: TestCluster, fault: DiskFault, onHit: () => void) => Promise<void>;
  readonly needsDisks?: boolean;
};

function shimKind(
  kind: string,
  { proof, plan, apply, needsDisks }: Behaviour,
): FaultKind<DiskFault> {
  return {
    kind,
    availability: () => (needsDisks === true ? missingDisks() : DiskShim.missing()),
    prepareCluster(launch) {
      if (needsDisks === true) prepareDisks(launch);
      prepareShim(launch);
    },
    plan(random, nodeIds) {
      const details = plan(random, nodeIds);
      const detail = ` ${describe(details)}`;
      return { kind, isMajorityLost: false, ...details, detail };
    },
    apply,
    proof: `${proof.join(' or ')} counted by the shim`,
    proofs: (cluster) => countAll(cluster, proof),
  };
}

function describe({ orders, hasPowerCut }: Details): string {
  const told = Object.entries(orders).map(([name, value]) => `${name}=${value}`);
  return `(${[...told, ...(hasPowerCut === true ? ['power cut'] : [])].join(' ')})`;
}

function countAll(cluster: TestCluster, names: readonly Proof[]): number {
  const shim = shimOf(cluster);
  const counts = cluster.nodeIds.flatMap((node) => names.map((name) => shim.counters(node)[name]));
  return counts.reduce((sum, count) => sum + count, 0);
}

/** Gives the orders and waits until the first of them was carried out. */
async function hit(cluster: TestCluster, fault: DiskFault, proof: readonly Proof[]): Promise<void> {
  const before = countAll(cluster, proof);
  for (const node of fault.nodes) shimOf(cluster).order(node, fault.orders);
  await waitFor(`${proof.join(' or ')}`, () => countAll(cluster, proof) > before, {
    timeoutMs: HIT_MS,
    everyMs: 2,
  });
}

function heal(cluster: TestCluster, fault: Fault): void {
  for (const node of fault.nodes) shimOf(cluster).heal(node);
}

const EIO_PROOF = ['syncEio', 'writeEio'] as const;

function planEio(random: Prng, nodeIds: readonly number[]): Details {
  const isSync = random.chance(0.5);
  const times = random.chance(0.5) ? 1 : ALWAYS;
  // The write-ahead log is written all the time, but synced for votes and marks only.
  const files = random.pick<FileKind>(isSync ? ['segment', 'any'] : ['wal', 'segment', 'any']);
  const skip = random.int(0, 50);
  return {
    nodes: pickNodes(random, nodeIds, 1),
    holdMs: planHold(random),
    orders: { [isSync ? 'syncEio' : 'writeEio']: times, files, skip },
    hasPowerCut: random.chance(0.5),
  };
}

async function applyEio(cluster: TestCluster, fault: DiskFault, onHit: () => void): Promise<void> {
  const [node] = fault.nodes as [number];
  const shim = shimOf(cluster);
  const victim = cluster.process(node);
  const again = shim.counters(node).syncAgain;
  await hit(cluster, fault, EIO_PROOF);
  onHit();
  await sleep(fault.holdMs);
  const retries = shim.counters(node).syncAgain - again;
  heal(cluster, fault);
  if (retries > 0) throw new Error(`node ${node} synced a file ${retries} times after it failed`);
  if (fault.hasPowerCut === true) {
    const restore = await cutPower(cluster, [node]);
    await restore();
  } else cluster.signal(node, 'SIGKILL');
  await waitFor('the node to be gone', () => stateOf(victim) === 'gone', { timeoutMs: GONE_MS });
  await cluster.startNode(node);
}

export const eio = shimKind('eio', {
  proof: EIO_PROOF,
  plan: planEio,
  apply: applyEio,
  needsDisks: true,
});

export const short = shimKind('short', {
  proof: ['shortWrites'],
  plan: (random, nodeIds) => ({
    nodes: pickNodes(random, nodeIds, random.chance(0.5) ? 1 : nodeIds.length),
    holdMs: planHold(random),
    orders: { shortWrites: ALWAYS },
  }),
  async apply(cluster, fault, onHit) {
    await hit(cluster, fault, ['shortWrites']);
    onHit();
    await sleep(fault.holdMs);
    heal(cluster, fault);
  },
});

export const torn = shimKind('torn', {
  proof: ['tornWrites'],
  plan: (random, nodeIds) => ({
    nodes: pickNodes(random, nodeIds, 1),
    holdMs: planHold(random),
    orders: {
      tornWrites: 1,
      // Other files are only written now and then: nobody can wait for that.
      files: random.pick<FileKind>(['wal', 'segment', 'any']),
      skip: random.int(0, 100),
    },
  }),
  async apply(cluster, fault, onHit) {
    const [node] = fault.nodes as [number];
    const victim = cluster.process(node);
    await hit(cluster, fault, ['tornWrites']);
    onHit();
    await waitFor('the node to be gone', () => stateOf(victim) === 'gone', { timeoutMs: GONE_MS });
    heal(cluster, fault);
    await sleep(fault.holdMs);
    await cluster.startNode(node);
  },
});

const SLOW_MS = { syncLeast: 50, syncMost: 2_000, writeLeast: 2, writeMost: 60 } as const;
const SLOW_HOLD_MS = { least: 4_000, most: 9_000 } as const;

export const slowdisk = shimKind('slowdisk', {
  proof: ['delays'],
  plan: (random, nodeIds) => ({
    nodes: pickNodes(random, nodeIds, 1),
    holdMs: random.int(SLOW_HOLD_MS.least, SLOW_HOLD_MS.most),
    orders: random.chance(0.6)
      ? { syncDelayMs: random.int(SLOW_MS.syncLeast, SLOW_MS.syncMost) }
      : { writeDelayMs: random.int(SLOW_MS.writeLeast, SLOW_MS.writeMost) },
  }),
  async apply(cluster, fault, onHit) {
    await hit(cluster, fault, ['delays']);
    onHit();
    await sleep(fault.holdMs);
    heal(cluster, fault);
  },
});
