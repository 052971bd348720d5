/**
 * One run of the generator with the brokers watched from outside: their CPU, context switches and
 * the disk between the opening and the closing of its window, their memory at its end, and the
 * elections of the whole run.
 */
import { deviceBytesWritten } from './block-device.js';
import { GeneratorProcess } from './generator-process.js';
import type { Job, JobResult } from './jobs.js';
import {
  type Switches,
  cpuSecondsOf,
  largestResidentBytes,
  switchesBetween,
  switchesOf,
} from './proc.js';
import type { Cluster } from './system.js';
import type { Metric, Values } from './workload.js';

const MB = 1e6;
const GB = 1e9;
const PERCENT = 100;

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
/** Of all threads of the brokers, given away and lost together. */
export const SWITCHES_PER_REQUEST: Metric = {
  name: 'context switches per request',
  unit: '',
  better: 'lower',
};
/**
 * What the block device of the data was given during the window: by the brokers, the file system's
 * journal and whoever else writes to it. Dirty pages that wait for their writeback when the window
 * closes are not in it, nor are files that retention deleted before theirs: a run without syncs may
 * show little. Not measured where no single block device lies below the folder.
 */
export const DEVICE_WRITES: Metric = {
  name: 'block device writes, whole machine',
  unit: 'MB',
  better: 'lower',
};
/**
 * Leaders that were elected from before the load to after it, warm-up included. Zero in a healthy
 * run; another number does not make the run invalid, but a reader has to know of it.
 */
export const ELECTIONS: Metric = { name: 'elections', unit: '', better: 'lower' };
/** Near a whole core it is the generator that is measured. */
export const GENERATOR_CPU: Metric = {
  name: 'load generator',
  unit: '% of a core',
  better: 'lower',
};
/** The rate of the whole window by that of its first sixth: what buffers hid at first. */
export const SUSTAINED: Metric = { name: 'kept of the first sixth', unit: '%', better: 'higher' };
export const RESIDENT: Metric = { name: 'RSS of the largest node', unit: 'MB', better: 'lower' };

export type MeasuredRun = { readonly result: JobResult; readonly values: Values };

/** What is read at both ends of the window. */
type Sample = {
  readonly cpuSeconds: number;
  readonly switches: Switches;
  readonly deviceBytes: number | null;
};

export async function measureJob(cluster: Cluster, job: Job): Promise<MeasuredRun> {
  const samples: Sample[] = [];
  const electionsBefore = await cluster.elections();
  const generator = new GeneratorProcess(job, () => samples.push(sampleOf(cluster)));
  const result = await generator.result;
  const electionsAfter = await cluster.elections();
  const [opened, closed] = samples;
  if (opened === undefined || closed === undefined) return { result, values: {} };
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
    [SWITCHES_PER_REQUEST.name]:
      switchesBetween(opened.switches, closed.switches) / result.requests,
    [GENERATOR_CPU.name]: (result.cpuSeconds / seconds) * PERCENT,
    ...sustained(result),
    [RESIDENT.name]: largestResidentBytes(cluster.pids()) / MB,
    ...difference(DEVICE_WRITES, opened.deviceBytes, closed.deviceBytes, MB),
    ...difference(ELECTIONS, electionsBefore, electionsAfter),
  };
  return { result, values };
}

function sampleOf(cluster: Cluster): Sample {
  const pids = cluster.pids();
  return {
    cpuSeconds: cpuSecondsOf(pids),
    switches: switchesOf(pids),
    deviceBytes: deviceBytesWritten(cluster.directory),
  };
}

function sustained({ recordsBySixth: parts }: JobResult): Values {
  const [first = 0] = parts;
  if (first === 0) return {};
  const all = parts.reduce((sum, records) => sum + records, 0);
  return { [SUSTAINED.name]: (all / parts.length / first) * PERCENT };
}

/** Empty where the counter is not to be had. */
function difference(
  { name }: Metric,
  before: number | null,
  after: number | null,
  unit = 1,
): Values {
  return before === null || after === null ? {} : { [name]: (after - before) / unit };
}
