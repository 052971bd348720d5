/** Positions: their order and their text form. */
import {
  comparePositions,
  formatPosition,
  maxPosition,
  minPosition,
  ORIGIN,
} from '#src/base/position.js';
import { test } from 'uvu';
import * as assert from 'uvu/assert';

test('positions order by offset, then by marks', () => {
  assert.ok(comparePositions({ offset: 3, marks: 1 }, { offset: 3, marks: 2 }) < 0);
  assert.ok(comparePositions({ offset: 4, marks: 1 }, { offset: 3, marks: 2 }) > 0);
  assert.is(comparePositions(ORIGIN, { offset: 0, marks: 0 }), 0);
});

test('min, max and text', () => {
  const a = { offset: 3, marks: 1 };
  const b = { offset: 3, marks: 2 };
  assert.is(minPosition(a, b), a);
  assert.is(maxPosition(a, b), b);
  assert.is(formatPosition(b), '3+2');
});

test.run();
