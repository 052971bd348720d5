/**
 * Runs a cluster on this machine: claims the directory, starts its nodes, waits until each can take
 * a produce, and ends them. Its one promise: cluster.json names every process it started before
 * anybody is told that the cluster runs, and nothing is left running when it fails.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { LograftError } from '../../base/errors.js';
import type { NodeId } from '../../base/units.js';
import { writeResolvedConfig } from '../../broker/node-config.js';
import { identify, type ProcessId } from '../../broker/processes.js';
import {
  type ClusterState,
  isSupervised,
  livingNodes,
  readCluster,
  updateCluster,
  withNode,
} from './cluster-file.js';
import { type LaunchPlan, plannedNodes } from './launch.js';
import { askStatus } from './node-status.js';
import { checkPorts } from './ports.js';
import { endProcesses } from './shutdown.js';
import { type SpawnedNode, spawnNode } from './spawn.js';

const READY_TIMEOUT_MS = 60_000;
const ASK_TIMEOUT_MS = 2_000;
const ASK_EVERY_MS = 20;

export class Supervisor {
  readonly dataDir: string;
  readonly #plan: LaunchPlan;
  readonly #isDetached: boolean;
  readonly #spawned: SpawnedNode[] = [];
  #isEnding = false;
  /** Told when a node ends while the cluster runs; not when it is being ended. */
  onNodeEnd: (id: NodeId, how: string) => void = () => undefined;

  constructor(plan: LaunchPlan, isDetached: boolean) {
    this.dataDir = plan.dataDir;
    this.#plan = plan;
    this.#isDetached = isDetached;
  }

  /**
   * Starts every node and returns once all can take a produce. Throws LograftError ALREADY_RUNNING,
   * ADDRESS_IN_USE, TIMED_OUT, or STORAGE_FAILED with a node's own words.
   */
  async start(): Promise<void> {
    const before = readCluster(this.dataDir);
    if (before !== null) refuseRunning(this.dataDir, before);
    await checkPorts(this.#plan.config.nodes);
    await this.#claim();
    try {
      await this.#spawnAll();
      await this.#waitUntilReady();
    } catch (error) {
      await this.stop();
      throw error;
    }
  }

  /** Ends all nodes of the directory, those that `lograft start` added included. */
  async stop(politeMs?: number): Promise<void> {
    this.#isEnding = true;
    const state = readCluster(this.dataDir);
    const known = state === null ? [] : livingNodes(state).map((node) => node.process);
    await endProcesses([...known, ...this.#spawned.map((node) => node.process)], politeMs);
    await updateCluster(this.dataDir, (before) => withoutProcesses(before as ClusterState));
  }

  /** Lets the nodes live on without this process. */
  release(): void {
    for (const node of this.#spawned) node.child.unref();
  }

  /** Writes cluster.json with this process as the owner, unless somebody else runs there. */
  async #claim(): Promise<void> {
    const { launch, config } = this.#plan;
    await updateCluster(this.dataDir, (before) => {
      if (before !== null) refuseRunning(this.dataDir, before);
      const supervisor = identify(process.pid);
      writeResolvedConfig(config);
      return { launch, supervisor, nodes: plannedNodes(config) };
    });
  }

  async #spawnAll(): Promise<void> {
    const supervisor = this.#isDetached ? null : (identify(process.pid) as ProcessId);
    for (const node of this.#plan.config.nodes) {
      const spawned = spawnNode(this.dataDir, node.id, supervisor);
      this.#spawned.push(spawned);
      spawned.child.on('exit', (code, name) => this.#onExit(spawned, code, name));
    }
    await updateCluster(this.dataDir, (before) => {
      const claimed = { ...(before as ClusterState), supervisor };
      return this.#spawned.reduce((s, n) => withNode(s, n.id, { process: n.process }), claimed);
    });
  }

  async #waitUntilReady(): Promise<void> {
    const deadline = performance.now() + READY_TIMEOUT_MS;
    await Promise.all(this.#spawned.map((node) => this.#waitForNode(node, deadline)));
  }

  async #waitForNode(node: SpawnedNode, deadline: number): Promise<void> {
    const config = this.#plan.config.nodes.find((n) => n.id === node.id);
    const address = { host: config?.advertisedHost ?? '', port: config?.kafkaPort ?? 0 };
    let lastWord = 'it does not listen';
    while (performance.now() < deadline) {
      if (this.#isEnding) return;
      if (node.child.exitCode !== null || node.child.signalCode !== null) {
        throw new LograftError('STORAGE_FAILED', `node ${node.id} ended: ${node.complaint()}`);
      }
      try {
        const status = await askStatus(address, ASK_TIMEOUT_MS);
        // A stranger waits for its re-admission; the others carry the cluster.
        if (status.isReady || status.state === 'stranger') return;
        lastWord = `it is ${status.state}`;
      } catch (error) {
        lastWord = (error as Error).message;
      }
      await sleep(ASK_EVERY_MS);
    }
    throw new LograftError(
      'TIMED_OUT',
      `node ${node.id} is not ready after ${READY_TIMEOUT_MS / 1000} s: ${lastWord}`,
    );
  }

  #onExit(node: SpawnedNode, code: number | null, name: NodeJS.Signals | null): void {
    if (this.#isEnding) return;
    const hasFailed = code !== null && code !== 0;
    this.onNodeEnd(node.id, hasFailed ? `code ${code}: ${node.complaint()}` : (name ?? 'done'));
    if (!hasFailed) return;
    updateCluster(this.dataDir, (before) => {
      const state = before as ClusterState;
      const noted = state.nodes.find((n) => n.id === node.id)?.process;
      // Somebody may have started it again in the meantime.
      return noted?.pid === node.process.pid ? withNode(state, node.id, { hasFailed }) : state;
    }).catch((error: Error) => this.onNodeEnd(node.id, error.message));
  }
}

export function withoutProcesses(state: ClusterState): ClusterState {
  const nodes = state.nodes.map((node) => ({ ...node, process: null }));
  return { ...state, supervisor: null, nodes };
}

function refuseRunning(dataDir: string, state: ClusterState): void {
  const living = livingNodes(state).map((node) => node.id);
  if (!isSupervised(state) && living.length === 0) return;
  const what = living.length > 0 ? `nodes ${living.join(', ')}` : 'its supervisor';
  throw new LograftError(
    'ALREADY_RUNNING',
    `the cluster in ${dataDir} is already running (${what})`,
    'stop it with `lograft down`, or start a missing node with `lograft start`',
  );
}
