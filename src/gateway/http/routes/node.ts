/** What a node says of itself: alive, ready, and the document that `lograft status` prints. */
import type { FastifyInstance } from 'fastify';
import type { HttpContext } from '../../../handlers/http/context.js';
import { Problem } from '../../../handlers/http/problem.js';

export function nodeRoutes(app: FastifyInstance, context: HttpContext): void {
  app.get('/livez', () => ({ status: 'ok', nodeId: context.nodeId }));

  app.get('/readyz', () => {
    const missing = context.unready();
    if (missing.length > 0) {
      throw new Problem(503, 'NOT_READY', `not ready: ${missing.join('; ')}`, { missing });
    }
    return { status: 'ok', nodeId: context.nodeId };
  });

  app.get('/cluster', async (_request, reply) => {
    return reply.type('application/json').send(await context.status());
  });
}
