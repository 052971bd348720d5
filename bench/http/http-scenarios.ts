/**
 * What is measured by HTTP, on lograft and on what stands beside it, each with what makes a run
 * invalid: a request without an answer, an answer other than 200, a log that holds another count
 * than was acknowledged, a stream of another length.
 */
import { statSync } from 'node:fs';
import { awaitSettled, endOffsets } from '../kafka-calls.js';
import { CPU_PER_GB, CPU_PER_MILLION, P50, P99 } from '../measured-run.js';
import { cpuSecondsOf } from '../proc.js';
import { type Metric, type RunOutcome, countFaults } from '../workload.js';
import type { DrainJob, HttpJob, HttpWindow, LoadJob, LoadResult, ResultOf } from './http-jobs.js';
import { HttpProcess } from './http-process.js';
import {
  type HttpSetup,
  type HttpSize,
  LINES,
  STREAM_FILE,
  TEXT,
  TEXT_RECORDS,
  doorOf,
} from './http-setup.js';

export type Side = 'lograft' | 'peer';

export type HttpScenario = {
  readonly id: string;
  readonly title: string;
  /** What stands beside lograft; null: nothing does the same. */
  readonly peer: 'node:http' | 'nginx' | null;
  readonly metrics: readonly Metric[];
  run(setup: HttpSetup, side: Side): Promise<RunOutcome>;
};

export const REQUESTS: Metric = { name: 'requests', unit: '/s', better: 'higher' };
export const RECORDS: Metric = { name: 'records', unit: 'k/s', better: 'higher' };
export const STREAMED: Metric = { name: 'stream', unit: 'GB/s', better: 'higher' };
const CPU: Metric = { ...CPU_PER_MILLION, name: 'CPU per million requests' };
const CPU_GB: Metric = { ...CPU_PER_GB, name: 'CPU per GB' };
const NODE_IDS = [1, 2, 3];
const PIPELINING = [1, 10];
const GB = 1e9;

/** The one of the sweep that has a goal: id of the scenario. */
export function produceId(connections: number, pipelining: number): string {
  return `produce-${connections}x${pipelining}`;
}

export function scenariosOf({ sweep, connections, rate }: HttpSize): HttpScenario[] {
  return [
    ...sweep.flatMap((count) => PIPELINING.map((depth) => produceOne(count, depth, 'cached'))),
    produceOne(connections, 1, 'synced'),
    {
      id: 'ndjson',
      title: `produce NDJSON of ${TEXT_RECORDS} x 200 B, ${connections} connections`,
      peer: 'node:http',
      metrics: [RECORDS, P50, P99, CPU],
      run: (setup, side) =>
        produce(setup, side, 'cached', {
          ...{ contentType: 'application/x-ndjson', body: LINES },
          ...{ connections, pipelining: 1 },
        }),
    },
    {
      id: 'records',
      title: `read ${TEXT_RECORDS} x 200 B as JSON, ${connections} connections`,
      peer: null,
      metrics: [REQUESTS, RECORDS, P50, P99, CPU],
      run: (setup) => readRecords(setup, connections),
    },
    {
      id: 'stream',
      title: 'read the stream from the page cache, one connection',
      peer: 'nginx',
      metrics: [STREAMED, CPU_GB],
      run: readStream,
    },
    {
      id: 'alone',
      title: `produce 200 B at ${rate} requests/s, nothing else`,
      peer: null,
      metrics: [REQUESTS, P50, P99],
      run: (setup) => produceAtRate(setup, rate),
    },
    {
      id: 'beside',
      title: `produce 200 B at ${rate} requests/s beside a stream of the same node`,
      peer: null,
      metrics: [REQUESTS, P50, P99, STREAMED],
      run: (setup) => produceBesideStream(setup, rate),
    },
  ];
}

