/**
 * DIR/cluster.json: who runs on this data directory, on which ports, started how. Its one promise:
 * it is replaced whole (written aside, then renamed) and changed only under its lock, so that two
 * commands at the same time never lose each other's pids.
 */
import { linkSync, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { LograftError } from '../../base/errors.js';
import type { NodeId } from '../../base/units.js';
import type { Address } from '../options.js';
import { identify, type ProcessId, stateOf } from '../../broker/processes.js';

const FORMAT_VERSION = 1;
const LOCK_WAIT_MS = 10_000;
const LOCK_POLL_MS = 10;

export type ClusterNode = {
  readonly id: NodeId;
  readonly kafka: Address;
  readonly peer: Address;
  readonly http: Address;
  /** The last process of this node; whether it lives is asked of the system. */
  readonly process: ProcessId | null;
  /** That process ended by itself with an error; nobody has started another one since. */
  readonly hasFailed: boolean;
};

/** How the cluster was started; a later `up` repeats it. */
export type Launch = {
  readonly configFile: string;
  readonly nodeCount: number | null;
  readonly basePort: number | null;
  readonly isInsecure: boolean;
};

export type ClusterState = {
  readonly launch: Launch;
  /** The process that its nodes must not outlive; null with `--detach`. */
  readonly supervisor: ProcessId | null;
  readonly nodes: readonly ClusterNode[];
};

export function clusterFilePath(dataDir: string): string {
  return join(dataDir, 'cluster.json');
}

/** Null when the directory holds no cluster. Throws LograftError CORRUPT when it cannot be read. */
export function readCluster(dataDir: string): ClusterState | null {
  const path = clusterFilePath(dataDir);
  let text: string;
  try {
    text = readFileSync(path, 'utf8');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return null;
    throw error;
  }
  try {
    return fromJson(JSON.parse(text) as ClusterJson);
  } catch (cause) {
    throw new LograftError(
      'CORRUPT',
      `${path} is damaged: ${(cause as Error).message}`,
      'it only notes pids and ports: once no node runs, remove it and start with `lograft up`',
      { cause },
    );
  }
}

/**
 * Replaces the state by what `change` makes of it, under the lock. `change` may throw to leave
 * everything as it is.
 */
export async function updateCluster(
  dataDir: string,
  change: (before: ClusterState | null) => ClusterState,
): Promise<ClusterState> {
  mkdirSync(dataDir, { recursive: true });
  const lock = `${clusterFilePath(dataDir)}.lock`;
  await takeLock(lock);
  try {
    const after = change(readCluster(dataDir));
    writeWhole(clusterFilePath(dataDir), `${JSON.stringify(toJson(after), null, 2)}\n`);
    return after;
  } finally {
    rmSync(lock, { force: true });
  }
}

/** The state with some fields of one node changed. */
export function withNode(
  state: ClusterState,
  nodeId: NodeId,
  change: Partial<Pick<ClusterNode, 'process' | 'hasFailed'>>,
): ClusterState {
  const nodes = state.nodes.map((node) => (node.id === nodeId ? { ...node, ...change } : node));
  return { ...state, nodes };
}

/** Nodes whose process lives (running or paused). */
export function livingNodes(state: ClusterState): (ClusterNode & { process: ProcessId })[] {
  return state.nodes.filter(
    (node): node is ClusterNode & { process: ProcessId } =>
      node.process !== null && stateOf(node.process) !== 'gone',
  );
}

export function isSupervised(state: ClusterState): boolean {
  return state.supervisor !== null && stateOf(state.supervisor) !== 'gone';
}

type NodeJson = {
  id: number;
  pid: number | null;
  startTime: string | null;
  failed: boolean;
  host: string;
  kafkaPort: number;
  peerPort: number;
  httpPort: number;
};

type ClusterJson = {
  formatVersion: number;
  configFile: string;
  nodeCount: number | null;
  basePort: number | null;
  insecure: boolean;
  supervisor: ProcessId | null;
  nodes: NodeJson[];
};

function toJson(state: ClusterState): ClusterJson {
  const { configFile, nodeCount, basePort, isInsecure } = state.launch;
  return {
    formatVersion: FORMAT_VERSION,
    configFile,
    nodeCount,
    basePort,
    insecure: isInsecure,
    supervisor: state.supervisor,
    nodes: state.nodes.map((node) => ({
      id: node.id,
      pid: node.process?.pid ?? null,
      startTime: node.process?.startTime ?? null,
      failed: node.hasFailed,
      host: node.kafka.host,
      kafkaPort: node.kafka.port,
      peerPort: node.peer.port,
      httpPort: node.http.port,
    })),
  };
}

function fromJson(json: ClusterJson): ClusterState {
  if (json.formatVersion !== FORMAT_VERSION) {
    throw new Error(`format version ${json.formatVersion}, this lograft knows ${FORMAT_VERSION}`);
  }
  return {
    launch: {
      configFile: json.configFile,
      nodeCount: json.nodeCount,
      basePort: json.basePort,
      isInsecure: json.insecure,
    },
    supervisor: json.supervisor,
    nodes: json.nodes.map((node) => ({
      id: node.id,
      kafka: { host: node.host, port: node.kafkaPort },
      peer: { host: node.host, port: node.peerPort },
      http: { host: node.host, port: node.httpPort },
      process: node.pid === null ? null : { pid: node.pid, startTime: node.startTime ?? '' },
      hasFailed: node.failed,
    })),
  };
}

function writeWhole(path: string, text: string): void {
  const aside = `${path}.tmp`;
  writeFileSync(aside, text);
  renameSync(aside, path);
}

/** The lock is a file that names its owner; one whose owner is gone is taken over. */
async function takeLock(path: string): Promise<void> {
  const deadline = performance.now() + LOCK_WAIT_MS;
  while (!tryLock(path)) {
    if (isAbandoned(path)) {
      rmSync(path, { force: true });
      continue;
    }
    if (performance.now() > deadline) {
      throw new LograftError('TIMED_OUT', `another command holds ${path}`);
    }
    await sleep(LOCK_POLL_MS);
  }
}

function tryLock(path: string): boolean {
  // Written aside and linked, so that the lock is never seen without its owner's name.
  const aside = `${path}.${process.pid}`;
  writeFileSync(aside, JSON.stringify(identify(process.pid)));
  try {
    linkSync(aside, path);
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EEXIST') return false;
    throw error;
  } finally {
    rmSync(aside, { force: true });
  }
}

function isAbandoned(path: string): boolean {
  try {
    const owner = JSON.parse(readFileSync(path, 'utf8')) as ProcessId;
    return stateOf(owner) === 'gone';
  } catch {
    // Removed right now; the next try will tell.
    return false;
  }
}
