/** Which requests are those of the known Kafka REST proxies, and how they hear of an error. */
import type { FastifyReply, FastifyRequest } from 'fastify';
import type { Problem } from '../../handlers/http/problem.js';
import { type RestVersion, restErrorOf, restStatusOf } from '../../handlers/http/rest-codes.js';
import { JSON_TYPE } from './body.js';

export const V2_TYPE = 'application/vnd.kafka.v2+json';
export const V2_JSON_TYPE = 'application/vnd.kafka.json.v2+json';
export const V2_BINARY_TYPE = 'application/vnd.kafka.binary.v2+json';

const EMBEDDED = 'application/vnd.kafka.';

/** Null for the requests of lograft's own shape. */
export function restVersionOf({ url, headers }: FastifyRequest): RestVersion | null {
  if (url.startsWith('/v3/')) return 'v3';
  if (url.startsWith('/consumers/')) return 'v2';
  const isNamed = [headers['content-type'], headers.accept].some((type) => isV2(type));
  return isNamed ? 'v2' : null;
}

/** The type of an answer that has the same shape in both worlds. */
export function jsonTypeFor({ headers }: FastifyRequest): string {
  return isV2(headers.accept) ? V2_TYPE : JSON_TYPE;
}

export function isV2(type: string | undefined): boolean {
  return type?.toLowerCase().includes(EMBEDDED) ?? false;
}

export function sendRestError(
  reply: FastifyReply,
  version: RestVersion,
  problem: Problem,
): FastifyReply {
  const error = restErrorOf(version, problem);
  return reply
    .code(restStatusOf(error))
    .type(version === 'v2' ? V2_TYPE : JSON_TYPE)
    .send(`${JSON.stringify(error)}\n`);
}
