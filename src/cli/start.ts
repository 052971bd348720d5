/**
 * `lograft start`: one node of a known cluster again, under the supervisor that runs, if one does.
 * Returns when the cluster counts the node as a member again.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { LograftError } from '../base/errors.js';
import type { NodeId } from '../base/units.js';
import { stateOf } from '../broker/processes.js';
import {
  type ClusterState,
  isSupervised,
  livingNodes,
  readCluster,
  updateCluster,
  withNode,
} from './cluster/cluster-file.js';
import { type ClusterStatus, clusterStatus } from './cluster/cluster-status.js';
import { type LocatedCluster, locateCluster } from './cluster/locate.js';
import { askStatus, type NodeStatus } from './cluster/node-status.js';
import { checkPorts } from './cluster/ports.js';
import { type SpawnedNode, spawnNode } from './cluster/spawn.js';
import type { Address } from './options.js';
import { EXIT, type Output } from './output.js';
import { findTarget, type TargetOptions } from './signal.js';

const ASK_TIMEOUT_MS = 2_000;
const ASK_EVERY_MS = 25;

export type StartOptions = TargetOptions & {
  readonly waitInSync?: boolean;
  /** Seconds. */
  readonly timeout: number;
};

export async function start(
  output: Output,
  target: string,
  options: StartOptions,
): Promise<number> {
  const cluster = await locateCluster(options);
  const { id } = await findTarget(cluster, target, options);
  const starting = startNode(cluster, id, {
    timeoutMs: options.timeout * 1000,
    isWaitingForSync: options.waitInSync ?? false,
    note: (text) => output.note(text),
  });
  const pid = await output.progress(() => `starting node ${id}`, starting);
  output.result({ node: id, pid, signal: null }, `node ${id}, pid ${pid}: started`);
  return EXIT.done;
}

export type StartRequest = {
  readonly timeoutMs: number;
  readonly isWaitingForSync: boolean;
  readonly note: (text: string) => void;
};

/**
 * Starts a node and returns its pid once it is registered (or in sync). Throws LograftError
 * ALREADY_RUNNING, ADDRESS_IN_USE, TIMED_OUT, or STORAGE_FAILED with the node's own words.
 */
export async function startNode(
  cluster: LocatedCluster,
  id: NodeId,
  request: StartRequest,
): Promise<number> {
  const spawned = await spawnRecorded(cluster, id);
  await waitForNode(cluster, spawned, request);
  spawned.child.unref();
  return spawned.process.pid;
}

/** Under the lock, so that two commands cannot start the same node. */
async function spawnRecorded(cluster: LocatedCluster, id: NodeId): Promise<SpawnedNode> {
  const { dataDir, state } = cluster;
  const address = state.nodes.find((node) => node.id === id);
  const isRunning = livingNodes(state).some((node) => node.id === id);
  if (!isRunning && address !== undefined) {
    await checkPorts([
      {
        id,
        host: address.kafka.host,
        kafkaPort: address.kafka.port,
        peerPort: address.peer.port,
      },
    ]);
  }
  let spawned: SpawnedNode | undefined;
  await updateCluster(dataDir, (before) => {
    const now = before ?? state;
    const process = now.nodes.find((node) => node.id === id)?.process ?? null;
    if (process !== null && stateOf(process) !== 'gone') {
      throw new LograftError(
        'ALREADY_RUNNING',
        `node ${id} is already running (pid ${process.pid})`,
      );
    }
    spawned = spawnNode(dataDir, id, isSupervised(now) ? now.supervisor : null);
    return withNode(now, id, { process: spawned.process, hasFailed: false });
  });
  return spawned as SpawnedNode;
}

async function waitForNode(
  { dataDir, state: before }: LocatedCluster,
  spawned: SpawnedNode,
  request: StartRequest,
): Promise<void> {
  const { id } = spawned;
  const deadline = performance.now() + request.timeoutMs;
  const address = before.nodes.find((node) => node.id === id)?.kafka as Address;
  for (let lastWord = 'it does not listen'; ; await sleep(ASK_EVERY_MS)) {
    if (spawned.child.exitCode !== null || spawned.child.signalCode !== null) {
      throw new LograftError('STORAGE_FAILED', `node ${id} ended: ${spawned.complaint()}`);
    }
    try {
      const status = await askStatus(address, ASK_TIMEOUT_MS);
      const state = readCluster(dataDir) ?? before;
      if (!hasMajority(state)) {
        const nodes = state.nodes.length;
        request.note(`node ${id} is up; it waits for a majority of the ${nodes} nodes`);
        return;
      }
      lastWord = `it is ${status.state}`;
      if (isMember(status)) {
        if (!request.isWaitingForSync) return;
        lastWord = 'it is not in sync';
        if (isInSync(await clusterStatus(dataDir, state, ASK_TIMEOUT_MS), id)) return;
      }
    } catch (error) {
      if (error instanceof LograftError) throw error;
      lastWord = (error as Error).message;
    }
    if (performance.now() > deadline) {
      throw new LograftError('TIMED_OUT', `node ${id} is started, but ${lastWord}`);
    }
  }
}

function isMember(status: NodeStatus): boolean {
  if (status.state === 'stranger') return true;
  const own = status.brokers.find((broker) => broker.nodeId === status.nodeId);
  return status.isReady && own !== undefined && !own.isFenced;
}

function isInSync(status: ClusterStatus, id: NodeId): boolean {
  return status.topics.every((topic) =>
    topic.partitions.every((p) => !p.replicas.includes(id) || p.inSync.includes(id)),
  );
}

function hasMajority(state: ClusterState): boolean {
  return livingNodes(state).length > state.nodes.length / 2;
}
