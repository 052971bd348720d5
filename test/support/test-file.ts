/**
 * One test file as one process: starts it with a scratch folder and a mark in its environment,
 * limits its time, reads uvu's summary, and finds what it left running.
 *
 * Every process that descends from the file inherits the mark, even one that became a daemon. So on
 * Linux leftovers are found in /proc by it and nothing else: only what the file started is ended.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { mkdirSync, readFileSync, readdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { ended, killGroup, signalQuietly } from './command.js';
import { sleep } from './wait-for.js';

export type FileResult = {
  readonly path: string;
  readonly passed: number;
  /** At least one whenever there is a fault. */
  readonly failed: number;
  /** Reasons, one per skipped test. */
  readonly skips: readonly string[];
  /** Why the file does not count as passed; empty when it does. */
  readonly faults: readonly string[];
  readonly output: string;
  readonly elapsedMs: number;
};

type Leftover = { readonly pid: number; readonly command: string };

const LIMIT_SECONDS = 120;
const OUTPUT_BYTES_MAX = 1 << 20;
/** A process that was told to end gets this long before it counts as left behind. */
const LEFTOVER_GRACE_MS = 1_500;
/** Settings of a user's own cluster must not reach the clusters of the tests. */
const KEPT_VARIABLES = new Set(['LOGRAFT_CACHE']);

let count = 0;

export class TestFile {
  readonly path: string;
  readonly #file: string;
  readonly #scratch: string;
  readonly #mark: string;
  #child: ChildProcess | null = null;
  #output = '';

  constructor(root: string, path: string, scratch: string) {
    count += 1;
    this.path = path;
    this.#file = join(root, path);
    this.#scratch = join(scratch, String(count));
    this.#mark = `${process.pid}.${count}`;
  }

  async run(): Promise<FileResult> {
    mkdirSync(this.#scratch, { recursive: true });
    const limitSeconds = readLimit(this.#file);
    const startMs = performance.now();
    const child = this.#start();
    let isTimedOut = false;
    const timer = setTimeout(() => {
      isTimedOut = true;
      killGroup(child.pid);
    }, limitSeconds * 1000);
    const [status, signal] = await ended(child);
    clearTimeout(timer);
    const leftovers = await this.#endLeftovers(isTimedOut);
    rmSync(this.#scratch, { recursive: true, force: true, maxRetries: 5 });
    const faults: string[] = [];
    if (isTimedOut) faults.push(`did not end within ${limitSeconds} s`);
    else if (signal !== null) faults.push(`ended by ${signal}`);
    else if (status !== 0) faults.push(`exit code ${status}`);
    for (const { pid, command } of leftovers) {
      faults.push(`left process ${pid} behind: ${command.slice(0, 160)}`);
    }
    return judge(this.path, this.#output, faults, performance.now() - startMs);
  }

  /** Ends the file and all it started, at once. */
  killEverything(): void {
    killGroup(this.#child?.pid);
    for (const { pid } of findMarked(this.#mark)) signalQuietly(pid, 'SIGKILL');
  }

  #start(): ChildProcess {
    const child = spawn(process.execPath, ['--enable-source-maps', this.#file], {
      detached: true,
      stdio: ['ignore', 'pipe', 'pipe'],
      env: this.#environment(),
    });
    this.#child = child;
    const keep = (chunk: Buffer): void => {
      this.#output = (this.#output + chunk.toString()).slice(-OUTPUT_BYTES_MAX);
    };
    child.stdout.on('data', keep);
    child.stderr.on('data', keep);
    return child;
  }

  #environment(): NodeJS.ProcessEnv {
    const kept = Object.entries(process.env).filter(
      ([name]) => !name.startsWith('LOGRAFT_') || KEPT_VARIABLES.has(name),
    );
    return {
      ...Object.fromEntries(kept),
      NO_COLOR: '1',
      TMPDIR: this.#scratch,
      TEST_FILE_MARK: this.#mark,
    };
  }

  async #endLeftovers(isExpected: boolean): Promise<readonly Leftover[]> {
    const endMs = performance.now() + LEFTOVER_GRACE_MS;
    let leftovers = findMarked(this.#mark);
    while (leftovers.length > 0 && !isExpected && performance.now() < endMs) {
      await sleep(50);
      leftovers = findMarked(this.#mark);
    }
    killGroup(this.#child?.pid);
    for (const { pid } of leftovers) signalQuietly(pid, 'SIGKILL');
    return isExpected ? [] : leftovers;
  }
}

/** A file that needs more or less time says so in its opening comment: `time limit: 240 s`. */
function readLimit(file: string): number {
  const [opening = ''] = readFileSync(file, 'utf8').split('*/', 1);
  const match = /time[\s*]+limit:\s+(\d+) s/.exec(opening);
  return match === null ? LIMIT_SECONDS : Number(match[1]);
}

function judge(path: string, output: string, found: readonly string[], elapsedMs: number) {
  const faults = [...found];
  const summary = [...output.matchAll(/Total: +(\d+)\s+Passed: +(\d+)\s+Skipped: +(\d+)/g)].at(-1);
  const [total, passed, skipped] = (summary ?? []).slice(1).map(Number);
  const skips = [...output.matchAll(/^# skip: (.*)$/gm)].map((match) => match[1] as string);
  if (total === undefined || passed === undefined || skipped === undefined) {
    faults.push('printed no summary (does it end with test.run()?)');
  } else {
    if (passed !== total) faults.push(`${total - passed} of ${total} tests failed`);
    if (total === 0 && skipped === 0) faults.push('has no tests');
    if (skipped > skips.length) faults.push('skips a test without saying why');
  }
  const failed = faults.length === 0 ? 0 : Math.max(1, (total ?? 0) - (passed ?? 0));
  return { path, passed: passed ?? 0, failed, skips, faults, output, elapsedMs };
}

/** Living processes that carry the mark; elsewhere than on Linux none can be found this way. */
function findMarked(mark: string): Leftover[] {
  if (process.platform !== 'linux') return [];
  const wanted = `TEST_FILE_MARK=${mark}`;
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name) && Number(name) !== process.pid)
    .filter((name) => readProc(name, 'environ').split('\0').includes(wanted))
    .map((name) => ({
      pid: Number(name),
      command: readProc(name, 'cmdline').replaceAll('\0', ' ').trim(),
    }));
}

/** Empty for a process that ended meanwhile (a zombie's files read as empty, too). */
function readProc(pid: string, file: string): string {
  try {
    return readFileSync(`/proc/${pid}/${file}`, 'latin1');
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (['ENOENT', 'ESRCH', 'EACCES', 'EPERM'].includes(code ?? '')) return '';
    throw error;
  }
}
