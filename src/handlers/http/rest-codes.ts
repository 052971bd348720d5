/**
 * Errors as the known Kafka REST proxies number them: the HTTP status, or the status and two more
 * digits where their documentation has a number for it. Pure.
 */
import type { Problem } from './problem.js';

export type RestVersion = 'v2' | 'v3';

const V2_CODES: Readonly<Record<string, number>> = {
  UNKNOWN_TOPIC: 40401,
  UNKNOWN_PARTITION: 40402,
  UNKNOWN_CONSUMER: 40403,
  WRONG_FORMAT: 40601,
  CONSUMER_EXISTS: 40902,
  SUBSCRIPTION_CONFLICT: 40903,
  INVALID_CONSUMER_CONFIG: 42204,
};
const V3_CODES: Readonly<Record<string, number>> = {
  UNKNOWN_TOPIC: 40403,
  UNKNOWN_PARTITION: 40403,
  TOPIC_ALREADY_EXISTS: 40002,
};

export type RestError = { readonly error_code: number; readonly message: string };

export function restErrorOf(version: RestVersion, { code, status, message }: Problem): RestError {
  const codes = version === 'v2' ? V2_CODES : V3_CODES;
  return { error_code: Object.hasOwn(codes, code) ? (codes[code] as number) : status, message };
}

/** The first three digits of a number are its status. */
export function restStatusOf({ error_code: code }: RestError): number {
  return code < 1_000 ? code : Math.floor(code / 100);
}
