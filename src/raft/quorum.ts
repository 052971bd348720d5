/** Majorities, as arithmetic: of positions, of numbers, of votes. No state. */
import { assert } from '../base/assert.js';
import { comparePositions, type Position } from '../base/position.js';

/** How many of `voters` are a majority. */
export function majorityOf(voters: number): number {
  assert(voters > 0, 'a group has voters');
  return Math.floor(voters / 2) + 1;
}

/** The furthest position that a majority has reached, given one position a voter; as below. */
export function quorumPosition(positions: readonly Position[]): Position {
  const majority = majorityOf(positions.length);
  let furthest: Position | null = null;
  for (const position of positions) {
    if (furthest !== null && comparePositions(position, furthest) <= 0) continue;
    let reached = 0;
    for (const other of positions) if (comparePositions(other, position) >= 0) reached += 1;
    if (reached >= majority) furthest = position;
  }
  assert(furthest !== null, 'a majority has reached what the last of it has reached');
  return furthest;
}

/** The largest number that a majority has reached, given one number a voter; each turn asks. */
export function quorumNumber(numbers: readonly number[]): number {
  const majority = majorityOf(numbers.length);
  let largest = Number.NEGATIVE_INFINITY;
  for (const number of numbers) {
    if (number <= largest) continue;
    let reached = 0;
    for (const other of numbers) if (other >= number) reached += 1;
    if (reached >= majority) largest = number;
  }
  return largest;
}
