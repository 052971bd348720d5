/**
 * Records as server-sent events: `GET /topics/{t}/partitions/{p}/events`.
 *
 *     id: 41                       the record's offset; sent back as Last-Event-ID it resumes at 42
 *     event: record
 *     data: {"offset":41,…}        as GET …/records shows it
 *
 * Whoever reads slowly is not read for: see event-stream.ts. Main thread.
 */
import type { FastifyInstance } from 'fastify';
import Type, { type Static } from 'typebox';
import { HTTP_EVENT_STREAMS_MAX } from '../../../base/limits.js';
import type { HttpContext } from '../../../handlers/http/context.js';
import { recordsFrom } from '../../../handlers/http/events.js';
import { Problem } from '../../../handlers/http/problem.js';
import { recordToJson } from '../../../handlers/http/record-json.js';
import { partitionOf, topicNamed } from '../../../handlers/http/topics.js';
import type { Logger } from '../../../observability/logger.js';
import { EventStream } from '../event-stream.js';
import { answers } from '../openapi.js';
import { OFFSET, PartitionParams, offsetOf } from '../parameters.js';

const EventsQuery = Type.Object({ offset: Type.Optional(OFFSET) }, { additionalProperties: false });
const EventsHeaders = Type.Object({
  'last-event-id': Type.Optional(
    Type.String({
      pattern: '^([0-9]{1,15})?$',
      description: 'must be the offset of the last record seen; it wins over the query',
    }),
  ),
});
const schema = {
  summary: 'Follow a partition: every record from an offset on (default: latest), as it comes.',
  params: PartitionParams,
  querystring: EventsQuery,
  headers: EventsHeaders,
  response: answers(
    200,
    'Server-sent events named `record`, with the offset as their id and a record as their data.',
    Type.String(),
    ['text/event-stream'],
  ),
};

type Events = {
  Params: Static<typeof PartitionParams>;
  Querystring: Static<typeof EventsQuery>;
  Headers: Static<typeof EventsHeaders>;
};

export function eventRoutes(app: FastifyInstance, context: HttpContext, logger: Logger): void {
  const streams = new Set<EventStream>();
  app.addHook('preClose', async () => {
    await Promise.all([...streams].map((stream) => stream.close()));
  });

  app.get<Events>(
    '/topics/:topic/partitions/:partition/events',
    // A HEAD of what never ends would never be answered.
    { exposeHeadRoute: false, schema },
    async ({ params, query, headers }, reply) => {
      const { topic } = params;
      const group = partitionOf(topicNamed(context, topic), params.partition);
      if (streams.size >= HTTP_EVENT_STREAMS_MAX) throw tooMany();
      const from = resumedAt(headers['last-event-id']) ?? offsetOf(query.offset ?? 'latest');
      const stream = new EventStream(reply.raw);
      streams.add(stream);
      reply.raw.once('close', () => streams.delete(stream));
      const batches = recordsFrom(context, { topic, group, from }, stream.gone);
      // What is wrong with the request is an answer of its own; then the stream begins.
      let next = await batches.next();
      reply.hijack();
      stream.begin();
      try {
        for (; next.done !== true; next = await batches.next()) {
          for (const record of next.value) {
            await stream.send('record', JSON.stringify(recordToJson(record)), record.offset);
            if (stream.gone.aborted) break;
          }
        }
      } catch (error) {
        await stream.send('problem', JSON.stringify(problemOf(error, logger)));
      }
      await stream.close();
    },
  );
}

function problemOf(error: unknown, logger: Logger): object {
  if (error instanceof Problem) {
    return { status: error.status, code: error.code, detail: error.message, ...error.details };
  }
  logger.error({ err: error }, 'an event stream failed');
  return { status: 500, code: 'INTERNAL', detail: 'the broker failed to read on' };
}

/** Null when the client has seen nothing yet. */
function resumedAt(lastEventId = ''): number | null {
  return lastEventId === '' ? null : Number(lastEventId) + 1;
}

function tooMany(): Problem {
  const text = `this node has ${HTTP_EVENT_STREAMS_MAX} event streams already`;
  return new Problem(503, 'TOO_MANY_STREAMS', text);
}
