/**
 * What the project promised of its speed, row by row. A missed goal is printed as missed; nothing
 * hides it.
 */

export type Goal = {
  /** As in the list of goals; W12 and parts of W9 are judged by rows of other workloads. */
  readonly id: string;
  /** Workloads of lograft, by key; of several, each system's best counts. */
  readonly keys: readonly [string, ...string[]];
  /** Workloads of Kafka that a ratio is drawn with, where they are others. */
  readonly against?: readonly string[];
  readonly metric: string;
  /** Of lograft divided by Kafka, or of lograft alone in the metric's unit. */
  readonly of: 'ratio' | 'value';
  readonly bound: { readonly atLeast: number } | { readonly atMost: number };
};

/** The workload's key begins with the id of its goal. */
function value(key: string, metric: string, bound: Goal['bound'], id = idOf(key)): Goal {
  return { id, keys: [key], metric, of: 'value', bound };
}

function timesKafka(keys: Goal['keys'], metric: string, atLeast: number): Goal {
  return { id: idOf(keys[0]), keys, metric, of: 'ratio', bound: { atLeast } };
}

function idOf(key: string): string {
  return key.split('-')[0] as string;
}

export const GOALS: readonly Goal[] = [
  value('W1-64k', 'records', { atLeast: 6_500 }),
  timesKafka(['W1-64k'], 'records', 7),
  timesKafka(['W1-64k', 'W1-1m'], 'records', 3),
  value('W2-64k', 'throughput', { atLeast: 750 }),
  timesKafka(['W2-64k'], 'throughput', 7),
  timesKafka(['W2-64k', 'W2-1m'], 'throughput', 3),
  value('W2-60s', 'kept of the first sixth', { atLeast: 80 }),
  value('W3-16x1', 'records', { atLeast: 50 }),
  timesKafka(['W3-16x1'], 'records', 10),
  value('W3-100x5', 'records', { atLeast: 150 }),
  timesKafka(['W3-100x5'], 'records', 10),
  ...['W4-1', 'W4-64', 'W4-256', 'W4-1000'].map((key) =>
    value(key, 'throughput', { atLeast: 380 }),
  ),
  value('W4-100x5', 'records', { atLeast: 110 }),
  value('W4-1x1', 'p50', { atMost: 220 }),
  value('W4-1x1', 'p99', { atMost: 600 }),
  // On the disk of a majority beside Kafka in its page caches, at the same size of a batch.
  { ...timesKafka(['W4-64'], 'throughput', 3), against: ['W2-64k'] },
  value('W5', 'p50', { atMost: 70 }),
  value('W5', 'p99', { atMost: 200 }),
  value('W6', 'throughput', { atLeast: 2_500 }),
  value('W6', 'broker CPU per GB', { atMost: 0.15 }),
  value('W7', 'kept of the rate without them', { atLeast: 95 }),
  value('W8', 'median gap', { atMost: 80 }),
  value('W8', 'longest gap', { atMost: 400 }),
  value('W9', 'start', { atMost: 1_000 }),
  value('W9', 'RSS of the largest node', { atMost: 100 }),
  value('W2-64k', 'RSS of the largest node', { atMost: 200 }, 'W9'),
  value('W2-64k', 'broker CPU per GB', { atMost: 2.5 }, 'W12'),
  value('W2-1m', 'broker CPU per GB', { atMost: 2.5 }, 'W12'),
];
