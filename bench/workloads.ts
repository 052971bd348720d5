/** Every workload that speaks the Kafka protocol, in the order in which a run takes them. */
import { CATCH_UP } from './catch-up-workload.js';
import { FAILOVER } from './failover-workload.js';
import { IDLE_PARTITIONS } from './idle-partitions-workload.js';
import { PRODUCE_WORKLOADS } from './produce-workloads.js';
import { START } from './start-workload.js';
import type { Workload } from './workload.js';

export const WORKLOADS: readonly Workload[] = [
  START,
  ...PRODUCE_WORKLOADS,
  CATCH_UP,
  IDLE_PARTITIONS,
  FAILOVER,
];
