/**
 * A full disk, on one node or on all: a balloon takes every byte, again and again for as long as
 * the fault holds, and is then removed; the nodes must heal by themselves (L5). Some are killed and
 * started on the full disk. The proof is a write of our own that finds no space.
 */
import { spawnSync } from 'node:child_process';
import { appendFileSync, rmSync, statfsSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { TestCluster } from '../../support/cluster.js';
import { sleep } from '../../support/wait-for.js';
import { type Fault, type FaultKind, isMajority, pickNodes } from './fault.js';
import { disksOf, missingDisks, prepareDisks } from './node-disks.js';

type FullFault = Fault & { readonly isRestarted: boolean };

const HOLD_MS = { least: 1_500, most: 6_000 } as const;
const TOP_UP_MS = 100;
const PIECE_BYTES = 1 << 16;

const proofs = new WeakMap<TestCluster, number>();

export const enospc: FaultKind<FullFault> = {
  kind: 'enospc',
  availability: missingDisks,
  prepareCluster: prepareDisks,
  plan(random, nodeIds) {
    const count = random.chance(0.3) ? nodeIds.length : 1;
    const isRestarted = random.chance(0.4);
    return {
      kind: 'enospc',
      nodes: pickNodes(random, nodeIds, count),
      holdMs: random.int(HOLD_MS.least, HOLD_MS.most),
      isMajorityLost: isMajority(count, nodeIds),
      isRestarted,
      detail: isRestarted ? ', one killed and started' : '',
    };
  },
  async apply(cluster, fault, onHit) {
    const folders = fault.nodes.map((node) => disksOf(cluster).get(node)?.path as string);
    try {
      for (const folder of folders) inflate(folder);
      onHit();
      const endMs = performance.now() + fault.holdMs;
      const restart = fault.isRestarted ? restartOne(cluster, fault) : Promise.resolve();
      let isRestarting = true;
      const started = restart.finally(() => {
        isRestarting = false;
      });
      // Seen by who waits for it below; without this it would be unhandled until then.
      started.catch(() => undefined);
      while (performance.now() < endMs || isRestarting) {
        await sleep(TOP_UP_MS);
        for (const folder of folders) topUp(folder);
      }
      await started;
      note(cluster, folders.filter(isFull).length);
    } finally {
      for (const folder of folders) rmSync(join(folder, BALLOON), { force: true });
    }
  },
  proof: 'writes of our own without space',
  proofs: (cluster) => proofs.get(cluster) ?? 0,
};

const BALLOON = 'balloon';

/** A restart on a full disk needs no space. */
async function restartOne(cluster: TestCluster, fault: Fault): Promise<void> {
  const node = fault.nodes[0] as number;
  await sleep(fault.holdMs / 3);
  cluster.signal(node, 'SIGKILL');
  await sleep(fault.holdMs / 3);
  await cluster.startNode(node);
}

function inflate(folder: string): void {
  const { bavail, bsize } = statfsSync(folder);
  // All at once as far as it goes; what block lists and rounding leave is topped up.
  const size = String(Math.max(bsize, Math.floor(bavail * 0.97) * bsize));
  const made = spawnSync('fallocate', ['--length', size, join(folder, BALLOON)]);
  if (made.status !== 0) throw new Error(`fallocate: ${made.stderr.toString()}`);
  topUp(folder);
}

function topUp(folder: string): void {
  const path = join(folder, BALLOON);
  const piece = Buffer.alloc(PIECE_BYTES, 1);
  for (let length = PIECE_BYTES; length >= 1; ) {
    try {
      appendFileSync(path, piece.subarray(0, length));
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ENOSPC') throw error;
      length = length === 1 ? 0 : Math.floor(length / 64) || 1;
    }
  }
}

function isFull(folder: string): boolean {
  const path = join(folder, 'probe');
  try {
    writeFileSync(path, Buffer.alloc(PIECE_BYTES, 1), { flush: true });
    return false;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'ENOSPC';
  } finally {
    rmSync(path, { force: true });
  }
}

function note(cluster: TestCluster, count: number): void {
  proofs.set(cluster, (proofs.get(cluster) ?? 0) + count);
}
