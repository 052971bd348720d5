/**
 * Whatever a correct log does is clean; and of a history with one lie in it, of whichever kind, the
 * lie is found. A failing run prints its shrunk steps. time limit: 60 s
 */
import fc from 'fast-check';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import type { HistoryEvent } from './events.js';
import { History } from './history.js';
import { Model, type Step, VERBS } from './model.js';
import { MUTATIONS, type Mutation } from './mutations.js';
import type { Violation } from './violation.js';

const SEED = 20_240_607;
const RUNS = 100;

const step = fc.record({
  verb: fc.constantFrom(...VERBS),
  a: fc.nat({ max: 1_000 }),
  b: fc.nat({ max: 1_000 }),
});
const steps = fc.array(step, { minLength: 5, maxLength: 120, size: 'max' });

function judge(events: readonly HistoryEvent[]): readonly Violation[] {
  const history = new History();
  for (const event of events) history.note(event);
  return history.verdict().violations;
}

test('histories of a correct log are clean', () => {
  const isClean = (plan: readonly Step[]): void => {
    assert.equal(judge(new Model().run(plan)), []);
  };
  fc.assert(fc.property(steps, isClean), { seed: SEED, numRuns: RUNS * 5 });
});

/** The mutated history, from a random place on; null when it can not be broken so anywhere. */
function mutate({ apply }: Mutation, events: readonly HistoryEvent[], from: number) {
  for (let i = 0; i < events.length; i++) {
    const at = (from + i) % events.length;
    const instead = apply(events, at);
    if (instead !== null) return [...events.slice(0, at), ...instead, ...events.slice(at + 1)];
  }
  return null;
}

for (const mutation of MUTATIONS) {
  test(`found: ${mutation.name}`, () => {
    let applied = 0;
    const isFound = (plan: readonly Step[], from: number): void => {
      const mutated = mutate(mutation, new Model().run(plan), from);
      if (mutated === null) return;
      applied += 1;
      const found = judge(mutated).map(({ id }) => id);
      const isThere = found.some((id) => mutation.ids.includes(id));
      assert.ok(isThere, `wanted ${mutation.ids.join(' or ')}, found ${found.join() || 'nothing'}`);
    };
    const property = fc.property(steps, fc.nat(), isFound);
    fc.assert(property, { seed: SEED, numRuns: RUNS });
    assert.ok(applied > RUNS / 10, `only ${applied} of ${RUNS} histories could be broken so`);
  });
}

test.run();
