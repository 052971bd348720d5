/**
 * docs/benchmarks.md out of results: a section per workload id with how it was measured, every
 * row with its spread, the runs that do not count and the goals, met or MISSED. Pure, and nothing
 * in it depends on when it is called: the same results make the same page.
 */
import type { HttpReport } from './http/http-report.js';
import type { Report, Spread, SystemName, Verdict } from './report.js';
import { INTRODUCTION, SECTIONS } from './sections.js';
import { formatNumber, rowName } from './table.js';
import type { Metric } from './workload.js';

/** What is kept of a run: all workloads of one id. */
export type Result = (Report & { readonly id: string }) | HttpReport;

/** One table of a section, whoever stands beside lograft. */
type Table = {
  readonly title: string;
  readonly rows: readonly (Metric & {
    readonly lograft: Spread | null;
    readonly beside: Spread | null;
    readonly ratio: number | null;
  })[];
};

type Section = {
  /** Heading of the column beside lograft's. */
  readonly peer: string;
  readonly tables: readonly Table[];
  /** What an acknowledgement promised, and what was left out. */
  readonly remarks: readonly string[];
  readonly idleShares: readonly number[];
  readonly invalid: readonly string[];
};

const COLUMNS = 100;
const PERCENT = 100;

/** A run's report in one piece per workload id. */
export function resultsOf(report: Report): Result[] {
  const ids = [...new Set(report.workloads.map(({ id }) => id))];
  return ids.map((id) => {
    const workloads = report.workloads.filter((workload) => workload.id === id);
    const goals = report.goals.filter(({ workload }) => workload === id);
    const isValid = workloads.every((workload) => workload.isValid);
    return { id, ...report, workloads, goals, isValid };
  });
}

export function formatDocument(
  results: readonly Result[],
  notes: ReadonlyMap<string, string>,
): string {
  const number = ({ id }: Result): number => Number(id.slice(1));
  const sorted = [...results].sort((a, b) => number(a) - number(b));
  const blocks = ['# Benchmarks', ...INTRODUCTION.map(wrap)];
  for (const result of sorted) {
    const note = notes.get(result.id)?.trim();
    blocks.push(...formatSection(result), ...(note === undefined ? [] : [note]));
  }
  return `${blocks.join('\n\n')}\n`;
}

function formatSection(result: Result): string[] {
  const { title, about } = SECTIONS[result.id] ?? { title: '', about: '' };
  const section = 'scenarios' in result ? httpSection(result) : kafkaSection(result);
  return [
    `## ${result.id}${title === '' ? '' : `: ${title}`}`,
    ...(about === '' ? [] : [wrap(about)]),
    wrap(circumstances(result, section)),
    ...section.remarks.map(wrap),
    formatTables(section),
    ...(section.invalid.length === 0 ? [] : [section.invalid.map((it) => `- ${it}`).join('\n')]),
    ...(result.goals.length === 0 ? [] : [formatVerdicts(result.goals)]),
  ];
}

/** Versions, machine, date and settings in a sentence each. */
function circumstances(result: Result, { idleShares }: Section): string {
  const list = (values: Readonly<Record<string, string | number>>): string =>
    Object.entries(values)
      .map(([name, value]) => `${name} ${value}`)
      .join(', ');
  const idle = Math.floor(Math.min(1, ...idleShares) * PERCENT);
  return [
    `${Object.values(result.systems).join(', ')}; ${result.startedAt.slice(0, 10)}.`,
    `${list(result.machine)}.`,
    `${list(result.settings)}.`,
    `Processors at least ${idle} % idle before each run.`,
  ].join(' ');
}

function kafkaSection({ workloads, systems }: Report): Section {
  const names = Object.keys(systems) as SystemName[];
  const promises = workloads.flatMap(({ acknowledged }) =>
    names.map((name) => `${systems[name]}: ${acknowledged[name]}.`),
  );
  return {
    peer: systems.kafka ?? '',
    tables: workloads.map(({ title, durability, rows }) => ({
      title: `${title} (${durability})`,
      rows: rows.map((row) => ({ ...row, beside: row.kafka })),
    })),
    remarks: [
      `An acknowledgement means: ${[...new Set(promises)].join(' ')}`,
      ...(systems.kafka === undefined ? ['Apache Kafka could not be had on this machine.'] : []),
    ],
    idleShares: workloads.flatMap(({ runs }) => runs.map(({ idleBefore }) => idleBefore)),
    invalid: workloads.flatMap(({ title, durability, runs }) =>
      runs.flatMap(({ system, round, faults }) =>
        invalidRun(`${title} (${durability})`, round, systems[system] ?? system, faults),
      ),
    ),
  };
}

function httpSection({ scenarios }: HttpReport): Section {
  return {
    peer: 'node:http or nginx',
    tables: scenarios.map(({ title, rows }) => ({
      title,
      rows: rows.map((row) => ({ ...row, beside: row.peer })),
    })),
    remarks: [...new Set(scenarios.flatMap(({ skipped }) => skipped ?? []))],
    idleShares: scenarios.flatMap(({ runs }) => runs.map(({ idleBefore }) => idleBefore)),
    invalid: scenarios.flatMap(({ title, peer, runs }) =>
      runs.flatMap(({ side, round, faults }) =>
        invalidRun(title, round, side === 'peer' ? (peer ?? side) : side, faults),
      ),
    ),
  };
}

function invalidRun(
  title: string,
  round: number,
  system: string,
  faults: readonly string[],
): string[] {
  if (faults.length === 0) return [];
  return [`INVALID and not counted: ${title}, round ${round}, ${system}: ${faults.join('; ')}`];
}

function formatTables({ peer, tables }: Section): string {
  const rows = tables.flatMap(({ title, rows }) =>
    rows.map((row) => {
      const ratio = row.ratio === null ? '' : `${formatNumber(row.ratio)} ×`;
      return tableRow([title, rowName(row), cell(row.lograft), cell(row.beside), ratio]);
    }),
  );
  const head = ['workload', 'figure', 'lograft', peer, 'ratio'];
  return [tableRow(head), tableRow(head.map(() => '---')), ...rows].join('\n');
}

function cell(spread: Spread | null): string {
  if (spread === null) return '';
  const { median, min, max } = spread;
  return `${formatNumber(median)} (${formatNumber(min)}–${formatNumber(max)})`;
}

function formatVerdicts(goals: readonly Verdict[]): string {
  const rows = goals.map(({ id, text, measured, isMet }) => {
    const word = isMet === null ? 'not judged' : isMet ? 'met' : '**MISSED**';
    return tableRow([id, text, measured === null ? '' : formatNumber(measured), word]);
  });
  const head = ['', 'goal', 'measured', ''];
  return [tableRow(head), tableRow(head.map(() => '---')), ...rows].join('\n');
}

/** A bar would end the cell. */
function tableRow(cells: readonly string[]): string {
  return `| ${cells.map((text) => text.replaceAll('|', '\\|')).join(' | ')} |`;
}

function wrap(text: string): string {
  const lines = [''];
  for (const word of text.split(/\s+/)) {
    const line = lines.at(-1) as string;
    if (line === '') lines[lines.length - 1] = word;
    else if (line.length + 1 + word.length <= COLUMNS) lines[lines.length - 1] = `${line} ${word}`;
    else lines.push(word);
  }
  return lines.join('\n');
}
