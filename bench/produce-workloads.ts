/**
 * W1 to W5: producers in a closed loop. They differ in the size of a record and of a request, in
 * how many are on the way over how many connections and partitions, and in what an acknowledgement
 * promises.
 */
import type { ProduceJob, ProduceLane } from './jobs.js';
import { awaitSettled, endOffsets } from './kafka-calls.js';
import { producerPerPartition, spreadLanes } from './lanes.js';
import {
  CPU_PER_GB,
  CPU_PER_MILLION,
  DEVICE_WRITES,
  ELECTIONS,
  GENERATOR_CPU,
  type MeasuredRun,
  P50,
  P99,
  P999,
  RECORD_RATE,
  RESIDENT,
  SUSTAINED,
  SWITCHES_PER_REQUEST,
  THROUGHPUT,
  measureJob,
} from './measured-run.js';
import type { Durability, System } from './system.js';
import { type Topic, boundedConfigs, openTopic } from './topic.js';
import {
  type Metric,
  type Prepared,
  type RunOutcome,
  type Size,
  type Values,
  type Workload,
  countFaults,
  faultsOf,
} from './workload.js';

export type Load = {
  readonly partitions: number;
  /** Null: one to the leader of each partition. */
  readonly connections: number | null;
  /** Requests that each connection keeps on the way. */
  readonly inFlight: number;
  readonly recordsPerBatch: number;
  readonly recordBytes: number;
};

const MACHINE: readonly Metric[] = [
  ...[SWITCHES_PER_REQUEST, GENERATOR_CPU, DEVICE_WRITES, RESIDENT, ELECTIONS],
];
const BULK: readonly Metric[] = [THROUGHPUT, RECORD_RATE, P50, P99, CPU_PER_GB, ...MACHINE];
const SINGLE: readonly Metric[] = [RECORD_RATE, P50, P99, P999, CPU_PER_MILLION, ...MACHINE];

const SIX = { partitions: 6, connections: null };
/** So many records make a batch just below 64 KiB, or one of about 1 MB. */
const KIB_64_OF_100 = { ...SIX, inFlight: 5, recordsPerBatch: 590, recordBytes: 100 };
const MB_OF_100 = { ...SIX, inFlight: 2, recordsPerBatch: 9_000, recordBytes: 100 };
const KIB_64 = { ...SIX, inFlight: 5, recordsPerBatch: 63, recordBytes: 1024 };
const MB = { ...SIX, inFlight: 2, recordsPerBatch: 1_000, recordBytes: 1024 };
const RECORD = { partitions: 6, recordsPerBatch: 1, recordBytes: 1024 };
export const SIXTEEN: Load = { ...RECORD, connections: 16, inFlight: 1 };
const HUNDRED: Load = { ...RECORD, connections: 100, inFlight: 5 };
const ALONE: Load = { ...RECORD, partitions: 1, connections: 1, inFlight: 1, recordBytes: 200 };
/** As many requests on the way as a broker could want, whatever the number of partitions. */
const MANY: Load = { ...KIB_64, partitions: 64, connections: 64, inFlight: 1 };
const ONE_PARTITION: Load = { ...KIB_64, partitions: 1, connections: 6 };

const BATCHES = '64 KiB batches of 1 KiB records';

export const PRODUCE_WORKLOADS: readonly Workload[] = [
  produce('W1-64k', '64 KiB batches of 100 B records', 'cached', KIB_64_OF_100, BULK),
  produce('W1-1m', '1 MB batches of 100 B records', 'cached', MB_OF_100, BULK),
  produce('W2-64k', BATCHES, 'cached', KIB_64, BULK),
  produce('W2-1m', '1 MB batches of 1 KiB records', 'cached', MB, BULK),
  forAMinute(
    produce('W2-60s', `${BATCHES}, for 60 s`, 'cached', KIB_64, [
      ...[THROUGHPUT, SUSTAINED, P50, P99, CPU_PER_GB, ...MACHINE],
    ]),
  ),
  produce('W3-16x1', 'one 1 KiB record a request, 16 x 1 in flight', 'cached', SIXTEEN, SINGLE),
  produce('W3-100x5', 'one 1 KiB record a request, 100 x 5 in flight', 'cached', HUNDRED, SINGLE),
  produce('W4-1', `${BATCHES}, 1 partition, 6 x 5 in flight`, 'synced', ONE_PARTITION, BULK),
  ...[64, 256, 1_000].map((partitions) => {
    const title = `${BATCHES}, ${partitions} partitions, 64 x 1 in flight`;
    return produce(`W4-${partitions}`, title, 'synced', { ...MANY, partitions }, BULK);
  }),
  produce('W4-100x5', 'one 1 KiB record a request, 100 x 5 in flight', 'synced', HUNDRED, SINGLE),
  produce('W4-1x1', 'one 200 B record in flight', 'synced', ALONE, SINGLE),
  produce('W5', 'one 200 B record in flight', 'cached', ALONE, SINGLE),
];

