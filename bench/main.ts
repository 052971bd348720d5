/**
 * `npm run bench`: lograft beside Apache Kafka on this machine, in this run. Its promises: systems
 * take turns, each run is checked (an error, a missing acknowledgement or a wrong count makes it
 * invalid, and the exit code 1), and everything that was started is gone at the end. Goals that
 * were missed are said to be missed; they do not change the exit code.
 */
import { spawnSync } from 'node:child_process';
import { parseArgs } from 'node:util';
import { CATCH_UP } from './catch-up-workload.js';
import { FAILOVER } from './failover-workload.js';
import { GOALS } from './goals.js';
import { runHttpBench } from './http/http-bench.js';
import { formatHttpReport } from './http/http-report.js';
import { describeMachine, touchMemory } from './machine.js';
import { kafkaPeer } from './peer-kafka.js';
import { lograftPeer } from './peer-lograft.js';
import { idleShare } from './proc.js';
import { PRODUCE_WORKLOADS } from './produce-workloads.js';
import { type Report, type Run, type WorkloadReport, judge, reportWorkload } from './report.js';
import { START } from './start-workload.js';
import { type Peer, System, openWorkRoot } from './system.js';
import { formatNumber, formatReport } from './table.js';
import {
  FULL,
  type Prepared,
  type RunOutcome,
  SMOKE,
  type Size,
  type Workload,
} from './workload.js';

const WORKLOADS: readonly Workload[] = [START, ...PRODUCE_WORKLOADS, CATCH_UP, FAILOVER];
const HTTP = 'W10';

const USAGE = `usage: npm run bench -- [options] [ID...]

  --smoke            small sizes, lograft alone: does everything work? (seconds)
  --full             lograft beside Apache Kafka (the default; a quarter of an hour)
  --alone            without Kafka
  --workload ID      only W2, W4, W5, W6, W8 or W9; may be given several times, also as ID
  W10                HTTP beside node:http and nginx: by itself, when it is named, and a full run
                     writes bench/results/W10.json
  --rounds N         runs of each workload on each system
  --dir DIR          where the data goes (default: the folder for temporary files)
  --format json      one document instead of the table
`;

class UsageError extends Error {
  override readonly name = 'UsageError';
}

type Options = {
  readonly isSmoke: boolean;
  readonly isAlone: boolean;
  readonly isJson: boolean;
  readonly isHttp: boolean;
  readonly workloads: readonly Workload[];
  readonly size: Size;
  /** Null: as many as the size says. */
  readonly rounds: number | null;
  readonly directory: string | undefined;
};

function readOptions(args: readonly string[]): Options {
  const { values, positionals } = parseArgs({
    args: [...args],
    allowPositionals: true,
    options: {
      smoke: { type: 'boolean', default: false },
      full: { type: 'boolean', default: false },
      alone: { type: 'boolean', default: false },
      workload: { type: 'string', multiple: true, default: [] },
      rounds: { type: 'string' },
      dir: { type: 'string' },
      format: { type: 'string', default: 'table' },
    },
  });
  if (values.smoke && values.full) throw new UsageError('--smoke or --full, not both');
  if (!['table', 'json'].includes(values.format)) throw new UsageError('--format is table or json');
  const named = [...values.workload, ...positionals];
  const isHttp = named.includes(HTTP);
  if (isHttp && new Set(named).size > 1) throw new UsageError(`${HTTP} runs by itself`);
  const isKnown = (wanted: string) => isHttp || WORKLOADS.some(({ id }) => id === wanted);
  const unknown = named.filter((wanted) => !isKnown(wanted));
  if (unknown.length > 0) throw new UsageError(`no workload ${unknown.join(', ')}`);
  const size = values.smoke ? SMOKE : FULL;
  const rounds = Number(values.rounds ?? size.rounds);
  if (!(Number.isInteger(rounds) && rounds > 0)) throw new UsageError('--rounds is a count');
  return {
    isSmoke: values.smoke,
    isAlone: values.alone || values.smoke,
    isJson: values.format === 'json',
    isHttp,
    workloads: WORKLOADS.filter(({ id }) => named.length === 0 || named.includes(id)),
    size: { ...size, rounds },
    rounds: values.rounds === undefined ? null : rounds,
    directory: values.dir,
  };
}

type Said = { readonly text: string; readonly isValid: boolean };

async function mainAll(options: Options): Promise<Said> {
  const report = await main(options);
  return said(options, report, formatReport(report));
}

