/**
 * `lograft bench http [topic]`: autocannon writes records through every node's HTTP door and says
 * how many were acknowledged and how fast. Its promise: the number is true, for the log must have
 * grown by at least as many records, or the command fails.
 */
import { createRequire } from 'node:module';
import { randomBytes } from 'node:crypto';
import { LograftError } from '../base/errors.js';
import { locateCluster, runningNodes, type WhereOptions } from './cluster/locate.js';
import { usage } from './options.js';
import { EXIT, type Output, table } from './output.js';

export type BenchHttpOptions = WhereOptions & {
  readonly url?: string;
  readonly connections: number;
  readonly pipelining: number;
  readonly seconds: number;
  /** Of a record's value. */
  readonly size: number;
  /** In one request: 1 as bytes, more as lines of JSON. */
  readonly records: number;
  readonly rate?: number;
};

/** What is read of autocannon's result; latencies in milliseconds. */
type LoadResult = {
  readonly '2xx': number;
  readonly non2xx: number;
  readonly errors: number;
  readonly timeouts: number;
  readonly duration: number;
  readonly statusCodeStats?: Readonly<Record<string, { readonly count: number }>>;
  readonly latency: { readonly p50: number; readonly p99: number; readonly max: number };
};

const ANSWER_TIMEOUT_S = 20;
const CALL_TIMEOUT_MS = 10_000;
const PARTITIONS = 3;
const MB = 1e6;

export async function benchHttp(
  output: Output,
  topic: string | undefined,
  options: BenchHttpOptions,
): Promise<number> {
  const urls = await doorsOf(options);
  const [first] = urls as [string, ...string[]];
  const name = topic ?? `lograft-bench-${randomBytes(6).toString('hex')}`;
  if (topic === undefined) {
    await call(first, 'POST', '/topics', { name, partitions: PARTITIONS });
  }
  try {
    const before = await recordsIn(first, name);
    const seconds = `${options.seconds} s`;
    const work = load(urls, name, options);
    const result = await output.progress(() => `writing to ${name} for ${seconds}`, work);
    const grown = (await recordsIn(first, name)) - before;
    return report(output, urls, options, result, grown);
  } finally {
    if (topic === undefined) await call(first, 'DELETE', `/topics/${name}`);
  }
}

async function doorsOf(options: BenchHttpOptions): Promise<string[]> {
  if (options.url !== undefined) return options.url.split(',').map(originOf);
  const hint = 'start it with `lograft up`, or name its doors with --url';
  const nodes = runningNodes(await locateCluster(options), hint);
  return nodes.map(({ http: { host, port } }) => `http://${host}:${port}`);
}

function originOf(text: string): string {
  const url = URL.canParse(text) ? new URL(text) : null;
  if (url?.protocol === 'http:' && url.pathname === '/') return url.origin;
  throw usage(`--url ${text}: expected http://HOST:PORT,…`);
}

async function load(
  urls: readonly string[],
  topic: string,
  options: BenchHttpOptions,
): Promise<LoadResult> {
  const { connections, pipelining, seconds, size, records, rate } = options;
  // Without types of its own.
  const autocannon = createRequire(import.meta.url)('autocannon') as (
    options: Readonly<Record<string, unknown>>,
  ) => Promise<LoadResult>;
  const value = 'x'.repeat(size);
  const isOne = records === 1;
  const line = `${JSON.stringify({ value })}\n`;
  return autocannon({
    url: urls.map((url) => `${url}/topics/${encodeURIComponent(topic)}/records`),
    method: 'POST',
    body: isOne ? value : line.repeat(records),
    ...(isOne ? {} : { headers: { 'content-type': 'application/x-ndjson' } }),
    connections,
    pipelining,
    duration: seconds,
    timeout: ANSWER_TIMEOUT_S,
    ...(rate === undefined ? {} : { overallRate: rate }),
  });
}

/** Records that every consumer can see, in all partitions. */
async function recordsIn(url: string, topic: string): Promise<number> {
  const path = `/topics/${encodeURIComponent(topic)}`;
  const { partitions } = (await call(url, 'GET', path)) as {
    readonly partitions: readonly { readonly partition: number }[];
  };
  const ends = await Promise.all(
    partitions.map(async ({ partition }) => {
      const end = `${path}/partitions/${partition}/records?offset=latest&max=1`;
      return (await call(url, 'GET', end)) as { readonly highWatermark: number };
    }),
  );
  return ends.reduce((sum, { highWatermark }) => sum + highWatermark, 0);
}

/** The answer's JSON, null without a body. Throws LograftError with the door's own words. */
async function call(url: string, method: string, path: string, body?: object): Promise<unknown> {
  const signal = AbortSignal.timeout(CALL_TIMEOUT_MS);
  const json = body === undefined ? {} : { body: JSON.stringify(body) };
  const headers = body === undefined ? {} : { 'content-type': 'application/json' };
  const response = await fetch(`${url}${path}`, { method, signal, headers, ...json }).catch(
    (cause: Error) => {
      const why = cause.cause instanceof Error ? cause.cause.message : cause.message;
      throw new LograftError('NOT_RUNNING', `${url} does not answer: ${why}`, undefined, { cause });
    },
  );
  const text = await response.text();
  if (response.ok) return text === '' ? null : JSON.parse(text);
  const { detail = text } = JSON.parse(text) as { readonly detail?: string };
  throw new LograftError('INVALID_REQUEST', `${method} ${url}${path}: ${detail}`);
}

function report(
  output: Output,
  urls: readonly string[],
  { connections, pipelining, size, records, rate }: BenchHttpOptions,
  result: LoadResult,
  grown: number,
): number {
  const { '2xx': acknowledged, non2xx, errors, timeouts, duration, latency } = result;
  const perSecond = acknowledged / duration;
  const statuses = Object.fromEntries(
    Object.entries(result.statusCodeStats ?? {}).map(([status, { count }]) => [status, count]),
  );
  const faults = [
    ...(acknowledged === 0 ? ['nothing was acknowledged'] : []),
    ...(non2xx === 0 ? [] : [`${non2xx} refused (${JSON.stringify(statuses)})`]),
    ...(errors === 0 ? [] : [`${errors} without an answer, ${timeouts} of them too late`]),
    ...(grown >= acknowledged * records ? [] : [`the log grew by ${grown} records only`]),
  ];
  const document = {
    ...{ urls, connections, pipelining, recordBytes: size, recordsPerRequest: records },
    ...{ ratePerSecond: rate ?? null, seconds: duration, acknowledged, statuses },
    requestsPerSecond: Math.round(perSecond),
    recordsPerSecond: Math.round(perSecond * records),
    latencyMs: { p50: latency.p50, p99: latency.p99, max: latency.max },
    ...{ grownRecords: grown, faults },
  };
  const row = [
    String(document.requestsPerSecond),
    String(document.recordsPerSecond),
    ((perSecond * records * size) / MB).toFixed(1),
    String(latency.p50),
    String(latency.p99),
    String(latency.max),
  ];
  const text = [
    `${urls.join(' ')}, ${connections} connections, pipelining ${pipelining}, ` +
      `${records} x ${size} B a request, ${duration} s`,
    '',
    table(['REQUESTS/S', 'RECORDS/S', 'MB/S', 'P50 MS', 'P99 MS', 'MAX MS'], [row]),
    '',
    `${acknowledged} requests acknowledged; the log grew by ${grown} records`,
    ...faults.map((fault) => `not well: ${fault}`),
  ].join('\n');
  output.result(document, text);
  return faults.length === 0 ? EXIT.done : EXIT.failed;
}
