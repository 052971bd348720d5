/** Leadership goes back to the preferred node, but not again and again to one that loses it. */
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import type { ClusterImage } from '#src/control/image.js';
import { LeaderTable } from '#src/control/leader-table.js';
import { LeaderBalancer } from '#src/broker/leader-balancer.js';
import { defaultSettings } from '#src/broker/settings.js';

const TOPIC_ID = 'dG9waWNpZHRvcGljaWQxMg';

/** Node 2 is the preferred leader of two partitions. */
function makeImage(incarnation = 'first', isFenced = false): ClusterImage {
  const broker = { nodeId: 2, incarnation, isFenced };
  const replicas = [2, 1].map((nodeId) => ({ nodeId, directoryId: `directory-${nodeId}` }));
  const topic = {
    topicId: TOPIC_ID,
    partitions: [0, 1].map((partition) => ({ partition, replicas })),
  };
  return {
    brokers: new Map([[2, broker]]),
    topicsById: new Map([[TOPIC_ID, topic]]),
  } as unknown as ClusterImage;
}

test('a node that was away, or has no room, is given leaders only some time later', () => {
  let nowMs = 0;
  let hasRoom = true;
  let asked = 0;
  const balancer = new LeaderBalancer({
    self: 1,
    clock: { monotonicMs: () => nowMs, wallMs: () => nowMs },
    settings: defaultSettings(),
    hasRoom: () => hasRoom,
    transfer: () => {
      asked += 1;
    },
  });
  const table = new LeaderTable();
  const entry = { topicId: TOPIC_ID, leaderId: 1, leaderEpoch: 1, inSync: [1, 2], version: 1 };
  table.merge([0, 1].map((partition) => ({ ...entry, partition })));
  const askedAt = (atMs: number, image: ClusterImage): number => {
    nowMs = atMs;
    asked = 0;
    balancer.tick(image, table);
    return asked;
  };
  const first = makeImage();
  balancer.onImage(first);
  assert.is(askedAt(2_900, first), 0, 'live for too short a time');
  hasRoom = false;
  assert.is(askedAt(10_000, first), 0, 'no room');
  hasRoom = true;
  // It restarted so fast that nobody fenced it.
  const second = makeImage('second');
  nowMs = 14_000;
  balancer.onImage(second);
  assert.is(askedAt(16_900, second), 0, 'restarted');
  assert.is(askedAt(22_000, second), 2);
  balancer.onImage(makeImage('second', true));
  nowMs = 100_000;
  balancer.onImage(second);
  assert.is(askedAt(102_900, second), 0, 'was fenced');
  assert.is(askedAt(108_000, second), 2);
});

test('a partition that comes back is kept longer each time, the others go on', () => {
  let nowMs = 0;
  const asked: string[] = [];
  const balancer = new LeaderBalancer({
    self: 1,
    clock: { monotonicMs: () => nowMs, wallMs: () => nowMs },
    settings: defaultSettings(),
    hasRoom: () => true,
    transfer: ({ partition }) => asked.push(`${nowMs / 1_000}:${partition}`),
  });
  const image = makeImage();
  const table = new LeaderTable();
  const lead = (partition: number, leaderEpoch: number, leaderId: number): void => {
    const entry = { topicId: TOPIC_ID, partition, leaderId, leaderEpoch, inSync: [1, 2] };
    table.merge([{ ...entry, version: leaderEpoch }]);
  };
  balancer.onImage(image);
  // Partition 0 stays here whatever is asked; partition 1 goes at once, and is back much later.
  lead(0, 1, 1);
  lead(1, 1, 1);
  for (nowMs = 5_000; nowMs <= 200_000; nowMs += 1_000) {
    balancer.tick(image, table);
    if (nowMs === 6_000) lead(1, 2, 2);
    if (nowMs === 150_000) lead(1, 3, 1);
  }
  assert.equal(
    asked.filter((one) => one.endsWith(':0')),
    ['5:0', '10:0', '20:0', '40:0', '80:0', '140:0', '200:0'],
  );
  assert.equal(
    asked.filter((one) => one.endsWith(':1')),
    ['5:1', '155:1', '160:1', '170:1', '190:1'],
  );
});

test.run();
