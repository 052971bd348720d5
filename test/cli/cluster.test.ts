/** The contract of the commands against real nodes, as a script would use them. */
import { spawn } from 'node:child_process';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { Child } from '../support/child.js';
import { LOGRAFT, lograft, TestCluster, type TopicStatus } from '../support/cluster.js';
import { isAlive } from '../support/command.js';
import { waitInSync } from '../support/in-sync.js';
import { freeBasePort } from '../support/ports.js';
import { tempDir } from '../support/temp-dir.js';
import { waitFor } from '../support/wait-for.js';

type Fault = { readonly node: number; readonly pid: number; readonly signal: string | null };

type LogReport = {
  readonly file: string;
  readonly batches: number;
  readonly baseOffset: number;
  readonly nextOffset: number;
  readonly bytes: number;
  readonly damage: readonly object[];
};

let cluster: TestCluster;

function numbers(from: number, to: number): string {
  return Array.from({ length: to - from + 1 }, (_, i) => `${from + i}\n`).join('');
}

async function consumed(topic: string): Promise<number[]> {
  const { stdout } = await cluster.mustRun(['consume', topic, '-e']);
  return stdout
    .trimEnd()
    .split('\n')
    .map(Number)
    .sort((a, b) => a - b);
}

test.before(async () => {
  cluster = await TestCluster.start();
});
test.after(() => cluster.down());

test('status has the shape of the contract', async () => {
  const status = await cluster.status();
  assert.equal(Object.keys(status), ['clusterId', 'controllerId', 'nodes', 'topics']);
  assert.match(status.clusterId, /^[\w-]{22}$/);
  assert.ok([1, 2, 3].includes(status.controllerId));
  const [node] = status.nodes;
  assert.equal(Object.keys(node ?? {}), [
    'id',
    'pid',
    'state',
    'kafka',
    'peer',
    'http',
    'rssBytes',
  ]);
  assert.is(node?.kafka, `127.0.0.1:${cluster.basePort}`);
  assert.ok(status.nodes.every((n) => n.state === 'running' && isAlive(n.pid as number)));
  assert.ok(existsSync(join(cluster.dataDir, 'node-1', 'lograft.log')));
  assert.ok(existsSync(join(cluster.dataDir, 'node-1', 'meta.properties')));
});

test('a topic is created, listed, described, altered and deleted, as the same object', async () => {
  const args = ['topic', 'create', 'shapes', '-p', '3', '-r', '3', '-c', 'retention.ms=60000'];
  const created = await cluster.json<TopicStatus & { configs: object }>(args);
  assert.equal(Object.keys(created), ['name', 'topicId', 'configs', 'partitions']);
  assert.equal(created.configs, { 'retention.ms': '60000' });
  assert.equal(Object.keys(created.partitions[0] ?? {}), [
    'partition',
    'leader',
    'leaderEpoch',
    'replicas',
    'inSync',
    'logStartOffset',
    'highWatermark',
    'logEndOffset',
  ]);
  assert.ok(created.partitions.every((p) => p.leader > 0 && p.logEndOffset === 0));
  const listed = await cluster.json<TopicStatus[]>(['topic', 'list']);
  assert.equal(
    listed.map((topic) => topic.name),
    ['shapes'],
  );
  const alter = ['topic', 'alter', 'shapes', '-p', '5', '-c', 'retention.ms=70000'];
  const altered = await cluster.json<TopicStatus & { configs: object }>(alter);
  assert.is(altered.partitions.length, 5);
  assert.equal(altered.configs, { 'retention.ms': '70000' });
  const described = await cluster.json<TopicStatus>(['topic', 'describe', 'shapes']);
  assert.is(described.topicId, created.topicId);
  const deleted = await cluster.json<TopicStatus>(['topic', 'delete', 'shapes']);
  assert.is(deleted.topicId, created.topicId);
  const again = await cluster.run(['topic', 'describe', 'shapes', '--format', 'json']);
  assert.is(again.status, 1);
  assert.match(again.stderr, /"code":"NOT_FOUND"/);
});

test('lines go in and come out', async () => {
  await cluster.createTopic('lines', 6);
  const { stderr } = await cluster.mustRun(['produce', 'lines'], { input: numbers(1, 20_000) });
  assert.match(stderr, /^acked 20000 failed 0$/m);
  const back = await consumed('lines');
  assert.is(back.length, 20_000);
  assert.is(new Set(back).size, 20_000);
  assert.equal([back[0], back.at(-1)], [1, 20_000]);
  const topic = await cluster.topic('lines');
  assert.is(
    topic.partitions.reduce((sum, p) => sum + p.highWatermark, 0),
    20_000,
  );
});

