/** Quorum arithmetic against an implementation too dumb to be wrong, on random cases. */
import { comparePositions, type Position } from '#src/base/position.js';
import { Prng } from '#src/base/prng.js';
import { majorityOf, quorumNumber, quorumPosition } from '#src/raft/quorum.js';
import { test } from 'uvu';
import * as assert from 'uvu/assert';

const CASES = 20_000;

/** The furthest candidate that more than half of all have reached: try every one, count by hand. */
function dumbQuorum(positions: readonly Position[]): Position {
  let best: Position = { offset: -1, marks: -1 };
  for (const candidate of positions) {
    let reached = 0;
    for (const position of positions) if (comparePositions(position, candidate) >= 0) reached++;
    if (reached * 2 > positions.length && comparePositions(candidate, best) > 0) best = candidate;
  }
  return best;
}

test('a majority is more than half', () => {
  assert.equal([1, 2, 3, 4, 5].map(majorityOf), [1, 2, 2, 3, 3]);
});

test('the quorum position is what a majority has reached', () => {
  const random = new Prng(7);
  for (let i = 0; i < CASES; i++) {
    const positions = Array.from({ length: random.int(1, 8) }, () => ({
      offset: random.int(0, 5),
      marks: random.int(0, 4),
    }));
    assert.equal(quorumPosition(positions), dumbQuorum(positions));
  }
});

test('the quorum number is what a majority has reached', () => {
  const random = new Prng(8);
  for (let i = 0; i < CASES; i++) {
    const numbers = Array.from({ length: random.int(1, 8) }, () => random.int(0, 9));
    const positions = numbers.map((offset) => ({ offset, marks: 0 }));
    assert.is(quorumNumber(numbers), dumbQuorum(positions).offset);
  }
});

test.run();
