/**
 * Whose directory, whose port: a node refuses what is not its own in one clear line, and the
 * cluster goes on without it.
 */
import {
  cpSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { LOGRAFT, TestCluster, lograft } from '../support/cluster.js';
import { type CommandResult, runCommand } from '../support/command.js';
import { freeBasePort } from '../support/ports.js';
import { tempDir } from '../support/temp-dir.js';
import { waitFor } from '../support/wait-for.js';
import { killNode } from './admin.js';
import { Recorder } from './recorder.js';

const TOPIC = 'identity';

const cluster = await TestCluster.start({ settings: ['replica.lag.time.max.ms=2000'] });
await cluster.createTopic(TOPIC, 3);
const recorder = new Recorder(cluster, [TOPIC]);

/** Runs `lograft broker` in the foreground; it is expected to end by itself. */
function broker(id: number, data: string, basePort: number): Promise<CommandResult> {
  const ports = ['--nodes', '3', '--base-port', String(basePort)];
  const args = [LOGRAFT, 'broker', '--id', String(id), '--data', data, ...ports];
  return runCommand(process.execPath, args, { timeoutMs: 15_000 });
}

/** Ends with 1, or with 2 where the configuration is to blame, and says why without a trace. */
function mustRefuse({ status, stderr }: CommandResult, ...patterns: readonly RegExp[]): void {
  assert.ok(status === 1 || status === 2, `${status}: ${stderr}`);
  for (const pattern of patterns) assert.match(stderr, pattern);
  assert.not.match(stderr, /\n\s+at /, 'no stack trace');
}

function propertiesOf(node: number): string {
  return join(cluster.dataDir, `node-${node}/meta.properties`);
}

async function writeEverywhere(batches: number): Promise<void> {
  await Promise.all([0, 1, 2].map((p) => recorder.writeMany(TOPIC, p, batches)));
}

test('a second broker on the same directory', async () => {
  const result = await broker(1, cluster.dataDir, await freeBasePort());
  mustRefuse(result, /locked/, /node-1/);
});

test('a port that is in use is named, and so is the flag that moves it', async () => {
  const port = await freeBasePort();
  for (const taken of [port, port + 101]) {
    const server = createServer().listen(taken, '127.0.0.1');
    await new Promise((resolve) => server.once('listening', resolve));
    const result = await broker(1, tempDir('ports'), port);
    mustRefuse(result, new RegExp(`\\b${taken}\\b`), /--base-port/);
    await new Promise((resolve) => server.close(resolve));
  }
  const held = createServer().listen(port + 2, '127.0.0.1');
  await new Promise((resolve) => held.once('listening', resolve));
  const up = ['up', '--detach', '--nodes', '3', '--base-port', String(port)];
  const result = await lograft([...up, '--data', tempDir('ports')]);
  mustRefuse(result, new RegExp(`\\b${port + 2}\\b`), /--base-port/);
  await new Promise((resolve) => held.close(resolve));
});

test('a directory of another node, of nobody, or with a damaged meta.properties', async () => {
  await writeEverywhere(3);
  await cluster.down();
  const copy = tempDir('copy');
  cpSync(join(cluster.dataDir, 'node-1'), join(copy, 'node-2'), { recursive: true });
  const port = await freeBasePort();
  mustRefuse(await broker(2, copy, port), /belongs to node 1/);
  const path = join(copy, 'node-2/meta.properties');
  writeFileSync(path, 'version=1\nnode.id=2\n');
  mustRefuse(await broker(2, copy, port), /meta\.properties/);
  rmSync(path);
  mustRefuse(await broker(2, copy, port), /meta\.properties/);
});

test('a directory without its write-ahead log: who forgot his votes must not vote', async () => {
  const own = join(cluster.dataDir, 'node-2/wal');
  renameSync(own, `${own}-kept`);
  mustRefuse(
    await broker(2, cluster.dataDir, await freeBasePort()),
    /node-2 holds logs but no wal/,
  );
  assert.not(existsSync(own), 'nothing was made in its place');
  renameSync(`${own}-kept`, own);
});

test('a lost cluster.id is learnt again: the directory id proves whose it is', async () => {
  const before = readFileSync(propertiesOf(1), 'utf8');
  writeFileSync(propertiesOf(1), before.replace(/cluster\.id=.*\n/, ''));
  await cluster.up();
  await writeEverywhere(2);
  await waitFor('the cluster id', () => readFileSync(propertiesOf(1), 'utf8') === before);
});

test("another cluster's directory in the place of a node's own", async () => {
  const other = await TestCluster.start({ nodes: 1, settings: ['default.replication.factor=1'] });
  const { clusterId } = await other.status();
  await other.down();
  await killNode(cluster, 3);
  const own = join(cluster.dataDir, 'node-3');
  renameSync(own, `${own}-kept`);
  cpSync(join(other.dataDir, 'node-1'), own, { recursive: true });
  const foreign = propertiesOf(3);
  writeFileSync(foreign, readFileSync(foreign, 'utf8').replace('node.id=1', 'node.id=3'));
  mustRefuse(await cluster.run(['start', '3']), /belongs to a cluster of the nodes 1\b/);
  // A directory that is foreign by its cluster id alone: the peers say so.
  for (const name of readdirSync(own)) {
    if (name !== 'meta.properties') rmSync(join(own, name), { recursive: true });
  }
  mustRefuse(await cluster.run(['start', '3']), /belongs to another cluster than nodes 1, 2/);
  assert.ok(readFileSync(foreign, 'utf8').includes(clusterId), 'its cluster id stays');
  await writeEverywhere(2);
  rmSync(own, { recursive: true });
  renameSync(`${own}-kept`, own);
  await cluster.startNode(3, '--wait-in-sync');
});

test('the node that is dialed by all others learns the same', async () => {
  await killNode(cluster, 1);
  const path = propertiesOf(1);
  const own = join(cluster.dataDir, 'node-1');
  renameSync(own, `${own}-kept`);
  mkdirSync(own);
  const kept = readFileSync(`${own}-kept/meta.properties`, 'utf8');
  writeFileSync(path, kept.replace(/cluster\.id=.*/, 'cluster.id=AAAAAAAAAAAAAAAAAAAAAA'));
  mustRefuse(await cluster.run(['start', '1']), /belongs to another cluster than nodes 2, 3/);
  rmSync(own, { recursive: true });
  renameSync(`${own}-kept`, own);
  await cluster.startNode(1, '--wait-in-sync');
});

test('nothing acknowledged was lost', () => recorder.judge());

test.after(async () => {
  await recorder.client.close();
  await cluster.down();
});

test.run();
