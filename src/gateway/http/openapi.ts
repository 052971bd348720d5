/**
 * `GET /openapi.json`: every route by the schemas that validate its requests. Answers are not cut
 * to their schemas (what is sent is what a handler gave); a test holds one against the other.
 */
import swagger from '@fastify/swagger';
import type { FastifyInstance, FastifySchema } from 'fastify';
import Type, { type TSchema } from 'typebox';
import { JSON_TYPE } from './body.js';
import { PROBLEM_TYPE } from './problem-json.js';
import { V2_JSON_TYPE, V2_TYPE } from './rest-shape.js';

declare module 'fastify' {
  interface FastifySchema {
    /** Media type → what is in it. Bodies arrive as bytes: the handlers read and check them. */
    requestBody?: Readonly<Record<string, TSchema>>;
  }
}

const VERSION = '3.1.0';
const ABOUT =
  'Any node takes and gives any partition: it asks the leader. Errors are problem documents ' +
  '(RFC 9457) whose `code` stays the same; 503 says when to come again. Routes under /v3, ' +
  'consumers and the media types application/vnd.kafka.* have the shapes of the known Kafka ' +
  'REST proxies, errors included.';

const ProblemDocument = Type.Object(
  {
    type: Type.String(),
    title: Type.String(),
    status: Type.Integer(),
    code: Type.String({ description: 'stays the same: for programs' }),
    detail: Type.String({ description: 'what is wrong and what to do: for people' }),
  },
  { $id: 'Problem', title: 'Problem', description: 'What is wrong, as RFC 9457 writes it.' },
);
const ErrorDocument = Type.Object(
  {
    error_code: Type.Integer({ description: 'the status, or the status and two more digits' }),
    message: Type.String(),
  },
  { $id: 'RestError', title: 'RestError', description: 'What is wrong, in the v2 and v3 shapes.' },
);

const problem = {
  description: 'A problem.',
  content: content([PROBLEM_TYPE], 'Problem'),
};
const restError = {
  description: 'A problem.',
  content: {
    ...content([JSON_TYPE, V2_TYPE, V2_JSON_TYPE], 'RestError'),
    // To who asked in none of these shapes.
    ...problem.content,
  },
};

function content(types: readonly string[], schemaId: string) {
  return Object.fromEntries(types.map((type) => [type, { schema: Type.Ref(`${schemaId}#`) }]));
}

/** What a route answers when all is well, in one of several media types, and when it is not. */
export function answers(
  status: number,
  description: string,
  schema: TSchema | null,
  types: readonly string[] = [JSON_TYPE],
) {
  return { [status]: answerOf(description, schema, types), default: problem };
}

/** {@link answers} with errors in the shape of the known REST proxies. */
export function restAnswers(...answer: Parameters<typeof answers>) {
  return { ...answers(...answer), default: restError };
}

function answerOf(description: string, schema: TSchema | null, types: readonly string[]) {
  if (schema === null) return { type: 'null', description };
  return { description, content: Object.fromEntries(types.map((type) => [type, { schema }])) };
}

/** To be called before the routes are added. */
export async function describeRoutes(app: FastifyInstance, version: string): Promise<void> {
  app.addSchema(ProblemDocument);
  app.addSchema(ErrorDocument);
  app.setSerializerCompiler(() => (data) => JSON.stringify(data));
  await app.register(swagger, {
    openapi: {
      openapi: VERSION,
      info: { title: 'lograft', version, description: ABOUT, license: { name: 'Apache-2.0' } },
    },
    convertConstToEnum: false,
    refResolver: { buildLocalReference: (json, _base, _fragment, i) => String(json.$id ?? i) },
    transform: ({ schema, url }) => ({ schema: withBody(schema), url }),
  });
  const summary = 'This document.';
  const schema = { summary, response: answers(200, 'OpenAPI 3.1.', Type.Object({})) };
  app.get('/openapi.json', { schema }, () => app.swagger());
}

function withBody(schema: FastifySchema): FastifySchema {
  const { requestBody, ...rest } = schema ?? {};
  if (requestBody === undefined) return rest;
  const types = Object.entries(requestBody);
  const body = { content: Object.fromEntries(types.map(([type, s]) => [type, { schema: s }])) };
  return { ...rest, body };
}
