/**
 * Disks that were wiped: one makes its node a stranger that neither votes nor counts while the
 * others serve on; all of them make a new cluster.
 */
import { readFileSync, renameSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { TestCluster } from '../support/cluster.js';
import { killNode } from './admin.js';
import { askNode } from './node-facts.js';
import { Recorder } from './recorder.js';

const TOPIC = 'wiped';

const cluster = await TestCluster.start({ settings: ['replica.lag.time.max.ms=2000'] });
await cluster.createTopic(TOPIC, 3);
const recorder = new Recorder(cluster, [TOPIC]);

async function writeEverywhere(batches: number): Promise<void> {
  await Promise.all([0, 1, 2].map((p) => recorder.writeMany(TOPIC, p, batches)));
}

test('a wiped disk makes a stranger; the other two serve on without it', async () => {
  await writeEverywhere(2);
  await killNode(cluster, 3);
  const own = join(cluster.dataDir, 'node-3');
  renameSync(own, `${own}-kept`);
  await cluster.startNode(3);
  const status = await cluster.status();
  assert.is(status.nodes.find(({ id }) => id === 3)?.state, 'stranger');
  assert.equal((await askNode(cluster, 3)).replicas, []);
  await writeEverywhere(3);
  // It neither votes nor counts: with one more node down there is no majority.
  cluster.signal(2, 'SIGKILL');
  for (const p of [0, 1, 2]) {
    const attempt = await recorder.attempt(TOPIC, p, { timeoutMs: 500 });
    assert.is.not(attempt.error, 'none');
  }
  await cluster.startNode(2);
  await writeEverywhere(2);
  await killNode(cluster, 3);
  rmSync(own, { recursive: true });
  renameSync(`${own}-kept`, own);
  await cluster.startNode(3);
});

test('nothing acknowledged was lost', () => recorder.judge());

test('all three wiped: a new cluster', async () => {
  const readId = () =>
    /cluster\.id=(.*)/.exec(
      readFileSync(join(cluster.dataDir, 'node-1/meta.properties'), 'utf8'),
    )?.[1];
  const before = readId();
  for (const id of cluster.nodeIds)
    rmSync(join(cluster.dataDir, `node-${id}`), { recursive: true });
  await cluster.up();
  const { clusterId, topics, nodes } = await cluster.status();
  assert.ok(clusterId !== before && clusterId === readId());
  assert.equal(topics, []);
  assert.equal(
    nodes.map(({ state }) => state),
    ['running', 'running', 'running'],
  );
});

test.after(async () => {
  await recorder.client.close();
  await cluster.down();
});

test.run();
