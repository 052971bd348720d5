/**
 * Apache Kafka's Java client: its default producer (idempotent), consumer, groups and admin, as a
 * program compiled here (java/Conformance.java). time limit: 300 s
 */
import { join } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { storedCodecs } from '../support/batch-codecs.js';
import { Child } from '../support/child.js';
import { KAFKA_LIBS, javaArguments, missingJavaClient } from '../support/clients.js';
import { TestCluster } from '../support/cluster.js';
import { mustRun } from '../support/command.js';
import { testWith } from '../support/requires.js';
import { tempDir } from '../support/temp-dir.js';
import { REPOSITORY } from '../tidy/source-tree.js';
import { resumeAfterCoordinatorDeath, twoMembersAndADeath } from './group-scenarios.js';

const SOURCE = join(REPOSITORY, 'test/conformance/java/Conformance.java');

const missing = missingJavaClient();
const javaTest = testWith(missing);
const classes = tempDir('classes');
const cluster = missing === null ? await TestCluster.start() : null;
if (missing === null) {
  await mustRun('javac', ['-proc:none', '-cp', `${KAFKA_LIBS}/*`, '-d', classes, SOURCE]);
}
const bootstrap = cluster?.bootstrap.join(',') ?? '';
const feeder = missing === null ? start(['feed', bootstrap]) : null;

function running(): TestCluster {
  if (cluster === null) throw new Error('no cluster');
  return cluster;
}

function start(args: readonly string[]): Child {
  return new Child('java', [...javaArguments([classes]), 'Conformance', ...args]);
}

async function java(...args: readonly string[]): Promise<string[]> {
  const [verb = '', ...rest] = args;
  const all = [...javaArguments([classes]), 'Conformance', verb, bootstrap, ...rest];
  const { stdout } = await mustRun('java', all, { timeoutMs: 60_000 });
  return stdout.split('\n').slice(0, -1);
}

const valuesOf = (lines: readonly string[]): string[] =>
  lines.filter((line) => /^\d/.test(line)).map((line) => line.split(' ')[2] as string);

const numbered = (count: number): string[] => Array.from({ length: count }, (_, i) => `value-${i}`);

javaTest('a default producer and a consumer by assignment', async () => {
  await running().createTopic('java-plain', 3);
  assert.equal(await java('bulk', 'java-plain', '5000', 'none'), ['acked 5000']);
  const lines = await java('read', 'java-plain', '5000');
  assert.equal(valuesOf(lines).sort(), numbered(5000).sort());
  const ends = lines.filter((line) => line.startsWith('end')).map((line) => line.split(' ')[2]);
  assert.is(
    ends.reduce((sum, end) => sum + Number(end), 0),
    5000,
  );
});

javaTest('every codec passes through as the producer compressed it', async () => {
  for (const codec of ['gzip', 'snappy', 'lz4', 'zstd']) {
    const topic = `java-${codec}`;
    await running().createTopic(topic, 1);
    await java('bulk', topic, '1000', codec);
    assert.equal(valuesOf(await java('read', topic, '1000')), numbered(1000), codec);
    assert.equal(await storedCodecs(running().bootstrap, topic), [codec]);
    assert.equal((await running().consumed(topic)).sort(), numbered(1000).sort(), `own ${codec}`);
  }
});

javaTest('admin: create, list, grow, configs, offsets, cluster, delete', async () => {
  assert.equal(await java('admin', 'java-admin'), [
    'listed true',
    'partitions 4',
    'retention 3600000',
    'end 0',
    'nodes 3',
    'controller true',
    'deleted',
  ]);
});

javaTest('admin: a group loses a position, then goes with the others', async () => {
  await running().createTopic('java-grouped', 2);
  assert.equal(await java('groups', 'java-grouped', 'java-positions'), [
    'positions [java-grouped-0, java-grouped-1]',
    'positions [java-grouped-1]',
    'positions []',
    'GroupIdNotFoundException',
  ]);
});

javaTest('an empty topic ends at 0', async () => {
  await running().createTopic('java-empty', 1);
  assert.equal(await java('read', 'java-empty', '0'), ['end 0 0']);
});

const kit = {
  name: 'java',
  get cluster() {
    return running();
  },
  member: (topic: string, group: string) => start(['member', bootstrap, topic, group]),
  produce: async (topic: string, partition: number, values: readonly string[]) => {
    await feeder?.line(/^ready$/);
    for (const value of values) feeder?.send(`${topic} ${partition} ${value}`);
    for (const value of values) await feeder?.line(new RegExp(`^sent ${value}$`));
  },
};

javaTest('two members share a group, and one takes over when the other is killed', () =>
  twoMembersAndADeath(kit),
);

javaTest('a group goes on from its commits after its coordinator was killed', () =>
  resumeAfterCoordinatorDeath(kit),
);

test.after(async () => {
  await feeder?.kill();
  await cluster?.down();
});

test.run();
