/**
 * W9: from the command that starts three nodes to the first acknowledged record of a client that
 * has been trying since, and what the nodes take when nobody uses them. A new cluster every time;
 * Kafka's formatting of its folders comes before the command and is not counted.
 */
import { createTopic, produceOne, retry } from './kafka-calls.js';
import { RESIDENT } from './measured-run.js';
import { coresTaken, largestResidentBytes } from './proc.js';
import type { Cluster, System } from './system.js';
import { newTopicName } from './topic.js';
import type { Metric, Prepared, RunOutcome, Size, Workload } from './workload.js';

const RETRY_MS = 10;
const MB = 1e6;

export const IDLE_CPU: Metric = {
  name: 'idle CPU of three nodes',
  unit: '% of a core',
  better: 'lower',
};

export const START: Workload = {
  id: 'W9',
  key: 'W9',
  title: 'command to first acknowledged record, then idle',
  durability: 'synced',
  metrics: [{ name: 'start', unit: 'ms', better: 'lower' }, RESIDENT, IDLE_CPU],
  prepare: (system, size) => Promise.resolve(prepare(system, size)),
};

function prepare(system: System, size: Size): Prepared {
  return {
    run: async () => {
      const cluster = await system.launch();
      try {
        return await startAndRest(cluster, system, size.idleMs);
      } finally {
        await cluster.stop();
      }
    },
    close: () => Promise.resolve(),
  };
}

async function startAndRest(cluster: Cluster, system: System, idleMs: number): Promise<RunOutcome> {
  const { bootstrap } = cluster;
  const topic = newTopicName(START.id);
  const configs = system.peer.topicConfigs(START.durability);
  const firstRecord = async (): Promise<number> => {
    await retry('a new cluster', () => createTopic(bootstrap, topic, 1, configs), RETRY_MS);
    await retry('a first record', () => produceOne(bootstrap, topic), RETRY_MS);
    return performance.now() - cluster.commandMs;
  };
  const [startMs] = await Promise.all([firstRecord(), cluster.ready]);
  const idleCores = await coresTaken(cluster.pids(), idleMs);
  const values = {
    start: startMs,
    [RESIDENT.name]: largestResidentBytes(cluster.pids()) / MB,
    [IDLE_CPU.name]: 100 * idleCores,
  };
  // A leader was elected just now. That its counter moved shows that zeros elsewhere mean zero.
  const isCounted = (await cluster.elections()) !== 0;
  return { values, faults: isCounted ? [] : ['elections are not counted'] };
}
