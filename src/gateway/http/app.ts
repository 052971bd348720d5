/**
 * The HTTP application: every route, one way to refuse, one way to say what went wrong. Bodies
 * arrive as bytes; each route says which kinds it takes. Main thread.
 */
import { once } from 'node:events';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { createServer } from 'node:http';
import Fastify, { type FastifyError, type FastifyInstance, type FastifyReply } from 'fastify';
import type { FastifySchemaValidationError } from 'fastify/types/schema.js';
import { HTTP_BODY_BYTES_MAX } from '../../base/limits.js';
import type { HttpContext } from '../../handlers/http/context.js';
import { Problem } from '../../handlers/http/problem.js';
import type { Logger } from '../../observability/logger.js';
import { AllowedMethods } from './allowed-methods.js';
import type { HttpApp } from './http-door.js';
import { lazyValidator } from './checked.js';
import { describeRoutes } from './openapi.js';
import { PROBLEM_TYPE, problemText, RETRY_AFTER_S } from './problem-json.js';
import { restVersionOf, sendRestError } from './rest-shape.js';
import { consumerRoutes } from './routes/consumers.js';
import { eventRoutes } from './routes/events.js';
import { nodeRoutes } from './routes/node.js';
import { recordRoutes } from './routes/records.js';
import { streamRoutes } from './routes/stream.js';
import { restProduceRoutes } from './routes/rest-produce.js';
import { topicRoutes } from './routes/topics.js';
import { v3Routes } from './routes/v3.js';

/** A topic's name of 249 characters, each percent-encoded. */
const PARAM_CHARS_MAX = 3 * 249;
/** How long the rest of a refused body may take. */
const SWALLOW_MS_MAX = 2_000;

export async function makeApp(context: HttpContext, logger: Logger): Promise<HttpApp> {
  let handle: HttpApp['handle'] = () => {};
  const app = Fastify({
    logger: false,
    bodyLimit: HTTP_BODY_BYTES_MAX,
    routerOptions: { maxParamLength: PARAM_CHARS_MAX },
    schemaErrorFormatter: invalidText,
    frameworkErrors: (error, _request, reply) => void sendError(reply, error, logger),
    // The door has the server; this one never listens.
    serverFactory: (handler) => {
      handle = handler;
      return createServer();
    },
  });
  app.setValidatorCompiler(({ schema }) => lazyValidator(schema));
  app.removeAllContentTypeParsers();
  app.addContentTypeParser('*', { parseAs: 'buffer' }, (_request, body, done) => done(null, body));
  app.setErrorHandler(async (error: FastifyError, { raw }, reply) => {
    await swallow(raw);
    return sendError(reply, error, logger);
  });
  const allowed = new AllowedMethods(app);
  app.setNotFoundHandler(({ method, url }, reply) => {
    const shown = url.length > 200 ? `${url.slice(0, 200)}…` : url;
    const text = `there is no ${method} ${shown}: GET /openapi.json lists the routes`;
    const methods = allowed.of(url.split('?', 1)[0] ?? url);
    if (methods.length === 0) return sendProblem(reply, new Problem(404, 'NO_SUCH_ROUTE', text));
    reply.header('allow', methods.join(', '));
    return sendProblem(reply, new Problem(405, 'METHOD_NOT_ALLOWED', text));
  });
  await addRoutes(app, context, logger);
  await app.ready();
  return {
    handle: (request: IncomingMessage, response: ServerResponse) => handle(request, response),
    close: () => app.close(),
  };
}

export async function addRoutes(
  app: FastifyInstance,
  context: HttpContext,
  logger: Logger,
): Promise<void> {
  await describeRoutes(app, context.version);
  nodeRoutes(app, context);
  topicRoutes(app, context);
  recordRoutes(app, context);
  streamRoutes(app, context);
  eventRoutes(app, context, logger);
  restProduceRoutes(app, context);
  consumerRoutes(app, context);
  v3Routes(app, context);
}

/**
 * What is left of a body that was refused: a client that is still sending would lose the answer to
 * the reset of its connection. Not for ever: who goes on sending is cut off.
 */
async function swallow(request: IncomingMessage): Promise<void> {
  if (request.complete || request.destroyed) return;
  request.resume();
  const signal = AbortSignal.timeout(SWALLOW_MS_MAX);
  await once(request, 'end', { signal }).catch(() => {
    // It did not end, or ended badly: the answer goes out all the same.
  });
}

/** Names the parameter, its value and what it should be. */
function invalidText(errors: FastifySchemaValidationError[], where: string): Error {
  const [error] = errors as readonly (FastifySchemaValidationError & Verbose)[];
  if (error?.keyword === 'additionalProperties') {
    const known = Object.keys(error.parentSchema?.properties ?? {}).join(', ');
    const name = String(error.params['additionalProperty']);
    return new Error(`unknown parameter ${JSON.stringify(name)}; known: ${known}`);
  }
  const name = error?.instancePath.slice(1) ?? where;
  const value = JSON.stringify(error?.data)?.slice(0, SHOWN_MAX);
  const wanted = error?.parentSchema?.description ?? error?.message ?? 'something else';
  return new Error(`the parameter ${name} is ${value}; it ${wanted}`);
}

/** What ajv adds when it is told to be verbose. */
type Verbose = {
  readonly data?: unknown;
  readonly parentSchema?: { readonly description?: string; readonly properties?: object };
};

const SHOWN_MAX = 100;

function sendError(reply: FastifyReply, error: FastifyError, logger: Logger): FastifyReply {
  if (error instanceof Problem) return sendProblem(reply, error);
  if (error.validation !== undefined) {
    return sendProblem(reply, new Problem(400, 'INVALID_REQUEST', error.message));
  }
  const { statusCode: status = 500, code } = error;
  if (status === 413) {
    const text = `the body is larger than ${HTTP_BODY_BYTES_MAX} bytes: send fewer records at once`;
    return sendProblem(reply, new Problem(413, 'BODY_TOO_LARGE', text));
  }
  if (status < 500)
    return sendProblem(reply, new Problem(status, 'INVALID_REQUEST', error.message));
  // A bug of ours: the client hears that, and whoever runs the node hears what.
  logger.error({ err: error, code }, 'an HTTP request failed');
  return sendProblem(
    reply,
    new Problem(500, 'INTERNAL', 'the broker failed to answer this request'),
  );
}

function sendProblem(reply: FastifyReply, problem: Problem): FastifyReply {
  const { status, code, message, details } = problem;
  const version = restVersionOf(reply.request);
  if (status === 503) reply.header('retry-after', RETRY_AFTER_S);
  if (version !== null) return sendRestError(reply, version, problem);
  return reply
    .code(status)
    .type(PROBLEM_TYPE)
    .send(problemText(status, code, message, details));
}
