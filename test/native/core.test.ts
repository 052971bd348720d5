/**
 * The C++ core without Node: compiles native/core with test/native/core under the address and
 * undefined-behaviour sanitizers and runs it. Hostile bytes, random streams and slow readers are
 * tried there, where a byte read too far is seen.
 */
import { spawnSync } from 'node:child_process';
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { tempDir } from '../support/temp-dir.js';

const ROOT = fileURLToPath(new URL('../../../', import.meta.url));
const SANITIZERS = ['-fsanitize=address,undefined', '-fno-sanitize-recover=all'];

function sourcesIn(folder: string): string[] {
  return readdirSync(join(ROOT, folder))
    .filter((name) => name.endsWith('.cc') && !name.startsWith('socket_'))
    .map((name) => join(folder, name));
}

function compile(binary: string, flags: readonly string[]): string {
  const sources = ['test/native/core', 'native/core', 'native/platform'].flatMap(sourcesIn);
  const common = ['-std=c++17', '-O0', '-g1', '-Wall', '-Wextra', '-Werror', '-fno-exceptions'];
  const args = [...common, ...flags, ...sources, '-lpthread', '-o', binary];
  const result = spawnSync('g++', args, { cwd: ROOT, encoding: 'utf8' });
  return result.status === 0 ? '' : `${result.error?.message ?? ''}${result.stderr}`;
}

test('the core holds under the sanitizers', () => {
  const binary = join(tempDir('core'), 'core-test');
  let fault = compile(binary, SANITIZERS);
  // A compiler without the sanitizers' libraries still runs the checks themselves.
  if (/cannot find .*(asan|ubsan)/.test(fault)) fault = compile(binary, []);
  assert.is(fault, '');
  const run = spawnSync(binary, [], { encoding: 'utf8', timeout: 60_000 });
  assert.is(run.stderr, '');
  assert.is(run.stdout, 'core ok\n');
  assert.is(run.status, 0);
});

test.run();
