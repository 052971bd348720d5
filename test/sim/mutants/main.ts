/**
 * `npm run mutants`: every mutant against the general plan, each until a seed finds it. Prints the
 * seeds each took and the violation's id; exit 1 when one survives.
 */
import { Option } from 'commander';
import { wholeNumber } from '#src/cli/options.js';
import { addToLedger } from '../../support/ledger.js';
import { longCommand, optionsOf } from '../../support/long-command.js';
import { tuneEngine } from '../engine.js';
import { MUTANT_NAMES, mutantOf, SIM_MUTANTS } from '../mutant.js';
import { type Kill, killMutant } from './hunt.js';

type Options = {
  readonly seed: number;
  readonly seeds: number;
  readonly seconds: number;
  readonly only?: string;
  readonly format: 'text' | 'json';
  readonly ledger: boolean;
};

const values: Options = optionsOf(
  longCommand('mutants', 'Looks for a seed that finds each mistake that is made on purpose.')
    .option('--seed <s>', 'the first one', wholeNumber('--seed', 0), 1)
    .option('--seeds <n>', 'at most, for one mutant', wholeNumber('--seeds', 1), 20_000)
    .option('--seconds <n>', 'at most, for one mutant', wholeNumber('--seconds', 1), 600)
    .addOption(new Option('--only <name>', 'this mutant').choices(MUTANT_NAMES))
    .addOption(new Option('--format <format>').choices(['text', 'json']).default('text'))
    .option('--ledger', 'adds the result to docs/ledger.jsonl', false),
);

const NAME_WIDTH = 32;
const mutants = values.only === undefined ? SIM_MUTANTS : [mutantOf(values.only)];
const firstSeed = values.seed;
const seedsMax = values.seeds;
const results: { name: string; kill: Kill | null }[] = [];

tuneEngine();
for (const mutant of mutants) {
  const endMs = performance.now() + values.seconds * 1000;
  process.stderr.write(`${mutant.name} …\n`);
  const isOver = (): boolean => performance.now() > endMs;
  const kill = killMutant(mutant, { firstSeed, seedsMax, isOver });
  results.push({ name: mutant.name, kill });
  if (values.format === 'text') process.stdout.write(`${lineOf(mutant.name, kill)}\n`);
}

const seeds = results.map(({ kill }) => kill?.seeds ?? Number.POSITIVE_INFINITY);
const median = seeds.sort((a, b) => a - b)[seeds.length >> 1];
const survivors = results.filter(({ kill }) => kill === null).length;
if (values.format === 'json') {
  process.stdout.write(`${JSON.stringify({ firstSeed, median, survivors, mutants: results })}\n`);
} else {
  const killed = results.length - survivors;
  process.stdout.write(`${killed} of ${results.length} killed, median ${median} seeds\n`);
}
if (survivors > 0) process.exitCode = 1;
if (values.ledger) {
  const took = results.map(({ name, kill }) => [name, kill?.seeds ?? null]);
  addToLedger('mutants', survivors === 0, { firstSeed, median, took: Object.fromEntries(took) });
}

function lineOf(name: string, kill: Kill | null): string {
  if (kill === null) return `${name.padEnd(NAME_WIDTH)} SURVIVED`;
  const took = String(kill.seeds).padStart(6);
  return `${name.padEnd(NAME_WIDTH)} ${took}  ${kill.invariant.padEnd(14)} ${kill.message}`;
}
