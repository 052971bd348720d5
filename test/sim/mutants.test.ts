/**
 * The simulator is accepted by what it catches: each classical mistake, switched on in the core,
 * is found by the general simulation within a bounded number of seeds.
 */
import type { RaftMutant } from '#src/raft/raft-config.js';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { simulate } from './simulation.js';

const SEEDS_MAX = 600;

const MUTANTS: readonly RaftMutant[] = [
  'vote-without-log-check',
  'ack-before-sync',
  'count-self-before-sync',
  'commit-older-epoch',
  'vote-before-durable',
  'no-prev-epoch-check',
];

for (const mutant of MUTANTS) {
  test(`killed: ${mutant}`, () => {
    for (let seed = 1; seed <= SEEDS_MAX; seed++) {
      const { violation } = simulate(seed, { mutant });
      if (violation === null) continue;
      // The right program passes the same seed: it is the mistake that was found.
      assert.is(simulate(seed).violation, null);
      process.stdout.write(`${mutant}: seed ${seed}, ${violation.message.split('\n')[0]}\n`);
      return;
    }
    assert.unreachable(`${mutant} survived ${SEEDS_MAX} seeds`);
  });
}

test.run();
