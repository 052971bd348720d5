/**
 * Wall clocks that jump by hours, forth and back, on one node or on all, each its own way. Preloads
 * libfaketime, which leaves the monotonic clock alone, as the system does. The proof is the time of
 * lines in the node's own log.
 */
import { existsSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { TestCluster } from '../../support/cluster.js';
import type { ClusterLaunch } from '../../support/cluster-launch.js';
import { sleep, waitFor } from '../../support/wait-for.js';
import { type Fault, type FaultKind, pickNodes } from './fault.js';
import { logEnd, logLines, provokeLogLine } from './node-log.js';

const LIBRARY_NAME = 'faketime/libfaketimeMT.so.1';
const SECONDS = { least: 600, most: 40 * 3_600 } as const;
/** A line may be logged a little after the clock was asked. */
const TOLERANCE_MS = 60_000;

type Jump = { readonly node: number; readonly seconds: number };
type ClockFault = Fault & { readonly jumps: readonly Jump[] };

const seen = new WeakMap<TestCluster, number>();

export const clock: FaultKind<ClockFault> = {
  kind: 'clock',
  availability: () =>
    findLibrary() === null ? `no ${LIBRARY_NAME} (package faketime of Debian)` : null,
  // As in Kafka, a record far in the future of its broker's clock would be refused.
  topicConfigs: [`message.timestamp.after.max.ms=${SECONDS.most * 2 * 1_000}`],
  prepareCluster,
  plan(random, nodeIds) {
    const nodes = random.chance(0.5) ? pickNodes(random, nodeIds, 1) : [...nodeIds];
    const jumps = nodes.map((node) => {
      const seconds = random.int(SECONDS.least, SECONDS.most) * (random.chance(0.5) ? 1 : -1);
      return { node, seconds };
    });
    const hours = jumps.map(({ seconds }) => `${(seconds / 3_600).toFixed(1)} h`).join(', ');
    const rest = { holdMs: random.int(1_000, 6_000), isMajorityLost: false };
    return { kind: 'clock', nodes, jumps, detail: ` by ${hours}`, ...rest };
  },
  async apply(cluster, { jumps, holdMs }, onHit) {
    const ends = new Map(jumps.map(({ node }) => [node, logEnd(cluster, node)]));
    for (const { node, seconds } of jumps) setClock(cluster.dataDir, node, seconds);
    onHit();
    for (const { node } of jumps) provokeLogLine(cluster, node);
    await sleep(holdMs);
    for (const jump of jumps) {
      const isSeen = (): boolean => isLogged(cluster, jump, ends.get(jump.node) ?? 0);
      await waitFor(`a line of node ${jump.node} by its new clock`, isSeen);
      seen.set(cluster, (seen.get(cluster) ?? 0) + 1);
    }
    for (const { node } of jumps) setClock(cluster.dataDir, node, 0);
  },
  proof: 'log lines of another time',
  proofs: (cluster) => seen.get(cluster) ?? 0,
};

function isLogged(cluster: TestCluster, { node, seconds }: Jump, from: number): boolean {
  const dueMs = Date.now() + seconds * 1_000;
  return logLines(cluster, node, from).some(
    ({ time }) => Math.abs(Date.parse(time) - dueMs) < TOLERANCE_MS,
  );
}

function prepareCluster(launch: ClusterLaunch): void {
  const library = findLibrary();
  if (library === null) throw new Error(`no ${LIBRARY_NAME}`);
  for (const id of launch.nodeIds) {
    launch.preload(id, library);
    setClock(launch.dataDir, id, 0);
    Object.assign(launch.node(id).env, {
      FAKETIME_TIMESTAMP_FILE: clockFile(launch.dataDir, id),
      // It is read at every look at the clock, so that a jump is one.
      FAKETIME_NO_CACHE: '1',
      FAKETIME_DONT_FAKE_MONOTONIC: '1',
      NO_FAKE_STAT: '1',
    });
  }
  const pids = new Set<number>();
  // The library opens these at its start, and only a polite end would remove them.
  const removeShared = (pid: number): void => {
    for (const name of [`faketime_shm_${pid}`, `sem.faketime_sem_${pid}`]) {
      rmSync(join('/dev/shm', name), { force: true });
    }
  };
  launch.onProcess((pid) => {
    if (pids.has(pid)) removeShared(pid);
    pids.add(pid);
  });
  launch.onRelease(() => {
    for (const pid of pids) removeShared(pid);
  });
}

/** An offset from the true time. Replaced in place: the library reads a few bytes at once. */
function setClock(dataDir: string, nodeId: number, seconds: number): void {
  writeFileSync(clockFile(dataDir, nodeId), `${seconds < 0 ? '-' : '+'}${Math.abs(seconds)}\n`);
}

function clockFile(dataDir: string, nodeId: number): string {
  return join(dataDir, `clock-${nodeId}`);
}

function findLibrary(): string | null {
  const roots = ['/usr/lib', '/usr/lib64', '/usr/local/lib'].filter((root) => existsSync(root));
  const folders = roots.flatMap((root) => [
    root,
    ...readdirSync(root, { withFileTypes: true })
      .filter((entry) => entry.isDirectory() && entry.name.includes('-linux-'))
      .map((entry) => join(root, entry.name)),
  ]);
  const paths = folders.map((folder) => join(folder, LIBRARY_NAME));
  return paths.find((path) => existsSync(path)) ?? null;
}
