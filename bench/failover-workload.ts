/**
 * W8: kill -9 of the leader of partition 0 while a record per partition is on the way, and how long
 * each partition's producer then sees no acknowledgement. The node is started again after each run.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { GeneratorProcess } from './generator-process.js';
import type { FailoverJob, JobResult } from './jobs.js';
import { awaitInSync, endOffsets } from './kafka-calls.js';
import type { System } from './system.js';
import { median } from './report.js';
import { type Topic, openTopic } from './topic.js';
import {
  type Metric,
  type Prepared,
  type RunOutcome,
  type Size,
  type Workload,
  faultsOf,
} from './workload.js';

const PARTITIONS = 64;
const RECORD_BYTES = 1024;
/** Load goes on this long before the kill. */
const BEFORE_KILL_MS = 300;

/** Of any partition; and of those that the killed node led. */
export const LONGEST_GAP: Metric = { name: 'longest gap', unit: 'ms', better: 'lower' };
export const MEDIAN_GAP: Metric = { name: 'median gap', unit: 'ms', better: 'lower' };

export const FAILOVER: Workload = {
  id: 'W8',
  key: 'W8',
  title: 'kill -9 of a leader, time without acknowledgements',
  durability: 'cached',
  metrics: [LONGEST_GAP, MEDIAN_GAP],
  prepare,
};

async function prepare(system: System, size: Size): Promise<Prepared> {
  const topic = await openTopic(system, FAILOVER.id, {
    partitions: Math.min(PARTITIONS, size.partitionsMax),
    durability: FAILOVER.durability,
    configs: {},
  });
  return { run: () => killOnce(topic, size.afterKillMs), close: topic.close };
}

async function killOnce({ cluster, name: topic }: Topic, settleMs: number): Promise<RunOutcome> {
  const { bootstrap } = cluster;
  const views = await awaitInSync(bootstrap, topic);
  const victim = views[0]?.leaderId as number;
  const before = await endOffsets(bootstrap, topic);
  const job: FailoverJob = {
    kind: 'failover',
    bootstrap,
    topic,
    partitions: views.length,
    recordBytes: RECORD_BYTES,
    settleMs,
  };
  let killing: Promise<void> | null = null;
  const generator = new GeneratorProcess(job, () => {
    killing ??= sleep(BEFORE_KILL_MS).then(() => {
      cluster.kill(victim);
      generator.sayKilled();
    });
  });
  const result = await generator.result;
  const after = await endOffsets(bootstrap, topic);
  await cluster.restart(victim);
  await awaitInSync(bootstrap, topic);
  const led = views.filter(({ leaderId }) => leaderId === victim);
  const gapsMs = led.map(({ partition }) => result.gapsMs[partition] as number);
  const values = {
    [LONGEST_GAP.name]: Math.max(...result.gapsMs),
    [MEDIAN_GAP.name]: median(gapsMs),
  };
  return { values, faults: [...faultsOf(result), ...lossFaults(result, before, after)] };
}

/** A record that was sent twice may be there twice; one that was acknowledged must be there. */
function lossFaults(
  result: JobResult,
  before: readonly number[],
  after: readonly number[],
): string[] {
  return result.recordsPerPartition.flatMap((count, i) => {
    const grown = (after[i] ?? 0) - (before[i] ?? 0);
    return grown >= count ? [] : [`partition ${i}: ${count} acknowledged, only ${grown} kept`];
  });
}
