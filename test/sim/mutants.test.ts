/**
 * The simulator is accepted by what it catches: classical mistakes, switched on one at a time, are
 * found by the general plan within a bounded number of seeds. Here those that fall quickly;
 * `npm run mutants` takes them all.
 */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { REPOSITORY } from '../tidy/source-tree.js';
import { killMutant } from './mutants/hunt.js';
import { mutantOf } from './mutant.js';

const SEEDS_MAX = 200;

const QUICK = [
  'vote-without-log-check',
  'ack-before-sync',
  'count-self-before-sync',
  'watermark-without-min',
  'producers-not-rebuilt',
  'duplicate-before-commit',
  'latest-before-first-commit',
  'commit-older-epoch',
  'same-term-after-restart',
  'sync-overtakes-append',
  'offset-commit-acked-before-commit',
  'empty-offset-while-loading',
  'generation-not-persisted',
  'old-generation-commits',
  'controller-decides-before-applied',
  'outcome-not-remembered',
  'snapshot-skips-last-batch',
  'deletes-orphans',
];

for (const name of QUICK) {
  test(`killed: ${name}`, () => {
    const kill = killMutant(mutantOf(name), { firstSeed: 1, seedsMax: SEEDS_MAX });
    assert.ok(kill !== null, `${name} survived ${SEEDS_MAX} seeds`);
    process.stdout.write(`${name}: seed ${kill?.seed}, ${kill?.message}\n`);
  });
}

test('no mutant can be switched on in production', () => {
  for (const room of ['broker', 'cli', 'gateway', 'handlers']) {
    const folder = join(REPOSITORY, 'src', room);
    for (const name of readdirSync(folder, { recursive: true, encoding: 'utf8' })) {
      if (!name.endsWith('.ts')) continue;
      assert.not.match(readFileSync(join(folder, name), 'utf8'), /mutant/i, `${room}/${name}`);
    }
  }
});

test.run();
