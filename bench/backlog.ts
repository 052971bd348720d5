/** Records that lie in a topic before it is read: written as fast as it goes, and counted. */
import type { ProduceJob } from './jobs.js';
import { awaitSettled, endOffsets } from './kafka-calls.js';
import { producerPerPartition } from './lanes.js';
import { measureJob } from './measured-run.js';
import type { Cluster } from './system.js';
import { countFaults, faultsOf } from './workload.js';

export const BACKLOG_RECORD_BYTES = 1024;
const RECORDS_PER_BATCH = 63;

/** Spreads `bytes` over the partitions of an empty topic. */
export async function fillTopic(cluster: Cluster, topic: string, bytes: number): Promise<void> {
  const views = await awaitSettled(cluster.bootstrap, topic);
  const batchBytes = RECORDS_PER_BATCH * BACKLOG_RECORD_BYTES;
  const job: ProduceJob = {
    kind: 'produce',
    topic,
    lanes: producerPerPartition(views),
    inFlight: 4,
    recordsPerBatch: RECORDS_PER_BATCH,
    recordBytes: BACKLOG_RECORD_BYTES,
    window: { warmupMs: 0, measureMs: 0 },
    batchesMax: Math.ceil(bytes / views.length / batchBytes),
  };
  const { result } = await measureJob(cluster, job);
  const nothing = views.map(() => 0);
  const after = await endOffsets(cluster.bootstrap, topic);
  const faults = [...faultsOf(result), ...countFaults(nothing, after, result.recordsPerPartition)];
  if (faults.length > 0) throw new Error(`${topic} could not be filled: ${faults.join(', ')}`);
}
