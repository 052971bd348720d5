/**
 * What nodes log: nothing a request, a line an election with its reason, and at which level while
 * they run. Three real nodes.
 */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import type { Clock } from '#src/base/clock.js';
import { SLOW_SYNC_MS } from '#src/base/limits.js';
import { slowSyncNote, slowWritesNote } from '#src/broker/sync-meter.js';
import { lineInWords, silentLogger } from '#src/observability/logger.js';
import { killNode } from '../broker/admin.js';
import { lograft, TestCluster } from '../support/cluster.js';
import { waitFor } from '../support/wait-for.js';

const REQUESTS = 200;

type Line = Readonly<Record<string, unknown>> & { readonly msg: string; readonly level: string };

let cluster: TestCluster;

test.before(async () => {
  cluster = await TestCluster.start();
  await cluster.createTopic('orders', 3);
});
test.after(() => cluster.down());

function lines(node: number): Line[] {
  const text = readFileSync(join(cluster.dataDir, `node-${node}`, 'lograft.log'), 'utf8');
  return text
    .split('\n')
    .filter((line) => line.startsWith('{'))
    .map((line) => JSON.parse(line) as Line);
}

function count(node: number, msg: string): number {
  return lines(node).filter((line) => line.msg === msg).length;
}

test('at the default level a request leaves no line', async () => {
  const before = [1, 2, 3].map((node) => lines(node).length);
  const url = `http://127.0.0.1:${cluster.basePort + 201}/topics/orders`;
  for (let i = 0; i < REQUESTS; i++) {
    const method = { method: 'POST', body: 'x' };
    const { status } = await fetch(`${url}/records?partition=${i % 3}`, method);
    assert.is(status, 200);
  }
  assert.is((await fetch(`${url}/partitions/9/records`)).status, 404);
  assert.is((await cluster.consumed('orders')).length, REQUESTS);
  const more = [1, 2, 3].flatMap((node, i) => lines(node).slice(before[i]));
  assert.ok(more.length < REQUESTS / 10, JSON.stringify(more.slice(0, 5)));
});

test('a level reaches every thread of the node that is named, and no other', async () => {
  assert.equal(await cluster.json(['log-level', '1']), { nodes: [{ node: 1, level: 'info' }] });
  assert.equal(await cluster.json(['log-level', '1', 'warn']), {
    nodes: [{ node: 1, level: 'warn' }],
  });
  const { stdout } = await cluster.mustRun(['log-level']);
  assert.is(stdout, 'node 1: warn\nnode 2: info\nnode 3: info\n');
  const quiet = lines(1).length;
  const [main, shard] = ['peer down', 'link down'].map((msg) => count(2, msg)) as [number, number];
  await killNode(cluster, 3);
  await waitFor('node 2 to say so', () => {
    return count(2, 'peer down') > main && count(2, 'link down') > shard;
  });
  assert.is(
    lines(1)
      .slice(quiet)
      .filter(({ level }) => level === 'info').length,
    0,
  );

  const { stdout: all } = await cluster.mustRun(['log-level', 'all', 'info']);
  assert.is(all, 'node 1: info\nnode 2: info\n');
  await cluster.mustRun(['start', '3']);
  await waitFor('both threads of node 1 to say so', () => {
    const later = lines(1).slice(quiet);
    return ['peer up', 'link up'].every((msg) => later.some((line) => line.msg === msg));
  });
});

test('an election is one line that says why', async () => {
  const { topics } = await cluster.status();
  const partition = topics.find(({ name }) => name === 'orders')?.partitions[0];
  assert.ok(partition !== undefined && partition.leader > 0);
  await killNode(cluster, partition.leader);
  const others = [1, 2, 3].filter((node) => node !== partition.leader);
  const isElection = (line: Line): boolean =>
    line.msg === 'raft' &&
    line['kind'] === 'leader' &&
    line['topic'] === 'orders' &&
    line['partition'] === 0 &&
    (line['term'] as number) > partition.leaderEpoch;
  const found = await waitFor('the election', () => {
    const elections = others.flatMap((node) => lines(node).filter(isElection));
    return elections.length > 0 ? elections : null;
  });
  const first = found.find(({ term }) => term === partition.leaderEpoch + 1) ?? found[0];
  assert.is(first?.level, 'info');
  assert.is(first?.['reason'], 'link-closed');
  const terms = found.map(({ term }) => term);
  assert.is(new Set(terms).size, terms.length, 'one line an election');
});

test('what cannot be is said', async () => {
  const bad = await cluster.run(['log-level', '1', 'loud']);
  assert.is(bad.status, 2);
  assert.match(bad.stderr, /level loud: expected trace, debug, info, warn, error/);
  assert.match((await cluster.run(['log-level', '9'])).stderr, /no node 9/);
  assert.is((await lograft(['log-level', '--data', 'nowhere'])).status === 0, false);
});

test('a stall of the disk is one line, however many files wait for it', () => {
  const told: unknown[] = [];
  let nowMs = 0;
  const clock: Clock = { monotonicMs: () => nowMs, wallMs: () => nowMs };
  const note = slowSyncNote(clock, { ...silentLogger, warn: (fields) => told.push(fields) });
  const slowMs = SLOW_SYNC_MS;
  nowMs = 5_000;
  for (let file = 0; file < 10; file++) note(1_500 - file);
  nowMs = 9_000;
  note(2_000);
  assert.equal(told, [
    { ms: 1_500, slowMs },
    { ms: 2_000, slowMs },
  ]);
});

test('a disk that is slow again and again is told of now and then', () => {
  const told: string[] = [];
  let nowMs = 0;
  const clock: Clock = { monotonicMs: () => nowMs, wallMs: () => nowMs };
  const say = (_fields: object, text: string): void => void told.push(text);
  const note = slowWritesNote(clock, { ...silentLogger, warn: say, info: say });
  for (; nowMs < 60_000; nowMs += 1_000) note(nowMs % 2_000 === 0);
  const pair = ['slow writes: they wait in memory', 'writes are fast again'];
  assert.equal(told, [...pair, ...pair]);
});

test('on a terminal a line is words', () => {
  const line = '{"level":"warn","time":"2026-01-02T03:04:05.678Z","node":1,"a":[2],"msg":"slow"}';
  assert.is(lineInWords(line), '03:04:05.678 WARN  slow node=1 a=[2]');
});

test.run();
