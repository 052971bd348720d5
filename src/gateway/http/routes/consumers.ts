/**
 * Consumer instances as the known Kafka REST proxies have them (v2): made, subscribed, read,
 * committed and deleted by requests to the node that made them. Main thread.
 */
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import type { Static } from 'typebox';
import { HTTP_WAIT_MS_MAX } from '../../../base/limits.js';
import type { Consumer } from '../../../handlers/http/consumer/consumer.js';
import { Consumers } from '../../../handlers/http/consumer/consumers.js';
import type { HttpContext } from '../../../handlers/http/context.js';
import { Problem } from '../../../handlers/http/problem.js';
import { readBody } from '../body.js';
import { checked, checkedBody } from '../checked.js';
import { restAnswers } from '../openapi.js';
import { V2_BINARY_TYPE, V2_JSON_TYPE, V2_TYPE } from '../rest-shape.js';
import * as Shape from './consumer-schemas.js';

const EXPIRE_EVERY_MS = 5_000;
const WAIT_MS_DEFAULT = 1_000;
const BYTES_DEFAULT = 1 << 20;
const INSTANCE = '/consumers/:group/instances/:instance';
const EMBEDDED_TYPES = { json: V2_JSON_TYPE, binary: V2_BINARY_TYPE } as const;

type Group = { Params: Static<typeof Shape.GroupParams> };
type Instance = { Params: Static<typeof Shape.InstanceParams> };
type Read = Instance & { Querystring: Static<typeof Shape.RecordsQuery> };

const v2 = [V2_TYPE];
const done = restAnswers(204, 'It is done.', null);

export function consumerRoutes(app: FastifyInstance, context: HttpContext): void {
  const consumers = new Consumers(context);
  const timer = setInterval(() => consumers.expire(), EXPIRE_EVERY_MS);
  app.addHook('preClose', async () => {
    clearInterval(timer);
    await consumers.close();
  });
  instanceRoutes(app, context, consumers);
  subscriptionRoutes(app, consumers);
  recordRoutes(app, consumers);
  offsetRoutes(app, consumers);
}

function instanceRoutes(app: FastifyInstance, context: HttpContext, consumers: Consumers): void {
  const create = {
    summary: 'Make a consumer instance on this node (v2).',
    params: Shape.GroupParams,
    requestBody: { [V2_TYPE]: Shape.NewConsumer },
    response: restAnswers(200, 'Its name, and where its requests go.', Shape.Made, v2),
  };
  app.post<Group>('/consumers/:group', { schema: create }, (request, reply) => {
    const { group: groupId } = request.params;
    const body = checkedBody(request, Shape.NewConsumer);
    const waitMs = Number(body['consumer.request.timeout.ms'] ?? WAIT_MS_DEFAULT);
    const { options } = consumers.create({
      groupId,
      name: body.name ?? null,
      clientHost: request.ip,
      format: body.format ?? 'binary',
      reset: body['auto.offset.reset'] ?? 'latest',
      isAutoCommit: String(body['auto.commit.enable'] ?? true) === 'true',
      waitMs: Math.min(waitMs, HTTP_WAIT_MS_MAX),
    });
    const { instanceId } = options;
    const path = `/consumers/${encodeURIComponent(groupId)}/instances/${instanceId}`;
    const made = { instance_id: instanceId, base_uri: `${context.baseUri}${path}` };
    return reply.type(V2_TYPE).send(made);
  });

  const remove = {
    summary: 'Delete a consumer instance; the group goes on without it (v2).',
    params: Shape.InstanceParams,
    response: done,
  };
  app.delete<Instance>(INSTANCE, { schema: remove }, async ({ params }, reply) => {
    await consumers.delete(params.group, params.instance);
    return reply.code(204).send();
  });
}

function subscriptionRoutes(app: FastifyInstance, consumers: Consumers): void {
  const { InstanceParams: params, Subscription, Partitions } = Shape;
  const act = actor(consumers);
  const subscribe = {
    summary: 'Subscribe to topics, instead of those before: the group shares out partitions (v2).',
    params,
    requestBody: { [V2_TYPE]: Subscription },
    response: done,
  };
  app.post<Instance>(`${INSTANCE}/subscription`, { schema: subscribe }, (request, reply) => {
    const { topics } = checkedBody(request, Subscription);
    return act(request, reply, (consumer) => consumer.subscribe(topics));
  });

  const subscription = {
    summary: 'What a consumer instance subscribes to (v2).',
    params,
    response: restAnswers(200, 'The topics.', Subscription, v2),
  };
  app.get<Instance>(`${INSTANCE}/subscription`, { schema: subscription }, (request, reply) => {
    const topics = find(consumers, request).subscription;
    return reply.type(V2_TYPE).send({ topics });
  });

  const unsubscribe = { summary: 'End a subscription (v2).', params, response: done };
  app.delete<Instance>(`${INSTANCE}/subscription`, { schema: unsubscribe }, (request, reply) =>
    act(request, reply, (consumer) => consumer.unsubscribe()),
  );

  const assign = {
    summary: 'Assign partitions to a consumer instance without a group sharing them out (v2).',
    params,
    requestBody: { [V2_TYPE]: Partitions },
    response: done,
  };
  app.post<Instance>(`${INSTANCE}/assignments`, { schema: assign }, (request, reply) => {
    const { partitions } = checkedBody(request, Partitions);
    return act(request, reply, (consumer) => consumer.assign(partitions));
  });

  const assignments = {
    summary: 'The partitions that a consumer instance has now (v2).',
    params,
    response: restAnswers(200, 'The partitions.', Partitions, v2),
  };
  app.get<Instance>(`${INSTANCE}/assignments`, { schema: assignments }, (request, reply) => {
    const partitions = find(consumers, request).assignments;
    return reply.type(V2_TYPE).send({ partitions });
  });
}

