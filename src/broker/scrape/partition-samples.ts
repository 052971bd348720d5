/** Partitions of the cluster as this node knows them, and of its own replicas. Main thread. */
import { LEADER_NONE } from '../../base/units.js';
import { leaderSeenByClients } from '../../control/leader-table.js';
import type { MetricPage } from '../../observability/metric-page.js';
import type { PartitionFacts } from '../../partition/access.js';
import type { ScrapeInput } from './scrape-input.js';
import { OTHER_TOPICS } from './topic-names.js';

export function partitionSamples(page: MetricPage, input: ScrapeInput): void {
  const { shards, image, names } = input;
  const facts = shards.flatMap(({ partitions }) => partitions);
  const led = facts.filter((fact) => isLed(fact, input));
  const isShort = (fact: PartitionFacts): boolean => fact.inSync.length < replicasOf(fact, input);
  page.set('lograft_replicas', {}, facts.length);
  page.set('lograft_failed_replicas', {}, facts.filter(({ failure }) => failure !== null).length);
  page.set('lograft_leaders', {}, led.length);
  page.set('lograft_under_replicated_partitions', {}, led.filter(isShort).length);
  page.set('lograft_leaderless_partitions', {}, leaderless(input));
  page.set('kafka_brokers', {}, [...image.brokers.values()].filter((b) => !b.isFenced).length);
  for (const { topicId, partitions } of image.topicsById.values()) {
    const topic = names.of(topicId);
    if (topic !== null) page.set('kafka_topic_partitions', { topic }, partitions.length);
  }
  for (const fact of led) {
    const topic = names.of(fact.group.topicId);
    if (topic === null) continue;
    const labels = { topic, partition: String(fact.group.partition) };
    page.set('kafka_topic_partition_leader', labels, input.nodeId);
    page.set('kafka_topic_partition_current_offset', labels, fact.highWatermark);
    page.set('kafka_topic_partition_oldest_offset', labels, fact.logStartOffset);
    page.set('kafka_topic_partition_replicas', labels, replicasOf(fact, input));
    page.set('kafka_topic_partition_in_sync_replica', labels, fact.inSync.length);
    const flag = isShort(fact) ? 1 : 0;
    page.set('kafka_topic_partition_under_replicated_partition', labels, flag);
  }
  sizeSamples(page, facts, input);
}

/** Serving, and of a topic that the cluster has. */
function isLed({ role, group }: PartitionFacts, { image }: ScrapeInput): boolean {
  return role === 'leader' && image.topicsById.has(group.topicId);
}

function replicasOf({ group }: PartitionFacts, { image }: ScrapeInput): number {
  return image.topicsById.get(group.topicId)?.partitions[group.partition]?.replicas.length ?? 0;
}

function leaderless({ image, leaders }: ScrapeInput): number {
  let count = 0;
  for (const { topicId, partitions } of image.topicsById.values()) {
    for (const { partition } of partitions) {
      if (leaderSeenByClients(image, leaders, topicId, partition) === LEADER_NONE) count++;
    }
  }
  return count;
}

function sizeSamples(
  page: MetricPage,
  facts: readonly PartitionFacts[],
  { names }: ScrapeInput,
): void {
  let others = 0;
  for (const { group, logBytes } of facts) {
    const topic = names.of(group.topicId);
    const partition = String(group.partition);
    if (topic === null) others += logBytes;
    else page.set('lograft_log_size_bytes', { topic, partition }, logBytes);
  }
  page.set('lograft_log_size_bytes', { topic: OTHER_TOPICS, partition: '' }, others);
}
