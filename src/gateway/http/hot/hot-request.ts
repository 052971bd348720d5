/**
 * Which requests the shard answers itself: one record of any bytes, many records as JSON, and the
 * records and the stream of a partition. Everything else, and everything that is odd in any way, is
 * null and goes to the framework, which answers all routes and says what is wrong. Pure.
 */
import { HTTP_RECORDS_MAX, HTTP_WAIT_MS_MAX } from '../../../base/limits.js';
import type { Offset } from '../../../base/units.js';
import { READ_RECORDS_DEFAULT } from '../../../handlers/http/read.js';
import { JSON_TYPE, mediaType, NDJSON_TYPE } from '../body.js';
import { isV2 } from '../rest-shape.js';
import type { RequestHead } from '../request-head.js';

export type HotProduce = {
  readonly kind: 'produce';
  readonly topic: string;
  /** Null: by key, or any. */
  readonly partition: number | null;
  readonly key: string | null;
  readonly acks: 0 | 1 | -1;
  readonly timeoutMs: number | null;
};

/** The body says how many, and perhaps where to; a key in the query says nothing. */
export type HotProduceMany = Omit<HotProduce, 'kind'> & { readonly kind: 'produce-many' };

export type HotStreamRequest = {
  readonly kind: 'stream';
  readonly topic: string;
  readonly partition: number;
  readonly key: null;
  readonly offset: Offset | 'earliest' | 'latest';
  readonly end: Offset | null;
  readonly isFollowing: boolean;
};

export type HotReadRequest = {
  readonly kind: 'read';
  readonly topic: string;
  readonly partition: number;
  readonly key: null;
  readonly offset: Offset | 'earliest' | 'latest';
  /** Records. */
  readonly max: number;
  readonly waitMs: number;
  /** A record a line. */
  readonly isLines: boolean;
};

export type HotRequest = HotProduce | HotProduceMany | HotReadRequest | HotStreamRequest;

const PRODUCE_PATH = /^\/topics\/([A-Za-z0-9._-]{1,249})\/records$/;
const STREAM_PATH = /^\/topics\/([A-Za-z0-9._-]{1,249})\/partitions\/(\d{1,9})\/stream$/;
const READ_PATH = /^\/topics\/([A-Za-z0-9._-]{1,249})\/partitions\/(\d{1,9})\/records$/;
const PLAIN = /^[A-Za-z0-9._~-]*$/;
const WHOLE = /^\d{1,15}$/;
/** Bodies of these kinds are records to be parsed, or another API's. */
const PARSED = /^application\/(json|x-ndjson|vnd\.)/i;
const MANY: ReadonlySet<string> = new Set([JSON_TYPE, NDJSON_TYPE]);
const ACKS: Readonly<Record<string, 0 | 1 | -1>> = { '0': 0, '1': 1, all: -1, '-1': -1 };

export function hotRequestOf(head: RequestHead): HotRequest | null {
  const query = parametersOf(head.query);
  // Who takes the REST proxies' types hears of errors in their shape.
  if (query === null || isV2(head.accept ?? undefined)) return null;
  if (head.method === 'POST') return produceOf(head, query);
  if (head.contentLength > 0) return null;
  return head.path.endsWith('/stream') ? streamOf(head, query) : readOf(head, query);
}

function produceOf(
  head: RequestHead,
  query: Map<string, string>,
): HotProduce | HotProduceMany | null {
  const [, topic] = PRODUCE_PATH.exec(head.path) ?? [];
  const contentType = head.contentType ?? '';
  const isMany = MANY.has(mediaType(contentType));
  if (topic === undefined || (!isMany && PARSED.test(contentType))) return null;
  const partition = takeWhole(query, 'partition', null);
  const timeoutMs = takeWhole(query, 'timeout', null);
  const acks = ACKS[take(query, 'acks') ?? 'all'];
  const key = take(query, 'key');
  if (query.size > 0 || acks === undefined) return null;
  if (partition === undefined || timeoutMs === undefined) return null;
  const kind = isMany ? 'produce-many' : 'produce';
  return { kind, topic, partition, key, acks, timeoutMs };
}

function streamOf(head: RequestHead, query: Map<string, string>): HotStreamRequest | null {
  const [, topic, partition] = STREAM_PATH.exec(head.path) ?? [];
  if (topic === undefined) return null;
  const offset = takeOffset(query);
  const end = takeWhole(query, 'end', null);
  const follow = take(query, 'follow') ?? 'false';
  if (query.size > 0 || end === undefined || (follow !== 'true' && follow !== 'false')) return null;
  if (offset === undefined) return null;
  const isFollowing = follow === 'true';
  return {
    ...{ kind: 'stream', topic, partition: Number(partition), key: null },
    ...{ offset, end, isFollowing },
  };
}

function readOf(head: RequestHead, query: Map<string, string>): HotReadRequest | null {
  const [, topic, partition] = READ_PATH.exec(head.path) ?? [];
  const offset = takeOffset(query);
  const max = takeWhole(query, 'max', READ_RECORDS_DEFAULT);
  const waitMs = takeWhole(query, 'wait', 0);
  if (topic === undefined || offset === undefined || query.size > 0) return null;
  // What the framework would refuse is the framework's.
  if (max === undefined || waitMs === undefined) return null;
  if (max < 1 || max > HTTP_RECORDS_MAX || waitMs > HTTP_WAIT_MS_MAX) return null;
  const isLines = head.accept?.includes(NDJSON_TYPE) ?? false;
  return {
    ...{ kind: 'read', topic, partition: Number(partition), key: null },
    ...{ offset, max, waitMs, isLines },
  };
}

/** Null when a name comes twice, or anything would need decoding. */
function parametersOf(query: string): Map<string, string> | null {
  const found = new Map<string, string>();
  if (query === '') return found;
  for (const pair of query.split('&')) {
    const equals = pair.indexOf('=');
    const name = pair.slice(0, equals);
    const value = pair.slice(equals + 1);
    if (equals < 1 || found.has(name) || !PLAIN.test(name) || !PLAIN.test(value)) return null;
    found.set(name, value);
  }
  return found;
}

function take(query: Map<string, string>, name: string): string | null {
  const value = query.get(name) ?? null;
  query.delete(name);
  return value;
}

/** Undefined when it is there and no whole number. */
function takeWhole<Absent>(
  query: Map<string, string>,
  name: string,
  absent: Absent,
): number | Absent | undefined {
  const value = take(query, name);
  if (value === null) return absent;
  return WHOLE.test(value) ? Number(value) : undefined;
}

/** Undefined when it is no place in a log. */
function takeOffset(query: Map<string, string>): Offset | 'earliest' | 'latest' | undefined {
  const from = take(query, 'offset') ?? 'earliest';
  if (from === 'earliest' || from === 'latest') return from;
  return WHOLE.test(from) ? Number(from) : undefined;
}
