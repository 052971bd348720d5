/** The deadline heap against a plain list of times. */
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import fc from 'fast-check';
import { type Deadline, Deadlines } from '#src/groups/deadlines.js';

test('deadlines fire once, in order, and can be moved and cancelled', () => {
  const deadlines = new Deadlines();
  const fired: string[] = [];
  const make = (name: string): Deadline => deadlines.create(() => void fired.push(name));
  const [a, b, c] = [make('a'), make('b'), make('c')];
  deadlines.set(a, 10);
  deadlines.set(b, 5);
  deadlines.set(c, 7);
  deadlines.set(b, 20);
  deadlines.cancel(c);
  deadlines.expire(10);
  assert.equal(fired, ['a']);
  deadlines.set(b, 12);
  deadlines.expire(30);
  deadlines.expire(30);
  assert.equal(fired, ['a', 'b']);
});

test('it does what a plain list of times does, and keeps no leftovers', () => {
  const action = fc.tuple(
    fc.constantFrom('set', 'cancel', 'expire'),
    fc.nat({ max: 99 }),
    fc.nat({ max: 50 }),
  );
  fc.assert(
    fc.property(fc.array(action, { maxLength: 400 }), (actions) => {
      const deadlines = new Deadlines();
      const model = new Map<number, number>();
      let fired: number[] = [];
      const all = Array.from({ length: 100 }, (_, i) => deadlines.create(() => void fired.push(i)));
      let now = 0;
      for (const [kind, i, delay] of actions) {
        const deadline = all[i] as Deadline;
        if (kind === 'set') {
          deadlines.set(deadline, now + delay);
          model.set(i, now + delay);
        } else if (kind === 'cancel') {
          deadlines.cancel(deadline);
          model.delete(i);
        } else {
          now += delay;
          deadlines.expire(now);
          const due = [...model].filter(([, at]) => at <= now).map(([id]) => id);
          for (const id of due) model.delete(id);
          assert.equal(fired.sort(), due.sort());
          fired = [];
        }
        assert.ok(deadlines.size <= Math.max(64, 2 * model.size + 1), `${deadlines.size} entries`);
      }
    }),
  );
});

test.run();
