/** Topics: list, describe, create, delete. The shapes are those of the known REST proxies' v2. */
import type { FastifyInstance } from 'fastify';
import Type, { type Static } from 'typebox';
import type { HttpContext } from '../../../handlers/http/context.js';
import { badRequest } from '../../../handlers/http/problem.js';
import {
  createTopic,
  deleteTopic,
  describePartition,
  describeTopic,
} from '../../../handlers/http/topic-admin.js';
import { partitionOf, topicNamed } from '../../../handlers/http/topics.js';
import { JSON_TYPE } from '../body.js';
import { checkedBody } from '../checked.js';
import { answers } from '../openapi.js';
import { jsonTypeFor, V2_TYPE } from '../rest-shape.js';
import { COUNT_MAX, PartitionParams, TopicParams } from '../parameters.js';

const Partition = Type.Object({
  partition: Type.Integer(),
  leader: Type.Integer({ description: '-1 while nobody leads' }),
  replicas: Type.Array(
    Type.Object({ broker: Type.Integer(), leader: Type.Boolean(), in_sync: Type.Boolean() }),
  ),
});
const Configs = Type.Record(Type.String(), Type.String(), {
  description: "settings of this topic's own, in Kafka's names",
});
const Topic = Type.Object({
  name: Type.String(),
  configs: Configs,
  partitions: Type.Array(Partition),
});
const NewTopic = Type.Object(
  {
    name: Type.String(),
    partitions: Type.Optional(countOr('num.partitions')),
    replicationFactor: Type.Optional(countOr('default.replication.factor')),
    configs: Type.Optional(
      Type.Record(
        Type.String(),
        Type.Unsafe<string | number | boolean>({ type: ['string', 'number', 'boolean'] }),
      ),
    ),
  },
  { additionalProperties: false },
);

/** -1 as in Kafka's own requests. */
function countOr(setting: string) {
  const description = `default, and what -1 stands for: ${setting}`;
  return Type.Integer({ minimum: -1, maximum: COUNT_MAX, description });
}

const TYPES = [JSON_TYPE, V2_TYPE];

const list = {
  summary: 'Names of all topics but the internal ones.',
  response: answers(200, 'The names.', Type.Array(Type.String()), TYPES),
};
const describe = {
  summary: 'A topic with its settings, leaders and replicas.',
  params: TopicParams,
  response: answers(200, 'The topic.', Topic, TYPES),
};
const allPartitions = {
  summary: 'The partitions of a topic.',
  params: TopicParams,
  response: answers(200, 'The partitions.', Type.Array(Partition), TYPES),
};
const onePartition = {
  summary: 'One partition of a topic.',
  params: PartitionParams,
  response: answers(200, 'The partition.', Partition, TYPES),
};
const create = {
  summary: 'Create a topic.',
  requestBody: { [JSON_TYPE]: NewTopic },
  response: answers(201, 'The topic as it is now.', Topic),
};
const remove = {
  summary: 'Delete a topic and its records.',
  params: TopicParams,
  response: answers(204, 'It is deleted.', null),
};

export function topicRoutes(app: FastifyInstance, context: HttpContext): void {
  app.get('/topics', { schema: list }, (request, reply) => {
    const topics = [...context.image().topics.values()].filter((t) => !t.isInternal);
    return reply.type(jsonTypeFor(request)).send(topics.map(({ name }) => name));
  });

  app.get<{ Params: Static<typeof TopicParams> }>(
    '/topics/:topic',
    { schema: describe },
    (request, reply) => {
      const topic = topicNamed(context, request.params.topic);
      return reply.type(jsonTypeFor(request)).send(describeTopic(context, topic));
    },
  );

  app.get<{ Params: Static<typeof TopicParams> }>(
    '/topics/:topic/partitions',
    { schema: allPartitions },
    (request, reply) => {
      const { partitions } = describeTopic(context, topicNamed(context, request.params.topic));
      return reply.type(jsonTypeFor(request)).send(partitions);
    },
  );

  app.get<{ Params: Static<typeof PartitionParams> }>(
    '/topics/:topic/partitions/:partition',
    { schema: onePartition },
    (request, reply) => {
      const topic = topicNamed(context, request.params.topic);
      const { partition } = partitionOf(topic, request.params.partition);
      return reply.type(jsonTypeFor(request)).send(describePartition(context, topic, partition));
    },
  );

  app.post('/topics', { schema: create }, async (request, reply) => {
    const body = checkedBody(request, NewTopic, badRequest);
    const created = await createTopic(context, body);
    return reply.code(201).header('location', `/topics/${created.name}`).send(created);
  });

  app.delete<{ Params: Static<typeof TopicParams> }>(
    '/topics/:topic',
    { schema: remove },
    async ({ params }, reply) => {
      await deleteTopic(context, params.topic);
      return reply.code(204).send();
    },
  );
}
