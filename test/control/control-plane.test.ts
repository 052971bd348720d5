/**
 * Three control planes over fake logs and links: registration, operations, failover, lost messages.
 */
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import type { LograftError } from '#src/base/errors.js';
import type { ControlPlane } from '#src/control/control-plane.js';
import { liveBrokers } from '#src/control/image.js';
import { hasLeaders } from '#src/control/leader-table.js';
import type { ControlResult, NewTopic } from '#src/control/operations.js';
import { ControlCluster, type NodeOptions } from './control-cluster.js';
import { directoryOf, imageHash } from './fixtures.js';

function topic(name: string, partitions = 3): NewTopic {
  return { name, partitions, replicationFactor: 3, assignments: null, configs: {} };
}

function create(
  control: ControlPlane,
  topics: readonly NewTopic[],
  timeoutMs = 30_000,
): Promise<ControlResult<'createTopics'>> {
  return control.request({ kind: 'createTopics', topics, isValidateOnly: false }, timeoutMs);
}

function remove(control: ControlPlane, name: string): Promise<ControlResult<'deleteTopics'>> {
  return control.request({ kind: 'deleteTopics', topics: [{ name }] }, 30_000);
}

/** Three nodes, node 1 controller, everyone registered and live. */
async function started(options: NodeOptions = {}): Promise<ControlCluster> {
  const cluster = new ControlCluster(3, options);
  cluster.elect(1);
  await cluster.advance(5_000, () => liveBrokers(cluster.node(1).plane.image).length === 3);
  await cluster.advance(50);
  assert.is(liveBrokers(cluster.node(3).plane.image).length, 3);
  return cluster;
}

function assertSameImages(cluster: ControlCluster): void {
  const hashes = cluster.nodes.filter((n) => n.isUp).map((n) => imageHash(n.plane.image));
  assert.is(new Set(hashes).size, 1, 'images differ between nodes');
  for (const node of cluster.nodes) {
    if (node.isUp) assert.is(imageHash(node.shardImage), hashes[0], 'a shard differs');
  }
}

test('three nodes: the first leader names the cluster, all register and become live', async () => {
  const cluster = await started();
  const { image } = cluster.node(2).plane;
  assert.ok(image.clusterId);
  assert.is(image.featureLevel, 1);
  assert.equal(
    liveBrokers(image).map((b) => b.kafka.port),
    [9092, 9093, 9094],
  );
  for (const node of cluster.nodes) assert.is(node.plane.registration, 'registered');
  assertSameImages(cluster);
});

test('what was refused is not done later because the request came twice', async () => {
  const cluster = await started();
  const { plane } = cluster.node(1);
  const op = { kind: 'deleteTopics', topics: [{ name: 'orders' }] } as const;
  const message = { kind: 'request', requestId: 'sent-twice', op } as const;
  plane.onControl(2, message);
  await cluster.advance(100);
  await cluster.until(create(cluster.node(3).plane, [topic('orders')]));
  plane.onControl(2, message);
  await cluster.advance(500);
  assert.ok(plane.image.topics.has('orders'));
});

test('an operation asked of any node is decided by the controller', async () => {
  const cluster = await started();
  for (const nodeId of [1, 2, 3]) {
    const { value, offset } = await cluster.until(
      create(cluster.node(nodeId).plane, [topic(`t${nodeId}`)]),
    );
    assert.is(value[0]?.error, null);
    assert.ok(cluster.node(1).plane.image.appliedOffset >= offset);
  }
  const { value } = await cluster.until(create(cluster.node(2).plane, [topic('t1')]));
  assert.is(value[0]?.error, 'TOPIC_ALREADY_EXISTS');
  const ids = await cluster.until(
    cluster.node(3).plane.request({ kind: 'allocateProducerIds', nodeId: 3 }, 1_000),
  );
  assert.is(ids.value.count, 1_000);
  await cluster.advance(50);
  assertSameImages(cluster);
});

test('when everyone knows, every broker has the topic and its leaders (trap 11)', async () => {
  const cluster = await started({ hasPartitions: true });
  const { plane } = cluster.node(2);
  const { offset, value } = await cluster.until(create(plane, [topic('orders', 6)]));
  const topicId = value[0]?.topicId as string;
  assert.is(await cluster.until(plane.awaitEverywhere(offset, [topicId], 5_000)), true);
  for (const node of cluster.nodes) {
    assert.ok(hasLeaders(node.plane.image, node.plane.leaders, topicId), `node ${node.nodeId}`);
    assert.ok(hasLeaders(node.shardImage, node.shardLeaders, topicId), `shard of ${node.nodeId}`);
  }
});

