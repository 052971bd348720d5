/** The data plane on a broker with three shards: most partitions are a hop away. */
import { test } from 'uvu';
import { TestCluster } from '../support/cluster.js';
import { testDataPlane } from './data-plane.js';

const cluster = await TestCluster.start({
  nodes: 1,
  settings: [
    'num.shards=3',
    'offsets.topic.num.partitions=12',
    'group.initial.rebalance.delay.ms=0',
  ],
});

await testDataPlane(cluster);
test.run();
