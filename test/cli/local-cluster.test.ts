/** The supervisor's parts without a cluster: pids, cluster.json, ports, merged status, folders. */
import { spawn } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { identify, signal, stateOf } from '#src/broker/processes.js';
import {
  type ClusterState,
  clusterFilePath,
  livingNodes,
  readCluster,
  updateCluster,
  withNode,
} from '#src/cli/cluster/cluster-file.js';
import { mergeAnswers } from '#src/cli/cluster/cluster-status.js';
import { clusterIdOnDisk, topicsOnDisk } from '#src/cli/cluster/disk-topics.js';
import { planLaunch } from '#src/cli/cluster/launch.js';
import type { NodeStatus, PartitionStatus } from '#src/cli/cluster/node-status.js';
import { checkPorts } from '#src/cli/cluster/ports.js';
import { endProcesses } from '#src/cli/cluster/shutdown.js';
import { waitForState } from '#src/cli/cluster/wait.js';
import { test } from 'uvu';
import * as assert from 'uvu/assert';

const root = mkdtempSync(join(tmpdir(), 'lograft-cli-'));
test.after(() => rmSync(root, { recursive: true, force: true }));

const STATE: ClusterState = {
  launch: { configFile: '/c.yml', nodeCount: null, basePort: 20_000, isInsecure: false },
  supervisor: null,
  nodes: [1, 2].map((id) => ({
    id,
    kafka: { host: '127.0.0.1', port: 20_000 + id },
    peer: { host: '127.0.0.1', port: 20_100 + id },
    http: { host: '127.0.0.1', port: 20_200 + id },
    process: null,
    hasFailed: false,
  })),
};

/** A process that does nothing until it is told to end, or not even then. */
function sleeper(isStubborn = false) {
  const stubborn = isStubborn ? "process.on('SIGTERM', () => {});" : '';
  const script = `${stubborn} setInterval(() => {}, 1000); process.stdout.write('up');`;
  const child = spawn(process.execPath, ['-e', script], { stdio: ['ignore', 'pipe', 'ignore'] });
  return new Promise<NonNullable<ReturnType<typeof identify>>>((resolve) => {
    child.stdout.once('data', () => {
      const id = identify(child.pid as number);
      if (id !== null) resolve(id);
    });
  });
}

test('a process is known by its pid and its start time', async () => {
  const id = await sleeper();
  assert.is(stateOf(id), 'running');
  assert.ok(signal(id, 'SIGSTOP'));
  assert.ok(await waitForState(id, 'paused', 2_000));
  const other = { ...id, startTime: '1' };
  assert.is(stateOf(other), 'gone');
  assert.is(signal(other, 'SIGKILL'), false, 'a stranger with the same pid');
  assert.is(stateOf(id), 'paused');
  assert.ok(signal(id, 'SIGKILL'));
  assert.ok(await waitForState(id, 'gone', 2_000));
  assert.is(signal(id, 'SIGKILL'), false);
});

test('ending asks first, wakes the paused and insists with the stubborn', async () => {
  const [polite, paused, stubborn] = await Promise.all([sleeper(), sleeper(), sleeper(true)]);
  signal(paused, 'SIGSTOP');
  await waitForState(paused, 'paused', 2_000);
  const begin = performance.now();
  await endProcesses([polite, paused, stubborn], 500);
  assert.ok(performance.now() - begin < 2_000);
  for (const id of [polite, paused, stubborn]) assert.is(stateOf(id), 'gone');
});

test('cluster.json keeps what every concurrent change wrote', async () => {
  const dataDir = join(root, 'concurrent');
  assert.is(readCluster(dataDir), null);
  await updateCluster(dataDir, () => STATE);
  const self = identify(process.pid);
  await Promise.all(
    [1, 2].map((id) =>
      updateCluster(dataDir, (before) => withNode(before as ClusterState, id, { process: self })),
    ),
  );
  const after = readCluster(dataDir) as ClusterState;
  assert.equal(
    after.nodes.map((node) => node.process),
    [self, self],
  );
  assert.equal(after.launch, STATE.launch);
  assert.is(livingNodes(after).length, 2);
  const json = JSON.parse(readFileSync(clusterFilePath(dataDir), 'utf8')) as { nodes: object[] };
  assert.is((json.nodes[0] as { pid: number }).pid, process.pid);
});

test('a change that throws leaves everything as it was and no lock behind', async () => {
  const dataDir = join(root, 'throws');
  await updateCluster(dataDir, () => STATE);
  const refuse = updateCluster(dataDir, () => {
    throw new Error('no');
  });
  let message = '';
  await refuse.catch((error: Error) => {
    message = error.message;
  });
  assert.is(message, 'no');
  await updateCluster(dataDir, (before) => before as ClusterState);
  assert.equal(readCluster(dataDir), STATE);
});

test('the lock of a process that is gone is taken over', async () => {
  const dataDir = join(root, 'abandoned');
  mkdirSync(dataDir);
  const owner = JSON.stringify({ pid: 2 ** 22 + 1, startTime: '1' });
  writeFileSync(`${clusterFilePath(dataDir)}.lock`, owner);
  await updateCluster(dataDir, () => STATE);
  assert.equal(readCluster(dataDir), STATE);
});

