/** Topics: list, describe, create, delete. The shapes are those of the known REST proxies' v2. */
import type { FastifyInstance } from 'fastify';
import type { Static } from 'typebox';
import type { HttpContext } from '../../../handlers/http/context.js';
import {
  createTopic,
  deleteTopic,
  describePartition,
  describeTopic,
} from '../../../handlers/http/topic-admin.js';
import { partitionOf, topicNamed } from '../../../handlers/http/topics.js';
import { jsonBody } from '../body.js';
import { PartitionParams, TopicParams } from '../parameters.js';

export function topicRoutes(app: FastifyInstance, context: HttpContext): void {
  app.get('/topics', () =>
    [...context.image().topics.values()].filter((t) => !t.isInternal).map(({ name }) => name),
  );

  app.get<{ Params: Static<typeof TopicParams> }>(
    '/topics/:topic',
    { schema: { params: TopicParams } },
    ({ params }) => describeTopic(context, topicNamed(context, params.topic)),
  );

  app.get<{ Params: Static<typeof TopicParams> }>(
    '/topics/:topic/partitions',
    { schema: { params: TopicParams } },
    ({ params }) => describeTopic(context, topicNamed(context, params.topic)).partitions,
  );

  app.get<{ Params: Static<typeof PartitionParams> }>(
    '/topics/:topic/partitions/:partition',
    { schema: { params: PartitionParams } },
    ({ params }) => {
      const topic = topicNamed(context, params.topic);
      return describePartition(context, topic, partitionOf(topic, params.partition).partition);
    },
  );

  app.post('/topics', async (request, reply) => {
    const created = await createTopic(context, jsonBody(request));
    return reply.code(201).header('location', `/topics/${created.name}`).send(created);
  });

  app.delete<{ Params: Static<typeof TopicParams> }>(
    '/topics/:topic',
    { schema: { params: TopicParams } },
    async ({ params }, reply) => {
      await deleteTopic(context, params.topic);
      return reply.code(204).send();
    },
  );
}
