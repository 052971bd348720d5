/** From runs of the HTTP scenarios to a document, and the document as text for people. Pure. */
import { type Spread, type Verdict, isMet, ratioOf, spreadOfValues } from '../report.js';
import { formatGoals, formatNumber, formatSpread, line, rowName } from '../table.js';
import type { Metric, RunOutcome } from '../workload.js';
import { REQUESTS, RECORDS, STREAMED, type HttpScenario, type Side } from './http-scenarios.js';
import { produceId } from './http-scenarios.js';

export type HttpRun = RunOutcome & {
  readonly side: Side;
  readonly round: number;
  /** Share of the machine's CPU time that was idle just before the run. */
  readonly idleBefore: number;
};

export type HttpRow = Metric & {
  readonly lograft: Spread | null;
  readonly peer: Spread | null;
  /** lograft / peer, of the medians. */
  readonly ratio: number | null;
};

export type ScenarioReport = {
  readonly id: string;
  readonly title: string;
  /** Name of what stands beside lograft; null when nothing does. */
  readonly peer: string | null;
  /** Why what should stand beside it does not. */
  readonly skipped: string | null;
  readonly isValid: boolean;
  readonly rows: readonly HttpRow[];
  readonly runs: readonly HttpRun[];
};

export type HttpReport = {
  readonly id: 'W10';
  readonly size: 'smoke' | 'full';
  readonly startedAt: string;
  readonly machine: Readonly<Record<string, string | number>>;
  readonly settings: Readonly<Record<string, string | number>>;
  readonly systems: Readonly<Record<string, string>>;
  readonly scenarios: readonly ScenarioReport[];
  readonly goals: readonly Verdict[];
  readonly isValid: boolean;
};

type HttpGoal = {
  readonly id: string;
  readonly metric: string;
  readonly of: 'ratio' | 'value';
  readonly bound: { readonly atLeast: number } | { readonly atMost: number };
};

export const HTTP_GOALS: readonly HttpGoal[] = [
  { id: produceId(100, 1), metric: REQUESTS.name, of: 'ratio', bound: { atLeast: 0.7 } },
  { id: 'ndjson', metric: RECORDS.name, of: 'value', bound: { atLeast: 400 } },
  { id: 'stream', metric: STREAMED.name, of: 'value', bound: { atLeast: 3 } },
  { id: 'stream', metric: STREAMED.name, of: 'ratio', bound: { atLeast: 0.9 } },
  { id: 'stream', metric: 'CPU per GB', of: 'value', bound: { atMost: 0.35 } },
  { id: 'beside', metric: 'p99', of: 'value', bound: { atMost: 10_000 } },
  { id: 'failover', metric: 'time with 503', of: 'value', bound: { atMost: 2_000 } },
];

/** Runs with faults are listed, but no number is drawn from them. */
export function reportScenario(
  { id, title, metrics }: Pick<HttpScenario, 'id' | 'title' | 'metrics'>,
  peer: string | null,
  skipped: string | null,
  runs: readonly HttpRun[],
): ScenarioReport {
  const valuesOf = (side: Side, name: string): number[] =>
    runs
      .filter((run) => run.side === side && run.faults.length === 0)
      .flatMap(({ values }) => values[name] ?? []);
  const rows = metrics.map((metric) => {
    const lograft = spreadOfValues(valuesOf('lograft', metric.name));
    const beside = spreadOfValues(valuesOf('peer', metric.name));
    return { ...metric, lograft, peer: beside, ratio: ratioOf(lograft, beside) };
  });
  const isValid = runs.length > 0 && runs.every(({ faults }) => faults.length === 0);
  return { id, title, peer, skipped, isValid, rows, runs };
}

export function judgeHttp(scenarios: readonly ScenarioReport[]): Verdict[] {
  return HTTP_GOALS.flatMap(({ id, metric, of, bound }) => {
    const scenario = scenarios.find((found) => found.id === id);
    const row = scenario?.rows.find(({ name }) => name === metric);
    if (scenario === undefined || row === undefined) return [];
    const measured = (of === 'ratio' ? row.ratio : row.lograft?.median) ?? null;
    const [words, value] =
      'atLeast' in bound ? ['at least', bound.atLeast] : ['at most', bound.atMost];
    const unit = of === 'ratio' ? `× ${scenario.peer ?? 'its peer'}` : row.unit;
    const text = `${scenario.title}: ${metric} ${words} ${value} ${unit}`;
    return [{ id: 'W10', workload: 'W10', text, measured, isMet: isMet({ bound }, measured) }];
  });
}

export function formatHttpReport(report: HttpReport): string {
  const machine = Object.entries(report.machine).map(([name, value]) => `${name} ${value}`);
  return [
    `${Object.values(report.systems).join(' beside ')}, ${report.size} size, ${report.startedAt}`,
    machine.join(', '),
    'median (least to greatest) of the runs, sides taking turns; ratio is lograft / its peer',
    '',
    ...report.scenarios.flatMap(formatScenario),
    ...formatGoals(report.goals),
    '',
  ].join('\n');
}

function formatScenario({ title, peer, skipped, rows, runs }: ScenarioReport): string[] {
  const idle = runs.map(({ idleBefore }) => Math.round(idleBefore * 100));
  const hasPeer = peer !== null && skipped === null;
  return [
    `W10  ${title}`,
    ...(skipped === null ? [] : [`  ${skipped}`]),
    `  CPU idle before the runs: ${idle.join(', ')} %`,
    line(['', 'lograft', ...(hasPeer ? [peer, 'ratio'] : [])]),
    ...rows.map((row) => {
      const beside = hasPeer ? [formatSpread(row.peer)] : [];
      const ratio = row.ratio === null ? [] : [`${formatNumber(row.ratio)} ×`];
      return line([rowName(row), formatSpread(row.lograft), ...beside, ...ratio]);
    }),
    ...runs.flatMap(({ side, round, faults }) =>
      faults.map((fault) => `  INVALID: ${side}, round ${round}: ${fault}`),
    ),
    '',
  ];
}
