/** The report as text for people: one block per workload, then the goals. Pure. */
import type { Report, Row, Spread, SystemName, Verdict, WorkloadReport } from './report.js';
import type { Metric } from './workload.js';

const NAME_COLUMNS = 40;
const CELL_COLUMNS = 28;
const PERCENT = 100;

export function formatReport(report: Report): string {
  const machine = Object.entries(report.machine).map(([name, value]) => `${name} ${value}`);
  const systems = Object.values(report.systems).join(' beside ');
  return [
    `${systems}, ${report.size} size, ${report.startedAt}`,
    machine.join(', '),
    'median (least to greatest) of the runs, systems taking turns; ratio is lograft / Kafka',
    '',
    ...report.workloads.flatMap(formatWorkload),
    ...formatGoals(report.goals),
    '',
  ].join('\n');
}

function formatWorkload(report: WorkloadReport): string[] {
  const { id, title, durability, acknowledged, rows, runs } = report;
  const meaning = Object.entries(acknowledged).map(([name, text]) => `  ${name} acks: ${text}`);
  const idle = runs.map(({ idleBefore }) => Math.round(idleBefore * PERCENT));
  const systems = Object.keys(acknowledged) as SystemName[];
  const head = ['', ...systems, ...(systems.length > 1 ? ['ratio'] : [])];
  return [
    `${id}  ${title} (${durability})`,
    ...meaning,
    `  CPU idle before the runs: ${idle.join(', ')} %`,
    line(head),
    ...rows.map((row) => formatRow(row, systems)),
    ...runs.flatMap(({ system, round, faults }) =>
      faults.map((fault) => `  INVALID: ${system}, round ${round}: ${fault}`),
    ),
    '',
  ];
}

function formatRow(row: Row, systems: readonly SystemName[]): string {
  const cells = systems.map((system) => formatSpread(row[system]));
  const ratio = row.ratio === null ? '' : `${formatNumber(row.ratio)} ×`;
  return line([rowName(row), ...cells, ratio]);
}

export function rowName({ name, unit }: Metric): string {
  return unit === '' ? name : `${name}, ${unit}`;
}

export function formatSpread(spread: Spread | null): string {
  if (spread === null) return 'not measured';
  const { median, min, max } = spread;
  return `${formatNumber(median)} (${formatNumber(min)} to ${formatNumber(max)})`;
}

export function formatGoals(goals: readonly Verdict[]): string[] {
  return goals.map(({ id, text, measured, isMet }) => {
    const word = isMet === null ? 'not judged' : isMet ? 'met' : 'MISSED';
    const value = measured === null ? '' : `, measured ${formatNumber(measured)}`;
    return `goal ${id} ${word}: ${text}${value}`;
  });
}

export function line(cells: readonly string[]): string {
  const [name = '', ...rest] = cells;
  const padded = rest.map((cell) => cell.padStart(CELL_COLUMNS));
  return `  ${name.padEnd(NAME_COLUMNS)}${padded.join('')}`.trimEnd();
}

/** Three digits that mean something; counts as they are. */
export function formatNumber(value: number): string {
  if (Number.isInteger(value)) return String(value);
  if (value >= 100) return value.toFixed(0);
  if (value >= 10) return value.toFixed(1);
  return value.toFixed(2);
}
