/**
 * Tests that need a program which a machine may lack. Without it they are skipped and the reason is
 * printed, so that a green run says what it did not look at. Under CI=true a missing client is a
 * failure: there every client is installed beforehand (.ci/run).
 */
import { spawnSync } from 'node:child_process';
import { test } from 'uvu';

type Handler = () => Promise<void> | void;

/**
 * `test`, or a stand-in that skips with `missing` as the reason. A `client` may not be missing
 * under CI; a `tool` (root rights, a kernel feature) may.
 */
export function testWith(
  missing: string | null,
  kind: 'client' | 'tool' = 'client',
): (name: string, handler: Handler) => void {
  if (missing === null) return (name, handler) => test(name, handler);
  if (kind === 'client' && process.env['CI'] === 'true') {
    return (name) =>
      test(name, () => {
        throw new Error(`${missing} (under CI every client must be present)`);
      });
  }
  return (name) => {
    console.log(`# skip: ${name}: ${missing}`);
    test.skip(name);
  };
}

/** Null when `command` is on the PATH, else the reason why tests of it cannot run. */
export function missingCommand(command: string, hint: string): string | null {
  const found = spawnSync('/bin/sh', ['-c', `command -v ${command}`], { stdio: 'ignore' });
  return found.status === 0 ? null : `${command} is not installed (${hint})`;
}
