/** Resources of the v3 shape of the known Kafka REST proxies. */
import Type, { type TProperties } from 'typebox';
import { COUNT_MAX } from '../parameters.js';

export const ClusterParams = Type.Object({
  cluster: Type.String({ description: 'the id of the cluster' }),
});
const inCluster = ClusterParams.properties;
export const BrokerParams = Type.Object({
  ...inCluster,
  broker: Type.Integer({ minimum: 0, description: 'must be the id of a broker' }),
});
export const TopicParams = Type.Object({
  ...inCluster,
  topic: Type.String({ description: 'name of a topic' }),
});
export const PartitionParams = Type.Object({
  ...TopicParams.properties,
  partition: Type.Integer({ minimum: 0, description: 'must be the number of a partition' }),
});
export const GroupParams = Type.Object({
  ...inCluster,
  group: Type.String({ description: 'the id of a consumer group' }),
});

const Link = Type.Object({ related: Type.String() });
const LinkOrNull = Type.Union([Link, Type.Null()]);
const TextOrNull = Type.Union([Type.String(), Type.Null()]);

function resource<K extends string, P extends TProperties>(kind: K, properties: P) {
  return Type.Object({
    kind: Type.Literal(kind),
    metadata: Type.Object({ self: Type.String(), resource_name: Type.String() }),
    cluster_id: Type.String(),
    ...properties,
  });
}

export function listOf(kind: string, element: ReturnType<typeof resource>) {
  return Type.Object({
    kind: Type.Literal(kind),
    metadata: Type.Object({ self: Type.String(), next: Type.Null() }),
    data: Type.Array(element),
  });
}

export const Cluster = resource('KafkaCluster', {
  controller: LinkOrNull,
  brokers: Link,
  consumer_groups: Link,
  topics: Link,
});
export const Broker = resource('KafkaBroker', {
  broker_id: Type.Integer(),
  host: Type.String(),
  port: Type.Integer(),
  rack: TextOrNull,
});
export const Topic = resource('KafkaTopic', {
  topic_name: Type.String(),
  is_internal: Type.Boolean(),
  replication_factor: Type.Integer(),
  partitions_count: Type.Integer(),
  partitions: Link,
  configs: Link,
});
export const Partition = resource('KafkaPartition', {
  topic_name: Type.String(),
  partition_id: Type.Integer(),
  leader: LinkOrNull,
});
export const TopicConfig = resource('KafkaTopicConfig', {
  topic_name: Type.String(),
  name: Type.String(),
  value: Type.String(),
  is_default: Type.Boolean(),
  is_read_only: Type.Boolean(),
  is_sensitive: Type.Boolean(),
  source: Type.String(),
  synonyms: Type.Array(
    Type.Object({ name: Type.String(), value: Type.String(), source: Type.String() }),
  ),
});
export const Group = resource('KafkaConsumerGroup', {
  consumer_group_id: Type.String(),
  is_simple: Type.Boolean(),
  partition_assignor: Type.String(),
  state: Type.String(),
  coordinator: LinkOrNull,
  lags: Link,
});
export const Lag = resource('KafkaConsumerLag', {
  consumer_group_id: Type.String(),
  topic_name: Type.String(),
  partition_id: Type.Integer(),
  current_offset: Type.Integer(),
  log_end_offset: Type.Integer(),
  lag: Type.Integer(),
  consumer_id: Type.String(),
  instance_id: TextOrNull,
  client_id: Type.String(),
});

export const NewTopic = Type.Object(
  {
    topic_name: Type.String(),
    partitions_count: Type.Optional(
      Type.Integer({ minimum: 1, maximum: COUNT_MAX, description: 'default: num.partitions' }),
    ),
    replication_factor: Type.Optional(
      Type.Integer({
        minimum: 1,
        maximum: COUNT_MAX,
        description: 'default: default.replication.factor',
      }),
    ),
    configs: Type.Optional(
      Type.Array(
        Type.Object({ name: Type.String(), value: TextOrNull }, { additionalProperties: false }),
      ),
    ),
  },
  { additionalProperties: false },
);
