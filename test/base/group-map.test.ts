/** A map by group does what a map by its text does. */
import fc from 'fast-check';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { type GroupKey, groupText } from '#src/base/group.js';
import { GroupMap } from '#src/base/group-map.js';

const groups: fc.Arbitrary<GroupKey> = fc.record({
  topicId: fc.constantFrom('a', 'b', 'a:1'),
  partition: fc.nat(3),
});
const steps = fc.array(
  fc.oneof(
    fc.tuple(fc.constant('set' as const), groups, fc.nat()),
    fc.tuple(fc.constant('delete' as const), groups, fc.nat()),
    fc.tuple(fc.constant('clear' as const), groups, fc.nat()),
  ),
);

test('any steps leave what they leave in a map of texts', () => {
  fc.assert(
    fc.property(steps, fc.array(groups), (list, asked) => {
      const map = new GroupMap<number>();
      const model = new Map<string, number>();
      for (const [kind, group, value] of list) {
        if (kind === 'set') {
          map.set(group, value);
          model.set(groupText(group), value);
        } else if (kind === 'delete') {
          assert.is(map.delete(group), model.delete(groupText(group)));
        } else if (value % 5 === 0) {
          map.clear();
          model.clear();
        }
        assert.is(map.size, model.size);
      }
      for (const group of asked) {
        assert.is(map.get(group), model.get(groupText(group)));
        assert.is(map.has(group), model.has(groupText(group)));
      }
      assert.equal([...map.values()].sort(), [...model.values()].sort());
    }),
  );
});

test.run();
