/** What threads, doors, queues and the process say of themselves. Main thread. */
import { readdirSync } from 'node:fs';
import { type EventLoopUtilization, performance } from 'node:perf_hooks';
import {
  FORWARDED_CALLS_MAX,
  PARTITION_POLLS_MAX,
  PARTITION_PRODUCES_MAX,
  THREAD_CALLS_MAX,
} from '../../base/limits.js';
import type { MetricPage } from '../../observability/metric-page.js';
import {
  ELECTION_REASONS,
  GC_KINDS,
  type HistogramCells,
  type HistogramField,
  HTTP_KINDS,
  REFUSALS,
  type ShardCounters,
} from '../../observability/shard-counters.js';
import { API_NAMES } from '../../protocol/api-keys.js';
import { packageVersion } from '../package-version.js';
import type { ScrapeInput } from './scrape-input.js';

export function requestSamples(page: MetricPage, { counters }: ScrapeInput): void {
  API_NAMES.forEach((api, i) => {
    const all = together(counters, 'kafkaRequests', i);
    // A page need not list what nobody here has asked yet.
    if (all.count > 0) page.histogram('lograft_kafka_request_duration_seconds', { api }, all);
  });
  HTTP_KINDS.forEach((kind, i) => {
    const all = together(counters, 'httpRequests', i);
    page.histogram('lograft_http_request_duration_seconds', { kind }, all);
  });
  const sum = (of: (one: ShardCounters) => number): number =>
    counters.reduce((total, one) => total + of(one), 0);
  REFUSALS.forEach((what, i) => {
    const refused = sum((one) => one.count('refusals', i));
    page.set('lograft_refused_total', { what }, refused);
  });
  ELECTION_REASONS.forEach((reason, i) => {
    const won = sum((one) => one.count('elections', i));
    page.set('lograft_elections_total', { reason }, won);
  });
}

function together(
  counters: readonly ShardCounters[],
  field: HistogramField,
  index: number,
): HistogramCells {
  return counters
    .map((one) => one.histogram(field, index))
    .reduce((a, b) => ({
      buckets: a.buckets.map((n, i) => n + (b.buckets[i] as number)),
      count: a.count + b.count,
      sumMs: a.sumMs + b.sumMs,
    }));
}

export function fillSamples(page: MetricPage, { shards, main }: ScrapeInput): void {
  const perShard = Math.ceil(main.connectionsMax / shards.length);
  shards.forEach(({ metrics }, i) => {
    const thread = `shard-${i}`;
    for (const door of ['kafka', 'http'] as const) {
      page.set('lograft_connections', { door, thread }, metrics?.connections[door] ?? 0);
      page.set('lograft_connections_max', { door, thread }, perShard);
    }
  });
  const own = { door: 'http', thread: 'main' };
  page.set('lograft_connections', own, main.httpConnections);
  page.set('lograft_connections_max', own, main.connectionsMax);
  const partitions = shards.flatMap((shard) => shard.partitions);
  const produces = partitions.reduce((most, p) => Math.max(most, p.openProduces), 0);
  const polls = partitions.reduce((most, p) => Math.max(most, p.openPolls), 0);
  const calls = shards.map(({ metrics }) => metrics?.threadCalls ?? 0);
  const queues = [
    ['partition_produces', produces, PARTITION_PRODUCES_MAX],
    ['partition_polls', polls, PARTITION_POLLS_MAX],
    ['thread_calls', Math.max(main.threadCalls, ...calls), THREAD_CALLS_MAX],
    ['forwarded_calls', main.forwardedCalls, FORWARDED_CALLS_MAX],
  ] as const;
  for (const [queue, length, most] of queues) {
    page.set('lograft_queue_length', { queue }, length);
    page.set('lograft_queue_length_max', { queue }, most);
  }
}

export function threadSamples(page: MetricPage, input: ScrapeInput): void {
  const { shards, counters, workers, main } = input;
  counters.forEach((one, i) => {
    const thread = `shard-${i}`;
    const busy = workers[i]?.performance.eventLoopUtilization();
    page.histogram('lograft_sync_duration_seconds', { thread }, one.histogram('syncs', 0));
    page.histogram('lograft_commit_duration_seconds', { thread }, one.histogram('commits', 0));
    const heapBytes = shards[i]?.metrics?.heapUsedBytes ?? 0;
    loopSamples(page, thread, one, busy, heapBytes);
  });
  const own = main.counters.histogram('syncs', 0);
  page.histogram('lograft_sync_duration_seconds', { thread: 'main' }, own);
  const busy = performance.eventLoopUtilization();
  loopSamples(page, 'main', main.counters, busy, process.memoryUsage().heapUsed);
}

function loopSamples(
  page: MetricPage,
  thread: string,
  counters: ShardCounters,
  busy: EventLoopUtilization | undefined,
  heapBytes: number,
): void {
  const delays = counters.histogram('loopDelays', 0);
  page.histogram('lograft_event_loop_delay_seconds', { thread }, delays);
  const activeS = (busy?.active ?? 0) / 1_000;
  page.set('lograft_event_loop_active_seconds_total', { thread }, activeS);
  GC_KINDS.forEach((kind, i) => {
    page.set('lograft_gc_pauses_total', { thread, kind }, counters.count('gcPauses', i));
    const seconds = counters.count('gcMs', i) / 1_000;
    page.set('lograft_gc_pause_seconds_total', { thread, kind }, seconds);
  });
  page.set('lograft_heap_used_bytes', { thread }, heapBytes);
}

export function processSamples(page: MetricPage): void {
  const { user, system } = process.cpuUsage();
  page.set('process_cpu_seconds_total', {}, (user + system) / 1e6);
  page.set('process_resident_memory_bytes', {}, process.memoryUsage.rss());
  page.set('process_start_time_seconds', {}, performance.timeOrigin / 1_000);
  if (process.platform === 'linux') {
    page.set('process_open_fds', {}, readdirSync('/proc/self/fd').length);
  }
  page.set('lograft_info', { version: packageVersion(), node_version: process.version }, 1);
}