function produceOne(
  connections: number,
  pipelining: number,
  durability: 'cached' | 'synced',
): HttpScenario {
  const isCached = durability === 'cached';
  return {
    id: isCached ? produceId(connections, pipelining) : `${durability}-${connections}`,
    title: `produce 200 B (${durability}), ${connections} connections, pipelining ${pipelining}`,
    peer: isCached ? 'node:http' : null,
    metrics: [REQUESTS, P50, P99, CPU],
    run: (setup, side) =>
      produce(setup, side, durability, { contentType: null, body: TEXT, connections, pipelining }),
  };
}

export function windowOf({ size: { warmupMs, measureMs } }: HttpSetup): HttpWindow {
  return { warmupMs, measureMs };
}

type Load = Pick<LoadJob, 'contentType' | 'body' | 'connections' | 'pipelining'>;

/** Through all three nodes, no partition named. */
async function produce(
  setup: HttpSetup,
  side: Side,
  durability: 'cached' | 'synced',
  load: Load,
): Promise<RunOutcome> {
  const { cluster, bare, topics } = setup;
  const path = `/topics/${topics[durability]}/records`;
  const urls =
    side === 'peer'
      ? [`http://127.0.0.1:${bare.port}${path}`]
      : NODE_IDS.map((id) => `${doorOf(cluster, id)}${path}`);
  const window = windowOf(setup);
  const job: LoadJob = { kind: 'load', urls, method: 'POST', rate: null, window, ...load };
  const perRequest = load.contentType === null ? 1 : TEXT_RECORDS;
  if (side === 'peer') return measureLoad(job, () => [bare.pid], perRequest);
  return counted(setup, topics[durability], perRequest, () =>
    measureLoad(job, () => cluster.pids(), perRequest),
  );
}

type Measured = RunOutcome & { readonly result: LoadResult };

/** The log grew by what was acknowledged, no more and no less. */
export async function counted(
  { cluster: { bootstrap } }: HttpSetup,
  topic: string,
  perRequest: number,
  act: () => Promise<Measured>,
): Promise<RunOutcome> {
  const total = async () => (await endOffsets(bootstrap, topic)).reduce((sum, end) => sum + end, 0);
  const before = await total();
  const { values, faults, result } = await act();
  const acknowledged = (result.statuses['200'] ?? 0) * perRequest;
  const lost = countFaults([before], [await total()], [acknowledged]);
  return { values, faults: [...faults, ...lost] };
}

async function measureLoad(
  job: LoadJob,
  pids: () => readonly number[],
  perRequest: number,
): Promise<Measured> {
  const { result, cpuSeconds } = await measured(job, pids);
  const rate = result.answeredInWindow / (result.elapsedMs / 1e3);
  const values = {
    [REQUESTS.name]: rate,
    [RECORDS.name]: (rate * perRequest) / 1e3,
    [P50.name]: result.p50Us,
    [P99.name]: result.p99Us,
    [CPU.name]: cpuSeconds / (result.answeredInWindow / 1e6),
  };
  return { values, faults: loadFaults(result), result };
}

/** With the CPU that these processes took inside the window. */
async function measured<J extends HttpJob>(
  job: J,
  pids: () => readonly number[],
): Promise<{ result: ResultOf<J>; cpuSeconds: number }> {
  const seconds: number[] = [];
  const watch = (): void => void seconds.push(cpuSecondsOf(pids()));
  const result = await new HttpProcess(job, watch).result;
  return { result, cpuSeconds: (seconds[1] ?? 0) - (seconds[0] ?? 0) };
}

function loadFaults(result: LoadResult): string[] {
  const { faults, statuses, answeredInWindow } = result;
  const others = Object.entries(statuses).filter(([status]) => status !== '200');
  return [
    ...sentences(faults),
    ...others.map(([status, count]) => `answers with ${status} (${count})`),
    ...(answeredInWindow === 0 ? ['no answer inside the window'] : []),
  ];
}

export function sentences(faults: Readonly<Record<string, number>>): string[] {
  return Object.entries(faults).map(([what, count]) => `${what} (${count})`);
}

