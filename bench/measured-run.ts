/**
 * One run of the generator with the brokers watched from outside: their CPU and writes between the
 * opening and the closing of its window, their memory at its end.
 */
import { GeneratorProcess } from './generator-process.js';
import type { Job, JobResult } from './jobs.js';
import { type Usage, largestResidentBytes, usageOf } from './proc.js';
import type { Cluster } from './system.js';
import type { Metric, Values } from './workload.js';

const MB = 1e6;
const GB = 1e9;

/** What a run of the generator yields; a workload names those that say something about it. */
export const THROUGHPUT: Metric = { name: 'throughput', unit: 'MB/s', better: 'higher' };
export const RECORD_RATE: Metric = { name: 'records', unit: 'k/s', better: 'higher' };
export const P50: Metric = { name: 'p50', unit: 'µs', better: 'lower' };
export const P99: Metric = { name: 'p99', unit: 'µs', better: 'lower' };
export const P999: Metric = { name: 'p99.9', unit: 'µs', better: 'lower' };
export const CPU_PER_GB: Metric = { name: 'broker CPU per GB', unit: 's', better: 'lower' };
export const CPU_PER_MILLION: Metric = {
  name: 'broker CPU per million requests',
  unit: 's',
  better: 'lower',
};
export const WRITTEN: Metric = { name: 'written to disk', unit: 'MB', better: 'lower' };
export const RESIDENT: Metric = { name: 'RSS of the largest node', unit: 'MB', better: 'lower' };

export type MeasuredRun = { readonly result: JobResult; readonly values: Values };

export async function measureJob(cluster: Cluster, job: Job): Promise<MeasuredRun> {
  const usages: Usage[] = [];
  const generator = new GeneratorProcess(job, () => usages.push(usageOf(cluster.pids())));
  const result = await generator.result;
  const [opened, closed] = usages;
  if (opened === undefined || closed === undefined) {
    return { result, values: {} };
  }
  const seconds = result.elapsedMs / 1e3;
  const bytes = result.records * job.recordBytes;
  const cpuSeconds = closed.cpuSeconds - opened.cpuSeconds;
  const values = {
    [THROUGHPUT.name]: bytes / MB / seconds,
    [RECORD_RATE.name]: result.records / 1e3 / seconds,
    [P50.name]: result.latencies.p50Us,
    [P99.name]: result.latencies.p99Us,
    [P999.name]: result.latencies.p999Us,
    [CPU_PER_GB.name]: cpuSeconds / (bytes / GB),
    [CPU_PER_MILLION.name]: cpuSeconds / (result.requests / 1e6),
    [WRITTEN.name]: (closed.writtenBytes - opened.writtenBytes) / MB,
    [RESIDENT.name]: largestResidentBytes(cluster.pids()) / MB,
  };
  return { result, values };
}
