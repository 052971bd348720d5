/** The cluster, its topics and consumer groups as v3 of the known Kafka REST proxies shows them. */
import type { FastifyInstance } from 'fastify';
import type { Static } from 'typebox';
import type { HttpContext } from '../../../handlers/http/context.js';
import { createTopic, deleteTopic } from '../../../handlers/http/topic-admin.js';
import { partitionOf, topicNamed } from '../../../handlers/http/topics.js';
import { describeGroupV3, lagsOf, listGroupsV3 } from '../../../handlers/http/v3/groups.js';
import * as V3 from '../../../handlers/http/v3/resources.js';
import { JSON_TYPE } from '../body.js';
import { checkedBody } from '../checked.js';
import { restAnswers } from '../openapi.js';
import * as Shape from './v3-schemas.js';

const CLUSTER = '/v3/clusters/:cluster';
const TOPIC = `${CLUSTER}/topics/:topic`;
const GROUP = `${CLUSTER}/consumer-groups/:group`;

type InCluster = { Params: Static<typeof Shape.ClusterParams> };
type OfBroker = { Params: Static<typeof Shape.BrokerParams> };
type OfTopic = { Params: Static<typeof Shape.TopicParams> };
type OfPartition = { Params: Static<typeof Shape.PartitionParams> };
type OfGroup = { Params: Static<typeof Shape.GroupParams> };

export function v3Routes(app: FastifyInstance, context: HttpContext): void {
  clusterRoutes(app, context);
  topicRoutes(app, context);
  changeRoutes(app, context);
  groupRoutes(app, context);
}

function clusterRoutes(app: FastifyInstance, context: HttpContext): void {
  const inCluster = { params: Shape.ClusterParams };
  const clusters = {
    summary: 'The one cluster that there is (v3).',
    response: restAnswers(200, 'The cluster.', Shape.listOf('KafkaClusterList', Shape.Cluster)),
  };
  app.get('/v3/clusters', { schema: clusters }, () => {
    const id = context.image().clusterId;
    const all = id === null ? [] : [V3.describeCluster(context, id)];
    return V3.listOf('KafkaClusterList', `${context.baseUri}/v3/clusters`, all);
  });

  const cluster = {
    ...inCluster,
    summary: 'The cluster (v3).',
    response: restAnswers(200, 'The cluster.', Shape.Cluster),
  };
  app.get<InCluster>(CLUSTER, { schema: cluster }, ({ params }) =>
    V3.describeCluster(context, V3.mustBeHere(context, params.cluster)),
  );

  const brokers = {
    ...inCluster,
    summary: 'The brokers (v3).',
    response: restAnswers(200, 'The brokers.', Shape.listOf('KafkaBrokerList', Shape.Broker)),
  };
  app.get<InCluster>(`${CLUSTER}/brokers`, { schema: brokers }, ({ params }) => {
    const id = V3.mustBeHere(context, params.cluster);
    const all = [...context.image().brokers.values()];
    const data = all.map((broker) => V3.describeBroker(context, id, broker));
    return V3.listOf('KafkaBrokerList', V3.urlOf(context, id, ['brokers']), data);
  });

  const broker = {
    params: Shape.BrokerParams,
    summary: 'One broker (v3).',
    response: restAnswers(200, 'The broker.', Shape.Broker),
  };
  app.get<OfBroker>(`${CLUSTER}/brokers/:broker`, { schema: broker }, ({ params }) => {
    const id = V3.mustBeHere(context, params.cluster);
    return V3.describeBroker(context, id, V3.brokerOf(context, params.broker));
  });
}

