/**
 * W6: reading a backlog that lies in the page cache, in fetches of 1 MB, one connection and one
 * fetch on the way per partition.
 */
import type { ConsumeJob, Lane, ProduceJob } from './jobs.js';
import { awaitSettled, createTopic, deleteTopic, endOffsets } from './kafka-calls.js';
import {
  CPU_PER_GB,
  P50,
  P99,
  RECORD_RATE,
  RESIDENT,
  THROUGHPUT,
  measureJob,
} from './measured-run.js';
import { lanesOf } from './produce-workloads.js';
import type { Cluster, System } from './system.js';
import {
  type Prepared,
  type RunOutcome,
  type Size,
  type Workload,
  countFaults,
  faultsOf,
  newTopicName,
} from './workload.js';

const PARTITIONS = 6;
const RECORD_BYTES = 1024;
const RECORDS_PER_BATCH = 63;
const FETCH_BYTES = 1_000_000;
const CONFIGS = { 'retention.bytes': '-1', 'segment.bytes': String(128 * 2 ** 20) };

export const CATCH_UP: Workload = {
  id: 'W6',
  title: 'catch-up consume from the page cache, 1 MB fetches',
  durability: 'cached',
  metrics: [THROUGHPUT, RECORD_RATE, P50, P99, CPU_PER_GB, RESIDENT],
  prepare,
};

async function prepare(system: System, size: Size): Promise<Prepared> {
  const cluster = await system.cluster();
  const { bootstrap } = cluster;
  const topic = newTopicName(CATCH_UP.id);
  const configs = { ...CONFIGS, ...system.peer.topicConfigs(CATCH_UP.durability) };
  await createTopic(bootstrap, topic, PARTITIONS, configs);
  await awaitSettled(bootstrap, topic);
  await fill(cluster, topic, size.backlogBytes);
  if (size.settleMs > 0) await readOnce(cluster, topic, { ...size, measureMs: size.settleMs });
  return {
    run: () => readOnce(cluster, topic, size),
    close: () => deleteTopic(bootstrap, topic),
  };
}

async function fill(cluster: Cluster, topic: string, backlogBytes: number): Promise<void> {
  const batchesMax = Math.ceil(backlogBytes / PARTITIONS / RECORDS_PER_BATCH / RECORD_BYTES);
  const job: ProduceJob = {
    kind: 'produce',
    topic,
    lanes: await lanesOf(cluster, topic),
    inFlight: 4,
    recordsPerBatch: RECORDS_PER_BATCH,
    recordBytes: RECORD_BYTES,
    window: { warmupMs: 0, measureMs: 0 },
    batchesMax,
  };
  const { result } = await measureJob(cluster, job);
  const nothing = job.lanes.map(() => 0);
  const after = await endOffsets(cluster.bootstrap, topic);
  const faults = [...faultsOf(result), ...countFaults(nothing, after, result.recordsPerLane)];
  if (faults.length > 0) throw new Error(`the backlog could not be written: ${faults.join(', ')}`);
}

async function readOnce(
  cluster: Cluster,
  topic: string,
  { warmupMs, measureMs }: Size,
): Promise<RunOutcome> {
  const ends = await endOffsets(cluster.bootstrap, topic);
  const withEnd = (lane: Lane) => ({ ...lane, endOffset: ends[lane.partition] as number });
  const job: ConsumeJob = {
    kind: 'consume',
    topic,
    lanes: (await lanesOf(cluster, topic)).map(withEnd),
    fetchBytes: FETCH_BYTES,
    recordBytes: RECORD_BYTES,
    window: { warmupMs, measureMs },
  };
  const { result, values } = await measureJob(cluster, job);
  return { values, faults: faultsOf(result) };
}
