/**
 * The cluster as the v3 resources of the known Kafka REST proxies: each has a kind, a name of its
 * own and links to what belongs to it. Only what is served here is linked to.
 */
import { leaderSeenByClients } from '../../../control/leader-table.js';
import type { BrokerImage, TopicImage } from '../../../control/image.js';
import type { HttpContext } from '../context.js';
import { Problem } from '../problem.js';

export type Link = { readonly related: string };
export type Resource<K extends string> = {
  readonly kind: K;
  readonly metadata: { readonly self: string; readonly resource_name: string };
};

/** The path of a resource below its cluster, in pairs: `topics`, `orders`, `partitions`, 0. */
export type Path = readonly (string | number)[];

/** Throws Problem: 404 for another cluster's id, 503 before this one's is known. */
export function mustBeHere(context: HttpContext, clusterId: string): string {
  const known = context.image().clusterId;
  if (known === null) throw new Problem(503, 'STARTING', 'the cluster has no id yet');
  if (known === clusterId) return known;
  const shown = JSON.stringify(clusterId.slice(0, 100));
  throw new Problem(404, 'UNKNOWN_CLUSTER', `this is cluster ${known}, not ${shown}`);
}

export function urlOf(context: HttpContext, clusterId: string, path: Path): string {
  const below = path.map((part) => `/${encodeURIComponent(part)}`).join('');
  return `${context.baseUri}/v3/clusters/${clusterId}${below}`;
}

export function related(context: HttpContext, clusterId: string, ...path: Path): Link {
  return { related: urlOf(context, clusterId, path) };
}

/** `crn:` and the names from the cluster down. */
export function resource<K extends string>(
  context: HttpContext,
  clusterId: string,
  kind: K,
  path: Path,
): Resource<K> {
  const names = [`kafka=${clusterId}`];
  for (let i = 0; i + 1 < path.length; i += 2) {
    names.push(`${SINGULAR[path[i] as string]}=${encodeURIComponent(path[i + 1] as string)}`);
  }
  const metadata = {
    self: urlOf(context, clusterId, path),
    resource_name: `crn:///${names.join('/')}`,
  };
  return { kind, metadata };
}

const SINGULAR: Readonly<Record<string, string>> = {
  brokers: 'broker',
  topics: 'topic',
  partitions: 'partition',
  configs: 'config',
  'consumer-groups': 'consumer-group',
  lags: 'lag',
};

/** All of a kind: nothing is left for a next page. */
export function listOf<K extends string, T>(kind: K, self: string, data: readonly T[]) {
  return { kind, metadata: { self, next: null }, data };
}

export function describeCluster(context: HttpContext, clusterId: string) {
  const to = (...path: Path): Link => related(context, clusterId, ...path);
  const controller = context.controllerId();
  return {
    ...resource(context, clusterId, 'KafkaCluster', []),
    cluster_id: clusterId,
    controller: controller < 0 ? null : to('brokers', controller),
    brokers: to('brokers'),
    consumer_groups: to('consumer-groups'),
    topics: to('topics'),
  };
}

export function describeBroker(context: HttpContext, clusterId: string, broker: BrokerImage) {
  const { nodeId, kafka, rack } = broker;
  return {
    ...resource(context, clusterId, 'KafkaBroker', ['brokers', nodeId]),
    cluster_id: clusterId,
    broker_id: nodeId,
    host: kafka.host,
    port: kafka.port,
    rack,
  };
}

/** Throws Problem 404. */
export function brokerOf(context: HttpContext, nodeId: number): BrokerImage {
  const broker = context.image().brokers.get(nodeId);
  if (broker !== undefined) return broker;
  throw new Problem(404, 'UNKNOWN_BROKER', `there is no broker ${nodeId}`);
}

export function describeTopicV3(context: HttpContext, clusterId: string, topic: TopicImage) {
  const { name, isInternal, partitions } = topic;
  const path = ['topics', name];
  return {
    ...resource(context, clusterId, 'KafkaTopic', path),
    cluster_id: clusterId,
    topic_name: name,
    is_internal: isInternal,
    replication_factor: partitions[0]?.replicas.length ?? 0,
    partitions_count: partitions.length,
    partitions: related(context, clusterId, ...path, 'partitions'),
    configs: related(context, clusterId, ...path, 'configs'),
  };
}

export function describePartitionV3(
  context: HttpContext,
  clusterId: string,
  topic: TopicImage,
  partition: number,
) {
  const leader = leaderSeenByClients(context.image(), context.leaders(), topic.topicId, partition);
  const path = ['topics', topic.name, 'partitions', partition];
  return {
    ...resource(context, clusterId, 'KafkaPartition', path),
    cluster_id: clusterId,
    topic_name: topic.name,
    partition_id: partition,
    leader: leader < 0 ? null : related(context, clusterId, 'brokers', leader),
  };
}

export function describeConfigsV3(context: HttpContext, clusterId: string, topic: TopicImage) {
  return context.configs.topic(topic.configs, null).map((entry) => ({
    ...resource(context, clusterId, 'KafkaTopicConfig', [
      'topics',
      topic.name,
      'configs',
      entry.name,
    ]),
    cluster_id: clusterId,
    topic_name: topic.name,
    name: entry.name,
    value: entry.value,
    is_default: entry.isDefault,
    is_read_only: entry.isReadOnly,
    is_sensitive: entry.isSensitive,
    source: entry.source,
    synonyms: entry.synonyms.map(({ name, value, source }) => ({ name, value, source })),
  }));
}
