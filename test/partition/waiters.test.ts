/** Those who wait for a watermark end exactly once. */
import { type WaiterEnd, Waiters } from '#src/partition/waiters.js';
import { Prng } from '#src/base/prng.js';
import { test } from 'uvu';
import * as assert from 'uvu/assert';

test('the watermark ends exactly those at or below it', () => {
  const waiters = new Waiters();
  const ends: [number, WaiterEnd][] = [];
  for (const target of [3, 5, 4]) {
    waiters.add(target, Number.POSITIVE_INFINITY, (how) => ends.push([target, how]));
  }
  waiters.advance(4);
  assert.equal(ends, [
    [3, 'reached'],
    [4, 'reached'],
  ]);
  assert.is(waiters.size, 1);
});

test('deadlines end those whose time is over, wherever they stand', () => {
  const waiters = new Waiters();
  const ends: string[] = [];
  waiters.add(10, 100, (how) => ends.push(`a ${how}`));
  waiters.add(20, 50, (how) => ends.push(`b ${how}`));
  waiters.expire(60);
  assert.equal(ends, ['b timed-out']);
  waiters.advance(30);
  assert.equal(ends, ['b timed-out', 'a reached']);
});

test('a cancelled waiter is never called', () => {
  const waiters = new Waiters();
  const cancel = waiters.add(1, 10, () => assert.unreachable('cancelled'));
  cancel();
  waiters.advance(5);
  waiters.expire(50);
  waiters.fail();
  assert.is(waiters.size, 0);
});

test('failing ends everybody once, and new ones may be added meanwhile', () => {
  const waiters = new Waiters();
  const ends: string[] = [];
  waiters.add(1, 10, (how) => {
    ends.push(how);
    waiters.add(2, 10, (again) => ends.push(`again ${again}`));
  });
  waiters.fail();
  assert.equal(ends, ['failed']);
  assert.is(waiters.size, 1);
  waiters.advance(2);
  assert.equal(ends, ['failed', 'again reached']);
});

test('every waiter ends exactly once under random use', () => {
  const prng = new Prng(7);
  const waiters = new Waiters();
  const ended = new Map<number, number>();
  let watermark = 0;
  for (let i = 0; i < 20_000; i++) {
    const target = watermark + prng.int(1, 50);
    waiters.add(target, prng.int(0, 20_000), () => ended.set(i, (ended.get(i) ?? 0) + 1));
    if (prng.chance(0.3)) waiters.advance((watermark += prng.int(0, 10)));
    if (prng.chance(0.01)) waiters.expire(i);
    if (prng.chance(0.001)) waiters.fail();
  }
  waiters.fail();
  assert.is(ended.size, 20_000);
  assert.ok([...ended.values()].every((times) => times === 1));
});

test.run();
