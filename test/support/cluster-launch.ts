/**
 * How each node of a cluster is started, for tests that need more than `lograft up` gives: its own
 * environment, a command in front of it (another network namespace), its own addresses, a data
 * folder on a mount. Whoever needs something writes it into the node's entry before the cluster
 * starts, and the entries add up. Its promise: nodes never outlive this process, however it ends,
 * and what was registered for release is released after they are gone.
 */
import { spawn } from 'node:child_process';
import { closeSync, fstatSync, mkdirSync, openSync, readFileSync, renameSync } from 'node:fs';
import { join } from 'node:path';
import { type ClusterConfig, loadClusterConfig } from '#src/broker/config.js';
import {
  nodeDirectory,
  packagedConfigFile,
  resolvedConfigFile,
  writeResolvedConfig,
} from '#src/broker/node-config.js';
import { type ProcessId, identify, stateOf } from '#src/broker/processes.js';
import { SUPERVISOR_PID, SUPERVISOR_START } from '#src/broker/supervision.js';
import { readCluster, updateCluster, withNode } from '#src/cli/cluster/cluster-file.js';
import { plannedNodes } from '#src/cli/cluster/launch.js';
import { askStatus } from '#src/cli/cluster/node-status.js';
import { freeBasePort } from './ports.js';
import { tempDir } from './temp-dir.js';
import { sleep } from './wait-for.js';

const START_TIMEOUT_MS = 60_000;
const ASK_TIMEOUT_MS = 2_000;
const ASK_EVERY_MS = 25;
const LOG_LINES_SHOWN = 12;

type Address = { readonly host: string; readonly port: number };

export type NodeLaunch = {
  /** Laid over the environment of this process; libraries by {@link ClusterLaunch.preload}. */
  readonly env: Record<string, string>;
  /** Put in front of node; must end in an exec, so that the node keeps the pid it was given. */
  readonly prefix: string[];
  /** Where the node listens and is found. */
  host: string;
  /** Where clients are told to find it, where that is not where the node listens. */
  advertised: Address | null;
  /** Where this node finds the doors of others, where that is not at their own addresses. */
  readonly peers: Map<number, Address>;
};

export class ClusterLaunch {
  readonly dataDir: string;
  readonly basePort: number;
  readonly nodeIds: readonly number[];
  readonly #nodes: ReadonlyMap<number, NodeLaunch>;
  readonly #releases: (() => void)[] = [];
  readonly #listeners: ((pid: number) => void)[] = [];

  constructor(dataDir: string, basePort: number, nodeIds: readonly number[]) {
    this.dataDir = dataDir;
    this.basePort = basePort;
    this.nodeIds = nodeIds;
    this.#nodes = new Map(nodeIds.map((id) => [id, plainLaunch()]));
  }

  /** For a new cluster in a folder and on ports of its own. */
  static async make(nodes = 3): Promise<ClusterLaunch> {
    const basePort = await freeBasePort(nodes);
    const nodeIds = Array.from({ length: nodes }, (_, i) => i + 1);
    const launch = new ClusterLaunch(tempDir('cluster'), basePort, nodeIds);
    // Before the folder goes, and (a cluster prepends itself later) after the nodes are gone.
    process.prependOnceListener('exit', () => launch.release());
    return launch;
  }

  node(nodeId: number): NodeLaunch {
    const found = this.#nodes.get(nodeId);
    if (found === undefined) throw new Error(`there is no node ${nodeId}`);
    return found;
  }

  /** Exists, and may be a mount point, before the node starts. */
  nodeDirectory(nodeId: number): string {
    const directory = nodeDirectory(this.dataDir, nodeId);
    mkdirSync(directory, { recursive: true });
    return directory;
  }

  kafkaPort(nodeId: number): number {
    return this.basePort + nodeId - 1;
  }

  peerPort(nodeId: number): number {
    return this.basePort + 100 + nodeId;
  }

  /** Adds a library to the node's LD_PRELOAD. */
  preload(nodeId: number, library: string): void {
    const { env } = this.node(nodeId);
    const before = env['LD_PRELOAD'];
    env['LD_PRELOAD'] = before === undefined ? library : `${before}:${library}`;
  }

  /**
   * Called once, after all nodes are gone: the last one registered first. Must not wait, because it
   * also runs while this process exits.
   */
  onRelease(release: () => void): void {
    this.#releases.push(release);
  }

  /** Called with every process of a node, when it was made and again when it runs. */
  onProcess(listener: (pid: number) => void): void {
    this.#listeners.push(listener);
  }

