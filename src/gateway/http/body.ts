/** Bodies of requests: bytes on arrival, JSON or lines of JSON where a route wants them. */
import type { IncomingMessage } from 'node:http';
import type { FastifyRequest } from 'fastify';
import { badRequest, Problem } from '../../handlers/http/problem.js';

export const JSON_TYPE = 'application/json';
export const NDJSON_TYPE = 'application/x-ndjson';

const UNUSUAL_BODY_BYTES_MAX = 1 << 20;
const EMPTY = Buffer.alloc(0);

export function bodyBytes({ body }: FastifyRequest): Buffer {
  return Buffer.isBuffer(body) ? body : EMPTY;
}

/** The body of a method that the framework takes to have none. Throws Problem 413. */
export async function readBody(raw: IncomingMessage): Promise<Buffer> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of raw as AsyncIterable<Buffer>) {
    bytes += chunk.length;
    if (bytes > UNUSUAL_BODY_BYTES_MAX) {
      const text = `the body is larger than ${UNUSUAL_BODY_BYTES_MAX} bytes`;
      throw new Problem(413, 'BODY_TOO_LARGE', text);
    }
    chunks.push(chunk);
  }
  return Buffer.concat(chunks);
}

/** `application/json` of `application/json; charset=utf-8`, in lower case; empty when not given. */
export function mediaTypeOf({ headers }: FastifyRequest): string {
  return mediaType(headers['content-type'] ?? '');
}

export function mediaType(contentType: string): string {
  return contentType.split(';', 1)[0]?.trim().toLowerCase() ?? '';
}

/** Throws Problem 400. */
export function bodyText(request: FastifyRequest): string {
  return textOf(bodyBytes(request), 'the body');
}

/** Throws Problem 400. */
export function parseJson(json: Buffer | string, what: string): unknown {
  try {
    return JSON.parse(typeof json === 'string' ? json : textOf(json, what)) as unknown;
  } catch (error) {
    if (!(error instanceof SyntaxError || error instanceof RangeError)) throw error;
    throw badRequest(`${what} is not JSON: ${error.message}`);
  }
}

const utf8 = new TextDecoder('utf-8', { fatal: true });

export function textOf(bytes: Buffer, what: string): string {
  try {
    return utf8.decode(bytes);
  } catch {
    throw badRequest(`${what} is not UTF-8`);
  }
}

/** Lines that are not empty, without their ends; decoded at once, for there may be thousands. */
export function* linesOf(bytes: Buffer): Generator<{ line: string; number: number }> {
  const text = textOf(bytes, 'the body');
  let number = 0;
  for (let at = 0; at < text.length; ) {
    const found = text.indexOf('\n', at);
    const end = found === -1 ? text.length : found;
    number += 1;
    const line = text.slice(at, text[end - 1] === '\r' && end > at ? end - 1 : end);
    if (line.length > 0) yield { line, number };
    at = end + 1;
  }
}
