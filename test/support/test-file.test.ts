/** The test runner calls nothing green that was not tested: each way of a false green, planted. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { isAlive } from './command.js';
import { tempDir } from './temp-dir.js';
import { type FileResult, TestFile } from './test-file.js';
import { waitFor } from './wait-for.js';

const SUMMARY = (total: number, passed: number, skipped = 0): string =>
  `console.log('  Total:     ${total}\\n  Passed:    ${passed}\\n  Skipped:   ${skipped}');`;

async function runPlanted(source: string): Promise<FileResult> {
  const directory = tempDir('planted');
  writeFileSync(join(directory, 'planted.test.mjs'), source);
  return new TestFile(directory, 'planted.test.mjs', directory).run();
}

test('a file whose tests all passed', async () => {
  const result = await runPlanted(SUMMARY(3, 3));
  assert.equal(result.faults, []);
  assert.is(result.passed, 3);
  assert.is(result.failed, 0);
});

test('a failed test counts, and so does the exit code', async () => {
  const result = await runPlanted(`${SUMMARY(3, 1)} process.exitCode = 1;`);
  assert.equal(result.faults, ['exit code 1', '2 of 3 tests failed']);
  assert.is(result.failed, 2);
});

test('a failure that kept exit code 0, as a throwing hook does in uvu', async () => {
  assert.is((await runPlanted(SUMMARY(2, 0))).failed, 2);
});

test('a file that forgot to run its suite', async () => {
  const result = await runPlanted('');
  assert.match(result.faults.join(), /printed no summary/);
  assert.is(result.failed, 1);
});

test('a file without tests', async () => {
  assert.equal((await runPlanted(SUMMARY(0, 0))).faults, ['has no tests']);
});

test('a skip needs its reason', async () => {
  const silent = await runPlanted(SUMMARY(1, 1, 1));
  assert.equal(silent.faults, ['skips a test without saying why']);
  const honest = await runPlanted(`console.log('# skip: x: no y here');${SUMMARY(0, 0, 1)}`);
  assert.equal(honest.faults, []);
  assert.equal(honest.skips, ['x: no y here']);
});

test('a file that never ends is killed at its own limit', async () => {
  const result = await runPlanted(
    `/* time limit: 1 s */${SUMMARY(1, 1)} setInterval(() => {}, 9);`,
  );
  assert.equal(result.faults, ['did not end within 1 s']);
  assert.is(result.failed, 1);
});

test('a daemon left behind is reported and ended', async () => {
  if (process.platform !== 'linux') return;
  const result = await runPlanted(`
    import { spawn } from 'node:child_process';
    const child = spawn('sleep', ['61'], { detached: true, stdio: 'ignore' });
    child.unref();
    console.log('pid=' + child.pid);
    ${SUMMARY(1, 1)}`);
  assert.match(result.faults.join(), /left process \d+ behind: sleep 61/);
  const pid = Number(/pid=(\d+)/.exec(result.output)?.[1]);
  await waitFor('the daemon to be dead', () => !isAlive(pid));
});

test.run();
