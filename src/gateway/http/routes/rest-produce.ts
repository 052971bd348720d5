/** Producing as the known Kafka REST proxies take it (v2): `POST /topics/{t}`. */
import type { FastifyInstance, FastifyRequest } from 'fastify';
import Type, { type Static } from 'typebox';
import { HTTP_RECORDS_MAX } from '../../../base/limits.js';
import type { HttpContext } from '../../../handlers/http/context.js';
import { Problem } from '../../../handlers/http/problem.js';
import { type EmbeddedFormat, produceRest } from '../../../handlers/http/rest-produce.js';
import { partitionOf, topicNamed } from '../../../handlers/http/topics.js';
import { bodyText, mediaTypeOf } from '../body.js';
import { checkedBody } from '../checked.js';
import { restAnswers } from '../openapi.js';
import { V2_BINARY_TYPE, V2_JSON_TYPE, V2_TYPE } from '../rest-shape.js';
import { PartitionParams, TopicParams } from '../parameters.js';

const Embedded = Type.Optional(
  Type.Unknown({ description: 'any JSON, or base64 text; null and nothing are null' }),
);
const fields = { key: Embedded, value: Embedded };
const SchemaField = Type.Optional(Type.Null({ description: 'there are no schemas here' }));

function bodyOf<S extends typeof fields>(properties: S) {
  return Type.Object(
    {
      records: Type.Array(Type.Object(properties, { additionalProperties: false }), {
        minItems: 1,
        maxItems: HTTP_RECORDS_MAX,
      }),
      key_schema: SchemaField,
      value_schema: SchemaField,
      key_schema_id: SchemaField,
      value_schema_id: SchemaField,
    },
    { additionalProperties: false },
  );
}

const Number32 = Type.Integer({ minimum: 0, maximum: 2 ** 31 - 1 });
const TopicBody = bodyOf({
  ...fields,
  partition: Type.Optional(Type.Union([Number32, Type.Null()])),
});
const PartitionBody = bodyOf(fields);

const IntegerOrNull = Type.Union([Type.Integer(), Type.Null()]);
const Produced = Type.Object({
  offsets: Type.Array(
    Type.Object({
      partition: IntegerOrNull,
      offset: IntegerOrNull,
      error_code: Type.Union([Type.Integer(), Type.Null()], {
        description: '1: do not try again; 2: it may work later, and may have worked',
      }),
      error: Type.Union([Type.String(), Type.Null()]),
    }),
  ),
  key_schema_id: Type.Null(),
  value_schema_id: Type.Null(),
});
const response = restAnswers(200, 'Where each record is now.', Produced, [V2_TYPE]);

const toTopic = {
  summary: 'Write records in the shape of the known REST proxies (v2).',
  params: TopicParams,
  requestBody: { [V2_JSON_TYPE]: TopicBody, [V2_BINARY_TYPE]: TopicBody },
  response,
};
const toPartition = {
  summary: 'Write records to one partition, in the same shape (v2).',
  params: PartitionParams,
  requestBody: { [V2_JSON_TYPE]: PartitionBody, [V2_BINARY_TYPE]: PartitionBody },
  response,
};

export function restProduceRoutes(app: FastifyInstance, context: HttpContext): void {
  app.post<{ Params: Static<typeof TopicParams> }>(
    '/topics/:topic',
    { schema: toTopic },
    async (request, reply) => {
      const format = formatOf(request);
      const topic = topicNamed(context, request.params.topic);
      const { records } = checkedBody(request, TopicBody);
      const body = { format, records, text: bodyText(request) };
      return reply.type(V2_TYPE).send(await produceRest(context, topic, null, body));
    },
  );

  app.post<{ Params: Static<typeof PartitionParams> }>(
    '/topics/:topic/partitions/:partition',
    { schema: toPartition },
    async (request, reply) => {
      const format = formatOf(request);
      const topic = topicNamed(context, request.params.topic);
      const { partition } = partitionOf(topic, request.params.partition);
      const { records } = checkedBody(request, PartitionBody);
      const body = { format, records, text: bodyText(request) };
      return reply.type(V2_TYPE).send(await produceRest(context, topic, partition, body));
    },
  );
}

/** By the content type; schema formats have no registry here. */
function formatOf(request: FastifyRequest): EmbeddedFormat {
  const type = mediaTypeOf(request);
  if (type === V2_JSON_TYPE) return 'json';
  if (type === V2_BINARY_TYPE) return 'binary';
  const text =
    `the content type ${JSON.stringify(type)} is not taken here: use ${V2_JSON_TYPE} or ` +
    `${V2_BINARY_TYPE}, or POST to …/records`;
  throw new Problem(415, 'UNSUPPORTED_MEDIA_TYPE', text);
}
