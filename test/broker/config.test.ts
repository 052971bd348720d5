/** cluster.yml and its overrides: what is understood, what is refused and how it is said. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { LograftError } from '#src/base/errors.js';
import { type LoadOptions, loadClusterConfig } from '#src/broker/config.js';
import { environmentName } from '#src/broker/config-overrides.js';
import {
  brokerConfig,
  packagedConfigFile,
  readResolvedConfig,
  resolvedConfigFile,
  writeResolvedConfig,
} from '#src/broker/node-config.js';
import { SETTINGS } from '#src/broker/settings.js';
import { test } from 'uvu';
import * as assert from 'uvu/assert';

const directory = mkdtempSync(join(tmpdir(), 'lograft-config-'));
const file = join(directory, 'cluster.yml');
test.after(() => rmSync(directory, { recursive: true, force: true }));

function load(text: string, options: Partial<LoadOptions> = {}) {
  writeFileSync(file, text);
  return loadClusterConfig({ cwd: directory, env: {}, ...options });
}

/** The message without the file's path; undefined when nothing was refused. */
function refusal(text: string, options: Partial<LoadOptions> = {}): string | undefined {
  try {
    load(text, options);
    return undefined;
  } catch (error) {
    if (!(error instanceof LograftError)) throw error;
    assert.is(error.code, 'CONFIG_INVALID');
    return error.message.replaceAll(file, 'cluster.yml');
  }
}

test('an empty file is three nodes on loopback with every default', () => {
  const config = load('');
  assert.equal(config.voters, [1, 2, 3]);
  assert.equal(
    config.nodes.map((n) => [n.host, n.kafkaPort, n.peerPort, n.httpPort]),
    [
      ['127.0.0.1', 9092, 9193, 9293],
      ['127.0.0.1', 9093, 9194, 9294],
      ['127.0.0.1', 9094, 9195, 9295],
    ],
  );
  assert.is(config.dataDir, join(directory, 'data'));
  assert.is(config.settings.durability, 'synced');
  assert.is(config.setNames.size, 0);
  assert.is(brokerConfig(config, 2).nodeDir, join(directory, 'data', 'node-2'));
  assert.throws(() => brokerConfig(config, 4), /no node 4; its nodes are 1, 2, 3/);
});

test('the packaged cluster.yml is valid and means the defaults it documents', () => {
  const config = loadClusterConfig({ cwd: directory, env: {}, file: packagedConfigFile() });
  assert.is(config.nodes.length, 3);
  assert.is(config.settings['offsets.topic.num.partitions'], 8);
  assert.is(config.settings['group.initial.rebalance.delay.ms'], 0);
});

test('a node gets the decided configuration back as it was', () => {
  const config = load('clusterName: c\n', { sets: ['num.shards=2', 'nodes.1.rack=a'] });
  writeResolvedConfig(config);
  const file = resolvedConfigFile(config.dataDir);
  assert.equal(readResolvedConfig(file), config);
  writeFileSync(file, '{}');
  assert.throws(() => readResolvedConfig(file), /cannot use .*config.json: format version/);
});

test('an unknown key names its place and the nearest right one', () => {
  assert.is(
    refusal('settings:\n  num.partition: 3\n'),
    'cluster.yml:2:3: settings.num.partition: unknown key; did you mean "num.partitions"?',
  );
  assert.is(refusal('nodez: 3\n'), 'cluster.yml:1:1: nodez: unknown key; did you mean "nodes"?');
  assert.match(
    refusal('nodes:\n  - id: 1\n    hots: x\n') ?? '',
    /^cluster.yml:3:5: nodes.0.hots.*"host"/,
  );
  assert.match(refusal('settings:\n  zzzzzzzzzz: 1\n') ?? '', /2:3: .*known keys: num.partitions/);
});