function recordRoutes(app: FastifyInstance, consumers: Consumers): void {
  const types = [V2_JSON_TYPE, V2_BINARY_TYPE];
  const read = {
    summary: 'The next records of a consumer instance; none when none came in time (v2).',
    params: Shape.InstanceParams,
    querystring: Shape.RecordsQuery,
    response: restAnswers(200, 'The records.', Shape.ConsumedRecords, types),
  };
  // A HEAD would take records without showing them.
  const options = { schema: read, exposeHeadRoute: false };
  app.get<Read>(`${INSTANCE}/records`, options, async (request, reply) => {
    const consumer = find(consumers, request);
    const { format, waitMs } = consumer.options;
    mustAccept(request, format);
    const gone = new AbortController();
    reply.raw.once('close', () => gone.abort());
    const { timeout = waitMs, max_bytes: bytesMax = BYTES_DEFAULT } = request.query;
    const asked = { waitMs: timeout, bytesMax };
    const records = await consumer.inTurn(() => consumer.records(asked, gone.signal));
    // Text already: embedded JSON stays as it was written.
    return reply.type(EMBEDDED_TYPES[format]).send(`[${records.join(',')}]`);
  });
}

function offsetRoutes(app: FastifyInstance, consumers: Consumers): void {
  const { InstanceParams: params } = Shape;
  const act = actor(consumers);
  const commit = {
    summary: 'Store offsets (the next to read), or with no body those of all records read (v2).',
    params,
    requestBody: { [V2_TYPE]: Shape.MaybeOffsets },
    response: done,
  };
  app.post<Instance>(`${INSTANCE}/offsets`, { schema: commit }, (request, reply) => {
    const { offsets = null } = checkedBody(request, Shape.MaybeOffsets);
    return act(request, reply, (consumer) => consumer.commit(offsets));
  });

  const committed = {
    summary: 'Offsets that the group has stored, of the partitions in the body or of all (v2).',
    params,
    requestBody: { [V2_TYPE]: Shape.MaybePartitions },
    response: restAnswers(200, 'The next offsets to read.', Shape.Committed, v2),
  };
  app.get<Instance>(`${INSTANCE}/offsets`, { schema: committed }, async (request, reply) => {
    // The known proxies take a body with this GET.
    const body = await readBody(request.raw);
    const { partitions = null } = checked(body, Shape.MaybePartitions);
    const consumer = find(consumers, request);
    const offsets = await consumer.inTurn(() => consumer.committed(partitions));
    return reply.type(V2_TYPE).send({ offsets });
  });

  const seek = {
    summary: 'Read on from these offsets (v2).',
    params,
    requestBody: { [V2_TYPE]: Shape.Offsets },
    response: done,
  };
  app.post<Instance>(`${INSTANCE}/positions`, { schema: seek }, (request, reply) => {
    const { offsets } = checkedBody(request, Shape.Offsets);
    return act(request, reply, (consumer) => consumer.seek(offsets));
  });

  for (const [place, kind] of [
    ['beginning', 'earliest'],
    ['end', 'latest'],
  ] as const) {
    const seekTo = {
      summary: `Read on from the ${place} of these partitions (v2).`,
      params,
      requestBody: { [V2_TYPE]: Shape.Partitions },
      response: done,
    };
    app.post<Instance>(`${INSTANCE}/positions/${place}`, { schema: seekTo }, (request, reply) => {
      const { partitions } = checkedBody(request, Shape.Partitions);
      return act(request, reply, (consumer) => consumer.seekTo(kind, partitions));
    });
  }
}

/** Throws Problem 404. */
function find(consumers: Consumers, { params }: FastifyRequest<Instance>): Consumer {
  return consumers.find(params.group, params.instance);
}

/** Does something to an instance, after what is under way there, and answers 204. */
function actor(consumers: Consumers) {
  return async (
    request: FastifyRequest<Instance>,
    reply: FastifyReply,
    work: (consumer: Consumer) => Promise<void>,
  ): Promise<FastifyReply> => {
    const consumer = find(consumers, request);
    await consumer.inTurn(() => work(consumer));
    return reply.code(204).send();
  };
}

/** An instance embeds records in the format that it was made with. */
function mustAccept({ headers }: FastifyRequest, format: keyof typeof EMBEDDED_TYPES): void {
  const { accept = '*/*' } = headers;
  const others = Object.values(EMBEDDED_TYPES).filter((type) => type !== EMBEDDED_TYPES[format]);
  const isOther = others.some((type) => accept.includes(type));
  if (!isOther || accept.includes(EMBEDDED_TYPES[format])) return;
  const text = `this consumer has format ${format}: accept ${EMBEDDED_TYPES[format]}`;
  throw new Problem(406, 'WRONG_FORMAT', text);
}
