/** A supervised node ends when its supervisor is gone, and for nothing less than that. */
import { spawn } from 'node:child_process';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { identify } from '#src/broker/processes.js';
import { SUPERVISOR_PID, SUPERVISOR_START } from '#src/broker/supervision.js';
import { runCommand } from '../support/command.js';
import { waitFor } from '../support/wait-for.js';

const MODULE = new URL('../../broker/supervision.js', import.meta.url).href;

/** Watches its supervisor for a second, with every descriptor in use if asked. */
const WATCHER = `
  import { openSync } from 'node:fs';
  import { watchSupervisor } from '${MODULE}';
  let word = 'alive';
  watchSupervisor(process.env, () => { word = 'gone'; });
  const held = [];
  try {
    while (process.argv.includes('greedy')) held.push(openSync('/dev/null'));
  } catch (error) {
    word += ' ' + error.code;
  }
  await new Promise((resolve) => setTimeout(resolve, 1000));
  process.stdout.write(word);
`;

async function watch(pid: number, startTime: string, ...flags: string[]): Promise<string> {
  const node = [process.execPath, '--input-type=module', '-e', WATCHER, ...flags];
  const env = { ...process.env, [SUPERVISOR_PID]: String(pid), [SUPERVISOR_START]: startTime };
  const result = await runCommand('/bin/sh', ['-c', 'ulimit -n 64; exec "$@"', 'sh', ...node], {
    env,
  });
  assert.is(result.status, 0, result.stderr);
  return result.stdout;
}

test('a supervisor that lives, and one that is gone', async () => {
  const own = identify(process.pid);
  assert.ok(own !== null);
  assert.is(await watch(own.pid, own.startTime), 'alive');
  const brief = spawn(process.execPath, ['-e', 'process.stdin.resume()']);
  const id = await waitFor('a process', () => identify(brief.pid as number));
  brief.kill('SIGKILL');
  await new Promise((resolve) => brief.once('close', resolve));
  assert.is(await watch(id.pid, id.startTime), 'gone');
});

test('a node without a free descriptor does not take its supervisor for gone', async () => {
  const own = identify(process.pid);
  assert.ok(own !== null);
  assert.is(await watch(own.pid, own.startTime, 'greedy'), 'alive EMFILE');
});

test.run();