test('a bad value names its place, itself and what is allowed', () => {
  assert.is(
    refusal('settings:\n  num.partitions: six\n'),
    'cluster.yml:2:19: settings.num.partitions: "six" is not allowed; ' +
      'expected a whole number from 1 to 10000',
  );
  assert.match(refusal('settings:\n  num.partitions: 0\n') ?? '', /2:19: .*: 0 is not allowed/);
  assert.match(
    refusal('settings:\n  durability: fast\n') ?? '',
    /2:15: settings.durability: "fast" is not allowed; expected one of "synced", "cached"/,
  );
  assert.match(
    refusal('settings:\n  auto.create.topics.enable: yes\n') ?? '',
    /expected true or false/,
  );
  assert.match(
    refusal('settings: 3\n') ?? '',
    /1:11: settings: 3 is not allowed; expected a mapping/,
  );
  assert.match(refusal('nodes: []\n') ?? '', /1:8: nodes: \[\] is not allowed; expected a list/);
  assert.match(
    refusal('nodes:\n  - host: 127.0.0.1\n') ?? '',
    /2:5: nodes.0: the key "id" is missing/,
  );
});

test('every finding is told at once', () => {
  const text = refusal('settings:\n  num.partitions: 0\n  num.shards: 0\n') ?? '';
  assert.is(text.split('\n').length, 2);
});

test('bad YAML names its place', () => {
  assert.match(refusal('nodes: [1,\n') ?? '', /^cluster.yml:\d+:\d+: /);
  assert.match(refusal('host: a\nhost: b\n') ?? '', /^cluster.yml:2:1: .*unique/);
  assert.match(refusal('settings:\n\tnum.shards: 1\n') ?? '', /^cluster.yml:2:1: .*[Tt]ab/);
  assert.match(refusal('- 1\n') ?? '', /^cluster.yml:1:1: expected keys/);
});

test('--set wins over the environment, that over the file, that over the default', () => {
  const text = 'settings:\n  num.partitions: 3\n';
  const env = { LOGRAFT_NUM_PARTITIONS: '4' };
  assert.is(load('').settings['num.partitions'], 1);
  assert.is(load(text).settings['num.partitions'], 3);
  assert.is(load(text, { env }).settings['num.partitions'], 4);
  const sets = ['num.partitions=5', 'num.partitions=6'];
  assert.is(load(text, { env, sets }).settings['num.partitions'], 6);
  assert.ok(load('', { sets }).setNames.has('num.partitions'));
});

test('overrides are typed, and blamed by name', () => {
  assert.is(
    load('', { sets: ['auto.create.topics.enable=false'] }).settings['auto.create.topics.enable'],
    false,
  );
  assert.match(
    refusal('', { sets: ['num.partitions=six'] }) ?? '',
    /^--set num.partitions=six: "six"/,
  );
  assert.match(
    refusal('', { sets: ['num.partition=6'] }) ?? '',
    /no setting "num.partition"; did you mean "num.partitions"/,
  );
  assert.match(refusal('', { sets: ['num.partitions'] }) ?? '', /expected KEY=VALUE/);
  const env = { LOGRAFT_NUM_PARTITIONS: 'six' };
  assert.match(refusal('', { env }) ?? '', /^LOGRAFT_NUM_PARTITIONS=six: "six" is not allowed/);
  assert.match(
    refusal('', { env: { LOGRAFT_NUM_PARTITION: '1' } }) ?? '',
    /did you mean LOGRAFT_NUM_PARTITIONS/,
  );
});

test('a bad value in the file that is overridden does no harm', () => {
  assert.is(
    load('settings:\n  num.shards: no\n', { sets: ['num.shards=2'] }).settings['num.shards'],
    2,
  );
});

test('variables of other programs and reserved ones are left alone', () => {
  const env = { LOGRAFT_SUPERVISOR_PID: '1', LOGRAFT_BOOT_ID: 'x', LOGRAFT_SOMETHING_ELSE: 'y' };
  assert.is(refusal('', { env }), undefined);
});

