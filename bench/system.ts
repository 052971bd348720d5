/**
 * What a system under test is: how to get it, start three nodes of it, hurt it and be rid of it.
 * Everything measured goes through the Kafka protocol and /proc, so that this is all that differs.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Address } from './connection.js';

export type Durability = 'cached' | 'synced';

/** Three running nodes, numbered 1 to 3. */
export type Cluster = {
  /** Where all of its data lies. */
  readonly directory: string;
  readonly bootstrap: readonly Address[];
  /** When the command that starts it was given. */
  readonly commandMs: number;
  /** Settles when it says of itself that it is up, or that it will not be. */
  readonly ready: Promise<void>;
  /** Processes of all nodes that run, one each. */
  pids(): readonly number[];
  /** Elections that its nodes won since they started; null when it does not tell. */
  elections(): Promise<number | null>;
  /** kill -9. */
  kill(nodeId: number): void;
  restart(nodeId: number): Promise<void>;
  stop(): Promise<void>;
  /** At once and without waiting, for when this process ends early. */
  abandon(): void;
};

export type Peer = {
  readonly name: 'lograft' | 'kafka';
  /** Name and version for the reader. */
  readonly label: string;
  /** Fetches what is missing; rejects with what the user must install. */
  install(): Promise<void>;
  topicConfigs(durability: Durability): Readonly<Record<string, string>>;
  /** What an acknowledgement with acks=all means at that durability. */
  describe(durability: Durability): string;
  /** Gives the command that starts an empty cluster, and returns at once. */
  launch(directory: string): Promise<Cluster>;
};

/** A peer and its one long-lived cluster, started when first asked for. */
export class System {
  readonly peer: Peer;
  readonly #root: string;
  #cluster: Promise<Cluster> | null = null;
  /** Whether its cluster has been under load for a while. */
  isWarm = false;

  constructor(peer: Peer, root: string) {
    this.peer = peer;
    this.#root = root;
  }

  async cluster(): Promise<Cluster> {
    this.#cluster ??= this.launch();
    const cluster = await this.#cluster;
    await cluster.ready;
    return cluster;
  }

  /** Another cluster, which the caller stops. */
  launch(): Promise<Cluster> {
    return this.peer.launch(mkdtempSync(join(this.#root, `${this.peer.name}-`)));
  }

  async stop(): Promise<void> {
    const cluster = await this.#cluster;
    this.#cluster = null;
    this.isWarm = false;
    await cluster?.stop();
  }
}

const running = new Set<Cluster>();

/** Sees to it that neither the cluster nor its folder outlives its `stop`, or this process. */
export function track(directory: string, cluster: Cluster): Cluster {
  running.add(cluster);
  // Who waits for it sees why it did not start; until then that is nobody's rejection.
  cluster.ready.catch(() => undefined);
  return {
    ...cluster,
    stop: async () => {
      await cluster.stop();
      running.delete(cluster);
      rmSync(directory, { recursive: true, force: true, maxRetries: 10, retryDelay: 100 });
    },
  };
}

/** A folder for the data of a whole bench; it and every tracked cluster end with the process. */
export function openWorkRoot(parent: string = tmpdir()): string {
  const root = mkdtempSync(join(parent, 'lograft-bench-'));
  process.once('exit', () => {
    for (const cluster of running) cluster.abandon();
    rmSync(root, { recursive: true, force: true, maxRetries: 10, retryDelay: 100 });
  });
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
    process.once(signal, () => process.exit(130));
  }
  return root;
}

/** kill -9 of a process that may be gone already. */
export function killQuietly(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error;
  }
}
