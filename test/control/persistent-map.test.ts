/** The persistent map against a plain one, and what its versions share. */
import fc from 'fast-check';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { PersistentMap } from '#src/control/persistent-map.js';

test('behaves like a Map, and old versions stay as they were', () => {
  const step = fc.record({ key: fc.integer({ min: 0, max: 60 }), value: fc.option(fc.nat()) });
  fc.assert(
    fc.property(fc.array(step, { maxLength: 200 }), (steps) => {
      let map = PersistentMap.empty<number>();
      const model = new Map<string, number>();
      const versions: [PersistentMap<number>, Map<string, number>][] = [];
      for (const { key, value } of steps) {
        versions.push([map, new Map(model)]);
        const name = `key-${key}`;
        if (value === null) model.delete(name);
        else model.set(name, value);
        map = value === null ? map.without(name) : map.with(name, value);
      }
      versions.push([map, model]);
      for (const [version, expected] of versions) {
        assert.is(version.size, expected.size);
        assert.equal(new Map(version), expected);
        for (const [key, value] of expected) assert.is(version.get(key), value);
      }
    }),
    { numRuns: 60 },
  );
});

test('built from entries, the last of a key wins', () => {
  const map = PersistentMap.from([
    ['a', 1],
    ['b', 2],
    ['a', 3],
  ]);
  assert.is(map.size, 2);
  assert.is(map.get('a'), 3);
  assert.equal([...map.keys()].sort(), ['a', 'b']);
});

test.run();
