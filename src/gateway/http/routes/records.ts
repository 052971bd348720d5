/** Records: write one, write many, read them, wait for them. */
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import Type, { type Static } from 'typebox';
import { HTTP_RECORDS_MAX, HTTP_WAIT_MS_MAX } from '../../../base/limits.js';
import type { HttpContext } from '../../../handlers/http/context.js';
import { PRODUCE_MS_DEFAULT, recordOf } from '../../../handlers/http/place-record.js';
import {
  anyPartition,
  produceBatches,
  produceRecords,
  type ProduceResult,
} from '../../../handlers/http/produce.js';
import { READ_RECORDS_DEFAULT, readRecords, type ReadResult } from '../../../handlers/http/read.js';
import { type RecordDraft, recordToJson } from '../../../handlers/http/record-json.js';
import { partitionOf, topicNamed } from '../../../handlers/http/topics.js';
import { bodyBytes, JSON_TYPE, NDJSON_TYPE } from '../body.js';
import { batchesOf, cutBody } from '../cut-bodies.js';
import { answers } from '../openapi.js';
import { PROBLEM_TYPE, problemText, RETRY_AFTER_S } from '../problem-json.js';
import { OFFSET, PartitionParams, offsetOf, TopicParams } from '../parameters.js';
import { draftsOfMany, formatOf } from '../record-bodies.js';

const ACKS = { '0': 0, '1': 1, all: -1, '-1': -1 } as const;

const ProduceQuery = Type.Object(
  {
    partition: Type.Optional(
      Type.Integer({ minimum: 0, description: 'must be the number of a partition' }),
    ),
    key: Type.Optional(
      Type.String({ description: 'is the key of the record; it chooses the partition' }),
    ),
    acks: Type.Optional(
      Type.Enum(['0', '1', 'all', '-1'], {
        description: 'must be 0 (nobody), 1 (the leader) or all (a majority, the default)',
      }),
    ),
    timeout: Type.Optional(
      Type.Integer({
        minimum: 1,
        maximum: HTTP_WAIT_MS_MAX,
        description: `must be milliseconds from 1 to ${HTTP_WAIT_MS_MAX}`,
      }),
    ),
  },
  { additionalProperties: false },
);
const ReadQuery = Type.Object(
  {
    offset: Type.Optional(OFFSET),
    max: Type.Optional(
      Type.Integer({
        minimum: 1,
        maximum: HTTP_RECORDS_MAX,
        description: `must be a number of records from 1 to ${HTTP_RECORDS_MAX}`,
      }),
    ),
    wait: Type.Optional(
      Type.Integer({
        minimum: 0,
        maximum: HTTP_WAIT_MS_MAX,
        description: `must be milliseconds from 0 to ${HTTP_WAIT_MS_MAX}`,
      }),
    ),
  },
  { additionalProperties: false },
);

const Text = Type.Union([Type.String(), Type.Null()]);
const Encoding = Type.Optional(Type.Literal('base64', { description: 'when it is no UTF-8' }));
const Record = Type.Object({
  offset: Type.Integer(),
  timestamp: Type.Integer({ description: 'milliseconds since 1970' }),
  key: Text,
  keyEncoding: Encoding,
  value: Text,
  valueEncoding: Encoding,
  headers: Type.Array(Type.Object({ key: Type.String(), value: Text, encoding: Encoding })),
});
const NewRecord = Type.Object({
  key: Type.Optional(Type.Unknown()),
  value: Type.Optional(Type.Unknown({ description: 'text; other JSON is kept as it was written' })),
  keyEncoding: Encoding,
  valueEncoding: Encoding,
  headers: Type.Optional(Type.Unknown({ description: 'an object, or a list as a read gives it' })),
  partition: Type.Optional(Type.Integer({ minimum: 0 })),
  timestamp: Type.Optional(Type.Integer({ minimum: 0 })),
});
const Placed = Type.Object({
  partition: Type.Integer(),
  offset: Type.Integer({ description: '-1 with acks=0' }),
});
const Records = Type.Object({
  records: Type.Array(Record),
  nextOffset: Type.Integer({ description: 'where to read on' }),
  highWatermark: Type.Integer(),
  logStartOffset: Type.Integer(),
});

