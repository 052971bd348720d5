/**
 * autocannon with one job. It sends and reads; what it sent, what was answered and when is counted
 * here, at its clients' events, for its own numbers leave out what is under way at the end. Its
 * promise: at the end every request was answered, or is counted as a fault.
 */
import { createRequire } from 'node:module';
import { setTimeout as sleep } from 'node:timers/promises';
import type { LoadJob, LoadResult } from './http-jobs.js';
import { LoadMeter } from './load-meter.js';

/** A client of autocannon: a connection and the requests that wait on it. */
type Client = {
  on(event: 'request' | 'done', listener: () => void): void;
  on(event: 'headers', listener: (head: { readonly headers: readonly string[] }) => void): void;
  on(event: 'connError', listener: (error: NodeJS.ErrnoException) => void): void;
  on(event: 'timeout', listener: () => void): void;
  on(
    event: 'response',
    listener: (status: number, bytes: number, durationMs: number) => void,
  ): void;
  destroy(): void;
  _connect(): void;
  _doRequest(): void;
  readonly pipelinedRequests: { size(): number; clear(): void };
};

type Outcome = { readonly '2xx': number; readonly non2xx: number };
type Autocannon = (options: Readonly<Record<string, unknown>>) => Promise<Outcome>;

const autocannon = createRequire(import.meta.url)('autocannon') as Autocannon;

/** Longer than any load; the window ends it. */
const FOREVER_S = 3_600;
/** Of one request; then it counts as lost. */
const ANSWER_TIMEOUT_S = 20;
const SAMPLE_MS = 100;
/** A connection sends its share of a second at once: so many parts begin one after another. */
const PARTS_OF_A_SECOND = 20;

type LoadParts = {
  readonly onWindow: (isOpen: boolean) => void;
  readonly stop: AbortSignal;
};

export async function runLoad(job: LoadJob, { onWindow, stop }: LoadParts): Promise<LoadResult> {
  const meter = new LoadMeter();
  const ending = new AbortController();
  const setupClient = (client: Client): void => watch(client, meter, ending.signal);
  const parts = job.rate === null ? 1 : PARTS_OF_A_SECOND;
  const running: Promise<Outcome>[] = [];
  for (let part = 0; part < parts; part++) {
    running.push(autocannon({ ...optionsOf(job, parts), setupClient }));
    if (job.rate !== null) await sleep(1_000 / parts);
  }
  await sleep(job.window.warmupMs);
  meter.open();
  onWindow(true);
  await sleep(job.window.measureMs, undefined, { signal: stop }).catch(() => {
    // Told to end now.
  });
  // A short window on a busy machine: a number needs an answer.
  const endMs = performance.now() + ANSWER_TIMEOUT_S * 1e3;
  while (!meter.hasAnswers && performance.now() < endMs) await sleep(SAMPLE_MS);
  meter.close();
  onWindow(false);
  ending.abort();
  const outcomes = await Promise.all(running);
  const counted = outcomes.reduce((sum, { '2xx': ok, non2xx }) => sum + ok + non2xx, 0);
  return meter.result(counted);
}

function optionsOf(job: LoadJob, parts: number): Record<string, unknown> {
  const { urls, method, contentType, body, connections, pipelining, rate } = job;
  return {
    url: urls,
    method,
    ...(contentType === null ? {} : { headers: { 'content-type': contentType } }),
    ...(body === null ? {} : { body }),
    connections: connections / parts,
    pipelining,
    ...(rate === null ? {} : { overallRate: rate / parts, ignoreCoordinatedOmission: true }),
    duration: FOREVER_S,
    timeout: ANSWER_TIMEOUT_S,
    sampleInt: SAMPLE_MS,
  };
}

/** Counts, and lets the client end only when nothing that it sent is unanswered. */
function watch(client: Client, meter: LoadMeter, ending: AbortSignal): void {
  let hasRetryAfter = false;
  client.on('request', () => meter.sent());
  client.on('headers', ({ headers }) => {
    hasRetryAfter = headers.some((name, i) => i % 2 === 0 && /^retry-after$/i.test(name));
  });
  client.on('response', (status, _, ms) => meter.answered(status, ms, hasRetryAfter));
  client.on('connError', ({ code }) => meter.fault(`a connection failed: ${code}`));
  client.on('timeout', () => meter.fault('a request timed out'));
  const connect = client._connect.bind(client);
  client._connect = () => {
    // What was under way on the connection before: sent and never answered.
    client.pipelinedRequests.clear();
    connect();
  };
  const sendNext = client._doRequest.bind(client);
  client._doRequest = () => {
    if (!ending.aborted) sendNext();
    else if (client.pipelinedRequests.size() === 0) client.destroy();
  };
}
