/**
 * W7: what partitions cost that nobody uses. Each round measures the same load twice, without the
 * idle partitions and with them, so that what is left of it is a ratio of neighbours in time; then
 * the load stops, and what the nodes still take is what idle partitions cost.
 *
 * A thousand of them: ten thousand do not get their leaders in minutes (bench/notes/W7.md).
 */
import {
  CPU_PER_MILLION,
  ELECTIONS,
  P50,
  P99,
  RECORD_RATE,
  RESIDENT,
  SWITCHES_PER_REQUEST,
} from './measured-run.js';
import { coresTaken } from './proc.js';
import { type OpenLoad, SIXTEEN, openLoad } from './produce-workloads.js';
import { IDLE_CPU } from './start-workload.js';
import type { System } from './system.js';
import { openTopic } from './topic.js';
import type { Metric, Prepared, RunOutcome, Size, Workload } from './workload.js';

const PARTITIONS = 1_000;
const PERCENT = 100;

export const KEPT: Metric = { name: 'kept of the rate without them', unit: '%', better: 'higher' };
const CREATED: Metric = { name: 'created, with all leaders', unit: 'ms', better: 'lower' };

export const IDLE_PARTITIONS: Workload = {
  id: 'W7',
  key: 'W7',
  title: `one 1 KiB record a request, 16 x 1 in flight, beside ${PARTITIONS} idle partitions`,
  durability: 'cached',
  metrics: [
    ...[KEPT, RECORD_RATE, P50, P99, CPU_PER_MILLION, SWITCHES_PER_REQUEST],
    ...[IDLE_CPU, RESIDENT, ELECTIONS, CREATED],
  ],
  prepare,
};

async function prepare(system: System, size: Size): Promise<Prepared> {
  const load = await openLoad(system, IDLE_PARTITIONS.id, 'cached', SIXTEEN, size);
  return { run: () => runPair(system, load, size), close: load.close };
}

async function runPair(system: System, load: OpenLoad, size: Size): Promise<RunOutcome> {
  const without = await load.run();
  const partitions = Math.min(PARTITIONS, size.partitionsMax);
  const startMs = performance.now();
  const idle = await openTopic(system, IDLE_PARTITIONS.id, {
    ...{ partitions, durability: 'cached', configs: {} },
  });
  const createdMs = performance.now() - startMs;
  try {
    const beside = await load.run();
    const idleCores = await coresTaken(idle.cluster.pids(), size.idleMs);
    const rate = ({ values }: Pick<RunOutcome, 'values'>) => values[RECORD_RATE.name] ?? Number.NaN;
    const values = {
      ...beside.values,
      [KEPT.name]: (rate(beside) / rate(without)) * PERCENT,
      [IDLE_CPU.name]: idleCores * PERCENT,
      [CREATED.name]: createdMs,
    };
    return { values, faults: [...without.faults, ...beside.faults] };
  } finally {
    await idle.close();
  }
}
