/**
 * The shard threads of a broker, seen from the main thread: one worker each, a link to every one
 * and links between all of them. Promise: a shard that dies takes the process with it, because its
 * partitions would otherwise be silent. Main thread.
 */
import { MessageChannel, type MessagePort, Worker } from 'node:worker_threads';
import { LograftError } from '../base/errors.js';
import { ShardCounters } from '../observability/shard-counters.js';
import { ThreadLink } from '../partition/thread-link.js';
import type { ShardInit } from './thread-messages.js';

export type ShardPool = {
  readonly links: readonly ThreadLink[];
  /** What each of them counts. */
  readonly counters: readonly ShardCounters[];
  readonly workers: readonly Worker[];
  /** Sends the same notice to every shard. */
  notifyAll(method: string, payload: unknown): void;
  /** Asks every shard; rejects when one fails. */
  requestAll(method: string, payload: unknown): Promise<unknown[]>;
  /** Lets every thread end by itself, then ends it. */
  close(): Promise<void>;
};

/** Young generation of a shard: most of what a request makes dies within its turn. */
const YOUNG_GENERATION_MB = 16;

type Common = Omit<ShardInit, 'index' | 'main' | 'shards' | 'counters'>;

export function startShards(
  count: number,
  common: Common,
  onDeath: (error: Error) => void,
): ShardPool {
  const ports = meshPorts(count);
  const workers: Worker[] = [];
  const links: ThreadLink[] = [];
  const topicsMax = common.config.cluster.settings['metrics.topics.max'];
  const counters = Array.from({ length: count }, () => new ShardCounters(topicsMax));
  let isClosing = false;
  for (let index = 0; index < count; index++) {
    const { port1, port2 } = new MessageChannel();
    const shards = ports[index] as (MessagePort | null)[];
    const { memory } = counters[index] as ShardCounters;
    const init: ShardInit = { ...common, index, main: port2, shards, counters: memory };
    const worker = new Worker(new URL('./shard-thread.js', import.meta.url), {
      name: `shard-${index}`,
      workerData: init,
      transferList: [port2, ...shards.filter((port) => port !== null)],
      resourceLimits: { maxYoungGenerationSizeMb: YOUNG_GENERATION_MB },
    });
    worker.on('error', (error) => onDeath(error instanceof Error ? error : new Error(`${error}`)));
    worker.on('exit', (code) => {
      if (isClosing) return;
      onDeath(new LograftError('CLOSED', `shard ${index} ended with code ${code}`));
    });
    workers.push(worker);
    links.push(new ThreadLink(port1));
  }
  return {
    links,
    counters,
    workers,
    notifyAll: (method, payload) => {
      for (const link of links) link.notify(method, payload);
    },
    requestAll: (method, payload) =>
      Promise.all(links.map((link) => link.request(method, payload))),
    close: async () => {
      isClosing = true;
      for (const link of links) link.close();
      await Promise.all(workers.map((worker) => worker.terminate()));
    },
  };
}

/** ports[i][j] is shard i's end of its link to shard j. */
function meshPorts(count: number): (MessagePort | null)[][] {
  const ports = Array.from({ length: count }, () =>
    new Array<MessagePort | null>(count).fill(null),
  );
  for (let i = 0; i < count; i++) {
    for (let j = i + 1; j < count; j++) {
      const { port1, port2 } = new MessageChannel();
      (ports[i] as (MessagePort | null)[])[j] = port1;
      (ports[j] as (MessagePort | null)[])[i] = port2;
    }
  }
  return ports;
}
