/**
 * Records as JSON. Text is text; bytes that are no UTF-8 are base64, and the record says so:
 *
 *     { "offset": 7, "timestamp": 1700000000000, "key": "k", "value": "héllo",
 *       "headers": [{ "key": "trace", "value": "/w==", "encoding": "base64" }] }
 *
 * The same shape is taken when records are produced; a value that is an object, an array, a number
 * or a boolean is then kept as its JSON, as it was written: no digit of a number is lost. Pure.
 */
import { Buffer } from 'node:buffer';
import { assert } from '../../base/assert.js';
import { lazily } from '../../base/lazily.js';
import { HTTP_JSON_DEPTH_MAX, HTTP_RECORD_HEADERS_MAX } from '../../base/limits.js';
import type { RecordHeader, RecordInput } from '../../records/batch.js';
import type { LogRecord } from '../../records/records.js';
import type { JsonSlice } from './json-slices.js';
import { badRequest } from './problem.js';

export type JsonHeader = { key: string; value: string | null; encoding?: 'base64' };

export type JsonRecord = {
  offset: number;
  timestamp: number;
  key: string | null;
  keyEncoding?: 'base64';
  value: string | null;
  valueEncoding?: 'base64';
  headers: JsonHeader[];
};

const FIELDS: ReadonlySet<string> = new Set([
  'key',
  'keyEncoding',
  'value',
  'valueEncoding',
  'headers',
  'partition',
  'timestamp',
  // What a read answers may be sent back as it is.
  'offset',
]);

/** A record to be written, and where its sender wants it. */
export type RecordDraft = { readonly input: RecordInput; readonly partition: number | null };

const utf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

export function recordToJson(record: LogRecord): JsonRecord {
  const key = textOf(record.key);
  const value = textOf(record.value);
  return {
    offset: record.offset,
    timestamp: record.timestamp,
    key: key.text,
    ...(key.isBinary ? { keyEncoding: 'base64' as const } : {}),
    value: value.text,
    ...(value.isBinary ? { valueEncoding: 'base64' as const } : {}),
    headers: record.headers.map((header) => {
      const { text, isBinary } = textOf(header.value);
      return { key: header.key, value: text, ...(isBinary ? { encoding: 'base64' as const } : {}) };
    }),
  };
}

function textOf(bytes: Uint8Array | null): { text: string | null; isBinary: boolean } {
  if (bytes === null) return { text: null, isBinary: false };
  try {
    return { text: utf8.decode(bytes), isBinary: false };
  } catch {
    // Not UTF-8: that is what base64 is for.
    return { text: asBuffer(bytes).toString('base64'), isBinary: true };
  }
}

/** Where a value stands that is kept as it was written: looked for only then. */
type Written = () => JsonSlice | undefined;

/**
 * `where` names the record in messages, and `written` is what `json` was parsed from. Throws
 * Problem 400.
 */
export function recordFromJson(json: unknown, written: Written, where: string): RecordDraft {
  if (typeof json !== 'object' || json === null || Array.isArray(json)) {
    throw badRequest(`${where} is ${shown(json)}, it must be an object like {"value": "hello"}`);
  }
  const record = json as Readonly<Record<string, unknown>>;
  for (const name of Object.keys(record)) {
    if (FIELDS.has(name)) continue;
    const known = [...FIELDS].join(', ');
    throw badRequest(`${where} has the unknown field ${shown(name)}; known fields: ${known}`);
  }
  const { partition = null, timestamp } = record;
  const part = (name: string): Written => {
    return () => written()?.member(name);
  };
  const { key, keyEncoding, value, valueEncoding, headers } = record;
  const input: RecordInput = {
    key: bytesOf(key, keyEncoding, part('key'), `the key of ${where}`),
    value: bytesOf(value, valueEncoding, part('value'), `the value of ${where}`),
    headers: headersOf(headers, part('headers'), where),
    ...(timestamp === undefined ? {} : { timestamp: count(timestamp, `timestamp of ${where}`) }),
  };
  return {
    input,
    partition: partition === null ? null : count(partition, `partition of ${where}`),
  };
}

function headersOf(json: unknown, written: Written, where: string): RecordHeader[] {
  if (json === undefined || json === null) return [];
  const isArray = Array.isArray(json);
  const entries: unknown[] = isArray
    ? json
    : typeof json === 'object'
      ? Object.entries(json).map(([key, value]) => ({ key, value }))
      : [json];
  if (entries.length > HTTP_RECORD_HEADERS_MAX) {
    const most = `at most ${HTTP_RECORD_HEADERS_MAX} are taken`;
    throw badRequest(`${where} has ${entries.length} headers, ${most}`);
  }
  // What a slice knows of its parts it knows once.
  const whole = lazily(written);
  return entries.map((entry, i) => {
    const { key, value, encoding } = (entry ?? {}) as Readonly<Record<string, unknown>>;
    if (typeof key !== 'string') {
      throw badRequest(`a header of ${where} is ${shown(entry)}, not {"key": …, "value": …}`);
    }
    const part = (): JsonSlice | undefined =>
      isArray ? whole()?.element(i)?.member('value') : whole()?.member(key);
    return { key, value: bytesOf(value, encoding, part, `the header ${shown(key)} of ${where}`) };
  });
}

function bytesOf(
  value: unknown,
  encoding: unknown,
  written: Written,
  what: string,
): Uint8Array | null {
  if (value === undefined || value === null) return null;
  if (encoding === undefined || encoding === null || encoding === 'utf8') {
    return Buffer.from(typeof value === 'string' ? value : jsonOf(written(), what));
  }
  if (encoding !== 'base64') {
    throw badRequest(`encoding ${shown(encoding)} of ${what} is neither utf8 nor base64`);
  }
  if (typeof value !== 'string' || !BASE64.test(value)) {
    throw badRequest(`${what} is not base64`);
  }
  return Buffer.from(value, 'base64');
}

function jsonOf(slice: JsonSlice | undefined, what: string): string {
  assert(slice !== undefined, 'what was parsed was written', { what });
  // The parsers of those who read it have the stack.
  if (slice.depth <= HTTP_JSON_DEPTH_MAX) return slice.written;
  throw badRequest(`${what} is nested too deeply: send it as text`);
}

export const BASE64 = /^[A-Za-z0-9+/]*={0,2}$/;

function count(value: unknown, what: string): number {
  if (Number.isSafeInteger(value) && (value as number) >= 0) return value as number;
  throw badRequest(`the ${what} is ${shown(value)}, it must be a whole number from 0 on`);
}

const SHOWN_MAX = 60;

function shown(value: unknown): string {
  const text = JSON.stringify(value) ?? String(value);
  return text.length > SHOWN_MAX ? `${text.slice(0, SHOWN_MAX)}…` : text;
}

function asBuffer(bytes: Uint8Array): Buffer {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}
