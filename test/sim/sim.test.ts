/**
 * A fixed set of seeds through the simulator. A failure names the seed: repeat it with
 * `npm run sim -- --seed N --runs 1 --trace`, mend it, and let it stay in the set.
 */
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { BRANCHES, FAULTS } from './branches.js';
import { runCampaign } from './campaign.js';
import { mutantOf } from './mutant.js';
import { makePlan } from './plan.js';
import { run } from './scenario.js';
import { shrink } from './shrink.js';
import { invariantOf, simulate } from './simulation.js';

const SEEDS = 100;
/** Found something once, in the code or in a checker. */
const OLD_FRIENDS = [
  25, 32, 69, 267, 333, 359, 808, 854, 1490, 1493, 1506, 2606, 2836, 5068, 30079, 90017, 100043,
  201210, 50005638, 50100435, 50600416, 1151, 500008, 500778, 30000158, 10400206, 803,
];
/** Reach what is rare: two coordinators at once, a commit of a member that was given up. */
const RARE = [5106, 5116, 5127, 5129, 5202, 5408, 5980];

test('no seed of the fixed set breaks an invariant, and all branches are reached', () => {
  const seeds = Array.from({ length: SEEDS }, (_, i) => 5000 + i);
  const totals = runCampaign({ seeds: [...OLD_FRIENDS, ...RARE, ...seeds] });
  const { failure, branches, faults } = totals;
  if (failure !== null) throw new Error(`seed ${failure.seed}: ${failure.violation?.stack}`);
  assert.is(totals.unstableSeed, null);
  const missed = [
    ...FAULTS.filter((name) => faults[name] === undefined),
    ...BRANCHES.filter((name) => branches[name] === undefined),
  ];
  assert.equal(missed, []);
  const hours = (totals.simulatedMs / 3_600_000).toFixed(1);
  const cpuMs = Math.round(totals.cpuMs);
  process.stdout.write(`${hours} hours, ${totals.acked} acknowledged, ${cpuMs} ms of processor\n`);
});

test('a leader whose damaged bytes nobody takes makes way for another', () => {
  assert.is(simulate(makePlan(30_079, 'harsh')).violation, null);
});

test('what is committed in a turn that is still open is read back when it has been judged', () => {
  assert.is(simulate(makePlan(4337, 'sparse')).violation, null);
});

test('a deposed leader does not take what another one has committed for its own', () => {
  assert.is(simulate(makePlan(81000722, 'sparse')).violation, null);
});

for (const name of ['duplicate-before-commit', 'generation-not-persisted']) {
  test(`a failing plan shrinks to one with the same violation: ${name}`, () => {
    const mutant = mutantOf(name);
    const options = { mutant };
    const failing = [1, 2, 3, 4, 5, 6, 7, 8].find(
      (seed) => simulate(makePlan(seed, 'harsh'), options).violation !== null,
    );
    assert.ok(failing !== undefined, 'a seed finds the mutant');
    const plan = makePlan(failing, 'harsh');
    const invariant = invariantOf(simulate(plan, options).violation as Error);
    const small = shrink(plan, invariant, { mutant, runsMax: 80, msMax: 8_000 }).plan;
    assert.is(invariantOf(run(small, options).violation as Error), invariant);
    assert.ok(small.faults.length + small.operations.length < plan.operations.length / 2);
  });
}

test.run();
