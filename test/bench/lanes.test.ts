/** Connections dealt out over brokers and partitions. */
import { test } from 'uvu';
import * as assert from 'uvu/assert';

type Lane = { readonly address: { readonly port: number }; readonly partitions: number[] };
type View = { readonly partition: number; readonly leader: object | null };

// The bench is a TypeScript project of its own, which the tests do not compile against.
const { lanePerPartition, spreadLanes } = (await import(
  new URL('../../bench/lanes.js', import.meta.url).href
)) as {
  lanePerPartition(views: readonly View[]): object[];
  spreadLanes(views: readonly View[], connections: number): Lane[];
};

/** Partition i is led by the broker at `ports[i]`. */
function led(...ports: readonly number[]): View[] {
  return ports.map((port, partition) => ({ partition, leader: { host: 'h', port } }));
}

function spread(views: readonly View[], connections: number): string[] {
  const lanes = spreadLanes(views, connections);
  return lanes.map(({ address, partitions }) => `${address.port}: ${partitions.join(' ')}`);
}

test('a connection for each partition', () => {
  assert.equal(spread(led(1, 2, 3, 1, 2, 3), 6), ['1: 0', '2: 1', '3: 2', '1: 3', '2: 4', '3: 5']);
});

test('more connections than partitions share them', () => {
  assert.equal(spread(led(1), 3), ['1: 0', '1: 0', '1: 0']);
  assert.equal(spread(led(1, 2, 1), 6), ['1: 0', '2: 1', '1: 2', '2: 1', '1: 0', '2: 1']);
});

test('more partitions than connections are dealt out, each once', () => {
  assert.equal(spread(led(1, 1, 1, 2, 2), 3), ['1: 0 2', '2: 3 4', '1: 1']);
  for (const connections of [3, 64, 100]) {
    const views = led(...Array.from({ length: 1_000 }, (_, i) => 1 + (i % 3)));
    const lanes = spreadLanes(views, connections);
    assert.is(lanes.length, connections);
    const all = lanes.flatMap(({ partitions }) => partitions).sort((a, b) => a - b);
    assert.equal(
      all,
      views.map(({ partition }) => partition),
    );
    for (const { address, partitions } of lanes) {
      assert.ok(partitions.length > 0);
      for (const partition of partitions) assert.is(address.port, 1 + (partition % 3));
    }
  }
});

test('a partition without a leader cannot be loaded', () => {
  assert.throws(() => lanePerPartition([{ partition: 4, leader: null }]), /partition 4 has no/);
});

test.run();
