/**
 * `npm run sim`: runs seeds one after the other and prints what happened. A failing seed prints the
 * command that repeats it and a small plan with the same violation; exit 1.
 */
import { readFileSync } from 'node:fs';
import { Option } from 'commander';
import { wholeNumber } from '#src/cli/options.js';
import { addToLedger } from '../support/ledger.js';
import { longCommand, optionsOf } from '../support/long-command.js';
import { runCampaign, type Totals } from './campaign.js';
import { tuneEngine } from './engine.js';
import { MUTANT_NAMES, mutantOf, type SimMutant } from './mutant.js';
import { ALL_PROFILES, type AnyPlan, type AnyProfile, planOf, run } from './scenario.js';
import { type Shrunk, shrink } from './shrink.js';
import type { SimResult } from './sim-result.js';
import { invariantOf } from './simulation.js';

const PROGRESS_MS = 2_000;

type Options = {
  readonly seconds: number;
  readonly seed: number;
  readonly runs?: number;
  readonly profile?: AnyProfile;
  readonly mutant?: string;
  readonly plan?: string;
  readonly trace: boolean;
  readonly format: 'text' | 'json';
  readonly shrink: boolean;
  readonly ledger: boolean;
};

const values: Options = optionsOf(
  longCommand('sim', 'Runs seeds of the simulator and prints what happened.')
    .option('--seconds <n>', 'how long', wholeNumber('--seconds', 1), 10)
    .option('--seed <s>', 'the first one', wholeNumber('--seed', 0), 1)
    .option('--runs <n>', 'so many seeds, however long that takes', wholeNumber('--runs', 1))
    .addOption(new Option('--profile <name>', 'of this kind only').choices(ALL_PROFILES))
    .addOption(new Option('--mutant <name>', 'with this mistake made').choices(MUTANT_NAMES))
    .option('--plan <file>', 'runs a plan that a failing seed has printed')
    .option('--trace', 'says what happens', false)
    .option('--no-shrink', 'does not look for a smaller plan that fails alike')
    .addOption(new Option('--format <format>').choices(['text', 'json']).default('text'))
    .option('--ledger', 'adds the sums to docs/ledger.jsonl', false),
);

const mutant = values.mutant === undefined ? undefined : mutantOf(values.mutant);
const { profile } = values;
const isJson = values.format === 'json';
const startedMs = performance.now();

tuneEngine();
if (values.plan === undefined) runSeeds();
else runPlan(JSON.parse(readFileSync(values.plan, 'utf8')) as AnyPlan);

function runSeeds(): void {
  const runsMax = values.runs ?? Number.POSITIVE_INFINITY;
  const endMs = startedMs + values.seconds * 1000;
  let saidMs = startedMs;
  const totals = runCampaign({
    seeds: seedsFrom(values.seed),
    profile,
    mutant,
    isTraced: values.trace,
    isOver: (sofar) => {
      const nowMs = performance.now();
      if (nowMs - saidMs > PROGRESS_MS) {
        saidMs = nowMs;
        process.stderr.write(`${sofar.runs} seeds, ${hours(sofar.simulatedMs)} hours\n`);
      }
      // A number of runs is worked off, however long that takes.
      return sofar.runs >= runsMax || (values.runs === undefined && nowMs >= endMs);
    },
  });
  const { failure, unstableSeed } = totals;
  const isShrunk = failure !== null && values.shrink && !values.trace;
  const shrunk = isShrunk ? shrinkFailure(failure, mutant) : null;
  if (isJson) reportJson(totals, shrunk);
  else reportText(totals, shrunk);
  const isOk = failure === null && unstableSeed === null;
  if (!isOk) process.exitCode = 1;
  if (values.ledger) addTotals(totals, isOk);
}

function addTotals(
  { runs, simulatedMs, events, acked, hash, failure }: Totals,
  isOk: boolean,
): void {
  addToLedger('sim', isOk, {
    firstSeed: values.seed,
    runs,
    hours: Number(hours(simulatedMs)),
    minutes: Math.round((performance.now() - startedMs) / 6_000) / 10,
    events,
    acked,
    hash: hash.toString(16),
    failedSeed: failure?.seed ?? null,
  });
}

function* seedsFrom(first: number): Generator<number> {
  for (let seed = first; ; seed++) yield seed;
}

