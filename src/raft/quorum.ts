/** Majorities, as arithmetic: of positions, of numbers, of votes. No state. */
import { assert } from '../base/assert.js';
import { comparePositions, type Position } from '../base/position.js';

/** How many of `voters` are a majority. */
export function majorityOf(voters: number): number {
  assert(voters > 0, 'a group has voters');
  return Math.floor(voters / 2) + 1;
}

/** The furthest position that a majority has reached, given one position a voter. */
export function quorumPosition(positions: readonly Position[]): Position {
  return reachedByMajority(positions, comparePositions);
}

/** The largest number that a majority has reached, given one number a voter; each turn asks. */
export function quorumNumber(numbers: readonly number[]): number {
  return reachedByMajority(numbers, compareNumbers);
}

function compareNumbers(a: number, b: number): number {
  return a - b;
}

/** Without sorting, which would take a copy: there are few voters. */
function reachedByMajority<T>(places: readonly T[], compare: (a: T, b: T) => number): T {
  const majority = majorityOf(places.length);
  let furthest: T | null = null;
  for (const place of places) {
    if (furthest !== null && compare(place, furthest) <= 0) continue;
    let reached = 0;
    for (const other of places) if (compare(other, place) >= 0) reached += 1;
    if (reached >= majority) furthest = place;
  }
  assert(furthest !== null, 'a majority has reached what the last of it has reached');
  return furthest;
}