async function readRecords(setup: HttpSetup, connections: number): Promise<RunOutcome> {
  const { cluster, topics } = setup;
  const path = `/topics/${topics.texts}/partitions/0/records?offset=0&max=${TEXT_RECORDS}`;
  const urls = NODE_IDS.map((id) => `${doorOf(cluster, id)}${path}`);
  const answer = (await (await fetch(urls[0] as string)).json()) as { records?: unknown[] };
  const count = answer.records?.length;
  if (count !== TEXT_RECORDS) return { values: {}, faults: [`an answer holds ${count} records`] };
  const load = { contentType: null, body: null, connections, pipelining: 1, rate: null };
  const job: LoadJob = { kind: 'load', urls, method: 'GET', ...load, window: windowOf(setup) };
  return measureLoad(job, () => cluster.pids(), TEXT_RECORDS);
}

async function readStream(setup: HttpSetup, side: Side): Promise<RunOutcome> {
  const { cluster, nginx, streamFile } = setup;
  const pids = (): readonly number[] =>
    side === 'peer' && nginx !== null ? [nginx.pid] : cluster.pids();
  const job = await drainOf(setup, side);
  const { result, cpuSeconds } = await measured(job, pids);
  const { size } = statSync(streamFile);
  const faults = sentences(result.faults);
  if (result.bytesPerAnswer !== size) faults.push(`an answer has ${result.bytesPerAnswer} bytes`);
  if (result.answers === 0) faults.push('no answer was whole');
  const values = {
    [STREAMED.name]: result.bytesInWindow / GB / (result.elapsedMs / 1e3),
    [CPU_GB.name]: cpuSeconds / (result.bytesInWindow / GB),
  };
  return { values, faults };
}

async function drainOf(setup: HttpSetup, side: Side): Promise<DrainJob> {
  const { cluster, nginx, topics } = setup;
  const leaderId = await leaderOf(setup, topics.stream, 0);
  const isPeer = side === 'peer' && nginx !== null;
  const { hostname, port } = new URL(doorOf(cluster, leaderId));
  return {
    kind: 'drain',
    host: hostname,
    port: isPeer ? nginx.port : Number(port),
    path: isPeer ? `/${STREAM_FILE}` : `/topics/${topics.stream}/partitions/0/stream`,
    window: windowOf(setup),
  };
}

/** Node that leads a partition of the topic, once all is calm. */
export async function leaderOf(
  { cluster: { bootstrap } }: HttpSetup,
  topic: string,
  partition: number,
): Promise<number> {
  const views = await awaitSettled(bootstrap, topic);
  return views[partition]?.leaderId as number;
}

async function produceAtRate(setup: HttpSetup, rate: number): Promise<RunOutcome> {
  const leaderId = await leaderOf(setup, setup.topics.stream, 0);
  const path = `/topics/${setup.topics.cached}/records`;
  const urls = [`${doorOf(setup.cluster, leaderId)}${path}`];
  const load = { contentType: null, body: TEXT, connections: 40, pipelining: 1 };
  const window = windowOf(setup);
  const job: LoadJob = { kind: 'load', urls, method: 'POST', rate, window, ...load };
  return counted(setup, setup.topics.cached, 1, () =>
    measureLoad(job, () => setup.cluster.pids(), 1),
  );
}

async function produceBesideStream(setup: HttpSetup, rate: number): Promise<RunOutcome> {
  const job = await drainOf(setup, 'lograft');
  const drain = new HttpProcess({ ...job, window: { warmupMs: 0, measureMs: 3_600_000 } });
  const load = await produceAtRate(setup, rate).finally(() => drain.stop());
  const { bytesInWindow, elapsedMs, faults } = await drain.result;
  const gbPerSecond = bytesInWindow / GB / (elapsedMs / 1e3);
  return {
    values: { ...load.values, [STREAMED.name]: gbPerSecond },
    faults: [...load.faults, ...sentences(faults)],
  };
}
