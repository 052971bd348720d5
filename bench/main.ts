/**
 * `npm run bench`: lograft beside Apache Kafka on this machine, in this run. Its promises: systems
 * take turns, each run is checked (an error, a missing acknowledgement or a wrong count makes it
 * invalid, and the exit code 1), and everything that was started is gone at the end. Goals that
 * were missed are said to be missed; they do not change the exit code.
 */
import { spawnSync } from 'node:child_process';
import { resultsOf } from './document.js';
import { GOALS } from './goals.js';
import { runHttpBench } from './http/http-bench.js';
import { formatHttpReport } from './http/http-report.js';
import { describeMachine, settingsOf, touchMemory } from './machine.js';
import { type Options, USAGE, UsageError, readOptions } from './options.js';
import { kafkaPeer } from './peer-kafka.js';
import { lograftPeer } from './peer-lograft.js';
import { idleShare } from './proc.js';
import { type Report, type Run, type WorkloadReport, judge, reportWorkload } from './report.js';
import { keepResults, writeDocument } from './results.js';
import { type Peer, System, openWorkRoot } from './system.js';
import { formatNumber, formatReport } from './table.js';
import type { Prepared, RunOutcome, Size, Workload } from './workload.js';

/** Of what is done around the runs: only its faults are kept, as of round 0. */
const NOTHING: RunOutcome = { values: {}, faults: [] };

type Said = { readonly text: string; readonly isValid: boolean };

function run(options: Options): Promise<Said> {
  if (options.isDocumentOnly) {
    writeDocument();
    return Promise.resolve({ text: '', isValid: true });
  }
  return options.isHttp ? mainHttp(options) : mainAll(options);
}

async function mainAll(options: Options): Promise<Said> {
  const report = await main(options);
  if (options.isKept) keepResults(resultsOf(report));
  return said(options, report, formatReport(report));
}

async function mainHttp(options: Options): Promise<Said> {
  const report = await runHttpBench(options);
  if (options.isKept) keepResults([report]);
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
    settings: settingsOf(options.size),
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
      return NOTHING;
    });
  }
  for (let round = 1; round <= size.rounds; round++) {
    // Who begins changes from round to round.
    const turns = round % 2 === 1 ? [...prepared] : [...prepared].reverse();
    for (const [system, ready] of turns) await attempt(system, round, () => ready.run());
  }
  for (const [system, ready] of prepared) await attempt(system, 0, () => endOf(ready));
  const acknowledged = systems.map(({ peer }) => [peer.name, peer.describe(durability)]);
  return reportWorkload(workload, Object.fromEntries(acknowledged), runs);
}

async function endOf(ready: Prepared): Promise<RunOutcome> {
  await ready.close();
  return NOTHING;
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
    const { text, isValid } = await run(options);
    process.stdout.write(text);
    process.exitCode = isValid ? 0 : 1;
  } catch (error) {
    const isUsage = error instanceof UsageError || isParseError(error);
    say(isUsage ? `${error.message}\n\n${USAGE}` : `${(error as Error).stack ?? error}`);
    // Nodes that still run would keep this process; they end with it.
    process.exit(isUsage ? 2 : 1);
  }
}