test('keys of the file and of nodes can be overridden too', () => {
  const env = { LOGRAFT_DATA_DIR: '/somewhere', LOGRAFT_NODES_2_RACK: 'b' };
  const config = load('', { env, sets: ['basePort=20000', 'nodes.3.kafkaPort=21000'] });
  assert.is(config.dataDir, '/somewhere');
  assert.equal(
    config.nodes.map((n) => n.kafkaPort),
    [20_000, 20_001, 21_000],
  );
  assert.equal(
    config.nodes.map((n) => n.rack),
    [null, 'b', null],
  );
  assert.match(refusal('', { sets: ['nodes.9.rack=x'] }) ?? '', /there is no node 9/);
});

test('every setting has its own variable', () => {
  assert.is(environmentName('num.partitions'), 'LOGRAFT_NUM_PARTITIONS');
  assert.is(environmentName('dataDir'), 'LOGRAFT_DATA_DIR');
  const names = SETTINGS.map((s) => environmentName(s.name));
  assert.is(new Set(names).size, SETTINGS.length);
});

test('every default satisfies its own bounds and has a sentence', () => {
  const sets = SETTINGS.map((s) => `${s.name}=${s.defaultValue}`);
  assert.is(refusal('', { sets }), undefined);
  for (const setting of SETTINGS) assert.match(setting.doc, /^[A-Z].*\.$/, setting.name);
});

test('flags for nodes and ports shape the cluster', () => {
  const config = load('nodes:\n  - {id: 1, rack: a, kafkaPort: 1234}\n', {
    nodeCount: 5,
    basePort: 30_000,
  });
  assert.equal(config.voters, [1, 2, 3, 4, 5]);
  assert.equal(
    config.nodes.map((n) => n.kafkaPort),
    [30_000, 30_001, 30_002, 30_003, 30_004],
  );
  assert.is(config.nodes[0]?.rack, 'a');
});

test('replication fits the nodes unless more was asked for', () => {
  const one = load('settings:\n  default.replication.factor: 3\n', { nodeCount: 1 });
  assert.is(one.settings['default.replication.factor'], 1);
  assert.is(one.settings['offsets.topic.replication.factor'], 1);
  const sets = ['default.replication.factor=3'];
  assert.match(refusal('', { nodeCount: 1, sets }) ?? '', /only 1 nodes to hold replicas/);
});

test('nothing but loopback without --insecure', () => {
  assert.match(
    refusal('host: 10.1.2.3\n') ?? '',
    /^cluster.yml:1:7: node 1 would listen on 10.1.2.3/,
  );
  const own = 'nodes:\n  - id: 1\n  - id: 2\n    host: 10.1.2.3\n';
  assert.match(refusal(own) ?? '', /^cluster.yml:4:11: node 2 would listen/);
  assert.is(refusal('host: 10.1.2.3\n', { isInsecure: true }), undefined);
  for (const host of ['localhost', '127.0.0.9', '"::1"'])
    assert.is(refusal(`host: ${host}\n`), undefined);
  const wildcard = 'host: 0.0.0.0\n';
  assert.match(refusal(wildcard, { isInsecure: true }) ?? '', /needs an advertisedHost/);
});

test('ports and ids that clash are refused with both owners', () => {
  assert.match(refusal('nodes:\n  - id: 1\n  - id: 1\n') ?? '', /two nodes have the id 1/);
  const clash = 'nodes:\n  - {id: 1, kafkaPort: 9200}\n  - {id: 2, peerPort: 9200}\n';
  assert.match(refusal(clash) ?? '', /9200 is both kafkaPort of node 1 and peerPort of node 2/);
  assert.match(refusal('basePort: 65500\n') ?? '', /above 65535/);
});

test('pairs of settings keep their order', () => {
  const sets = ['raft.heartbeat.interval.ms=700'];
  assert.match(
    refusal('', { sets }) ?? '',
    /^--set raft.*must be less than raft.election.timeout.ms \(600\)/,
  );
});

test('a named file that is missing is an error, a missing ./cluster.yml is not', () => {
  assert.throws(
    () => loadClusterConfig({ cwd: directory, env: {}, file: 'nope.yml' }),
    /there is no config file/,
  );
  const config = loadClusterConfig({ cwd: tmpdir(), env: {} });
  assert.is(config.configFile, packagedConfigFile());
});

test.run();
