/**
 * A fixed set of seeds through the simulator. A failure names the seed: repeat it with
 * `npm run sim -- --seed N --runs 1 --trace`, mend it, and let it stay in the set.
 */
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { simulate } from './simulation.js';

const SEEDS = 36;
/** Found something once. */
const OLD_FRIENDS = [2, 11, 20, 55, 110, 1151];

/** A run that never gets here has not tested what it is for. */
const BRANCHES = [
  'produce-acked',
  'produce-unknown',
  'latest-confirmed',
  'truncated',
  'reset',
  'gap',
  'stepped-down',
  'transfer-begun',
  'trim-proposed',
  'recovery torn-tail',
  'link-down',
  'storage-full',
];
const FAULTS = ['kill', 'power', 'pause', 'cut', 'cut-one-way', 'isolate', 'loss', 'repeat'];

test('no seed of the fixed set breaks an invariant, and all branches are reached', () => {
  const seen = new Set<string>();
  const seeds = Array.from({ length: SEEDS }, (_, i) => 1000 + i);
  for (const seed of [...OLD_FRIENDS, ...seeds]) {
    const { violation, branches, faults } = simulate(seed);
    if (violation !== null) throw new Error(`seed ${seed}: ${violation.stack}`);
    for (const name of [...Object.keys(branches), ...Object.keys(faults)]) seen.add(name);
  }
  const missed = [...BRANCHES, ...FAULTS].filter((name) => !seen.has(name));
  assert.equal(missed, []);
});

test('a seed says all: two runs have the same hash', () => {
  for (const seed of [5, 6]) assert.is(simulate(seed).hash, simulate(seed).hash);
});

test.run();
