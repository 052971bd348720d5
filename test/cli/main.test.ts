/** The command line from outside, without a cluster: exit codes, streams, the shape of errors. */
import { spawn, spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { test } from 'uvu';
import * as assert from 'uvu/assert';

const MAIN = fileURLToPath(new URL('../../cli/main.js', import.meta.url));
const empty = mkdtempSync(join(tmpdir(), 'lograft-main-'));
test.after(() => rmSync(empty, { recursive: true, force: true }));

function run(...args: string[]) {
  const result = spawnSync(process.execPath, [MAIN, ...args], { encoding: 'utf8', cwd: empty });
  return { code: result.status, stdout: result.stdout, stderr: result.stderr };
}

function jsonError(stderr: string) {
  return (JSON.parse(stderr) as { error: { code: string; message: string; hint: string } }).error;
}

test('help goes to stdout with 0, and comes fast', () => {
  const begin = performance.now();
  const { code, stdout, stderr } = run('--help');
  const ms = performance.now() - begin;
  assert.is(code, 0);
  assert.is(stderr, '');
  for (const name of ['up', 'down', 'status', 'kill', 'produce', 'consume', 'demo', 'version']) {
    assert.match(stdout, new RegExp(`^  ${name} `, 'm'));
  }
  // 150 ms on an idle machine; this is one that runs other tests beside.
  assert.ok(ms < 1_500, `${ms} ms`);
});

test('usage errors are 2, on stderr', () => {
  const bad = [
    [],
    ['nope'],
    ['up', '--nope'],
    ['topic'],
    ['kill'],
    ['consume', 't', '-o', 'sometime'],
    ['produce', 't', '--acks', '3'],
    ['up', '--nodes', 'many'],
    ['status', '--format', 'xml'],
  ];
  for (const args of bad) {
    const { code, stdout, stderr } = run(...args);
    assert.is(code, 2, args.join(' '));
    assert.is(stdout, '', args.join(' '));
    assert.match(stderr, /^lograft: /, args.join(' '));
  }
});

test("a config of the topic that was given as Kafka's tools take it is not lost", () => {
  for (const verb of ['create', 'alter']) {
    const topic = ['topic', verb, 't', '--bootstrap', '127.0.0.1:1', '--format', 'json'];
    const { code, stderr } = run(...topic, '--config', 'retention.ms=60000');
    assert.is(code, 2);
    assert.is(jsonError(stderr).hint, 'for the topic say -c retention.ms=60000');
    assert.is(run(...topic, '-c', 'retention.ms=60000', '--config', 'a.yml').code, 3);
  }
});

test('in JSON mode an error is one object, wherever the option stands', () => {
  for (const args of [
    ['--format', 'json', 'status', '--data', 'nowhere'],
    ['status', '--data', 'nowhere', '--format=json'],
  ]) {
    const { code, stdout, stderr } = run(...args);
    assert.is(code, 3);
    assert.is(stdout, '');
    const error = jsonError(stderr);
    assert.is(error.code, 'NOT_RUNNING');
    assert.match(error.message, /no cluster in .*nowhere/);
    assert.match(error.hint, /lograft up/);
  }
  assert.is(jsonError(run('nope', '--format', 'json').stderr).code, 'USAGE');
});

test('no cluster is 3, for everything but down', () => {
  const commands = [
    ['status'],
    ['kill', '1'],
    ['pause', 'controller'],
    ['start', '1'],
    ['topic', 'list'],
    ['group', 'list'],
    ['consume', 't'],
  ];
  for (const args of commands) {
    assert.is(run(...args, '--data', 'nowhere').code, 3, args.join(' '));
  }
  const { code, stdout } = run('down', '--data', 'nowhere', '--format', 'json');
  assert.is(code, 0);
  assert.equal(JSON.parse(stdout), { stopped: [] });
});

test('nobody at the address is 3, too', () => {
  const { code, stderr } = run('topic', 'list', '--bootstrap', '127.0.0.1:1', '--format', 'json');
  assert.is(code, 3);
  assert.match(jsonError(stderr).message, /no broker answers \(127.0.0.1:1: .*ECONNREFUSED/);
});

test('a bad cluster.yml is 2 and names its line', () => {
  writeFileSync(join(empty, 'bad.yml'), 'settings:\n  num.partitions: x\n');
  const { code, stderr } = run('up', '--config', 'bad.yml', '--format', 'json');
  assert.is(code, 2);
  assert.is(jsonError(stderr).code, 'CONFIG_INVALID');
  assert.match(jsonError(stderr).message, /bad.yml:2:19: settings.num.partitions: "x"/);
});

test('version and settings', () => {
  const version = JSON.parse(run('version', '--format', 'json').stdout) as { version: string };
  assert.match(version.version, /^\d+\.\d+\.\d+/);
  assert.is(run('--version').stdout.trim(), version.version);
  assert.match(run('broker', '--list-settings').stdout, /^num\.partitions +1 +count +Partitions/m);
});

test('a reader that closes early ends the command quietly', async () => {
  const child = spawn(process.execPath, [MAIN, 'broker', '--list-settings'], { cwd: empty });
  let stderr = '';
  child.stderr.on('data', (chunk: Buffer) => {
    stderr += chunk.toString();
  });
  child.stdout.destroy();
  const code = await new Promise((resolve) => child.on('close', resolve));
  assert.is(code, 0);
  assert.is(stderr, '');
});

test.run();
