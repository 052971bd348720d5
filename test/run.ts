/**
 * The test runner: every dist/test/**\/*.test.js in a process of its own.
 *
 * Its promise is that green means tested. uvu ends with exit code 0 when a file forgets `.run()`,
 * when a hook throws and when nothing matches; so a file passes only if it exits 0 in time, says
 * that all of at least one test passed, names the reason of each skip, and leaves no process
 * behind. The last line is `N passed, N failed` (and `, N skipped` when there are any).
 *
 *     npm test [-- WORD …]     only files whose path contains one of the words
 *
 * Files that start a whole cluster (they import support/cluster.js) mostly wait, the others mostly
 * compute. So one lane begins with those and the others with these; never more than two clusters
 * run at once.
 */
import { mkdtempSync, readFileSync, readdirSync, rmSync } from 'node:fs';
import { availableParallelism, tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { type FileResult, TestFile } from './support/test-file.js';

const TEST_ROOT = fileURLToPath(new URL('.', import.meta.url));
const SLOWEST_SHOWN = 8;

async function main(words: readonly string[]): Promise<number> {
  const paths = listTests(TEST_ROOT).filter(
    (path) => words.length === 0 || words.some((word) => path.includes(word)),
  );
  if (paths.length === 0) {
    console.log(`no test file matches ${words.join(', ')}\n0 passed, 1 failed`);
    return 1;
  }
  const scratch = mkdtempSync(join(tmpdir(), 'lograft-test-'));
  const files = paths.map((path) => new TestFile(TEST_ROOT, path, scratch));
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
    process.once(signal, () => {
      for (const file of files) file.killEverything();
      rmSync(scratch, { recursive: true, force: true, maxRetries: 3 });
      process.exit(130);
    });
  }
  const heavy = files.filter((file) => startsCluster(join(TEST_ROOT, file.path)));
  const light = files.filter((file) => !heavy.includes(file));
  const startMs = performance.now();
  const results = await runAll(heavy, light);
  return summarise(results, leftOver(scratch), performance.now() - startMs);
}

/** Removes the tests' folder; what cannot be removed (a mount, say) was left behind by a test. */
function leftOver(scratch: string): string | null {
  try {
    rmSync(scratch, { recursive: true, force: true, maxRetries: 3 });
    return null;
  } catch (error) {
    return `a test left something behind: ${(error as Error).message}`;
  }
}

function listTests(root: string): string[] {
  return readdirSync(root, { recursive: true, encoding: 'utf8' })
    .filter((path) => path.endsWith('.test.js'))
    .sort();
}

function startsCluster(file: string): boolean {
  return /from '[./]+support\/cluster\.js'/.test(readFileSync(file, 'utf8'));
}

async function runAll(
  heavy: readonly TestFile[],
  light: readonly TestFile[],
): Promise<FileResult[]> {
  const [clusters, others] = [[...heavy], [...light]];
  const results: FileResult[] = [];
  const lane = async (queues: readonly TestFile[][]): Promise<void> => {
    for (;;) {
      const file = queues.find((queue) => queue.length > 0)?.shift();
      if (file === undefined) return;
      const result = await file.run();
      report(result);
      results.push(result);
    }
  };
  const more = Array.from({ length: Math.max(0, availableParallelism() - 2) }, () => [others]);
  await Promise.all([[clusters, others], [others, clusters], ...more].map(lane));
  return results;
}

function report(result: FileResult): void {
  const verdict = result.faults.length === 0 ? 'ok  ' : 'FAIL';
  const seconds = (result.elapsedMs / 1000).toFixed(1).padStart(6);
  const skipped = result.skips.length === 0 ? '' : `, ${result.skips.length} skipped`;
  console.log(`${verdict} ${seconds} s  ${result.path}  ${result.passed}${skipped}`);
  if (result.faults.length === 0) return;
  console.log(`${result.output.trimEnd()}\n`);
  for (const fault of result.faults) console.log(`     ${result.path}: ${fault}`);
}

function summarise(
  results: readonly FileResult[],
  leftBehind: string | null,
  elapsedMs: number,
): number {
  const passed = sum(results.map((result) => result.passed));
  const failed = sum(results.map((result) => result.failed)) + (leftBehind === null ? 0 : 1);
  const skips = results.flatMap((result) => result.skips.map((skip) => `${result.path}: ${skip}`));
  const slowest = [...results].sort((a, b) => b.elapsedMs - a.elapsedMs).slice(0, SLOWEST_SHOWN);
  console.log(`\n${results.length} files in ${(elapsedMs / 1000).toFixed(1)} s; slowest:`);
  for (const { path, elapsedMs: ms } of slowest) {
    console.log(`  ${(ms / 1000).toFixed(1).padStart(6)} s  ${path}`);
  }
  for (const skip of skips) console.log(`skipped ${skip}`);
  const broken = results.filter((result) => result.faults.length > 0);
  for (const result of broken) console.log(`FAILED ${result.path}: ${result.faults.join('; ')}`);
  if (leftBehind !== null) console.log(`FAILED ${leftBehind}`);
  const tail = skips.length === 0 ? '' : `, ${skips.length} skipped`;
  console.log(`${passed} passed, ${failed} failed${tail}`);
  return failed === 0 ? 0 : 1;
}

function sum(numbers: readonly number[]): number {
  return numbers.reduce((total, n) => total + n, 0);
}

process.exitCode = await main(process.argv.slice(2));
