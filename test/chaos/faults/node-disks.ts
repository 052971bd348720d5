/**
 * What stands between the nodes of one cluster and the machine's own disk: a loop disk for each
 * node's directory, and the shim in each node's process. Made once for all kinds that need them,
 * released with the cluster's launch.
 */
import type { TestCluster } from '../../support/cluster.js';
import type { ClusterLaunch } from '../../support/cluster-launch.js';
import { LoopDisk } from '../../support/loop-disk.js';
import { DiskShim } from './disk-shim.js';

export type NodeDisks = ReadonlyMap<number, LoopDisk>;

/** Sparse; what a run writes must fit. */
const DISK_BYTES = 1 << 30;

const disks = new WeakMap<ClusterLaunch, NodeDisks>();
const shims = new WeakMap<ClusterLaunch, DiskShim>();

let missing: string | null | undefined;

/** As {@link LoopDisk.missing}, asked once. */
export function missingDisks(): string | null {
  missing ??= LoopDisk.missing();
  return missing;
}

/** Before the nodes start. */
export function prepareDisks(launch: ClusterLaunch): void {
  if (disks.has(launch)) return;
  const made = new Map<number, LoopDisk>();
  disks.set(launch, made);
  launch.onRelease(() => {
    for (const disk of made.values()) disk.close();
  });
  for (const id of launch.nodeIds) {
    made.set(id, LoopDisk.attach(launch.nodeDirectory(id), DISK_BYTES));
  }
}

/** Before the nodes start. */
export function prepareShim(launch: ClusterLaunch): void {
  if (shims.has(launch)) return;
  const shim = new DiskShim(launch.dataDir);
  shims.set(launch, shim);
  launch.onRelease(() => shim.close());
  const { LD_PRELOAD: library, ...environment } = shim.environment;
  for (const id of launch.nodeIds) {
    launch.preload(id, library as string);
    Object.assign(launch.node(id).env, environment);
  }
}

/** @throws Error when {@link prepareDisks} was not called for the cluster */
export function disksOf(cluster: TestCluster): NodeDisks {
  return mustFind(disks, cluster, 'disks');
}

/** @throws Error when {@link prepareShim} was not called for the cluster */
export function shimOf(cluster: TestCluster): DiskShim {
  return mustFind(shims, cluster, 'a shim');
}

function mustFind<T>(map: WeakMap<ClusterLaunch, T>, { launch }: TestCluster, what: string): T {
  const found = launch === null ? undefined : map.get(launch);
  if (found === undefined) throw new Error(`the cluster was not prepared with ${what}`);
  return found;
}