function produce(
  key: string,
  title: string,
  durability: Durability,
  load: Load,
  metrics: readonly Metric[],
): Workload {
  const id = key.split('-')[0] as string;
  const prepare = async (system: System, size: Size): Promise<Prepared> => {
    const { close, run } = await openLoad(system, id, durability, load, size);
    const once = async (): Promise<RunOutcome> => {
      const { values, faults } = await run();
      return { values, faults };
    };
    return { run: once, close };
  };
  return { id, key, title, durability, metrics, prepare };
}

function forAMinute(workload: Workload): Workload {
  const prepare = (system: System, size: Size): Promise<Prepared> =>
    workload.prepare(system, { ...size, measureMs: size.sustainedMs });
  return { ...workload, prepare };
}

type CheckedRun = MeasuredRun & { readonly faults: readonly string[] };

export type OpenLoad = {
  /** One run of the load, checked against the log. */
  run(): Promise<CheckedRun>;
  close(): Promise<void>;
};

/** A topic that has been under this load for as long as the size says. */
export async function openLoad(
  system: System,
  id: string,
  durability: Durability,
  load: Load,
  size: Size,
): Promise<OpenLoad> {
  const partitions = Math.min(load.partitions, size.partitionsMax);
  const configs = boundedConfigs(partitions);
  const topic = await openTopic(system, id, { partitions, durability, configs }, (made) => {
    const settleMs = system.isWarm ? size.settleMs : size.firstSettleMs;
    system.isWarm = true;
    return settle(made, load, durability, settleMs);
  });
  const { warmupMs, measureMs } = size;
  return {
    run: () => runOnce(topic, load, durability, { warmupMs, measureMs }),
    close: topic.close,
  };
}

async function settle(
  topic: Topic,
  load: Load,
  durability: Durability,
  measureMs: number,
): Promise<void> {
  if (measureMs === 0) return;
  const { faults } = await runOnce(topic, load, durability, { warmupMs: 0, measureMs });
  if (faults.length > 0) throw new Error(`${topic.name} is not well: ${faults.join(', ')}`);
}

async function runOnce(
  topic: Topic,
  load: Load,
  durability: Durability,
  window: ProduceJob['window'],
): Promise<CheckedRun> {
  const { cluster, name } = topic;
  const { inFlight, recordsPerBatch, recordBytes } = load;
  const lanes = await lanesOf(topic, load);
  const before = await endOffsets(cluster.bootstrap, name);
  const job: ProduceJob = {
    ...{ kind: 'produce', topic: name, lanes, inFlight, recordsPerBatch, recordBytes },
    ...{ window, batchesMax: null },
  };
  const measured = await measureJob(cluster, job);
  const after = await endOffsets(cluster.bootstrap, name);
  const lost = countFaults(before, after, measured.result.recordsPerPartition);
  const notSynced =
    durability === 'synced'
      ? syncFaults(measured.values, measured.result.records * recordBytes)
      : [];
  return { ...measured, faults: [...faultsOf(measured.result), ...lost, ...notSynced] };
}

/**
 * A majority has each record on its disk, so the device was given all of it twice at least. Once is
 * asked for: records that were written before the window may be acknowledged in it.
 */
export function syncFaults(values: Values, acknowledgedBytes: number): string[] {
  const written = values[DEVICE_WRITES.name];
  const acknowledged = acknowledgedBytes / 1e6;
  if (written === undefined || written >= acknowledged) return [];
  const [a, w] = [acknowledged, written].map((megabytes) => megabytes.toFixed(3));
  return [`${a} MB acknowledged as synced, the block device was given ${w} MB`];
}

async function lanesOf({ cluster, name }: Topic, { connections }: Load): Promise<ProduceLane[]> {
  const views = await awaitSettled(cluster.bootstrap, name);
  return connections === null ? producerPerPartition(views) : spreadLanes(views, connections);
}
