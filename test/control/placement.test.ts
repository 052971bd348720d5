/** Placement: racks, even leaders, refusals; a pure function of its inputs. */
import fc from 'fast-check';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { withLoad } from '#src/control/load.js';
import { isRefusal, type Placement, placePartitions } from '#src/control/placement.js';
import { directoryOf } from './fixtures.js';

type Broker = Parameters<typeof placePartitions>[0]['brokers'][number];

function broker(nodeId: number, rack: string | null = null, isFenced = false): Broker {
  return { nodeId, directoryId: directoryOf(nodeId), rack, isFenced };
}

function place(
  brokers: readonly Broker[],
  partitions: number,
  replicationFactor: number,
): ReturnType<typeof placePartitions> {
  return placePartitions({
    brokers,
    loads: new Map(),
    existing: [],
    partitions,
    replicationFactor,
  });
}

function nodes(placement: ReturnType<typeof placePartitions>): number[][] {
  assert.not.ok(isRefusal(placement), JSON.stringify(placement));
  return (placement as Placement).map((replicas) => replicas.map(({ nodeId }) => nodeId));
}

const shape = fc.record({
  racks: fc.array(fc.integer({ min: 0, max: 3 }), { minLength: 1, maxLength: 9 }),
  partitions: fc.integer({ min: 1, max: 40 }),
  rf: fc.integer({ min: 1, max: 5 }),
});

test('distinct replicas, leaders even to within one, as many racks as there are', () => {
  fc.assert(
    fc.property(shape, ({ racks, partitions, rf }) => {
      fc.pre(rf <= racks.length);
      const brokers = racks.map((rack, i) => broker(i + 1, `rack-${rack}`));
      const placed = nodes(place(brokers, partitions, rf));
      assert.equal(nodes(place(brokers, partitions, rf)), placed, 'deterministic');
      const leaders = brokers.map((b) => placed.filter(([first]) => first === b.nodeId).length);
      assert.ok(Math.max(...leaders) - Math.min(...leaders) <= 1, `leaders ${leaders}`);
      const rackOf = (id: number): string => brokers[id - 1]?.rack as string;
      const rackCount = new Set(racks).size;
      for (const replicas of placed) {
        assert.is(new Set(replicas).size, rf);
        assert.is(new Set(replicas.map(rackOf)).size, Math.min(rf, rackCount));
      }
    }),
    { numRuns: 200 },
  );
});

test('without racks every broker holds about the same number of replicas', () => {
  const placed = nodes(
    place(
      [1, 2, 3, 4, 5].map((id) => broker(id)),
      10,
      3,
    ),
  ).flat();
  const counts = [1, 2, 3, 4, 5].map((id) => placed.filter((nodeId) => nodeId === id).length);
  assert.ok(Math.max(...counts) - Math.min(...counts) <= 2, `${counts}`);
});

test('six partitions on three brokers: each leads two', () => {
  const leaders = nodes(
    place(
      [1, 2, 3].map((id) => broker(id)),
      6,
      3,
    ),
  ).map(([first]) => first);
  assert.equal(leaders, [1, 2, 3, 1, 2, 3]);
});

test('a new broker takes its share of a topic, not all of it, then evens out over topics', () => {
  const brokers = [1, 2, 3].map((id) => broker(id));
  const voters = [1, 2].map((id) => ({ nodeId: id, directoryId: directoryOf(id) }));
  const loads = withLoad(new Map(), [voters, voters, voters], 1);
  const placed = placePartitions({
    brokers,
    loads,
    existing: [],
    partitions: 3,
    replicationFactor: 2,
  });
  const leaders = nodes(placed).map(([first]) => first);
  assert.equal([...leaders].sort(), [1, 2, 3]);
  const one = { brokers, loads, existing: [], partitions: 1, replicationFactor: 1 };
  assert.equal(nodes(placePartitions(one)), [[3]]);
});

test('added partitions go on where the topic stands', () => {
  const brokers = [1, 2, 3].map((id) => broker(id));
  const existing = place(brokers, 2, 2) as Placement;
  const added = placePartitions({
    brokers,
    loads: withLoad(new Map(), existing, 1),
    existing,
    partitions: 4,
    replicationFactor: 2,
  });
  const leaders = [...nodes(existing), ...nodes(added)].map(([first]) => first);
  for (const id of [1, 2, 3]) assert.is(leaders.filter((first) => first === id).length, 2);
});

test('fenced brokers hold followers only when needed, and never lead', () => {
  const brokers = [broker(1, null, true), broker(2), broker(3), broker(4)];
  for (const replicas of nodes(place(brokers, 6, 3))) assert.not.ok(replicas.includes(1));
  const three = [broker(1, null, true), broker(2), broker(3)];
  for (const replicas of nodes(place(three, 6, 3))) {
    assert.equal([...replicas].sort(), [1, 2, 3]);
    assert.is(replicas[2], 1);
  }
});

test('what cannot be placed is refused as Kafka does', () => {
  const two = [broker(1), broker(2)];
  assert.equal(place(two, 1, 3), {
    error: 'INVALID_REPLICATION_FACTOR',
    message:
      'The target replication factor of 3 cannot be reached because only 2 broker(s) ' +
      'are registered.',
  });
  const fenced = [broker(1, null, true), broker(2, null, true), broker(3, null, true)];
  assert.match(JSON.stringify(place(fenced, 1, 1)), /All brokers are currently fenced/);
  assert.match(JSON.stringify(place([...fenced.slice(0, 2), broker(3)], 1, 3)), /needs 2 live/);
});

test.run();
