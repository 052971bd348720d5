/**
 * Compiles the small C files that tests need, at test time, into a folder that goes with the
 * process: nothing binary lies in the repository.
 */
import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { basename, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { missingCommand } from './requires.js';
import { tempDir } from './temp-dir.js';

/** From dist/test/support to the sources. */
const TEST_SOURCES = fileURLToPath(new URL('../../../test/', import.meta.url));

let folder: string | null = null;

/** Null when there is a C compiler, else the reason why there is nothing to run. */
export function missingCompiler(): string | null {
  return missingCommand('cc', 'apt-get install gcc');
}

/** Path of the compiled program, or of the library to preload; `source` is relative to test/. */
export function compileC(source: string, kind: 'program' | 'library'): string {
  folder ??= tempDir('compiled');
  const isLibrary = kind === 'library';
  const output = join(folder, basename(source, '.c') + (isLibrary ? '.so' : ''));
  if (existsSync(output)) return output;
  const flags = ['-O2', '-Wall', '-Wextra', '-Werror', ...(isLibrary ? ['-shared', '-fPIC'] : [])];
  const made = spawnSync('cc', [...flags, '-o', output, join(TEST_SOURCES, source), '-ldl']);
  if (made.status === 0) return output;
  throw new Error(`cc ${source} failed: ${made.error?.message ?? made.stderr.toString()}`);
}
