/** Bytes and records of each topic, from the counters of all threads of a node. Main thread. */
import type { MetricPage } from '../../observability/metric-page.js';
import type { ShardCounters, Traffic } from '../../observability/shard-counters.js';
import type { TopicId } from '../../base/units.js';
import type { ScrapeInput } from './scrape-input.js';
import { OTHER_TOPICS, type TopicNames } from './topic-names.js';

export function topicSamples(page: MetricPage, input: ScrapeInput): void {
  const { counters, shards, main, names, image } = input;
  const owners = shards.map(({ metrics }) => metrics?.owners ?? []);
  const sources = [...counters, main.counters];
  const ownersOf = [...owners, main.counters.owners];
  names.follow(
    image,
    owners.flat().filter((owner) => owner !== null),
  );
  const sums = new Map<string, Traffic>([[OTHER_TOPICS, { ...NOTHING }]]);
  sources.forEach((source, i) => addTraffic(sums, names, source, ownersOf[i] ?? []));
  for (const [topic, { bytesIn, recordsIn, bytesOut, recordsOut }] of sums) {
    page.set('lograft_topic_bytes_in_total', { topic }, bytesIn);
    page.set('lograft_topic_records_in_total', { topic }, recordsIn);
    page.set('lograft_topic_bytes_out_total', { topic }, bytesOut);
    page.set('lograft_topic_records_out_total', { topic }, recordsOut);
  }
  page.set('lograft_metrics_left_out', { what: 'topics' }, names.leftOut);
}

const NOTHING: Traffic = { bytesIn: 0, recordsIn: 0, bytesOut: 0, recordsOut: 0 };

function addTraffic(
  sums: Map<string, Traffic>,
  names: TopicNames,
  source: ShardCounters,
  owners: readonly (TopicId | null)[],
): void {
  owners.forEach((owner, slot) => {
    const topic = owner === null ? OTHER_TOPICS : (names.of(owner) ?? OTHER_TOPICS);
    const sum = sums.get(topic) ?? NOTHING;
    const more = source.traffic(slot);
    sums.set(topic, {
      bytesIn: sum.bytesIn + more.bytesIn,
      recordsIn: sum.recordsIn + more.recordsIn,
      bytesOut: sum.bytesOut + more.bytesOut,
      recordsOut: sum.recordsOut + more.recordsOut,
    });
  });
}
