/**
 * A node that has no file descriptors left: its limit is lowered under its feet, then many clients
 * come. The proof is the node's own complaint that it could not accept them.
 */
import { readdirSync } from 'node:fs';
import { type Socket, connect } from 'node:net';
import type { TestCluster } from '../../support/cluster.js';
import { mustRun } from '../../support/command.js';
import { missingCommand } from '../../support/requires.js';
import { sleep, waitFor } from '../../support/wait-for.js';
import { type Fault, type FaultKind, pickNodes } from './fault.js';
import { logEnd, logLines } from './node-log.js';

const CLIENTS = 200;
/** Descriptors that stay free at first: fewer than clients come. */
const SPARE_MAX = 32;

type FdFault = Fault & { readonly spare: number };

const complaints = new WeakMap<TestCluster, number>();

export const fd: FaultKind<FdFault> = {
  kind: 'fd',
  availability: () =>
    process.platform === 'linux'
      ? missingCommand('prlimit', 'package util-linux')
      : 'limits of a running process are changed on Linux only',
  plan(random, nodeIds) {
    const nodes = pickNodes(random, nodeIds, 1);
    const spare = random.int(0, SPARE_MAX);
    // Longer than the pause between two complaints.
    const rest = { holdMs: random.int(2_500, 6_000), isMajorityLost: false };
    return { kind: 'fd', nodes, spare, detail: ` with ${spare} to spare`, ...rest };
  },
  async apply(cluster, { nodes, spare, holdMs }, onHit) {
    const node = nodes[0] as number;
    const pid = cluster.pid(node);
    const logStart = logEnd(cluster, node);
    const before = await limitOf(pid);
    const open = readdirSync(`/proc/${pid}/fd`).length;
    await mustRun('prlimit', [`--pid=${pid}`, `--nofile=${open + spare}:${before.hard}`]);
    const clients = openClients(cluster, node);
    onHit();
    try {
      await sleep(holdMs);
      const count = (): number =>
        logLines(cluster, node, logStart).filter(({ msg }) => /^no descriptors/.test(msg)).length;
      await waitFor(`node ${node} to miss descriptors`, () => count() > 0);
      complaints.set(cluster, (complaints.get(cluster) ?? 0) + count());
    } finally {
      for (const client of clients) client.destroy();
      await mustRun('prlimit', [`--pid=${pid}`, `--nofile=${before.soft}:${before.hard}`]);
    }
  },
  proof: 'complaints that nothing could be accepted',
  proofs: (cluster) => complaints.get(cluster) ?? 0,
};

async function limitOf(pid: number): Promise<{ soft: string; hard: string }> {
  const args = [`--pid=${pid}`, '--nofile', '--noheadings', '--raw', '--output=SOFT,HARD'];
  const { stdout } = await mustRun('prlimit', args);
  const [soft, hard] = stdout.trim().split(/\s+/);
  if (soft === undefined || hard === undefined) throw new Error(`prlimit says "${stdout}"`);
  return { soft, hard };
}

function openClients(cluster: TestCluster, nodeId: number): Socket[] {
  const host = cluster.launch?.node(nodeId).host ?? '127.0.0.1';
  return Array.from({ length: CLIENTS }, () => {
    const socket = connect(cluster.basePort + nodeId - 1, host);
    socket.on('error', () => undefined);
    return socket;
  });
}
