/**
 * A cluster of real processes, driven through the command line as a user would. Its promise: what a
 * test starts here is gone when the test's process is, however that ends.
 */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { type CommandOptions, type CommandResult, runCommand, signalQuietly } from './command.js';
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
};

const UP_TIMEOUT_MS = 60_000;

/** Runs one command of lograft to its end. */
export function lograft(args: readonly string[], options?: CommandOptions): Promise<CommandResult> {
  return runCommand(process.execPath, [LOGRAFT, ...args], options);
}

export class TestCluster {
  readonly dataDir: string;
  readonly basePort: number;
  readonly nodeIds: readonly number[];
  readonly bootstrap: readonly string[];
  readonly #upArgs: readonly string[];

  private constructor(dataDir: string, basePort: number, options: ClusterOptions) {
    const count = options.nodes ?? 3;
    this.dataDir = dataDir;
    this.basePort = basePort;
    this.nodeIds = Array.from({ length: count }, (_, i) => i + 1);
    this.bootstrap = this.nodeIds.map((id) => `127.0.0.1:${basePort + id - 1}`);
    this.#upArgs = [
      ...['up', '--detach', '--nodes', String(count), '--base-port', String(basePort)],
      ...(options.settings ?? []).flatMap((setting) => ['--set', setting]),
    ];
    // Before the folder goes, which says whom to kill.
    process.prependOnceListener('exit', () => this.#killAll());
  }

  /** Starts a new cluster in a folder of its own and waits until it takes records. */
  static async start(options: ClusterOptions = {}): Promise<TestCluster> {
    const basePort = await freeBasePort(options.nodes ?? 3);
    const cluster = new TestCluster(tempDir('cluster'), basePort, options);
    await cluster.up();
    return cluster;
  }

  /** Starts the cluster on its folder, again after {@link down}. */
  async up(): Promise<void> {
    await this.mustRun(this.#upArgs, { timeoutMs: UP_TIMEOUT_MS });
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
    const said = `${result.stderr}${result.stdout}${this.#lastLogLines()}`;
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
    const pid = this.#pids().get(nodeId);
    if (pid === undefined) throw new Error(`node ${nodeId} has no process`);
    return pid;
  }

  /** Sends a signal without a command in between, so that several nodes are hit at once. */
  signal(nodeId: number, signal: 'SIGKILL' | 'SIGSTOP' | 'SIGCONT'): boolean {
    return signalQuietly(this.pid(nodeId), signal);
  }

  async startNode(nodeId: number, ...flags: readonly string[]): Promise<void> {
    await this.mustRun(['start', String(nodeId), ...flags], { timeoutMs: UP_TIMEOUT_MS });
  }

  #pids(): Map<number, number> {
    const file = readFileSync(join(this.dataDir, 'cluster.json'), 'utf8');
    const { nodes } = JSON.parse(file) as { nodes: { id: number; pid: number | null }[] };
    return new Map(nodes.flatMap(({ id, pid }) => (pid === null ? [] : [[id, pid] as const])));
  }

  #killAll(): void {
    try {
      for (const pid of this.#pids().values()) signalQuietly(pid, 'SIGKILL');
    } catch (error) {
      // Never started, or its folder went first: then nothing of it runs.
      if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
    }
  }

  /** What the nodes wrote last, for a failure message. */
  #lastLogLines(): string {
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
