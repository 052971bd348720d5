/** What a node says of itself: alive, ready, and the document that `lograft status` prints. */
import type { FastifyInstance } from 'fastify';
import Type from 'typebox';
import type { HttpContext } from '../../../handlers/http/context.js';
import { Problem } from '../../../handlers/http/problem.js';
import { JSON_TYPE } from '../body.js';
import { answers } from '../openapi.js';

const Health = Type.Object({ status: Type.Literal('ok'), nodeId: Type.Integer() });
const ClusterDocument = Type.Object({
  nodeId: Type.Integer(),
  clusterId: Type.Union([Type.String(), Type.Null()]),
  controllerId: Type.Integer({ description: '-1 while nobody is' }),
  state: Type.String(),
  isReady: Type.Boolean(),
  topics: Type.Array(Type.Object({})),
});
const live = { summary: 'Is the process alive?', response: answers(200, 'It is.', Health) };
const ready = {
  summary: 'Does this node serve?',
  response: answers(200, 'It does; 503 names what is missing.', Health),
};
const cluster = {
  summary: 'This node and the cluster as it sees it.',
  response: answers(200, 'What `lograft status` is made of.', ClusterDocument),
};
const METRICS_TYPE = 'text/plain; version=0.0.4; charset=utf-8';
const metrics = {
  summary: "This node's numbers in Prometheus' text format.",
  response: answers(200, 'Each of them is in docs/metrics.md.', Type.String(), [METRICS_TYPE]),
};

export function nodeRoutes(app: FastifyInstance, context: HttpContext): void {
  app.get('/livez', { schema: live }, () => ({ status: 'ok', nodeId: context.nodeId }));

  app.get('/readyz', { schema: ready }, () => {
    const missing = context.unready();
    if (missing.length > 0) {
      throw new Problem(503, 'NOT_READY', `not ready: ${missing.join('; ')}`, { missing });
    }
    return { status: 'ok', nodeId: context.nodeId };
  });

  app.get('/metrics', { schema: metrics }, async (_request, reply) => {
    return reply.type(METRICS_TYPE).send(await context.metrics());
  });

  app.get('/cluster', { schema: cluster }, async (_request, reply) => {
    return reply.type(JSON_TYPE).send(await context.status());
  });
}