const produceSchema = {
  summary: 'Write records: one of any bytes, or many as lines or an array of JSON.',
  params: TopicParams,
  querystring: ProduceQuery,
  requestBody: {
    [NDJSON_TYPE]: NewRecord,
    [JSON_TYPE]: Type.Array(NewRecord),
    '*/*': Type.String({ description: 'one record; its content type becomes a header of it' }),
  },
  response: answers(
    200,
    'Where the records are now.',
    Type.Union([Placed, Type.Object({ records: Type.Array(Placed) })]),
  ),
};
const readSchema = {
  summary: 'Read records from an offset on; at the end, wait for news.',
  params: PartitionParams,
  querystring: ReadQuery,
  response: answers(200, 'The records, as lines if NDJSON is accepted.', Records, [
    JSON_TYPE,
    NDJSON_TYPE,
  ]),
};

type Produce = { Params: Static<typeof TopicParams>; Querystring: Static<typeof ProduceQuery> };
type Read = { Params: Static<typeof PartitionParams>; Querystring: Static<typeof ReadQuery> };

export function recordRoutes(app: FastifyInstance, context: HttpContext): void {
  app.post<Produce>('/topics/:topic/records', { schema: produceSchema }, async (request, reply) => {
    const topic = topicNamed(context, request.params.topic);
    const { partition = null, acks = 'all', timeout = PRODUCE_MS_DEFAULT } = request.query;
    const query = { partition, acks: ACKS[acks], timeoutMs: timeout };
    const body = bodyBytes(request);
    const format = formatOf(request.headers['content-type'] ?? '', body);
    if (format === null) {
      const drafts = [oneRecord(request, body)];
      return sendPlaced(reply, await produceRecords(context, topic, drafts, query), false);
    }
    const cut = cutBody(body, {
      ...{ format, partition, partitions: topic.partitions.length },
      ...{ anyPartition: anyPartition(context, topic), nowMs: context.clock.wallMs() },
    });
    const result =
      cut === null
        ? await produceRecords(context, topic, draftsOfMany(body, format), query)
        : await produceBatches(context, topic, batchesOf(cut), query);
    return sendPlaced(reply, result, true);
  });

  app.get<Read>(
    '/topics/:topic/partitions/:partition/records',
    { schema: readSchema },
    async (request, reply) => {
      const { params, query } = request;
      const group = partitionOf(topicNamed(context, params.topic), params.partition);
      const { offset = 'earliest', max = READ_RECORDS_DEFAULT, wait = 0 } = query;
      const gone = new AbortController();
      reply.raw.once('close', () => gone.abort());
      const asked = { offset: offsetOf(offset), max, waitMs: wait };
      const found = await readRecords(context, group, asked, gone.signal);
      return sendRecords(request, reply, found);
    },
  );
}

function oneRecord({ query, headers }: FastifyRequest<Produce>, body: Buffer): RecordDraft {
  const { key = null } = query;
  const { 'content-type': contentType = null } = headers;
  return { input: recordOf({ key, contentType, value: body }), partition: null };
}

function sendPlaced(reply: FastifyReply, result: ProduceResult, isMany: boolean): FastifyReply {
  const { placed, problem } = result;
  if (problem === null) return reply.send(isMany ? { records: placed } : placed[0]);
  if (!isMany) throw problem;
  const { status, code, message, details } = problem;
  if (status === 503) reply.header('retry-after', RETRY_AFTER_S);
  // Which of them are written is worth knowing: `null` stands for those that are not.
  const text = problemText(status, code, message, { ...details, records: placed });
  return reply.code(status).type(PROBLEM_TYPE).send(text);
}

function sendRecords(request: FastifyRequest, reply: FastifyReply, found: ReadResult) {
  const { nextOffset, highWatermark, logStartOffset } = found;
  const records = found.records.map(recordToJson);
  reply.header('lograft-next-offset', nextOffset);
  reply.header('lograft-high-watermark', highWatermark);
  reply.header('lograft-log-start-offset', logStartOffset);
  const { accept = '' } = request.headers;
  if (accept.includes(NDJSON_TYPE)) {
    return reply
      .type(NDJSON_TYPE)
      .send(records.map((record) => `${JSON.stringify(record)}\n`).join(''));
  }
  return reply.send({ records, nextOffset, highWatermark, logStartOffset });
}
