/** Leadership goes back to the preferred node, but not again and again to one that loses it. */
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import type { ClusterImage } from '#src/control/image.js';
import { LeaderTable } from '#src/control/leader-table.js';
import { LeaderBalancer } from '#src/broker/leader-balancer.js';
import { defaultSettings } from '#src/broker/settings.js';

const TOPIC_ID = 'dG9waWNpZHRvcGljaWQxMg';

/** Node 2 is live and the preferred leader of two partitions. */
function makeImage(): ClusterImage {
  const broker = { nodeId: 2, incarnation: 'first', isFenced: false };
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
