/**
 * Topics that come, go and grow while a node is down, with two shards a node and a metadata log so
 * short that the node has to be sent a snapshot.
 */
import { mkdirSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { TestCluster } from '../support/cluster.js';
import { waitInSync } from '../support/in-sync.js';
import { waitFor } from '../support/wait-for.js';
import { createTopics, killNode } from './admin.js';
import { askNode } from './node-facts.js';
import { Recorder } from './recorder.js';

const MANY = 320;
const PER_REQUEST = 80;
const GHOST_ID = 'GGGGGGGGGGGGGGGGGGGGGA';

const cluster = await TestCluster.start({
  settings: [
    'replica.lag.time.max.ms=2000',
    'num.shards=2',
    'metadata.log.max.record.bytes.between.snapshots=16384',
  ],
});
await cluster.createTopic('again', 2);
await cluster.createTopic('grows', 1);
await cluster.createTopic('stays', 2);
/** Of the former topic `again`; its records are gone with it. */
const former = new Recorder(cluster, ['again']);
const recorder = new Recorder(cluster, ['again', 'grows', 'stays']);

function folderOf(node: number, name: string): string {
  return join(cluster.dataDir, `node-${node}`, name);
}

/** In several requests, so that the metadata log is cut more than once. */
async function createMany(count: number): Promise<void> {
  for (let from = 0; from < count; from += PER_REQUEST) {
    const names = Array.from({ length: PER_REQUEST }, (_, i) => `many-${from + i}`);
    assert.equal(await createTopics(cluster, names, 30_000), [0]);
  }
}

test('a node misses a re-creation, new partitions, and hundreds of topics', async () => {
  await Promise.all([0, 1].map((p) => former.writeMany('again', p, 5)));
  await Promise.all([0, 1].map((p) => recorder.writeMany('stays', p, 3)));
  const { topicId: before } = await cluster.topic('again');
  await killNode(cluster, 3);
  await cluster.mustRun(['topic', 'delete', 'again']);
  await cluster.createTopic('again', 2);
  await cluster.mustRun(['topic', 'alter', 'grows', '-p', '5']);
  await Promise.all([0, 1].map((p) => recorder.writeMany('again', p, 2)));
  await Promise.all([0, 3, 4].map((p) => recorder.writeMany('grows', p, 2)));
  await createMany(MANY);
  await cluster.startNode(3, '--wait-in-sync');
  const { topicId } = await cluster.topic('again');
  assert.is.not(topicId, before);
  const facts = await askNode(cluster, 3);
  assert.equal(facts.strays, []);
  assert.is(facts.replicas.filter(({ topic }) => topic.startsWith('many-')).length, MANY);
  assert.is(facts.replicas.filter(({ topic }) => topic === 'grows').length, 5);
  assert.equal(
    facts.replicas.filter(({ state }) => state !== 'running'),
    [],
  );
  for (const p of [0, 1]) {
    const text = readFileSync(join(folderOf(3, `again-${p}`), 'partition.metadata'), 'utf8');
    assert.ok(text.includes(topicId), text);
  }
  const left = readdirSync(folderOf(3, '.')).filter((name) => name.includes(before));
  assert.equal(left, [], 'nothing is left of the former topic');
});

test('the metadata log is bounded, and the node was sent a snapshot', () => {
  for (const id of cluster.nodeIds) {
    const names = readdirSync(folderOf(id, '__cluster_metadata-0'));
    assert.ok(
      names.some((name) => name.endsWith('.checkpoint')),
      names.join(),
    );
    assert.not.ok(names.includes('00000000000000000000.log'), names.join());
  }
});

test('folders that nobody knows are moved aside, shown, and kept', async () => {
  await killNode(cluster, 1);
  // One under a name of its own, one in the place of a replica, one that says nothing at all.
  const ghost = (name: string, topicId: string | null): void => {
    mkdirSync(folderOf(1, name), { recursive: true });
    writeFileSync(join(folderOf(1, name), '00000000000000000000.log'), Buffer.alloc(100, 1));
    if (topicId === null) return;
    const text = `version: 0\ntopic_id: ${topicId}`;
    writeFileSync(join(folderOf(1, name), 'partition.metadata'), text);
  };
  ghost('ghost-0', GHOST_ID);
  ghost('nobody-0', null);
  await cluster.startNode(1, '--wait-in-sync');
  const { strays } = await askNode(cluster, 1);
  assert.equal(strays, [`ghost-0.${GHOST_ID}-stray`]);
  const kept = readFileSync(join(folderOf(1, strays[0] as string), '00000000000000000000.log'));
  assert.is(kept.length, 100);
  // The next topic of that name has to make room for itself.
  await cluster.createTopic('nobody', 1);
  await waitFor('the nameless folder to be moved', async () => {
    const facts = await askNode(cluster, 1);
    const replica = facts.replicas.find(({ topic }) => topic === 'nobody');
    return replica?.state === 'running' && facts.strays.length === 2;
  });
  await waitInSync(cluster, ['nobody']);
  for (const name of (await askNode(cluster, 1)).strays)
    rmSync(folderOf(1, name), { recursive: true });
});

test('nothing was lost or mixed up', () => recorder.judge());

test.after(async () => {
  await former.client.close();
  await recorder.client.close();
  await cluster.down();
});

test.run();
