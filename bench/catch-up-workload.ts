/**
 * W6: reading a backlog that lies in the page cache, in fetches of 1 MB, one connection and one
 * fetch on the way per partition.
 */
import { BACKLOG_RECORD_BYTES, fillTopic } from './backlog.js';
import type { ConsumeJob, Lane } from './jobs.js';
import { awaitSettled, endOffsets } from './kafka-calls.js';
import { lanePerPartition } from './lanes.js';
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
import type { System } from './system.js';
import { type Topic, openTopic } from './topic.js';
import { type Prepared, type RunOutcome, type Size, type Workload, faultsOf } from './workload.js';

const PARTITIONS = 6;
const FETCH_BYTES = 1_000_000;
const KEPT = { 'retention.bytes': '-1', 'segment.bytes': String(128 * 2 ** 20) };

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
  const options = { partitions: PARTITIONS, durability: CATCH_UP.durability, configs: KEPT };
  const topic = await openTopic(system, CATCH_UP.id, options, async (made) => {
    await fillTopic(made.cluster, made.name, size.backlogBytes);
    if (size.settleMs > 0) await readOnce(made, { ...size, measureMs: size.settleMs });
  });
  return { run: () => readOnce(topic, size), close: topic.close };
}

async function readOnce(
  { cluster, name }: Topic,
  { warmupMs, measureMs }: Size,
): Promise<RunOutcome> {
  const views = await awaitSettled(cluster.bootstrap, name);
  const ends = await endOffsets(cluster.bootstrap, name);
  const withEnd = (lane: Lane) => ({ ...lane, endOffset: ends[lane.partition] as number });
  const job: ConsumeJob = {
    kind: 'consume',
    topic: name,
    lanes: lanePerPartition(views).map(withEnd),
    fetchBytes: FETCH_BYTES,
    recordBytes: BACKLOG_RECORD_BYTES,
    window: { warmupMs, measureMs },
  };
  const { result, values } = await measureJob(cluster, job);
  return { values, faults: faultsOf(result) };
}
