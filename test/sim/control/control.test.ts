/**
 * A fixed set of seeds through the control plane's profile of the simulator. A failure names the
 * seed: repeat it with `npm run sim -- --profile control --seed N --runs 1 --trace`, mend it, and
 * let it stay in the set.
 */
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { runCampaign } from '../campaign.js';
import { CONTROL_BRANCHES, CONTROL_FAULTS } from './control-branches.js';

const SEEDS = 12;
/** Found something once, in the code or in a checker. */
const OLD_FRIENDS = [2, 5, 10, 28, 100];

test('no seed of the fixed set breaks an invariant, and all branches are reached', () => {
  const seeds = Array.from({ length: SEEDS }, (_, i) => 7000 + i);
  const totals = runCampaign({ seeds: [...OLD_FRIENDS, ...seeds], profile: 'control' });
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

test.run();