function topicRoutes(app: FastifyInstance, context: HttpContext): void {
  const topics = {
    params: Shape.ClusterParams,
    summary: 'All topics, the internal ones included (v3).',
    response: restAnswers(200, 'The topics.', Shape.listOf('KafkaTopicList', Shape.Topic)),
  };
  app.get<InCluster>(`${CLUSTER}/topics`, { schema: topics }, ({ params }) => {
    const id = V3.mustBeHere(context, params.cluster);
    const all = [...context.image().topics.values()];
    const data = all.map((topic) => V3.describeTopicV3(context, id, topic));
    return V3.listOf('KafkaTopicList', V3.urlOf(context, id, ['topics']), data);
  });

  const ofTopic = { params: Shape.TopicParams };
  const topic = {
    ...ofTopic,
    summary: 'One topic (v3).',
    response: restAnswers(200, 'The topic.', Shape.Topic),
  };
  app.get<OfTopic>(TOPIC, { schema: topic }, ({ params }) => {
    const id = V3.mustBeHere(context, params.cluster);
    return V3.describeTopicV3(context, id, topicNamed(context, params.topic));
  });

  const partitions = {
    ...ofTopic,
    summary: 'The partitions of a topic (v3).',
    response: restAnswers(200, 'They.', Shape.listOf('KafkaPartitionList', Shape.Partition)),
  };
  app.get<OfTopic>(`${TOPIC}/partitions`, { schema: partitions }, ({ params }) => {
    const id = V3.mustBeHere(context, params.cluster);
    const image = topicNamed(context, params.topic);
    const data = image.partitions.map(({ partition }) =>
      V3.describePartitionV3(context, id, image, partition),
    );
    const self = V3.urlOf(context, id, ['topics', image.name, 'partitions']);
    return V3.listOf('KafkaPartitionList', self, data);
  });

  const partition = {
    params: Shape.PartitionParams,
    summary: 'One partition of a topic (v3).',
    response: restAnswers(200, 'The partition.', Shape.Partition),
  };
  const path = `${TOPIC}/partitions/:partition`;
  app.get<OfPartition>(path, { schema: partition }, ({ params }) => {
    const id = V3.mustBeHere(context, params.cluster);
    const image = topicNamed(context, params.topic);
    const { partition: number } = partitionOf(image, params.partition);
    return V3.describePartitionV3(context, id, image, number);
  });

  const configs = {
    ...ofTopic,
    summary: 'The settings in force for a topic, and where each comes from (v3).',
    response: restAnswers(200, 'They.', Shape.listOf('KafkaTopicConfigList', Shape.TopicConfig)),
  };
  app.get<OfTopic>(`${TOPIC}/configs`, { schema: configs }, ({ params }) => {
    const id = V3.mustBeHere(context, params.cluster);
    const image = topicNamed(context, params.topic);
    const self = V3.urlOf(context, id, ['topics', image.name, 'configs']);
    const data = V3.describeConfigsV3(context, id, image);
    return V3.listOf('KafkaTopicConfigList', self, data);
  });
}

function changeRoutes(app: FastifyInstance, context: HttpContext): void {
  const create = {
    params: Shape.ClusterParams,
    summary: 'Create a topic (v3).',
    requestBody: { [JSON_TYPE]: Shape.NewTopic },
    response: restAnswers(201, 'The topic.', Shape.Topic),
  };
  app.post<InCluster>(`${CLUSTER}/topics`, { schema: create }, async (request, reply) => {
    const id = V3.mustBeHere(context, request.params.cluster);
    const { topic_name: name, configs = [], ...counts } = checkedBody(request, Shape.NewTopic);
    await createTopic(context, {
      name,
      partitions: counts.partitions_count,
      replicationFactor: counts.replication_factor,
      configs: Object.fromEntries(
        configs.flatMap(({ name: config, value }) => (value === null ? [] : [[config, value]])),
      ),
    });
    const topic = V3.describeTopicV3(context, id, topicNamed(context, name));
    return reply.code(201).header('location', topic.metadata.self).send(topic);
  });

  const remove = {
    params: Shape.TopicParams,
    summary: 'Delete a topic and its records (v3).',
    response: restAnswers(204, 'It is deleted.', null),
  };
  app.delete<OfTopic>(TOPIC, { schema: remove }, async ({ params }, reply) => {
    V3.mustBeHere(context, params.cluster);
    await deleteTopic(context, params.topic);
    return reply.code(204).send();
  });
}

function groupRoutes(app: FastifyInstance, context: HttpContext): void {
  const groups = {
    params: Shape.ClusterParams,
    summary: 'The consumer groups of all coordinators (v3).',
    response: restAnswers(200, 'They.', Shape.listOf('KafkaConsumerGroupList', Shape.Group)),
  };
  app.get<InCluster>(`${CLUSTER}/consumer-groups`, { schema: groups }, async ({ params }) => {
    const id = V3.mustBeHere(context, params.cluster);
    const self = V3.urlOf(context, id, ['consumer-groups']);
    return V3.listOf('KafkaConsumerGroupList', self, await listGroupsV3(context, id));
  });

  const group = {
    params: Shape.GroupParams,
    summary: 'One consumer group (v3).',
    response: restAnswers(200, 'The group.', Shape.Group),
  };
  app.get<OfGroup>(GROUP, { schema: group }, ({ params }) =>
    describeGroupV3(context, V3.mustBeHere(context, params.cluster), params.group),
  );

  const lags = {
    params: Shape.GroupParams,
    summary: 'How far a group is behind, for each partition it has an offset for (v3).',
    response: restAnswers(200, 'They.', Shape.listOf('KafkaConsumerLagList', Shape.Lag)),
  };
  app.get<OfGroup>(`${GROUP}/lags`, { schema: lags }, async ({ params }) => {
    const id = V3.mustBeHere(context, params.cluster);
    const self = V3.urlOf(context, id, ['consumer-groups', params.group, 'lags']);
    return V3.listOf('KafkaConsumerLagList', self, await lagsOf(context, id, params.group));
  });
}