test('the wait for everyone is bounded, survives lost messages and skips the dead', async () => {
  const cluster = await started({ hasPartitions: true });
  let lost = 0;
  cluster.isLost = (_from, _to, message) => message.kind === 'settle' && lost++ < 2;
  const { plane } = cluster.node(1);
  const first = await cluster.until(create(plane, [topic('a')]));
  assert.is(await cluster.until(plane.awaitEverywhere(first.offset, [], 5_000)), true);
  assert.ok(lost >= 2);

  for (const node of cluster.nodes) node.options = { ...node.options, hasPartitions: false };
  const second = await cluster.until(create(plane, [topic('b')]));
  const topicIds = [second.value[0]?.topicId as string];
  assert.is(await cluster.until(plane.awaitEverywhere(second.offset, topicIds, 800)), false);

  cluster.node(3).kill();
  const third = await cluster.until(create(plane, [topic('c')]));
  const before = cluster.clock.monotonicMs();
  assert.is(await cluster.until(plane.awaitEverywhere(third.offset, [], 5_000)), true);
  assert.ok(cluster.clock.monotonicMs() - before < 1_000, 'a dead link is not waited for');
});

test('the controller dies: open requests are answered by its successor, once', async () => {
  const cluster = await started();
  const { plane } = cluster.node(3);
  // Appended on the old controller, never committed.
  cluster.isReplicating = false;
  const lost = create(plane, [topic('lost')]);
  await cluster.advance(200);
  cluster.node(1).kill();
  cluster.isReplicating = true;
  await cluster.advance(300);
  cluster.elect(2);
  const { value } = await cluster.until(lost);
  assert.is(value[0]?.error, null);
  assert.is(plane.controllerId, 2);

  cluster.node(1).start();
  await cluster.advance(1_000);
  assertSameImages(cluster);
});

test('committed but never answered: the retry hears the outcome', async () => {
  const cluster = await started();
  const { plane } = cluster.node(3);
  cluster.isLost = (_from, _to, message) => message.kind === 'response';
  const asked = create(plane, [topic('once')]);
  await cluster.advance(400);
  const topicId = cluster.node(2).plane.image.topics.get('once')?.topicId;
  assert.ok(topicId, 'committed');
  cluster.node(1).kill();
  cluster.isLost = () => false;
  cluster.elect(2);
  const { value } = await cluster.until(asked);
  assert.is(value[0]?.error, null);
  assert.is(value[0]?.topicId, topicId);
  assert.is(plane.image.topics.size, 1);
});

test('without a majority an operation times out, whatever the old image says', async () => {
  const cluster = await started();
  await cluster.until(create(cluster.node(1).plane, [topic('a')]));
  cluster.node(2).kill();
  cluster.node(3).kill();
  for (const asked of [topic('b'), topic('a')]) {
    try {
      await cluster.until(create(cluster.node(1).plane, [asked], 2_000));
      assert.unreachable('no answer is possible');
    } catch (error) {
      assert.is((error as LograftError).code, 'TIMED_OUT', String(error));
    }
  }
});

test('a killed broker is fenced after its session, and comes back as a new process', async () => {
  const cluster = await started();
  const image = () => cluster.node(1).plane.image;
  cluster.node(2).kill();
  await cluster.advance(2_000);
  assert.is(liveBrokers(image()).length, 3);
  await cluster.advance(2_000);
  assert.equal(
    liveBrokers(image()).map((b) => b.nodeId),
    [1, 3],
  );
  cluster.node(2).start();
  await cluster.advance(1_000);
  assert.is(liveBrokers(image()).length, 3);
  assert.is(image().brokers.get(2)?.incarnation, 'run-2-2');
  cluster.node(2).plane.setReady(false);
  await cluster.advance(100);
  assert.equal(
    liveBrokers(image()).map((b) => b.nodeId),
    [1, 3],
    'shutting down',
  );
});

test('a controller that was stopped does not fence everyone when it goes on', async () => {
  const cluster = await started();
  cluster.jump(60_000);
  await cluster.advance(1_000);
  assert.is(liveBrokers(cluster.node(1).plane.image).length, 3);
});

test('a wiped directory is a stranger, and the others do not mind', async () => {
  const cluster = await started();
  cluster.node(3).kill();
  cluster.node(3).directoryId = 'wiped-directory';
  cluster.node(3).log.resetTo(0);
  cluster.node(3).start();
  await cluster.advance(2_000);
  assert.is(cluster.node(3).plane.registration, 'stranger');
  assert.is(cluster.node(1).plane.image.brokers.get(3)?.directoryId, directoryOf(3));
  assert.is(cluster.node(3).folders.size, 0);
});

test('the directory of another cluster stops its node, naming both', async () => {
  const cluster = await started();
  cluster.node(3).kill();
  cluster.node(3).options = { clusterId: 'their-cluster' };
  cluster.node(3).log.resetTo(0);
  cluster.node(3).start();
  await cluster.advance(500);
  const failure = cluster.node(3).failure;
  assert.is(failure?.code, 'DIRECTORY_FOREIGN');
  assert.match(failure?.message ?? '', /their-cluster.*uuid-/);
});

