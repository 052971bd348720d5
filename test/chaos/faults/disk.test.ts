/**
 * Disk faults in every test run: a few rounds under load, and what a majority of failing disks must
 * not do. time limit: 420 s
 */
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { stateOf } from '#src/broker/processes.js';
import { Recorder } from '../../broker/recorder.js';
import type { TestCluster } from '../../support/cluster.js';
import { testWith } from '../../support/requires.js';
import { waitFor } from '../../support/wait-for.js';
import { runChaos, startChaosCluster } from '../harness.js';
import { eio, torn } from './disk-errors.js';
import { enospc } from './disk-full.js';
import { powerCounters, powercut, powercutAll } from './disk-power.js';
import { bitflip } from './disk-rot.js';
import { ALWAYS } from './disk-shim.js';
import type { FaultKind } from './fault.js';
import { missingDisks, shimOf } from './node-disks.js';

const diskTest = testWith(missingDisks(), 'tool');

async function mustHold(
  cluster: TestCluster,
  faults: readonly FaultKind[],
  rounds: number,
  configs: readonly string[],
): Promise<void> {
  const lines: string[] = [];
  const run = runChaos(cluster, {
    seed: 4,
    rounds,
    faults,
    topics: 2,
    partitions: 2,
    writers: 4,
    everyMs: 10,
    recordsPerBatch: 3,
    settleMs: 5_000,
    topicConfigs: ['retention.ms=-1', 'retention.bytes=-1', 'segment.bytes=65536', ...configs],
    log: (line) => lines.push(line),
  });
  const result = await run.catch((cause: unknown) => {
    throw new Error(`the run broke off: ${String(cause)}\n${lines.join('\n')}`, { cause });
  });
  assert.ok(result.ok, `${JSON.stringify(result)}\n${lines.join('\n')}`);
}

diskTest('nothing acknowledged is lost, whatever the disks do', async () => {
  const faults = [powercutAll, enospc, eio, torn, bitflip];
  const cluster = await startChaosCluster(faults);
  await mustHold(cluster, faults, faults.length, []);
  assert.ok(powerCounters(cluster).bytes > 0, 'unsynced bytes of the nodes vanished');
});

diskTest('nor is what is only in page caches, while one node at a time loses its own', async () => {
  const cluster = await startChaosCluster([powercut]);
  await mustHold(cluster, [powercut], 2, ['durability=cached']);
  assert.ok(powerCounters(cluster).bytes > 0, 'unsynced bytes of the node vanished');
});

diskTest('no ack comes from disks that could not sync, and none syncs a file again', async () => {
  const cluster = await startChaosCluster([eio]);
  await cluster.createTopic('synced', 1);
  const recorder = new Recorder(cluster, ['synced']);
  await recorder.writeMany('synced', 0, 3);
  const leader = await cluster.leaderOf('synced', 0);
  const failing = cluster.nodeIds.filter((id) => id !== leader);
  const victims = failing.map((id) => cluster.process(id));
  const shim = shimOf(cluster);
  for (const id of failing) shim.order(id, { syncEio: ALWAYS });
  const first = await recorder.attempt('synced', 0, { timeoutMs: 2_000 });
  assert.is.not(first.error, 'none');
  for (const id of failing) assert.ok(shim.counters(id).syncEio > 0, `node ${id} saw no error`);
  for (let i = 0; i < 3; i++) {
    await recorder.client.tryRefresh();
    const { error } = await recorder.attempt('synced', 0, { timeoutMs: 1_500 });
    assert.is.not(error, 'none', 'an ack without a majority that synced');
  }
  for (const id of failing) assert.is(shim.counters(id).syncAgain, 0, `node ${id} tried again`);
  for (const id of failing) {
    shim.heal(id);
    cluster.signal(id, 'SIGKILL');
  }
  await waitFor('both to be gone', () => victims.every((id) => stateOf(id) === 'gone'));
  await Promise.all(failing.map((id) => cluster.startNode(id)));
  await recorder.writeMany('synced', 0, 3);
  await recorder.judge();
});

test.run();
