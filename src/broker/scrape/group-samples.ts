/**
 * Consumer groups coordinated here: what they committed and how far that is behind. Where a
 * partition's end is not known here its leader is asked, so many partitions a scrape. Main thread.
 */
import type { GroupKey } from '../../base/group.js';
import { groupText } from '../../base/group.js';
import type { Offset } from '../../base/units.js';
import type { GroupFacts } from '../../groups/group-facts.js';
import type { MetricPage } from '../../observability/metric-page.js';
import type { ScrapeInput } from './scrape-input.js';

/** Partitions whose leaders on other nodes are asked for their ends in one scrape. */
const ASKED_MAX = 1_000;

export async function groupSamples(page: MetricPage, input: ScrapeInput): Promise<void> {
  const groups = input.shards.flatMap(({ metrics }) => metrics?.groups.groups ?? []);
  const leftOut = input.shards.reduce((n, { metrics }) => n + (metrics?.groups.leftOut ?? 0), 0);
  page.set('lograft_metrics_left_out', { what: 'groups' }, leftOut);
  const ends = await endsOf(groups, input);
  for (const { groupId: consumergroup, members, offsets } of groups) {
    page.set('kafka_consumergroup_members', { consumergroup }, members);
    for (const { topic, partition, offset } of offsets) {
      const key = keyOf(input, topic, partition);
      if (key === null) continue;
      const labels = { consumergroup, topic, partition: String(partition) };
      page.set('kafka_consumergroup_current_offset', labels, offset);
      const end = ends.get(groupText(key)) ?? null;
      if (end !== null) page.set('kafka_consumergroup_lag', labels, Math.max(0, end - offset));
    }
  }
}

/** Null: the topic is gone, or counted with the others. */
function keyOf({ image, names }: ScrapeInput, name: string, partition: number): GroupKey | null {
  const topic = image.topics.get(name);
  if (topic === undefined || names.of(topic.topicId) === null) return null;
  return { topicId: topic.topicId, partition };
}

async function endsOf(
  groups: readonly GroupFacts[],
  input: ScrapeInput,
): Promise<ReadonlyMap<string, Offset | null>> {
  const ends = new Map<string, Offset | null>();
  for (const fact of input.shards.flatMap(({ partitions }) => partitions)) {
    if (fact.isServing) ends.set(groupText(fact.group), fact.highWatermark);
  }
  const asked = new Map<string, GroupKey>();
  for (const { topic, partition } of groups.flatMap(({ offsets }) => offsets)) {
    const key = keyOf(input, topic, partition);
    if (key === null || asked.size >= ASKED_MAX) continue;
    if (!ends.has(groupText(key))) asked.set(groupText(key), key);
  }
  await Promise.all(
    [...asked].map(async ([text, key]) => ends.set(text, await input.endOffset(key))),
  );
  return ends;
}
