/** The command line of the bench: what it says of itself, and what it was asked to do. */
import { parseArgs } from 'node:util';
import { FULL, SMOKE, type Size, type Workload } from './workload.js';
import { WORKLOADS } from './workloads.js';

const HTTP = 'W10';
const MS_PER_SECOND = 1e3;

export const USAGE = `usage: npm run bench -- [options] [ID...]

  --smoke            small sizes, lograft alone: does everything work? (seconds)
  --full             lograft beside Apache Kafka (the default; about 45 minutes); the results
                     are written to bench/results and docs/benchmarks.md
  --alone            without Kafka; nothing is written
  --workload ID      only ${[...new Set(WORKLOADS.map(({ id }) => id))].join(', ')}; several
                     times, also as ID; a variant, such as ${WORKLOADS[1]?.key}, is not written
  W12                the CPU seconds of W2, so W2
  W10                HTTP beside node:http and nginx: by itself, and only when it is named
  --rounds N         runs of each workload on each system; fewer than usual are not written
  --seconds N        measure, and settle, for so long; nothing is written
  --dir DIR          where the data goes (default: the folder for temporary files)
  --format json      one document instead of the table
  --document         runs nothing: writes docs/benchmarks.md from the results that are there
`;

export class UsageError extends Error {
  override readonly name = 'UsageError';
}

export type Options = {
  readonly isSmoke: boolean;
  readonly isAlone: boolean;
  readonly isJson: boolean;
  readonly isHttp: boolean;
  /** Nothing runs, only the document is written. */
  readonly isDocumentOnly: boolean;
  /** Whether the results are good enough to be kept: all sizes as they are meant to be. */
  readonly isKept: boolean;
  readonly workloads: readonly Workload[];
  readonly size: Size;
  /** Null: as many as the size says. */
  readonly rounds: number | null;
  readonly directory: string | undefined;
};

export function readOptions(args: readonly string[]): Options {
  const { values, positionals } = parseArgs({
    args: [...args],
    allowPositionals: true,
    options: {
      smoke: { type: 'boolean', default: false },
      full: { type: 'boolean', default: false },
      alone: { type: 'boolean', default: false },
      document: { type: 'boolean', default: false },
      workload: { type: 'string', multiple: true, default: [] },
      rounds: { type: 'string' },
      seconds: { type: 'string' },
      dir: { type: 'string' },
      format: { type: 'string', default: 'table' },
    },
  });
  if (values.smoke && values.full) throw new UsageError('--smoke or --full, not both');
  if (!['table', 'json'].includes(values.format)) throw new UsageError('--format is table or json');
  const named = [...values.workload, ...positionals].map((name) => (name === 'W12' ? 'W2' : name));
  const isHttp = named.includes(HTTP);
  if (isHttp && new Set(named).size > 1) throw new UsageError(`${HTTP} runs by itself`);
  if (isHttp && values.seconds !== undefined) throw new UsageError(`${HTTP} has its own times`);
  const rounds = countOf('--rounds', values.rounds);
  const seconds = countOf('--seconds', values.seconds);
  const size = sizeOf(values.smoke ? SMOKE : FULL, rounds, seconds);
  const ids = [HTTP, ...WORKLOADS.map(({ id }) => id)];
  const isWhole = size.rounds >= FULL.rounds && named.every((name) => ids.includes(name));
  return {
    isSmoke: values.smoke,
    isAlone: values.alone || values.smoke,
    isJson: values.format === 'json',
    isHttp,
    isDocumentOnly: values.document,
    isKept: isWhole && !values.smoke && !values.alone && seconds === null,
    workloads: isHttp ? [] : workloadsOf(named),
    size,
    rounds,
    directory: values.dir,
  };
}

function countOf(option: string, text: string | undefined): number | null {
  if (text === undefined) return null;
  const count = Number(text);
  if (!(Number.isInteger(count) && count > 0)) throw new UsageError(`${option} is a count`);
  return count;
}

function sizeOf(base: Size, rounds: number | null, seconds: number | null): Size {
  const size = { ...base, rounds: rounds ?? base.rounds };
  if (seconds === null) return size;
  const measureMs = seconds * MS_PER_SECOND;
  const settleMs = Math.min(measureMs, size.settleMs);
  return { ...size, measureMs, sustainedMs: measureMs, settleMs, firstSettleMs: settleMs };
}

function workloadsOf(named: readonly string[]): readonly Workload[] {
  const isNamed = (wanted: string) => (found: Workload) =>
    found.id === wanted || found.key === wanted;
  const unknown = named.filter((wanted) => !WORKLOADS.some(isNamed(wanted)));
  if (unknown.length > 0) throw new UsageError(`no workload ${unknown.join(', ')}`);
  if (named.length === 0) return WORKLOADS;
  return WORKLOADS.filter((workload) => named.some((wanted) => isNamed(wanted)(workload)));
}