test('keys, partitions, offsets and formats', async () => {
  await cluster.createTopic('keyed', 3);
  await cluster.mustRun(['produce', 'keyed', '-K', ':'], { input: 'a:1\nb:2\na:3\n' });
  const { stdout } = await cluster.mustRun(['consume', 'keyed', '-e', '-f', '%k=%v %p %o\\n']);
  const lines = stdout.trimEnd().split('\n');
  const ofA = lines.filter((line) => line.startsWith('a='));
  assert.is(new Set(ofA.map((line) => line.split(' ')[1])).size, 1, 'one key, one partition');
  assert.match(ofA[0] as string, /^a=1 /);
  await cluster.createTopic('one', 1);
  await cluster.mustRun(['produce', 'one', '-p', '0'], { input: numbers(0, 9) });
  const read = async (...args: string[]) =>
    (await cluster.mustRun(['consume', 'one', '-e', ...args])).stdout.trim().split(/\s+/).join();
  assert.is(await read('-o', '7'), '7,8,9');
  assert.is(await read('-o', '-2'), '8,9');
  assert.is(await read('-o', '@0', '-n', '3'), '0,1,2');
  assert.is(await read('-o', 'end'), '');
  const json = await cluster.mustRun(['consume', 'one', '-n', '1', '--format', 'json']);
  const record = JSON.parse(json.stdout) as { offset: number; value: string };
  assert.equal([record.offset, record.value], [0, '0']);
});

test('a group reads on from where it was, and its lag reaches zero', async () => {
  await cluster.createTopic('grouped', 4);
  await cluster.mustRun(['produce', 'grouped'], { input: numbers(1, 1_000) });
  const first = await cluster.mustRun(['consume', 'grouped', '-g', 'readers', '-n', '400']);
  const second = await cluster.mustRun(['consume', 'grouped', '-g', 'readers', '-e']);
  const all = `${first.stdout}${second.stdout}`.trimEnd().split('\n').map(Number);
  assert.is(all.length, 1_000);
  assert.is(new Set(all).size, 1_000);
  const group = await cluster.json<{ lag: number; state: string; partitions: object[] }>([
    'group',
    'describe',
    'readers',
  ]);
  assert.is(group.lag, 0);
  assert.is(group.partitions.length, 4);
  const groups = await cluster.json<{ group: string }[]>(['group', 'list']);
  assert.equal(
    groups.map((g) => g.group),
    ['readers'],
  );
  const internal = await cluster.json<{ topics: TopicStatus[] }>(['status', '--internal']);
  assert.ok(internal.topics.some((topic) => topic.name === '__consumer_offsets'));
});

test('a group is deleted when it has no members, with its positions', async () => {
  const consume = [LOGRAFT, 'consume', 'grouped', '-g', 'readers', '--data', cluster.dataDir];
  const member = new Child(process.execPath, consume);
  const remove = ['group', 'delete', 'readers', '--format', 'json'];
  const members = async () => {
    const describe = ['group', 'describe', 'readers'];
    return (await cluster.json<{ members: object[] }>(describe)).members.length;
  };
  await waitFor('the member', async () => (await members()) === 1);
  const refused = await cluster.run(remove);
  assert.is(refused.status, 1);
  assert.match(refused.stderr, /INVALID_REQUEST.*group readers has members/);
  await member.kill('SIGTERM');
  await waitFor('nobody to be a member', async () => (await members()) === 0);
  assert.equal(JSON.parse((await cluster.mustRun(remove)).stdout), { group: 'readers' });
  assert.equal(await cluster.json(['group', 'list']), []);
  const again = await cluster.run(remove);
  assert.is(again.status, 1);
  assert.match(again.stderr, /NOT_FOUND.*there is no group readers/);
});

test('a leader is killed, records flow on, and it comes back', async () => {
  await cluster.createTopic('faults', 3);
  await cluster.mustRun(['produce', 'faults'], { input: numbers(1, 500) });
  const before = (await cluster.topic('faults')).partitions[0];
  const kill = ['kill', 'leader', '--topic', 'faults', '--partition', '0'];
  const fault = await cluster.json<Fault>(kill);
  assert.equal(Object.keys(fault), ['node', 'pid', 'signal']);
  assert.is(fault.node, before?.leader);
  assert.is(fault.signal, 'SIGKILL');
  assert.is(isAlive(fault.pid), false, 'gone when the command returns');
  await cluster.mustRun(['produce', 'faults'], { input: numbers(501, 1_000) });
  const during = await cluster.status();
  const dead = during.nodes.find((node) => node.id === fault.node);
  assert.equal([dead?.state, dead?.pid], ['stopped', null]);
  const started = await cluster.json<Fault>(['start', String(fault.node), '--wait-in-sync']);
  assert.is(started.node, fault.node);
  assert.ok(isAlive(started.pid));
  const after = await cluster.topic('faults');
  assert.ok(after.partitions.every((p) => p.inSync.length === 3));
  assert.equal(await consumed('faults'), numbers(1, 1_000).trimEnd().split('\n').map(Number));
  const twice = await cluster.run(['start', String(fault.node)]);
  assert.is(twice.status, 1);
});

test('a paused node shows as paused until it is resumed', async () => {
  const paused = await cluster.json<Fault>(['pause', 'controller']);
  assert.is(paused.signal, 'SIGSTOP');
  const { nodes } = await cluster.status();
  assert.is(nodes.find((node) => node.id === paused.node)?.state, 'paused');
  await cluster.mustRun(['produce', 'faults'], { input: 'while paused\n' });
  const resumed = await cluster.json<Fault>(['resume', String(paused.node)]);
  assert.equal([resumed.pid, resumed.signal], [paused.pid, 'SIGCONT']);
  await waitFor('every node to run', async () => {
    const now = (await cluster.status()).nodes;
    if (now.every((node) => node.state === 'running')) return true;
    throw new Error(JSON.stringify(now));
  });
});

