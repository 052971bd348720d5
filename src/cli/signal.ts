/**
 * `lograft kill|pause|resume`: a fault on purpose, at one node, at the leader of a partition or at
 * the controller. Prints once the system shows the effect, not when the signal was sent.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { LograftError } from '../base/errors.js';
import { type ProcessState, signal } from '../broker/processes.js';
import { waitForState } from './cluster/wait.js';
import type { ClusterNode, ClusterState } from './cluster/cluster-file.js';
import { type ClusterStatus, clusterStatus } from './cluster/cluster-status.js';
import {
  type LocatedCluster,
  locateCluster,
  runningNodes,
  type WhereOptions,
} from './cluster/locate.js';
import { usage } from './options.js';
import { EXIT, type Output } from './output.js';

const ROLE_TIMEOUT_MS = 10_000;
const ROLE_POLL_MS = 50;
const EFFECT_TIMEOUT_MS = 5_000;

export type TargetOptions = WhereOptions & {
  readonly topic?: string;
  readonly partition?: number;
};

export type Fault = 'kill' | 'pause' | 'resume';

const SIGNALS: Readonly<Record<Fault, { name: NodeJS.Signals; effect: ProcessState }>> = {
  kill: { name: 'SIGKILL', effect: 'gone' },
  pause: { name: 'SIGSTOP', effect: 'paused' },
  resume: { name: 'SIGCONT', effect: 'running' },
};

export async function sendFault(
  output: Output,
  fault: Fault,
  target: string,
  options: TargetOptions,
): Promise<number> {
  const cluster = await locateCluster(options);
  runningNodes(cluster);
  const node = await output.progress(
    () => `waiting for ${target}`,
    findTarget(cluster, target, options),
  );
  const pid = await applyFault(node, fault);
  const { name } = SIGNALS[fault];
  output.result({ node: node.id, pid, signal: name }, `node ${node.id}, pid ${pid}: ${name}`);
  return EXIT.done;
}

/** Returns the pid once the effect shows. Throws NOT_FOUND for a node that does not run. */
export async function applyFault(node: ClusterNode, fault: Fault): Promise<number> {
  const { process: id } = node;
  const { name, effect } = SIGNALS[fault];
  if (id === null || !signal(id, name)) {
    throw new LograftError('NOT_FOUND', `node ${node.id} is not running`);
  }
  if (!(await waitForState(id, effect, EFFECT_TIMEOUT_MS))) {
    throw new LograftError(
      'TIMED_OUT',
      `node ${node.id} (pid ${id.pid}) does not react to ${name}`,
    );
  }
  return id.pid;
}

/** The node that `target` names. Throws USAGE, NOT_FOUND, or TIMED_OUT when nobody has the role. */
export async function findTarget(
  cluster: LocatedCluster,
  target: string,
  options: TargetOptions,
): Promise<ClusterNode> {
  if (/^\d+$/.test(target)) return nodeById(cluster.state, Number(target));
  const find = roleFinder(target, options);
  const deadline = performance.now() + ROLE_TIMEOUT_MS;
  for (;;) {
    const leftMs = Math.max(ROLE_POLL_MS, deadline - performance.now());
    const status = await clusterStatus(cluster.dataDir, cluster.state, Math.min(2_000, leftMs));
    const id = find(status);
    if (id > 0) return nodeById(cluster.state, id);
    if (performance.now() >= deadline) {
      throw new LograftError(
        'TIMED_OUT',
        `there is no ${roleText(target, options)} after ${ROLE_TIMEOUT_MS / 1000} s`,
      );
    }
    await sleep(ROLE_POLL_MS);
  }
}

function roleFinder(target: string, options: TargetOptions): (status: ClusterStatus) => number {
  if (target === 'controller') return (status) => status.controllerId;
  if (target !== 'leader') {
    throw usage(`${target}: expected the id of a node, "leader" or "controller"`);
  }
  const { topic, partition = 0 } = options;
  if (topic === undefined) throw usage('leader: of which topic? --topic T [--partition P]');
  return (status) => {
    const found = status.topics.find((t) => t.name === topic);
    const isCertain = status.nodes.every((n) => n.state === 'running');
    if (found === undefined && isCertain) {
      throw new LograftError('NOT_FOUND', `there is no topic ${topic}`);
    }
    if (found !== undefined && partition >= found.partitions.length) {
      throw new LograftError('NOT_FOUND', `topic ${topic} has no partition ${partition}`);
    }
    return found?.partitions[partition]?.leader ?? -1;
  };
}

function roleText(target: string, { topic, partition = 0 }: TargetOptions): string {
  return target === 'leader' ? `leader of ${topic}-${partition}` : target;
}

function nodeById(state: ClusterState, id: number): ClusterNode {
  const node = state.nodes.find((candidate) => candidate.id === id);
  if (node !== undefined) return node;
  const known = state.nodes.map((candidate) => candidate.id).join(', ');
  throw new LograftError('NOT_FOUND', `there is no node ${id}; the nodes are ${known}`);
}