test('deleted and created again while a node is down; tombstones go when all know', async () => {
  const cluster = await started({ hasPartitions: true });
  const { plane } = cluster.node(1);
  const first = await cluster.until(create(plane, [topic('orders'), topic('kept')]));
  const oldId = first.value[0]?.topicId as string;
  await cluster.advance(500);
  const down = cluster.node(3);
  assert.is(down.folders.get(`${oldId}:0`), 'orders');
  down.kill();
  await cluster.until(remove(plane, 'orders'));
  const second = await cluster.until(create(plane, [topic('orders')]));
  const newId = second.value[0]?.topicId as string;
  await cluster.advance(25_000);
  assert.ok(plane.image.deletedTopics.has(oldId), 'remembered for the node that is down');

  down.start();
  await cluster.advance(1_000);
  assert.is(down.folders.has(`${oldId}:0`), false);
  assert.is(down.folders.get(`${newId}:0`), 'orders');
  assert.equal(down.strays, []);
  await cluster.advance(25_000);
  assert.is(plane.image.deletedTopics.size, 0);
  assert.is([...down.plane.leaders.entries()].filter((e) => e.topicId === oldId).length, 0);
  assertSameImages(cluster);
});

test('10,000 topic operations while a node is down: it gets a snapshot and agrees', async () => {
  const cluster = await started({ snapshotBytesMax: 200_000 });
  const { plane } = cluster.node(1);
  await cluster.until(create(plane, [topic('before', 1)]));
  await cluster.advance(100);
  const down = cluster.node(3);
  down.kill();
  // In flight together, as many clients would ask.
  for (let round = 0; round < 10; round++) {
    const asked: Promise<unknown>[] = [];
    for (let n = 0; n < 500; n++) asked.push(create(plane, [topic(`t-${round}-${n}`, 1)]));
    await cluster.until(Promise.all(asked));
    const removed: Promise<unknown>[] = [];
    for (let n = 0; n < 500; n++) {
      removed.push(
        n % 2 === 0
          ? remove(plane, `t-${round}-${n}`)
          : create(plane, [topic(`t-${round}-${n}`, 1)]),
      );
    }
    await cluster.until(Promise.all(removed));
  }
  assert.is(plane.image.topics.size, 1 + 2_500);
  assert.ok(cluster.node(1).log.logStartOffset > down.log.logEndOffset, 'the log was trimmed');

  down.start();
  await cluster.advance(1_000);
  assert.is(cluster.snapshotsSent, 1);
  assert.is(down.plane.registration, 'registered');
  assert.is(down.plane.image.deletedTopics.size, 2_500);
  assert.is(down.folders.size, 2_501);
  assertSameImages(cluster);

  // And once more from its own disk.
  down.kill();
  down.start();
  await cluster.advance(1_000);
  assert.is(cluster.snapshotsSent, 1);
  assertSameImages(cluster);
});

test('all nodes restart: everything is there again from disk', async () => {
  const cluster = await started({ snapshotBytesMax: 2_000 });
  for (let n = 0; n < 20; n++) {
    await cluster.until(create(cluster.node(2).plane, [topic(`t-${n}`)]));
  }
  const { clusterId, topics } = cluster.node(1).plane.image;
  for (const node of cluster.nodes) node.kill();
  for (const node of cluster.nodes) node.start();
  cluster.elect(3);
  await cluster.advance(2_000);
  const { image } = cluster.node(2).plane;
  assert.is(image.clusterId, clusterId);
  assert.equal([...image.topics.keys()].sort(), [...topics.keys()].sort());
  assert.is(liveBrokers(image).length, 3);
  assertSameImages(cluster);
});

test('a record of a newer version stops the node with a reason', async () => {
  const cluster = await started();
  const { log } = cluster.node(1);
  const value = Buffer.from([
    0x82,
    0xa4,
    ...Buffer.from('kind'),
    0xa3,
    ...Buffer.from('new'),
    0xa7,
    ...Buffer.from('version'),
    0,
  ]);
  log.append({ baseOffset: log.logEndOffset, values: [value], sizeBytes: 10 });
  await cluster.advance(50);
  for (const node of cluster.nodes) {
    assert.is(node.failure?.code, 'CORRUPT');
    assert.match(node.failure?.message ?? '', /unknown kind "new"/);
  }
});

test('requests after closing are refused', async () => {
  const cluster = await started();
  const { plane } = cluster.node(1);
  plane.close();
  try {
    await create(plane, [topic('a')]);
    assert.unreachable();
  } catch (error) {
    assert.is((error as LograftError).code, 'CLOSED');
  }
});

test.run();
