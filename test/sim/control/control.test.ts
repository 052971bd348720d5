/**
 * A fixed set of seeds through the control plane's profile of the simulator. A failure names the
 * seed: repeat it with `npm run sim -- --profile control --seed N --runs 1 --trace`, mend it, and
 * let it stay in the set.
 */
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { runCampaign } from '../campaign.js';
import { planOf, run } from '../scenario.js';
import { CONTROL_BRANCHES, CONTROL_FAULTS } from './control-branches.js';

/** Together they go every way of the list. */
const SEEDS = [7022, 7055, 7081, 7090, 7099, 7122, 7198, 527];

test('no seed of the fixed set breaks an invariant, and all branches are reached', () => {
  const totals = runCampaign({ seeds: SEEDS, profile: 'control' });
  const { failure, branches, faults } = totals;
  if (failure !== null) throw new Error(`seed ${failure.seed}: ${failure.violation?.stack}`);
  assert.is(totals.unstableSeed, null);
  const missed = [
    ...CONTROL_FAULTS.filter((name) => faults[name] === undefined),
    ...CONTROL_BRANCHES.filter((name) => branches[name] === undefined),
  ];
  assert.equal(missed, []);
  const hours = (totals.simulatedMs / 3_600_000).toFixed(2);
  const cpuMs = Math.round(totals.cpuMs);
  process.stdout.write(`${hours} hours, ${totals.acked} acknowledged, ${cpuMs} ms of processor\n`);
});

test('two runs of a seed are the same', () => {
  const plan = planOf(7122, 'control');
  const [one, other] = [run(plan), run(plan)];
  assert.is(one.hash, other.hash);
  assert.is(one.events, other.events);
});

test.run();
