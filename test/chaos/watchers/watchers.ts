/**
 * Everybody who watches a run: probers of each node, followers of some partitions, a consumer
 * group; and what the nodes themselves wrote about who leads. Promise: a watcher that saw nothing
 * is told of, because it proves nothing.
 */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { Prng } from '#src/base/prng.js';
import type { TestCluster } from '../../support/cluster.js';
import { KafkaClient } from '../../support/kafka-client.js';
import type { HistoryEvent } from '../history/events.js';
import type { History } from '../history/history.js';
import { Follower, type PartitionName } from '../reader.js';
import { GroupWatcher } from './group-watcher.js';
import { keepRefreshing } from './keep-refreshing.js';
import { Prober } from './prober.js';
import type { Worker } from './worker.js';

/** Every so many partitions one is followed. */
const FOLLOWED_EVERY = 3;

/** Followers of partitions, with connections of their own. */
class Followers implements Worker {
  readonly #client: KafkaClient;
  readonly #followers: readonly Follower[];
  #isStopped = false;

  constructor(bootstrap: readonly string[], names: readonly PartitionName[], history: History) {
    const topics = [...new Set(names.map(({ topic }) => topic))];
    this.#client = new KafkaClient(bootstrap, topics, 'follower');
    this.#followers = names.map((name) => new Follower(this.#client, name, history));
  }

  async run(): Promise<void> {
    const refreshing = keepRefreshing(this.#client, () => this.#isStopped);
    await Promise.all([refreshing, ...this.#followers.map((follower) => follower.run())]);
    await this.#client.close();
  }

  stop(): void {
    this.#isStopped = true;
    for (const follower of this.#followers) follower.stop();
  }
}

export function makeWatchers(
  cluster: TestCluster,
  names: readonly PartitionName[],
  history: History,
  seed: number,
): Worker[] {
  const { bootstrap, nodeIds } = cluster;
  const epochs = new Map<string, number>();
  const probers = nodeIds.map((nodeId, i) => {
    const address = bootstrap[i] as string;
    return new Prober({ nodeId, address, names, history, epochs });
  });
  const followed = names.filter((_, i) => i % FOLLOWED_EVERY === 0);
  const followers = new Followers(bootstrap, followed, history);
  const topic = (names[0] as PartitionName).topic;
  const partitions = names.filter((name) => name.topic === topic).length;
  const random = new Prng(seed).fork();
  const group = 'watched';
  const groups = new GroupWatcher({ group, topic, partitions, bootstrap, history, random });
  return [...probers, followers, groups];
}

const MUST_HAPPEN: readonly HistoryEvent['kind'][] = [
  'told',
  'leader',
  'given',
  'answered-again',
  'assigned',
  'confirmed',
  'committed',
  // Of a generation that is over.
  'commit-refused',
  'position',
];

/** What nobody saw although a run shows it. */
export function unseen(history: History): string[] {
  return MUST_HAPPEN.filter((kind) => !history.counts.has(kind)).map(
    (kind) => `nobody noted "${kind}"`,
  );
}

/** What each node wrote when it became the leader of something. */
export function noteLeadersOfLogs(cluster: TestCluster, history: History): void {
  for (const node of cluster.nodeIds) {
    const text = readFileSync(join(cluster.dataDir, `node-${node}/lograft.log`), 'utf8');
    for (const line of text.split('\n')) {
      const found = leaderIn(line);
      if (found === null) continue;
      const { topic = 'metadata', partition = 0, term: epoch } = found;
      const name = `${topic}:${partition}`;
      history.note({ kind: 'leader', source: null, partition: name, epoch, node });
    }
  }
}

type LeaderLine = { readonly topic?: string; readonly partition?: number; readonly term: number };

function leaderIn(line: string): LeaderLine | null {
  if (!line.includes('"kind":"leader"')) return null;
  try {
    return JSON.parse(line) as LeaderLine;
  } catch (error) {
    // A power cut tears the line that was being written.
    if (error instanceof SyntaxError) return null;
    throw error;
  }
}
