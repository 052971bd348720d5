/**
 * W8: kill -9 of the leader of partition 0 while a record per partition is on the way, and how long
 * each partition's producer then sees no acknowledgement. The node is started again after each run.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { GeneratorProcess } from './generator-process.js';
import type { FailoverJob, JobResult } from './jobs.js';
import { awaitInSync, createTopic, deleteTopic, endOffsets } from './kafka-calls.js';
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
const RECORD_BYTES = 1024;
/** Load goes on this long before the kill. */
const BEFORE_KILL_MS = 300;

export const FAILOVER: Workload = {
  id: 'W8',
  key: 'W8',
  title: 'kill -9 of a leader, time without acknowledgements',
  durability: 'cached',
  metrics: [
    { name: 'longest gap', unit: 'ms', better: 'lower' },
    { name: 'shortest gap', unit: 'ms', better: 'lower' },
  ],
  prepare,
};

async function prepare(system: System, size: Size): Promise<Prepared> {
  const cluster = await system.cluster();
  const { bootstrap } = cluster;
  const topic = newTopicName(FAILOVER.id);
  await createTopic(bootstrap, topic, PARTITIONS, system.peer.topicConfigs(FAILOVER.durability));
  await awaitInSync(bootstrap, topic);
  return {
    run: () => killOnce(cluster, topic, size.afterKillMs),
    close: () => deleteTopic(bootstrap, topic),
  };
}

async function killOnce(cluster: Cluster, topic: string, settleMs: number): Promise<RunOutcome> {
  const { bootstrap } = cluster;
  const views = await awaitInSync(bootstrap, topic);
  const victim = views[0]?.leaderId as number;
  const before = await endOffsets(bootstrap, topic);
  const job: FailoverJob = {
    kind: 'failover',
    bootstrap,
    topic,
    partitions: PARTITIONS,
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
  const values = {
    'longest gap': Math.max(...result.gapsMs),
    'shortest gap': Math.min(...result.gapsMs),
  };
  return { values, faults: [...faultsOf(result), ...lossFaults(result, before, after)] };
}

/** A record that was sent twice may be there twice; one that was acknowledged must be there. */
function lossFaults(
  result: JobResult,
  before: readonly number[],
  after: readonly number[],
): string[] {
  return result.recordsPerLane.flatMap((count, i) => {
    const grown = (after[i] ?? 0) - (before[i] ?? 0);
    return grown >= count ? [] : [`partition ${i}: ${count} acknowledged, only ${grown} kept`];
  });
}