test('a damaged cluster.json is named, not guessed at', () => {
  const dataDir = join(root, 'damaged');
  mkdirSync(dataDir);
  writeFileSync(clusterFilePath(dataDir), '{"formatVersion": 99}');
  assert.throws(() => readCluster(dataDir), /cluster.json is damaged: format version 99/);
});

test('a used directory is continued with its nodes and ports', async () => {
  const data = join(root, 'used');
  const first = planLaunch({ data, nodes: 2, basePort: 25_000, set: ['num.shards=3'] });
  const nodes = STATE.nodes.map((node) => ({ ...node }));
  await updateCluster(data, () => ({ launch: first.launch, supervisor: null, nodes }));
  mkdirSync(join(data, 'node-1'));
  writeFileSync(join(data, 'node-1', 'meta.properties'), 'cluster.id=abc\n');
  const again = planLaunch({ data });
  assert.equal(
    again.config.nodes.map((n) => n.kafkaPort),
    [25_000, 25_001],
  );
  assert.is(again.config.settings['num.shards'], 1, 'an override is not carried over');
  assert.is(planLaunch({ data, basePort: 26_000 }).config.nodes[0]?.kafkaPort, 26_000);
  assert.throws(() => planLaunch({ data, nodes: 3 }), /holds a cluster of the nodes 1, 2, not/);
});

test('a port in use is named with its purpose and the flag', async () => {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  const node = { id: 2, host: '127.0.0.1', kafkaPort: port, peerPort: port };
  let caught: { code?: string; message?: string; hint?: string } = {};
  await checkPorts([node]).catch((error: typeof caught) => {
    caught = error;
  });
  assert.is(caught.code, 'ADDRESS_IN_USE');
  assert.match(caught.message ?? '', `port ${port} on 127.0.0.1 (Kafka of node 2) is in use`);
  assert.match(caught.hint ?? '', '--base-port');
  server.close();
});

function partition(leader: number, leaderEpoch: number, end = -1): PartitionStatus {
  return {
    partition: 0,
    leader,
    leaderEpoch,
    replicas: [1, 2, 3],
    inSync: [1, 2],
    logStartOffset: end === -1 ? -1 : 0,
    highWatermark: end,
    logEndOffset: end,
  };
}

function answer(nodeId: number, controllerId: number, view: PartitionStatus): NodeStatus {
  const topic = { name: 't', topicId: 'id', configs: {}, partitions: [view] };
  return {
    nodeId,
    clusterId: 'c',
    controllerId,
    state: 'running',
    isReady: true,
    pid: nodeId,
    rssBytes: 0,
    kafka: '',
    peer: '',
    brokers: [],
    topics: [topic],
  };
}

test('status takes a partition from whoever knows most, offsets from its leader', () => {
  const answers = [
    answer(1, 3, partition(2, 4)),
    answer(2, 3, partition(2, 5, 17)),
    answer(3, 3, partition(2, 5)),
  ];
  const merged = mergeAnswers(answers, new Set([1, 2, 3]));
  assert.is(merged.controllerId, 3);
  assert.equal(merged.topics[0]?.partitions[0], partition(2, 5, 17));
});

test('a node that is gone leads nothing, whatever the others still believe', () => {
  const answers = [answer(1, 2, partition(2, 5)), answer(3, 2, partition(2, 5))];
  const merged = mergeAnswers(answers, new Set([1, 3]));
  assert.is(merged.controllerId, -1);
  const [view] = merged.topics[0]?.partitions ?? [];
  assert.is(view?.leader, -1);
  assert.is(view?.leaderEpoch, 5);
  assert.equal(view?.inSync, []);
});

test('topics are known from their folders when nobody can be asked', () => {
  const dataDir = join(root, 'folders');
  const folder = (node: number, name: string, topicId?: string) => {
    const path = join(dataDir, `node-${node}`, name);
    mkdirSync(path, { recursive: true });
    if (topicId === undefined) return;
    writeFileSync(join(path, 'partition.metadata'), `version: 0\ntopic_id: ${topicId}\n`);
  };
  folder(1, 'a-b-0', 'AAA');
  folder(2, 'a-b-0', 'AAA');
  folder(2, 'a-b-1', 'AAA');
  folder(1, '__cluster_metadata-0', 'META');
  folder(1, '__consumer_offsets-3', 'BBB');
  folder(1, 'gone-0.XYZ-stray', 'CCC');
  folder(1, 'wal');
  writeFileSync(join(dataDir, 'node-2', 'meta.properties'), 'version=1\ncluster.id=theId\n');
  const topics = topicsOnDisk(dataDir, [1, 2, 3]);
  assert.equal(
    topics.map((t) => t.name),
    ['__consumer_offsets', 'a-b'],
  );
  assert.equal(
    topics[1]?.partitions.map((p) => [p.partition, p.leader, p.replicas]),
    [
      [0, -1, [1, 2]],
      [1, -1, [2]],
    ],
  );
  assert.is(topics[1]?.topicId, 'AAA');
  assert.is(clusterIdOnDisk(dataDir, [1, 2, 3]), 'theId');
});

test.run();
