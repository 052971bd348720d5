/**
 * `npm run bench`: lograft beside Apache Kafka on this machine, in this run. Its promises: systems
 * take turns, each run is checked (an error, a missing acknowledgement or a wrong count makes it
 * invalid, and the exit code 1), and everything that was started is gone at the end. Goals that
 * were missed are said to be missed; they do not change the exit code.
 */
import { spawnSync } from 'node:child_process';
import { availableParallelism, cpus, freemem, release, totalmem } from 'node:os';
import { parseArgs } from 'node:util';
import { CATCH_UP } from './catch-up-workload.js';
import { FAILOVER } from './failover-workload.js';
import { GOALS } from './goals.js';
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
const GIB = 2 ** 30;

const USAGE = `usage: npm run bench -- [options]

  --smoke            small sizes, lograft alone: does everything work? (seconds)
  --full             lograft beside Apache Kafka (the default; a quarter of an hour)
  --alone            without Kafka
  --workload ID      only W2, W4, W5, W6, W8 or W9; may be given several times
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
  readonly workloads: readonly Workload[];
  readonly size: Size;
  readonly directory: string | undefined;
};

function readOptions(args: readonly string[]): Options {
  const { values } = parseArgs({
    args: [...args],
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
  const unknown = values.workload.filter((wanted) => !WORKLOADS.some(({ id }) => id === wanted));
  if (unknown.length > 0) throw new UsageError(`no workload ${unknown.join(', ')}`);
  const size = values.smoke ? SMOKE : FULL;
  const rounds = Number(values.rounds ?? size.rounds);
  if (!(Number.isInteger(rounds) && rounds > 0)) throw new UsageError('--rounds is a count');
  return {
    isSmoke: values.smoke,
    isAlone: values.alone || values.smoke,
    isJson: values.format === 'json',
    workloads: WORKLOADS.filter(
      ({ id }) => values.workload.length === 0 || values.workload.includes(id),
    ),
    size: { ...size, rounds },
    directory: values.dir,
  };
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

function describeMachine(): Record<string, string | number> {
  return {
    CPU: cpus()[0]?.model.trim() ?? 'unknown',
    cores: availableParallelism(),
    'memory GiB': Math.round(totalmem() / GIB),
    Linux: release(),
    Node: process.versions.node,
  };
}

/** Writes to so much memory once (half of what is free at most), in a process that ends then. */
function touchMemory(bytes: number): void {
  const gibibytes = Math.floor(Math.min(bytes, freemem() / 2) / GIB);
  if (gibibytes === 0) return;
  const script = `Array.from({ length: ${gibibytes} }, () => Buffer.alloc(${GIB}, 1))`;
  spawnSync(process.execPath, ['-e', script], { stdio: 'ignore' });
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
    const report = await main(options);
    process.stdout.write(options.isJson ? `${JSON.stringify(report)}\n` : formatReport(report));
    process.exitCode = report.isValid ? 0 : 1;
  } catch (error) {
    const isUsage = error instanceof UsageError || isParseError(error);
    say(isUsage ? `${error.message}\n\n${USAGE}` : `${(error as Error).stack ?? error}`);
    // Nodes that still run would keep this process; they end with it.
    process.exit(isUsage ? 2 : 1);
  }
}
