/**
 * W2, W4 and W5: producers in a closed loop. They differ in the size of a request, in how many are
 * on the way and in what an acknowledgement promises.
 */
import type { Lane, ProduceJob, Window } from './jobs.js';
import { awaitSettled, createTopic, deleteTopic, endOffsets } from './kafka-calls.js';
import {
  CPU_PER_GB,
  CPU_PER_MILLION,
  DEVICE_WRITES,
  ELECTIONS,
  P50,
  P99,
  P999,
  RECORD_RATE,
  RESIDENT,
  SWITCHES_PER_REQUEST,
  THROUGHPUT,
  measureJob,
} from './measured-run.js';
import type { Cluster, Durability, System } from './system.js';
import {
  type Metric,
  type Prepared,
  type RunOutcome,
  type Size,
  type Workload,
  countFaults,
  faultsOf,
  newTopicName,
} from './workload.js';

type Load = {
  readonly partitions: number;
  /** Requests that each partition's connection keeps on the way. */
  readonly inFlight: number;
  readonly recordsPerBatch: number;
  readonly recordBytes: number;
};

/** Old data goes before the disk has to take it; each system is given the same. */
const BOUNDED = { 'retention.bytes': String(48 * 2 ** 20), 'segment.bytes': String(32 * 2 ** 20) };
const MACHINE: readonly Metric[] = [SWITCHES_PER_REQUEST, DEVICE_WRITES, RESIDENT, ELECTIONS];
const BULK: readonly Metric[] = [THROUGHPUT, RECORD_RATE, P50, P99, CPU_PER_GB, ...MACHINE];
const SINGLE: readonly Metric[] = [P50, P99, P999, RECORD_RATE, CPU_PER_MILLION, ...MACHINE];

const BATCHES_64_KIB: Load = { partitions: 6, inFlight: 5, recordsPerBatch: 63, recordBytes: 1024 };
const BATCHES_1_MB: Load = { partitions: 6, inFlight: 2, recordsPerBatch: 1000, recordBytes: 1024 };
const ONE_RECORD: Load = { partitions: 1, inFlight: 1, recordsPerBatch: 1, recordBytes: 200 };

export const PRODUCE_WORKLOADS: readonly Workload[] = [
  produceWorkload('W2', '64k', '64 KiB batches of 1 KiB records', 'cached', BATCHES_64_KIB, BULK),
  produceWorkload('W2', '1m', '1 MB batches of 1 KiB records', 'cached', BATCHES_1_MB, BULK),
  produceWorkload('W4', '64k', '64 KiB batches of 1 KiB records', 'synced', BATCHES_64_KIB, BULK),
  produceWorkload('W5', 'cached', 'one 200 B record in flight', 'cached', ONE_RECORD, SINGLE),
  produceWorkload('W5', 'synced', 'one 200 B record in flight', 'synced', ONE_RECORD, SINGLE),
];

function produceWorkload(
  id: string,
  variant: string,
  title: string,
  durability: Durability,
  load: Load,
  metrics: readonly Metric[],
): Workload {
  return { id, key: `${id}-${variant}`, title, durability, metrics, prepare };

  async function prepare(system: System, size: Size): Promise<Prepared> {
    const { bootstrap } = await system.cluster();
    const topic = newTopicName(id);
    const configs = { ...BOUNDED, ...system.peer.topicConfigs(durability) };
    await createTopic(bootstrap, topic, load.partitions, configs);
    const cluster = await system.cluster();
    await awaitSettled(bootstrap, topic);
    await settle(system, cluster, topic, size);
    const window = { warmupMs: size.warmupMs, measureMs: size.measureMs };
    return {
      run: () => runOnce(cluster, topic, window),
      close: () => deleteTopic(bootstrap, topic),
    };
  }

  async function settle(system: System, cluster: Cluster, topic: string, size: Size) {
    const measureMs = system.isWarm ? size.settleMs : size.firstSettleMs;
    system.isWarm = true;
    if (measureMs === 0) return;
    const { faults } = await runOnce(cluster, topic, { warmupMs: 0, measureMs });
    if (faults.length > 0)
      throw new Error(`${system.peer.label} is not well: ${faults.join(', ')}`);
  }

  async function runOnce(cluster: Cluster, topic: string, window: Window): Promise<RunOutcome> {
    const { bootstrap } = cluster;
    const lanes = await lanesOf(cluster, topic);
    const before = await endOffsets(bootstrap, topic);
    const { partitions: _, ...rest } = load;
    const job: ProduceJob = { kind: 'produce', topic, lanes, ...rest, window, batchesMax: null };
    const { result, values } = await measureJob(cluster, job);
    const after = await endOffsets(bootstrap, topic);
    return {
      values,
      faults: [...faultsOf(result), ...countFaults(before, after, result.recordsPerLane)],
    };
  }
}

/** One connection to the leader of each partition. */
export async function lanesOf(cluster: Cluster, topic: string): Promise<Lane[]> {
  const views = await awaitSettled(cluster.bootstrap, topic);
  return views.map(({ partition, leader }) => {
    if (leader === null) throw new Error(`${topic}-${partition} has no leader`);
    return { partition, address: leader };
  });
}