test('segments are verified and dumped, damage is 1', async () => {
  // Nodes were killed and started before: every one of them is to hold everything again.
  await waitInSync(cluster, ['one']);
  const folder = join(cluster.dataDir, 'node-1', 'one-0');
  const sound = await cluster.json<LogReport>(['log', 'verify', folder]);
  const { file, baseOffset, nextOffset, damage } = sound;
  assert.equal([file, baseOffset, nextOffset, damage], [folder, 0, 10, []]);
  const segment = join(folder, '00000000000000000000.log');
  const dump = await cluster.json<LogReport & { contents: { records: { value: string }[] }[] }>([
    ...['log', 'dump', segment, '--records'],
  ]);
  assert.is(dump.batches, dump.contents.length);
  const values = dump.contents.flatMap((batch) => batch.records.map((r) => r.value));
  assert.equal(
    values.map((v) => Buffer.from(v, 'base64').toString()),
    [...'0123456789'],
  );
  const copy = join(tempDir('damage'), '00000000000000000000.log');
  const bytes = readFileSync(segment).subarray(0, sound.bytes);
  bytes[bytes.length - 2] = (bytes.at(-2) as number) ^ 1;
  writeFileSync(copy, bytes);
  const damaged = await cluster.run(['log', 'verify', copy, '--format', 'json']);
  assert.is(damaged.status, 1);
  const report = JSON.parse(damaged.stdout) as LogReport;
  assert.equal(Object.keys(report), [
    'file',
    'batches',
    'baseOffset',
    'nextOffset',
    'bytes',
    'damage',
  ]);
  assert.equal(Object.keys(report.damage[0] ?? {}), ['position', 'kind']);
});

test('a second up on the same directory says that it runs', async () => {
  const { status, stderr, stdout } = await cluster.run(['up', '--format', 'json']);
  assert.is(status, 1);
  assert.is(stdout, '');
  assert.match(stderr, /"code":"ALREADY_RUNNING"/);
});

test('with every node dead, status answers from the directory; up goes on', async () => {
  const before = await cluster.status();
  for (const id of cluster.nodeIds) cluster.signal(id, 'SIGKILL');
  await waitFor('all nodes to be gone', async () =>
    (await cluster.status()).nodes.every((node) => node.state === 'stopped'),
  );
  const dead = await cluster.status();
  assert.is(dead.clusterId, before.clusterId);
  const names = (status: typeof dead) => status.topics.map((topic) => topic.name).join();
  assert.is(names(dead), names(before));
  assert.ok(dead.topics.every((topic) => topic.partitions.every((p) => p.leader === -1)));
  await cluster.up();
  const after = await cluster.status();
  assert.is(after.clusterId, before.clusterId);
  assert.equal(
    after.nodes.map((n) => n.kafka),
    before.nodes.map((n) => n.kafka),
  );
  assert.is((await consumed('lines')).length, 20_000);
});

/** Ends as soon as the cluster runs, with its one line; the process goes on. */
async function foreground(dataDir: string) {
  const port = await freeBasePort();
  const args = [LOGRAFT, 'up', '--data', dataDir, '--base-port', String(port)];
  const child = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'inherit'] });
  process.once('exit', () => child.kill('SIGKILL'));
  let line = '';
  child.stdout.on('data', (chunk: Buffer) => {
    line += chunk.toString();
  });
  await waitFor('the cluster to start', () => line.endsWith('\n'), { timeoutMs: 30_000 });
  const ended = new Promise<number | null>((resolve) => child.on('exit', resolve));
  const file = JSON.parse(readFileSync(join(dataDir, 'cluster.json'), 'utf8')) as {
    nodes: { pid: number }[];
  };
  return { child, line, ended, port, pids: file.nodes.map((node) => node.pid) };
}

test('up says one line, and ends everything on SIGINT with 0', async () => {
  const dataDir = tempDir('up');
  const { child, line, ended, port, pids } = await foreground(dataDir);
  const bootstrap = [0, 1, 2].map((i) => `127.0.0.1:${port + i}`).join(',');
  assert.match(line, new RegExp(`^lograft started: 3 nodes, bootstrap ${bootstrap}, \\d+ ms\n$`));
  const begin = performance.now();
  child.kill('SIGINT');
  assert.is(await ended, 0);
  assert.ok(performance.now() - begin < 10_000);
  assert.equal(pids.map(isAlive), [false, false, false]);
  const { status } = await lograft(['status', '--data', dataDir]);
  assert.is(status, 0);
});

test('nodes do not outlive a supervisor that is killed', async () => {
  const { child, pids } = await foreground(tempDir('orphans'));
  assert.ok(pids.every(isAlive));
  child.kill('SIGKILL');
  await waitFor('the nodes to end', () => !pids.some(isAlive), { timeoutMs: 10_000 });
});

test.run();
