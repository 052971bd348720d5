/**
 * What a workload is: prepared once per system, then run round by round, the systems taking turns.
 * The sizes lie here too, so that smoke and full differ in numbers only and never in code.
 */
import type { Durability, System } from './system.js';
import type { JobResult } from './jobs.js';

export type Size = {
  readonly rounds: number;
  /** Load before anything is measured: on a fresh cluster (JITs settle), and per workload. */
  readonly firstSettleMs: number;
  readonly settleMs: number;
  /** Of each run: load before its window, and the window. */
  readonly warmupMs: number;
  readonly measureMs: number;
  /** The window of the workload that looks for what slows down after a while. */
  readonly sustainedMs: number;
  /** What the catch-up consumers find. */
  readonly backlogBytes: number;
  /** Of a topic; a workload that wants more gets so many. */
  readonly partitionsMax: number;
  /** How long a new cluster is left alone before its memory is read. */
  readonly idleMs: number;
  /** How long load goes on after a kill, at least. */
  readonly afterKillMs: number;
  /** How long the machine is watched before each run. */
  readonly watchMs: number;
  /** Whether the disk is idle, too, when a run begins. */
  readonly isDiskSettled: boolean;
  /** Touched before the first run: memory that a virtual machine never used is slow. */
  readonly touchBytes: number;
};

const MIB = 2 ** 20;

export const SMOKE: Size = {
  rounds: 1,
  firstSettleMs: 0,
  settleMs: 0,
  warmupMs: 100,
  measureMs: 300,
  sustainedMs: 600,
  backlogBytes: 8 * MIB,
  partitionsMax: 12,
  idleMs: 200,
  afterKillMs: 500,
  watchMs: 50,
  isDiskSettled: false,
  touchBytes: 0,
};

export const FULL: Size = {
  rounds: 3,
  firstSettleMs: 60_000,
  settleMs: 8_000,
  warmupMs: 2_000,
  measureMs: 8_000,
  sustainedMs: 60_000,
  backlogBytes: 1_200 * MIB,
  partitionsMax: 10_000,
  idleMs: 10_000,
  afterKillMs: 3_000,
  watchMs: 1_000,
  isDiskSettled: true,
  touchBytes: 8_192 * MIB,
};

export type Metric = {
  readonly name: string;
  readonly unit: string;
  readonly better: 'higher' | 'lower';
};

/** Metric name → value of one run. */
export type Values = Readonly<Record<string, number>>;

export type RunOutcome = {
  readonly values: Values;
  /** Why the run does not count; empty when it does. */
  readonly faults: readonly string[];
};

/** A workload made ready on one system. */
export type Prepared = {
  run(): Promise<RunOutcome>;
  /** Removes what was prepared. */
  close(): Promise<void>;
};

export type Workload = {
  /** As in the list of workloads: W2, W4, … Variants share the id. */
  readonly id: string;
  /** Of this variant alone: W2-64k. */
  readonly key: string;
  readonly title: string;
  readonly durability: Durability;
  readonly metrics: readonly Metric[];
  prepare(system: System, size: Size): Promise<Prepared>;
};

/** Faults of the generator as sentences. */
export function faultsOf(result: JobResult): string[] {
  return Object.entries(result.faults).map(([what, count]) => `${what} (${count})`);
}

/** Says so when the log does not hold what was acknowledged, no more and no less. */
export function countFaults(
  before: readonly number[],
  after: readonly number[],
  acknowledged: readonly number[],
): string[] {
  return acknowledged.flatMap((count, i) => {
    const grown = (after[i] ?? 0) - (before[i] ?? 0);
    return grown === count
      ? []
      : [`partition ${i}: ${count} acknowledged, the log grew by ${grown}`];
  });
}
