/**
 * A cluster of real processes, driven through the command line as a user would. Its promise: what a
 * test starts here is gone when the test's process is, however that ends.
 */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { ProcessId } from '#src/broker/processes.js';
import { stateOf } from '#src/broker/processes.js';
import type { ClusterLaunch } from './cluster-launch.js';
import { type CommandOptions, type CommandResult, runCommand, signalQuietly } from './command.js';
import { exitOnSignal } from './exit-on-signal.js';
import { freeBasePort } from './ports.js';
import { tempDir } from './temp-dir.js';

export const LOGRAFT = fileURLToPath(new URL('../../cli/main.js', import.meta.url));

export type PartitionStatus = {
  readonly partition: number;
  readonly leader: number;
  readonly leaderEpoch: number;
  readonly replicas: readonly number[];
  readonly inSync: readonly number[];
  readonly logStartOffset: number;
  readonly highWatermark: number;
  readonly logEndOffset: number;
};

export type TopicStatus = {
  readonly name: string;
  readonly topicId: string;
  readonly partitions: readonly PartitionStatus[];
};

export type ClusterStatus = {
  readonly clusterId: string;
  readonly controllerId: number;
  readonly nodes: readonly {
    readonly id: number;
    readonly pid: number | null;
    readonly state: string;
    readonly kafka: string;
    readonly rssBytes: number;
  }[];
  readonly topics: readonly TopicStatus[];
};

export type ClusterOptions = {
  readonly nodes?: number;
  /** `k=v` in Kafka's own names. */
  readonly settings?: readonly string[];
  /** Starts the nodes as it says instead of by `lograft up`; it also says how many there are. */
  readonly launch?: ClusterLaunch;
};

const UP_TIMEOUT_MS = 60_000;
const KILLED_MS = 2_000;

/** Runs one command of lograft to its end. */
export function lograft(args: readonly string[], options?: CommandOptions): Promise<CommandResult> {
  return runCommand(process.execPath, [LOGRAFT, ...args], options);
}

export class TestCluster {
  readonly dataDir: string;
  readonly basePort: number;
  readonly nodeIds: readonly number[];
  readonly bootstrap: readonly string[];
  /** Null for a cluster that `lograft up` starts. */
  readonly launch: ClusterLaunch | null;
  readonly #settings: readonly string[];
  readonly #upArgs: readonly string[];
  #isClaimed = false;

  private constructor(dataDir: string, basePort: number, options: ClusterOptions) {
    const { launch = null } = options;
    const count = launch?.nodeIds.length ?? options.nodes ?? 3;
    this.dataDir = dataDir;
    this.basePort = basePort;
    this.launch = launch;
    this.nodeIds = Array.from({ length: count }, (_, i) => i + 1);
    this.bootstrap = this.nodeIds.map(
      (id) => `${launch?.node(id).host ?? '127.0.0.1'}:${basePort + id - 1}`,
    );
    this.#settings = options.settings ?? [];
    this.#upArgs = [
      ...['up', '--detach', '--nodes', String(count), '--base-port', String(basePort)],
      ...(options.settings ?? []).flatMap((setting) => ['--set', setting]),
    ];
    exitOnSignal();
    // Before the folder goes, which says whom to kill.
    process.prependOnceListener('exit', () => this.#killAll());
  }

  /** Starts a new cluster in a folder of its own and waits until it takes records. */
  static async start(options: ClusterOptions = {}): Promise<TestCluster> {
    const basePort = options.launch?.basePort ?? (await freeBasePort(options.nodes ?? 3));
    const dataDir = options.launch?.dataDir ?? tempDir('cluster');
    const cluster = new TestCluster(dataDir, basePort, options);
    await cluster.up();
    return cluster;
  }

