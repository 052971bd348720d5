/** Random members, time, quorums and coordinators, judged by the invariants G1 to G4 and G6. */
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import fc from 'fast-check';
import { groupActions, playGroup } from './group-run.js';

test('G1 to G4 hold whatever members, time, quorum and coordinators do, and it heals (G6)', () => {
  let snapshots = 0;
  let generations = 0;
  fc.assert(
    fc.property(groupActions, (actions) => {
      const played = playGroup(actions);
      snapshots += played.snapshots;
      generations += played.generations;
    }),
    { numRuns: 400, includeErrorInReport: true },
  );
  assert.ok(snapshots > 100, `${snapshots} snapshots`);
  assert.ok(generations > 400, `${generations} generations`);
});

test.run();
