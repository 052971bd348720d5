/**
 * This node's numbers for whoever scrapes them. Until somebody does, only counters in shared memory
 * are kept; what writes the page is loaded then. Scrapes at the same time share one. Main thread.
 */
import type { GroupKey } from '../base/group.js';
import type { NodeId, Offset } from '../base/units.js';
import type { ClusterImage } from '../control/image.js';
import type { LeaderTable } from '../control/leader-table.js';
import type { HttpDoor } from '../gateway/http/http-door.js';
import type { LoopMeter } from '../observability/loop-meter.js';
import type { ShardCounters } from '../observability/shard-counters.js';
import type { PartitionAccess } from '../partition/access.js';
import type { Forwarding } from '../partition/forwarding.js';
import type { BrokerSettings } from './settings.js';
import type { ShardPool } from './shard-pool.js';
import { TopicNames } from './scrape/topic-names.js';
import type { FactsCall, ShardFacts } from './thread-messages.js';

export type MetricsOptions = {
  readonly nodeId: NodeId;
  readonly settings: BrokerSettings;
  readonly pool: ShardPool;
  /** What the main thread counts itself. */
  readonly counters: ShardCounters;
  readonly loop: LoopMeter;
  readonly door: HttpDoor;
  readonly forwarding: Forwarding;
  readonly image: () => ClusterImage;
  readonly leaders: () => LeaderTable;
  readonly leader: (group: GroupKey) => PartitionAccess;
};

/** How long a leader on another node has to say where its partition ends. */
const END_MS_MAX = 1_000;

export class Metrics {
  readonly #options: MetricsOptions;
  readonly #names: TopicNames;
  #page: Promise<string> | null = null;

  constructor(options: MetricsOptions) {
    this.#options = options;
    this.#names = new TopicNames(options.settings['metrics.topics.max']);
  }

  /** Prometheus' text format. */
  page(): Promise<string> {
    this.#page ??= this.#scrape().finally(() => {
      this.#page = null;
    });
    return this.#page;
  }

  async #scrape(): Promise<string> {
    const { nodeId, settings, pool, counters, loop, door, forwarding } = this.#options;
    loop.watchGc();
    const { scrape } = await import('./scrape/scrape.js');
    const use: FactsCall = 'metrics';
    const shards = (await pool.requestAll('facts', use)) as ShardFacts[];
    const image = this.#options.image();
    counters.retain((topicId) => image.topicsById.has(topicId));
    return scrape({
      nodeId,
      shards,
      counters: pool.counters,
      workers: pool.workers,
      main: {
        counters,
        httpConnections: door.connectionCount,
        forwardedCalls: forwarding.openCalls,
        threadCalls: Math.max(...pool.links.map(({ openCalls }) => openCalls)),
        connectionsMax: settings['max.connections'],
      },
      image,
      leaders: this.#options.leaders(),
      names: this.#names,
      endOffset: (group) => this.#endOffset(group),
    });
  }

  #endOffset(group: GroupKey): Promise<Offset | null> {
    return new Promise((resolve) => {
      // A leader that does not answer must not hold up the whole page.
      const timer = setTimeout(() => resolve(null), END_MS_MAX);
      this.#options.leader(group).offsetFor({ kind: 'latest' }, -1, ({ error, offset }) => {
        clearTimeout(timer);
        resolve(error === null ? offset : null);
      });
    });
  }
}