  /** Starts the cluster on its folder, again after {@link down}. */
  async up(): Promise<void> {
    if (this.launch === null) {
      await this.mustRun(this.#upArgs, { timeoutMs: UP_TIMEOUT_MS });
      return;
    }
    if (!this.#isClaimed) await this.launch.claim(this.#settings);
    this.#isClaimed = true;
    await Promise.all(this.nodeIds.map((id) => this.startNode(id)));
  }

  async down(): Promise<void> {
    await this.mustRun(['down']);
  }

  run(args: readonly string[], options?: CommandOptions): Promise<CommandResult> {
    return lograft([...args, '--data', this.dataDir], options);
  }

  /** The values of a topic, one a line, as `lograft consume` prints them. */
  async consumed(topic: string): Promise<string[]> {
    const { stdout } = await this.mustRun(['consume', topic, '-o', 'beginning', '-e']);
    return stdout.split('\n').slice(0, -1);
  }

  async mustRun(args: readonly string[], options?: CommandOptions): Promise<CommandResult> {
    const result = await this.run(args, options);
    if (result.status === 0) return result;
    const how = result.isTimedOut ? 'timed out' : `ended with ${result.signal ?? result.status}`;
    const said = `${result.stderr}${result.stdout}${this.lastLogLines()}`;
    throw new Error(`lograft ${args.join(' ')} ${how}\n${said}`);
  }

  /** Runs a command with `--format json` and returns its one document. */
  async json<T>(args: readonly string[]): Promise<T> {
    const { stdout } = await this.mustRun([...args, '--format', 'json']);
    return JSON.parse(stdout) as T;
  }

  status(): Promise<ClusterStatus> {
    return this.json<ClusterStatus>(['status']);
  }

  createTopic(name: string, partitions: number, configs: readonly string[] = []): Promise<unknown> {
    const replicas = String(Math.min(3, this.nodeIds.length));
    const settings = configs.flatMap((config) => ['-c', config]);
    return this.mustRun(
      ['topic', 'create', name, '-p', String(partitions), '-r', replicas, ...settings],
      {},
    );
  }

  async topic(name: string): Promise<TopicStatus> {
    const topic = (await this.status()).topics.find((found) => found.name === name);
    if (topic === undefined) throw new Error(`status does not list topic ${name}`);
    return topic;
  }

  async leaderOf(topic: string, partition: number): Promise<number> {
    const found = (await this.topic(topic)).partitions.find((p) => p.partition === partition);
    return found?.leader ?? -1;
  }

  /** The process of a node as DIR/cluster.json notes it. */
  pid(nodeId: number): number {
    return this.process(nodeId).pid;
  }

  process(nodeId: number): ProcessId {
    const found = this.#processes().get(nodeId);
    if (found === undefined) throw new Error(`node ${nodeId} has no process`);
    return found;
  }

  /** Sends a signal without a command in between, so that several nodes are hit at once. */
  signal(nodeId: number, signal: 'SIGKILL' | 'SIGSTOP' | 'SIGCONT'): boolean {
    return signalQuietly(this.pid(nodeId), signal);
  }

  async startNode(nodeId: number, ...flags: readonly string[]): Promise<void> {
    if (this.launch !== null) return this.launch.start(nodeId, LOGRAFT);
    await this.mustRun(['start', String(nodeId), ...flags], { timeoutMs: UP_TIMEOUT_MS });
  }

  #processes(): Map<number, ProcessId> {
    const file = readFileSync(join(this.dataDir, 'cluster.json'), 'utf8');
    const { nodes } = JSON.parse(file) as {
      nodes: { id: number; pid: number | null; startTime: string }[];
    };
    return new Map(
      nodes.flatMap(({ id, pid, startTime }) =>
        pid === null ? [] : [[id, { pid, startTime }] as const],
      ),
    );
  }

  /** Runs while this process exits, so it waits without turning the event loop. */
  #killAll(): void {
    try {
      const nodes = [...this.#processes().values()];
      for (const { pid } of nodes) signalQuietly(pid, 'SIGKILL');
      const endMs = performance.now() + KILLED_MS;
      const ticks = new Int32Array(new SharedArrayBuffer(4));
      while (nodes.some((id) => stateOf(id) !== 'gone') && performance.now() < endMs) {
        Atomics.wait(ticks, 0, 0, 5);
      }
    } catch (error) {
      // Never started, or its folder went first: then nothing of it runs.
      if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
    }
  }

  /** What the nodes wrote last, for a failure message. */
  lastLogLines(): string {
    return this.nodeIds
      .map((id) => {
        const tail = readTail(join(this.dataDir, `node-${id}/lograft.log`));
        return tail === '' ? '' : `\n--- node ${id}\n${tail}`;
      })
      .join('');
  }
}

function readTail(path: string): string {
  try {
    return readFileSync(path, 'utf8').split('\n').slice(-12).join('\n');
  } catch {
    return '';
  }
}
