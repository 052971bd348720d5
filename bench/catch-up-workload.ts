/**
 * W6: reading a backlog that lies in the page cache, in fetches of 1 MB, one connection and one
 * fetch on the way per partition.
 */
import { BACKLOG_RECORD_BYTES, fillTopic } from './backlog.js';
import type { ConsumeJob, Lane } from './jobs.js';
import { awaitSettled, createTopic, deleteTopic, endOffsets } from './kafka-calls.js';
import {
  CPU_PER_GB,
  ELECTIONS,
  P50,
  P99,
  RECORD_RATE,
  RESIDENT,
  SWITCHES_PER_REQUEST,
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
  faultsOf,
  newTopicName,
} from './workload.js';

const PARTITIONS = 6;
const FETCH_BYTES = 1_000_000;
const CONFIGS = { 'retention.bytes': '-1', 'segment.bytes': String(128 * 2 ** 20) };

export const CATCH_UP: Workload = {
  id: 'W6',
  key: 'W6',
  title: 'catch-up consume from the page cache, 1 MB fetches',
  durability: 'cached',
  metrics: [
    ...[THROUGHPUT, RECORD_RATE, P50, P99, CPU_PER_GB],
    ...[SWITCHES_PER_REQUEST, RESIDENT, ELECTIONS],
  ],
  prepare,
};

async function prepare(system: System, size: Size): Promise<Prepared> {
  const cluster = await system.cluster();
  const { bootstrap } = cluster;
  const topic = newTopicName(CATCH_UP.id);
  const configs = { ...CONFIGS, ...system.peer.topicConfigs(CATCH_UP.durability) };
  await createTopic(bootstrap, topic, PARTITIONS, configs);
  await awaitSettled(bootstrap, topic);
  await fillTopic(cluster, topic, size.backlogBytes);
  if (size.settleMs > 0) await readOnce(cluster, topic, { ...size, measureMs: size.settleMs });
  return {
    run: () => readOnce(cluster, topic, size),
    close: () => deleteTopic(bootstrap, topic),
  };
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
    recordBytes: BACKLOG_RECORD_BYTES,
    window: { warmupMs, measureMs },
  };
  const { result, values } = await measureJob(cluster, job);
  return { values, faults: faultsOf(result) };
}
