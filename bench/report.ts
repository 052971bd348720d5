/**
 * From runs to a document: medians with their spread, ratios, goals. Pure; the table on a terminal
 * and the JSON are two views of the one document.
 */
import type { Goal } from './goals.js';
import type { Metric, Values, Workload } from './workload.js';

export type SystemName = 'lograft' | 'kafka';

export type Run = {
  readonly system: SystemName;
  readonly round: number;
  /** Share of the machine's CPU time that was idle just before the run. */
  readonly idleBefore: number;
  readonly values: Values;
  readonly faults: readonly string[];
};

export type Spread = { readonly median: number; readonly min: number; readonly max: number };

export type Row = Metric & {
  readonly lograft: Spread | null;
  readonly kafka: Spread | null;
  /** lograft / Kafka, of the medians; null when one was not measured. */
  readonly ratio: number | null;
};

export type WorkloadReport = {
  readonly id: string;
  readonly key: string;
  readonly title: string;
  readonly durability: string;
  /** What an acknowledgement means on each side. */
  readonly acknowledged: Readonly<Partial<Record<SystemName, string>>>;
  readonly isValid: boolean;
  readonly rows: readonly Row[];
  readonly runs: readonly Run[];
};

export type Verdict = {
  /** Of the goal, and of the workload whose numbers it judges. */
  readonly id: string;
  readonly workload: string;
  readonly text: string;
  readonly measured: number | null;
  /** Null when it could not be judged. */
  readonly isMet: boolean | null;
};

export type Report = {
  readonly size: 'smoke' | 'full';
  readonly startedAt: string;
  readonly machine: Readonly<Record<string, string | number>>;
  /** How long and how often was measured. */
  readonly settings: Readonly<Record<string, string | number>>;
  readonly systems: Readonly<Partial<Record<SystemName, string>>>;
  readonly workloads: readonly WorkloadReport[];
  readonly goals: readonly Verdict[];
  readonly isValid: boolean;
};

/** Runs with faults are listed, but no number is drawn from them. */
export function reportWorkload(
  workload: Pick<Workload, 'id' | 'key' | 'title' | 'durability' | 'metrics'>,
  acknowledged: WorkloadReport['acknowledged'],
  runs: readonly Run[],
): WorkloadReport {
  const { id, key, title, durability, metrics } = workload;
  const isValid = runs.length > 0 && runs.every(({ faults }) => faults.length === 0);
  const rows = metrics.map((metric) => {
    const lograft = spreadOf(runs, 'lograft', metric.name);
    const kafka = spreadOf(runs, 'kafka', metric.name);
    return { ...metric, lograft, kafka, ratio: ratioOf(lograft, kafka) };
  });
  return { id, key, title, durability, acknowledged, isValid, rows, runs };
}

export function judge(goals: readonly Goal[], reports: readonly WorkloadReport[]): Verdict[] {
  return goals.flatMap((goal) => {
    const ours = rowsOf(reports, goal.keys, goal.metric);
    const [first] = ours;
    if (first === undefined) return [];
    const theirs = goal.against === undefined ? ours : rowsOf(reports, goal.against, goal.metric);
    const measured = measuredOf(goal, bestOf(ours, 'lograft'), bestOf(theirs, 'kafka'));
    const text = goalText(goal, ours, theirs);
    return [
      { id: goal.id, workload: first.report.id, text, measured, isMet: isMet(goal, measured) },
    ];
  });
}

type Judged = { readonly report: WorkloadReport; readonly row: Row };

function rowsOf(
  reports: readonly WorkloadReport[],
  keys: readonly string[],
  metric: string,
): Judged[] {
  return reports
    .filter(({ key }) => keys.includes(key))
    .flatMap((report) => {
      const row = report.rows.find(({ name }) => name === metric);
      return row === undefined ? [] : [{ report, row }];
    });
}

/** The best median that a system has among the rows. */
function bestOf(judged: readonly Judged[], system: SystemName): number | null {
  const medians = judged.flatMap(({ row }) => row[system]?.median ?? []);
  if (medians.length === 0) return null;
  return judged[0]?.row.better === 'higher' ? Math.max(...medians) : Math.min(...medians);
}

function measuredOf({ of }: Goal, ours: number | null, theirs: number | null): number | null {
  if (of === 'value') return ours;
  return ours === null || theirs === null || theirs === 0 ? null : ours / theirs;
}

export function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  const upper = sorted[middle] as number;
  return sorted.length % 2 === 1 ? upper : ((sorted[middle - 1] as number) + upper) / 2;
}

function spreadOf(runs: readonly Run[], system: SystemName, metric: string): Spread | null {
  const values = runs
    .filter((run) => run.system === system && run.faults.length === 0)
    .flatMap((run) => run.values[metric] ?? []);
  return spreadOfValues(values);
}

export function spreadOfValues(values: readonly number[]): Spread | null {
  if (values.length === 0) return null;
  return { median: median(values), min: Math.min(...values), max: Math.max(...values) };
}

/** Of the medians; null when one was not measured, or is nothing to divide by. */
export function ratioOf(one: Spread | null, other: Spread | null): number | null {
  return one === null || other === null || other.median === 0 ? null : one.median / other.median;
}

export function isMet({ bound }: Pick<Goal, 'bound'>, measured: number | null): boolean | null {
  if (measured === null) return null;
  return 'atLeast' in bound ? measured >= bound.atLeast : measured <= bound.atMost;
}

function goalText(
  { metric, of, bound }: Goal,
  ours: readonly Judged[],
  theirs: readonly Judged[],
): string {
  const titles = (judged: readonly Judged[]): string =>
    judged.map(({ report }) => `${report.title} (${report.durability})`).join(' or ');
  const [words, number] =
    'atLeast' in bound ? ['at least', bound.atLeast] : ['at most', bound.atMost];
  const other = theirs === ours ? '' : `, with ${titles(theirs) || 'what was not measured'}`;
  const unit = of === 'ratio' ? `× Kafka's${other}` : ours[0]?.row.unit;
  return `${titles(ours)}: ${metric} ${words} ${number} ${unit}`;
}
