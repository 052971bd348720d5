/** native/build.mjs: quick when nothing changed, and plain about missing tools. */
import { spawnSync } from 'node:child_process';
import { cpSync, mkdirSync, symlinkSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { tempDir } from '../support/temp-dir.js';

const ROOT = fileURLToPath(new URL('../../../', import.meta.url));

function run(root: string, env: NodeJS.ProcessEnv = process.env) {
  const startMs = performance.now();
  const script = join(root, 'native', 'build.mjs');
  const result = spawnSync(process.execPath, [script], { cwd: '/', env, encoding: 'utf8' });
  return { ...result, elapsedMs: performance.now() - startMs };
}

test('a second build does nothing', () => {
  const runs = [1, 2, 3].map(() => run(ROOT));
  assert.equal(
    runs.map(({ status, stdout, stderr }) => ({ status, stdout, stderr })),
    Array(3).fill({ status: 0, stdout: '', stderr: '' }),
  );
  const bestMs = Math.min(...runs.map(({ elapsedMs }) => elapsedMs));
  assert.ok(bestMs < 500, `${bestMs} ms`);
});

test('missing tools are one line that says what to install', () => {
  const root = tempDir('build');
  mkdirSync(join(root, 'empty'));
  cpSync(join(ROOT, 'native'), join(root, 'native'), { recursive: true });
  cpSync(join(ROOT, 'binding.gyp'), join(root, 'binding.gyp'));
  symlinkSync(join(ROOT, 'node_modules'), join(root, 'node_modules'));
  const { status, stdout, stderr } = run(root, { PATH: join(root, 'empty') });
  assert.is(status, 1);
  assert.is(stdout, '');
  assert.is(
    stderr,
    'lograft: cannot build the native addon without python3, make, g++: ' +
      'sudo apt-get install -y python3 make g++\n',
  );
});

test.run();
