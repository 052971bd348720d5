/**
 * kcat (librdkafka 2.0, a C client nobody here wrote) against a cluster of real processes: what a
 * user types first. time limit: 240 s
 */
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { storedCodecs } from '../support/batch-codecs.js';
import { Child } from '../support/child.js';
import { TestCluster } from '../support/cluster.js';
import { mustRun } from '../support/command.js';
import { missingCommand, testWith } from '../support/requires.js';
import { waitFor } from '../support/wait-for.js';
import { resumeAfterCoordinatorDeath, twoMembersAndADeath } from './group-scenarios.js';

const missing = missingCommand('kcat', 'apt-get install kcat');
const kcatTest = testWith(missing);
const cluster = missing === null ? await TestCluster.start() : null;
const bootstrap = cluster?.bootstrap.join(',') ?? '';
const SESSION = ['-X', 'session.timeout.ms=6000', '-X', 'heartbeat.interval.ms=500'];

/** A cluster exists whenever a test body runs. */
function running(): TestCluster {
  if (cluster === null) throw new Error('no cluster');
  return cluster;
}

async function kcat(args: readonly string[], input = ''): Promise<string[]> {
  const result = await mustRun('kcat', ['-b', bootstrap, ...args], { input });
  return result.stdout.split('\n').slice(0, -1);
}

function numbers(count: number, from = 1): string {
  return Array.from({ length: count }, (_, i) => `${from + i}\n`).join('');
}

function readTopic(topic: string, format = '%s\n'): Promise<string[]> {
  return kcat(['-C', '-t', topic, '-o', 'beginning', '-e', '-q', '-f', format]);
}

function sortedNumbers(lines: readonly string[]): number[] {
  return lines.map(Number).sort((a, b) => a - b);
}

const ONE_TO = (count: number): number[] => Array.from({ length: count }, (_, i) => i + 1);

kcatTest('a hundred thousand records, acks=all, come back once each', async () => {
  await running().createTopic('orders', 6);
  await kcat(['-t', 'orders', '-P', '-X', 'acks=all'], numbers(100_000));
  assert.equal(sortedNumbers(await readTopic('orders')), ONE_TO(100_000));
});

kcatTest('an idempotent producer; offsets of a partition are dense and in order', async () => {
  await running().createTopic('exact', 3);
  await kcat(['-t', 'exact', '-P', '-X', 'enable.idempotence=true'], numbers(20_000));
  const lines = (await readTopic('exact', '%p %o %s\n')).map((line) => line.split(' ').map(Number));
  assert.equal(
    lines.map(([, , value]) => value as number).sort((a, b) => a - b),
    ONE_TO(20_000),
  );
  for (const partition of [0, 1, 2]) {
    const own = lines.filter(([p]) => p === partition);
    assert.equal(
      own.map(([, offset]) => offset),
      own.map((_, i) => i),
    );
  }
});

kcatTest('keys, headers and null values pass through', async () => {
  await running().createTopic('shapes', 1);
  await kcat(['-t', 'shapes', '-P', '-K', ':', '-H', 'who=me', '-H', 'empty='], 'k1:v1\n');
  await kcat(['-t', 'shapes', '-P', '-K', ':', '-Z'], 'k2:\n');
  const lines = await readTopic('shapes', '%o|%k|%S|%s|%h\n');
  assert.equal(lines, ['0|k1|2|v1|who=me,empty=', '1|k2|-1||']);
});

kcatTest('every codec passes through as the producer compressed it', async () => {
  for (const codec of ['gzip', 'snappy', 'lz4', 'zstd']) {
    const topic = `codec-${codec}`;
    await running().createTopic(topic, 1);
    await kcat(['-t', topic, '-P', '-z', codec, '-X', 'linger.ms=50'], numbers(5_000));
    assert.equal(sortedNumbers(await readTopic(topic)), ONE_TO(5_000), codec);
    assert.equal(await storedCodecs(running().bootstrap, topic), [codec]);
    assert.equal(sortedNumbers(await running().consumed(topic)), ONE_TO(5_000), `own ${codec}`);
  }
});

kcatTest('an empty topic ends at 0', async () => {
  await running().createTopic('empty', 1);
  assert.equal(await readTopic('empty'), []);
  assert.equal(await kcat(['-Q', '-t', 'empty:0:-1']), ['empty [0] offset 0']);
});

kcatTest('an offset by timestamp', async () => {
  await running().createTopic('timed', 1);
  await kcat(['-t', 'timed', '-P'], numbers(3));
  await new Promise((resolve) => setTimeout(resolve, 50));
  const betweenMs = Date.now();
  await kcat(['-t', 'timed', '-P'], numbers(2, 4));
  assert.equal(await kcat(['-Q', '-t', `timed:0:${betweenMs}`]), ['timed [0] offset 3']);
});

kcatTest('an unknown topic is created on first use', async () => {
  await kcat(['-t', 'made-by-use', '-P'], numbers(10));
  assert.equal(sortedNumbers(await readTopic('made-by-use')), ONE_TO(10));
});

kcatTest('acks=1 and acks=0 arrive too', async () => {
  await running().createTopic('loose', 1);
  await kcat(['-t', 'loose', '-P', '-X', 'acks=1'], numbers(10));
  await kcat(['-t', 'loose', '-P', '-X', 'acks=0'], numbers(10, 11));
  await waitFor('20 records', async () => (await readTopic('loose')).length === 20);
});

const kit = {
  name: 'kcat',
  get cluster() {
    return running();
  },
  member: (topic: string, group: string) =>
    new Child('kcat', [
      ...['-b', bootstrap, '-G', group, '-u', '-q', '-f', '%p %o %s\n', ...SESSION],
      ...['-X', 'auto.offset.reset=earliest', '-X', 'auto.commit.interval.ms=200', topic],
    ]),
  produce: async (topic: string, partition: number, values: readonly string[]) => {
    await kcat(['-t', topic, '-P', '-p', String(partition)], `${values.join('\n')}\n`);
  },
};

kcatTest('two members share a group, and one takes over when the other is killed', () =>
  twoMembersAndADeath(kit),
);

kcatTest('a group goes on from its commits after its coordinator was killed', () =>
  resumeAfterCoordinatorDeath(kit),
);

test.after(async () => {
  await cluster?.down();
});

test.run();
