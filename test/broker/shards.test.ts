/**
 * Several shards a node, and a number of shards that changes from start to start, on all nodes or
 * on one: votes, epochs and records stay what they were.
 */
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { TestCluster } from '../support/cluster.js';
import { changeSetting, killNode } from './admin.js';
import { askNode } from './node-facts.js';
import { Recorder } from './recorder.js';

const TOPIC = 'shards';
const PARTITIONS = 9;

const cluster = await TestCluster.start({ settings: ['replica.lag.time.max.ms=2000'] });
await cluster.createTopic(TOPIC, PARTITIONS);
const recorder = new Recorder(cluster, [TOPIC]);
const partitions = Array.from({ length: PARTITIONS }, (_, p) => p);

async function writeEverywhere(batches: number): Promise<void> {
  await Promise.all(partitions.map((p) => recorder.writeMany(TOPIC, p, batches)));
}

/** Epochs of all partitions; none may ever go down. */
async function epochs(): Promise<number[]> {
  return (await cluster.topic(TOPIC)).partitions.map(({ leaderEpoch }) => leaderEpoch);
}

function mustNotFall(before: readonly number[], after: readonly number[]): void {
  for (const p of partitions) {
    assert.ok((after[p] ?? -1) >= (before[p] ?? 0), `partition ${p}: ${before[p]} to ${after[p]}`);
  }
}

function walsOf(node: number): string[] {
  return readdirSync(join(cluster.dataDir, `node-${node}/wal`)).filter((n) =>
    /^shard-\d+$/.test(n),
  );
}

for (const shards of [3, 2]) {
  test(`all nodes killed and started with ${shards} shards`, async () => {
    await writeEverywhere(3);
    const before = await epochs();
    await Promise.all(cluster.nodeIds.map((id) => killNode(cluster, id)));
    changeSetting(cluster, 'num.shards', shards);
    await Promise.all(cluster.nodeIds.map((id) => cluster.startNode(id)));
    await writeEverywhere(3);
    mustNotFall(before, await epochs());
    for (const id of cluster.nodeIds) {
      assert.is((await askNode(cluster, id)).counters.length, shards);
      assert.is(walsOf(id).length, shards, 'no log of a shard that is gone');
    }
  });
}

test('one node with another number of shards than its peers, while records flow', async () => {
  for (const shards of [1, 4]) {
    let isWriting = true;
    const writing = (async () => {
      while (isWriting) await writeEverywhere(1);
    })();
    await killNode(cluster, 2);
    changeSetting(cluster, 'num.shards', shards);
    await cluster.startNode(2, '--wait-in-sync');
    assert.is((await askNode(cluster, 2)).counters.length, shards);
    isWriting = false;
    await writing;
  }
});

test('nothing was lost on the way', () => recorder.judge());

test.after(async () => {
  await recorder.client.close();
  await cluster.down();
});

test.run();
