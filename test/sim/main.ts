/**
 * `npm run sim -- --seconds N --seed S [--runs N] [--mutant NAME] [--trace]`: runs seeds one after
 * the other and prints what happened. A failing seed prints the command that repeats it; exit 1.
 */
import { parseArgs } from 'node:util';
import type { RaftMutant } from '#src/raft/raft-config.js';
import { makePlan } from './plan.js';
import { type SimResult, simulate } from './simulation.js';

const { values } = parseArgs({
  options: {
    seconds: { type: 'string', default: '10' },
    seed: { type: 'string', default: '1' },
    runs: { type: 'string' },
    mutant: { type: 'string' },
    trace: { type: 'boolean', default: false },
  },
});

const mutant = values.mutant as RaftMutant | undefined;
const firstSeed = Number(values.seed);
const runsMax = values.runs === undefined ? Number.POSITIVE_INFINITY : Number(values.runs);
const totals = { runs: 0, events: 0, simulatedMs: 0, acked: 0, hash: 0 };
const faults: Record<string, number> = {};
const branches: Record<string, number> = {};
const startedMs = performance.now();
const endMs = startedMs + Number(values.seconds) * 1000;

let failed: SimResult | null = null;
for (let seed = firstSeed; failed === null && totals.runs < runsMax; seed++) {
  if (totals.runs > 0 && performance.now() >= endMs) break;
  const result = simulate(seed, { mutant, isTraced: values.trace });
  add(result);
  // One seed in a hundred runs twice: the same hash, or something outside the seed had a say.
  if (seed % 100 === 0 && simulate(seed, { mutant }).hash !== result.hash) {
    process.stdout.write(`seed ${seed} is not deterministic\n`);
    process.exitCode = 1;
  }
  if (result.violation !== null) failed = result;
}

report(failed);

function add(result: SimResult): void {
  totals.runs++;
  totals.events += result.events;
  totals.simulatedMs += result.simulatedMs;
  totals.acked += result.acked;
  totals.hash = Math.imul(totals.hash ^ result.hash, 0x01000193) >>> 0;
  for (const [kind, count] of Object.entries(result.faults)) {
    faults[kind] = (faults[kind] ?? 0) + count;
  }
  for (const [name, count] of Object.entries(result.branches)) {
    branches[name] = (branches[name] ?? 0) + count;
  }
}

function report(failure: SimResult | null): void {
  const realMs = performance.now() - startedMs;
  const say = (line: string): boolean => process.stdout.write(`${line}\n`);
  say(`seeds      ${firstSeed}..${firstSeed + totals.runs - 1}`);
  say(`events     ${totals.events}`);
  const hours = (totals.simulatedMs / 3_600_000).toFixed(2);
  say(`simulated  ${hours} hours, ${Math.round(totals.simulatedMs / realMs)} x real time`);
  say(`acked      ${totals.acked}`);
  say(`faults     ${JSON.stringify(faults)}`);
  say(`branches   ${JSON.stringify(branches)}`);
  say(`hash       ${totals.hash.toString(16)}`);
  if (failure === null) return;
  process.exitCode = 1;
  say(`FAILED     seed ${failure.seed}: ${failure.violation?.message}`);
  say(`plan       ${JSON.stringify(makePlan(failure.seed))}`);
  const flag = mutant === undefined ? '' : ` --mutant ${mutant}`;
  say(`repeat     npm run sim -- --seed ${failure.seed} --runs 1${flag} --trace`);
}