  release(): void {
    for (let next = this.#releases.pop(); next !== undefined; next = this.#releases.pop()) next();
  }

  /** Writes what the nodes and the commands read. To be called before the first start of a node. */
  async claim(settings: readonly string[]): Promise<void> {
    const config = loadClusterConfig({
      cwd: this.dataDir,
      env: {},
      file: packagedConfigFile(),
      sets: settings,
      dataDir: this.dataDir,
      nodeCount: this.nodeIds.length,
      basePort: this.basePort,
      isInsecure: true,
    });
    for (const id of this.nodeIds) {
      writeResolvedConfig(this.#configOf(config, id));
      renameSync(resolvedConfigFile(this.dataDir), this.#configFile(id));
    }
    const { dataDir, configFile } = config;
    const nodes = plannedNodes(this.#configOf(config, null));
    await updateCluster(dataDir, () => ({
      launch: { configFile, nodeCount: nodes.length, basePort: this.basePort, isInsecure: true },
      supervisor: null,
      nodes,
    }));
  }

  /**
   * Starts a node and waits until the cluster counts it as a member; where fewer than a majority
   * run, until it listens.
   */
  async start(nodeId: number, main: string): Promise<void> {
    const log = openSync(join(this.nodeDirectory(nodeId), 'lograft.log'), 'a');
    const logStart = fstatSync(log).size;
    const { env, prefix } = this.node(nodeId);
    const args = [main, 'broker', '--id', String(nodeId), '--resolved', this.#configFile(nodeId)];
    const [command, ...rest] = [...prefix, process.execPath, ...args];
    const child = spawn(command as string, rest, {
      detached: true,
      stdio: ['ignore', log, log],
      env: { ...process.env, ...supervisedByUs(), ...env },
    });
    closeSync(log);
    child.unref();
    const found = child.pid === undefined ? null : identify(child.pid);
    if (found === null) throw new Error(`node ${nodeId} can not be started by ${command}`);
    await updateCluster(this.dataDir, (before) => {
      if (before === null) throw new Error('a cluster is claimed before its nodes start');
      return withNode(before, nodeId, { process: found, hasFailed: false });
    });
    for (const listener of this.#listeners) listener(found.pid);
    try {
      await this.#waitUntilMember(nodeId, found, logStart);
    } finally {
      for (const listener of this.#listeners) listener(found.pid);
    }
  }

  async #waitUntilMember(nodeId: number, id: ProcessId, logStart: number): Promise<void> {
    const address = { host: this.node(nodeId).host, port: this.kafkaPort(nodeId) };
    const endMs = performance.now() + START_TIMEOUT_MS;
    for (let lastWord = 'it does not listen'; ; await sleep(ASK_EVERY_MS)) {
      if (stateOf(id) === 'gone' || performance.now() > endMs) {
        const how = stateOf(id) === 'gone' ? 'ended' : `is no member: ${lastWord}`;
        throw new Error(`node ${nodeId} ${how}\n${this.#said(nodeId, logStart)}`);
      }
      try {
        const status = await askStatus(address, ASK_TIMEOUT_MS);
        const own = status.brokers.find((broker) => broker.nodeId === nodeId);
        if (status.isReady && own?.isFenced === false) return;
        if (status.state === 'stranger' || this.#livingNodes() * 2 <= this.nodeIds.length) return;
        lastWord = `it is ${status.state}`;
      } catch (error) {
        lastWord = (error as Error).message;
      }
    }
  }

  #livingNodes(): number {
    const nodes = readCluster(this.dataDir)?.nodes ?? [];
    return nodes.filter(({ process: id }) => id !== null && stateOf(id) !== 'gone').length;
  }

  #said(nodeId: number, from: number): string {
    const path = join(this.nodeDirectory(nodeId), 'lograft.log');
    const lines = readFileSync(path).subarray(from).toString('utf8').trimEnd().split('\n');
    return lines.slice(-LOG_LINES_SHOWN).join('\n');
  }

  /** The cluster as one node is told it (null: as it is). */
  #configOf(config: ClusterConfig, reader: number | null): ClusterConfig {
    const nodes = config.nodes.map((node) => {
      const { host, advertised } = this.node(node.id);
      const plain = { ...node, host, advertisedHost: host, advertisedPort: node.kafkaPort };
      if (reader === node.id && advertised !== null) {
        return { ...plain, advertisedHost: advertised.host, advertisedPort: advertised.port };
      }
      const other = reader === null ? undefined : this.node(reader).peers.get(node.id);
      if (other === undefined) return plain;
      return { ...plain, advertisedHost: other.host, peerPort: other.port };
    });
    return { ...config, nodes };
  }

  #configFile(nodeId: number): string {
    return join(this.dataDir, `config-${nodeId}.json`);
  }
}

function plainLaunch(): NodeLaunch {
  return { env: {}, prefix: [], host: '127.0.0.1', advertised: null, peers: new Map() };
}

/** A node looks for this process four times a second and ends when it is gone. */
function supervisedByUs(): Record<string, string> {
  const own = identify(process.pid);
  if (own === null) throw new Error('this process can not be identified');
  return { [SUPERVISOR_PID]: String(own.pid), [SUPERVISOR_START]: own.startTime };
}
