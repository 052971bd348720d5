/**
 * `npm run mutants -- [--seed S] [--seeds N] [--seconds N] [--only NAME] [--format json]`: every
 * mutant against the general plan, each until a seed finds it. Prints the seeds each took and the
 * violation's id; exit 1 when one survives.
 */
import { parseArgs } from 'node:util';
import { addToLedger } from '../../support/ledger.js';
import { tuneEngine } from '../engine.js';
import { mutantOf, SIM_MUTANTS } from '../mutant.js';
import { type Kill, killMutant } from './hunt.js';

const { values } = parseArgs({
  options: {
    seed: { type: 'string', default: '1' },
    seeds: { type: 'string', default: '20000' },
    /** At most so long for one mutant. */
    seconds: { type: 'string', default: '600' },
    only: { type: 'string' },
    format: { type: 'string', default: 'text' },
    ledger: { type: 'boolean', default: false },
  },
});

const NAME_WIDTH = 32;
const mutants = values.only === undefined ? SIM_MUTANTS : [mutantOf(values.only)];
const firstSeed = Number(values.seed);
const seedsMax = Number(values.seeds);
const results: { name: string; kill: Kill | null }[] = [];

tuneEngine();
for (const mutant of mutants) {
  const endMs = performance.now() + Number(values.seconds) * 1000;
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
