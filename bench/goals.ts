/** What the project promised of its speed. A missed goal is printed as missed; nothing hides it. */
import type { Durability } from './system.js';

export type Goal = {
  /** Id and durability choose the workload: the first of the list that has both. */
  readonly id: string;
  readonly durability: Durability;
  readonly metric: string;
  /** Of lograft divided by Kafka, or of lograft alone in the metric's unit. */
  readonly of: 'ratio' | 'value';
  readonly bound: { readonly atLeast: number } | { readonly atMost: number };
};

export const GOALS: readonly Goal[] = [
  { id: 'W2', durability: 'cached', metric: 'throughput', of: 'ratio', bound: { atLeast: 2 } },
  { id: 'W5', durability: 'cached', metric: 'p50', of: 'ratio', bound: { atMost: 1 } },
  { id: 'W6', durability: 'cached', metric: 'throughput', of: 'ratio', bound: { atLeast: 1 } },
  { id: 'W8', durability: 'cached', metric: 'longest gap', of: 'value', bound: { atMost: 2_000 } },
  { id: 'W9', durability: 'synced', metric: 'start', of: 'value', bound: { atMost: 2_000 } },
  {
    id: 'W9',
    durability: 'synced',
    metric: 'RSS of the largest node',
    of: 'value',
    bound: { atMost: 120 },
  },
];