async function mainHttp(options: Options): Promise<Said> {
  const report = await runHttpBench(options);
  return said(options, report, formatHttpReport(report));
}

function said({ isJson }: Options, report: { readonly isValid: boolean }, table: string): Said {
  return { text: isJson ? `${JSON.stringify(report)}\n` : table, isValid: report.isValid };
}

async function main(options: Options): Promise<Report> {
  const startedAt = new Date().toISOString();
  const peers = options.isAlone ? [lograftPeer] : await availablePeers();
  const root = openWorkRoot(options.directory);
  const systems = peers.map((peer) => new System(peer, root));
  touchMemory(options.size.touchBytes);
  const workloads: WorkloadReport[] = [];
  for (const workload of options.workloads) {
    workloads.push(await runWorkload(workload, systems, options.size));
  }
  for (const system of systems) await system.stop();
  return {
    size: options.isSmoke ? 'smoke' : 'full',
    startedAt,
    machine: describeMachine(),
    systems: Object.fromEntries(peers.map(({ name, label }) => [name, label])),
    workloads,
    goals: options.isSmoke ? [] : judge(GOALS, workloads),
    isValid: workloads.every(({ isValid }) => isValid),
  };
}

/** Kafka is left out when this machine can not have it; what then has no peer is not judged. */
async function availablePeers(): Promise<Peer[]> {
  try {
    await kafkaPeer.install();
    return [lograftPeer, kafkaPeer];
  } catch (error) {
    say(`${kafkaPeer.label} is left out. ${(error as Error).message}`);
    return [lograftPeer];
  }
}

async function runWorkload(
  workload: Workload,
  systems: readonly System[],
  size: Size,
): Promise<WorkloadReport> {
  const { id, title, durability } = workload;
  const runs: Run[] = [];
  const prepared = new Map<System, Prepared>();
  const attempt = async (system: System, round: number, act: () => Promise<RunOutcome>) => {
    // What the run before left to be written must not be written during this one.
    if (size.isDiskSettled) spawnSync('sync');
    const idleBefore = await idleShare(size.watchMs);
    const outcome = await act().catch((error: unknown) => ({ values: {}, faults: [`${error}`] }));
    const run = { system: system.peer.name, round, idleBefore, ...outcome };
    if (round > 0 || run.faults.length > 0) runs.push(run);
    sayRun(workload, run);
  };
  for (const system of systems) {
    say(`${id} ${title} (${durability}): preparing ${system.peer.label}`);
    await attempt(system, 0, async () => {
      prepared.set(system, await workload.prepare(system, size));
      return { values: {}, faults: [] };
    });
  }
  for (let round = 1; round <= size.rounds; round++) {
    for (const [system, ready] of prepared) await attempt(system, round, () => ready.run());
  }
  for (const ready of prepared.values()) await ready.close();
  const acknowledged = systems.map(({ peer }) => [peer.name, peer.describe(durability)]);
  return reportWorkload(workload, Object.fromEntries(acknowledged), runs);
}

function sayRun({ id, metrics }: Workload, { system, round, values, faults }: Run): void {
  const said = metrics
    .filter(({ name }) => values[name] !== undefined)
    .map(({ name, unit }) => `${name} ${formatNumber(values[name] as number)} ${unit}`);
  if (said.length + faults.length === 0) return;
  say(`${id} round ${round}, ${system}: ${[said.join(', '), ...faults].join('; INVALID: ')}`);
}

function isParseError(error: unknown): error is Error {
  const { code } = error as NodeJS.ErrnoException;
  return code?.startsWith('ERR_PARSE_ARGS') === true;
}

function say(text: string): void {
  process.stderr.write(`${text}\n`);
}

if (process.argv.includes('--help')) {
  process.stdout.write(USAGE);
} else {
  try {
    if (process.platform !== 'linux') throw new UsageError('the bench reads /proc: Linux only');
    const options = readOptions(process.argv.slice(2));
    const { text, isValid } = options.isHttp ? await mainHttp(options) : await mainAll(options);
    process.stdout.write(text);
    process.exitCode = isValid ? 0 : 1;
  } catch (error) {
    const isUsage = error instanceof UsageError || isParseError(error);
    say(isUsage ? `${error.message}\n\n${USAGE}` : `${(error as Error).stack ?? error}`);
    // Nodes that still run would keep this process; they end with it.
    process.exit(isUsage ? 2 : 1);
  }
}