function shrinkFailure(failure: SimResult, of: SimMutant | undefined): Shrunk {
  process.stderr.write(`seed ${failure.seed}: ${failure.violation?.message.split('\n')[0]}\n`);
  const invariant = invariantOf(failure.violation as Error);
  return shrink(planOf(failure.seed, profile), invariant, {
    mutant: of,
    onProgress: ({ faults, operations }, runs) => {
      const left = `${faults.length} faults, ${operations.length} operations`;
      process.stderr.write(`shrinking, run ${runs}: ${left}\n`);
    },
  });
}

function runPlan(plan: AnyPlan): void {
  const result = run(plan, { mutant, isTraced: values.trace });
  say(`plan       seed ${plan.seed}, ${hours(result.simulatedMs)} hours, ${result.events} events`);
  say(`hash       ${result.hash.toString(16)}`);
  if (result.violation === null) return;
  say(`FAILED     ${result.violation.stack}`);
  process.exitCode = 1;
}

function reportText(totals: Totals, shrunk: Shrunk | null): void {
  const { failure, unstableSeed, lastSeed, runs } = totals;
  const realMs = performance.now() - startedMs;
  say(`seeds      ${lastSeed - runs + 1}..${lastSeed}, ${totals.repeated} of them twice`);
  const speed = rate(totals.simulatedMs, realMs);
  say(`simulated  ${hours(totals.simulatedMs)} hours, ${speed} x real time`);
  for (const [name, part] of Object.entries(totals.byProfile)) {
    const perCore = rate(part.simulatedMs, part.cpuMs);
    const what = `${part.runs} seeds, ${hours(part.simulatedMs)} hours`;
    say(`  ${name.padEnd(9)}${what}, ${perCore} x the processor time of one core`);
  }
  say(`events     ${totals.events}`);
  say(`acked      ${totals.acked}`);
  say(`faults     ${JSON.stringify(sorted(totals.faults))}`);
  say(`branches   ${JSON.stringify(sorted(totals.branches))}`);
  say(`hash       ${totals.hash.toString(16)}`);
  if (unstableSeed !== null) say(`FAILED     seed ${unstableSeed} is not deterministic`);
  if (failure === null) return;
  say(`FAILED     seed ${failure.seed}: ${failure.violation?.stack}`);
  say(`repeat     ${repeatCommand(failure.seed)}`);
  if (shrunk === null) return;
  const { plan } = shrunk;
  const { faults, operations, nodes } = plan;
  say(`small plan ${faults.length} faults, ${operations.length} operations, ${nodes} nodes`);
  say(JSON.stringify(plan));
}

function reportJson(totals: Totals, shrunk: Shrunk | null): void {
  const { failure, hash, ...rest } = totals;
  const realMs = performance.now() - startedMs;
  const failed =
    failure === null
      ? null
      : {
          seed: failure.seed,
          invariant: invariantOf(failure.violation as Error),
          message: failure.violation?.message,
          repeat: repeatCommand(failure.seed),
          plan: shrunk?.plan ?? null,
        };
  const firstSeed = totals.lastSeed - totals.runs + 1;
  const hoursSimulated = totals.simulatedMs / 3_600_000;
  say(
    JSON.stringify({
      ...rest,
      firstSeed,
      hoursSimulated,
      realMs,
      timesRealTime: totals.simulatedMs / realMs,
      hash: hash.toString(16),
      failed,
    }),
  );
}

function repeatCommand(seed: number): string {
  const flags = [
    `--seed ${seed} --runs 1`,
    ...(profile === undefined ? [] : [`--profile ${profile}`]),
    ...(mutant === undefined ? [] : [`--mutant ${mutant.name}`]),
  ];
  return `npm run sim -- ${flags.join(' ')} --trace`;
}

function sorted(counts: Readonly<Record<string, number>>): Record<string, number> {
  return Object.fromEntries(Object.entries(counts).sort(([a], [b]) => (a < b ? -1 : 1)));
}

function hours(ms: number): string {
  return (ms / 3_600_000).toFixed(2);
}

function rate(simulatedMs: number, spentMs: number): number {
  return Math.round(simulatedMs / Math.max(1, spentMs));
}

function say(line: string): void {
  process.stdout.write(`${line}\n`);
}
