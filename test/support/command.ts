/**
 * Runs other programs to their end. Its promise: the call always settles, and a program that
 * overstays its time is killed together with everything it started.
 */
import { type ChildProcess, type SpawnOptions, spawn } from 'node:child_process';
import { readFileSync } from 'node:fs';

export type CommandResult = {
  /** Exit code, or null when a signal ended it. */
  readonly status: number | null;
  readonly signal: NodeJS.Signals | null;
  readonly stdout: string;
  readonly stderr: string;
  readonly isTimedOut: boolean;
  readonly elapsedMs: number;
};

export type CommandOptions = {
  readonly input?: string | Buffer;
  readonly timeoutMs?: number;
  readonly env?: NodeJS.ProcessEnv;
  readonly cwd?: string;
};

const TIMEOUT_MS = 60_000;
/** A grandchild that lives on may keep the pipes open; its output is not worth waiting for. */
const PIPE_CLOSE_MS = 500;

export async function runCommand(
  command: string,
  args: readonly string[],
  options: CommandOptions = {},
): Promise<CommandResult> {
  const startMs = performance.now();
  const child = spawn(command, args, spawnOptions(options));
  const stdout = collect(child.stdout);
  const stderr = collect(child.stderr);
  // A program that ends without reading its input is its own business.
  child.stdin?.on('error', () => child.stdin?.destroy());
  child.stdin?.end(options.input ?? '');
  let isTimedOut = false;
  const timer = setTimeout(() => {
    isTimedOut = true;
    killGroup(child.pid);
  }, options.timeoutMs ?? TIMEOUT_MS);
  try {
    const [status, signal] = await ended(child);
    return {
      status,
      signal,
      stdout: Buffer.concat(stdout).toString(),
      stderr: Buffer.concat(stderr).toString(),
      isTimedOut,
      elapsedMs: performance.now() - startMs,
    };
  } finally {
    clearTimeout(timer);
  }
}

/** As {@link runCommand}, but anything except exit 0 throws with what the program said. */
export async function mustRun(
  command: string,
  args: readonly string[],
  options: CommandOptions = {},
): Promise<CommandResult> {
  const result = await runCommand(command, args, options);
  if (result.status === 0) return result;
  throw new Error(`${describeFailure(command, args, result)}\n${result.stderr}\n${result.stdout}`);
}

/** Kills a process group led by `pid`; a group that is gone already is fine. */
export function killGroup(pid: number | undefined): void {
  if (pid === undefined) return;
  signalQuietly(-pid, 'SIGKILL');
}

/** True when the signal found somebody. */
export function signalQuietly(pid: number, signal: NodeJS.Signals | 0): boolean {
  try {
    return process.kill(pid, signal);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ESRCH') return false;
    throw error;
  }
}

/** False for a process that is gone, or dead and only waiting for its parent to notice. */
export function isAlive(pid: number): boolean {
  if (!signalQuietly(pid, 0)) return false;
  if (process.platform !== 'linux') return true;
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'latin1');
    return !'ZX'.includes(stat.charAt(stat.lastIndexOf(')') + 2));
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return false;
    throw error;
  }
}

function spawnOptions(options: CommandOptions): SpawnOptions {
  return {
    stdio: ['pipe', 'pipe', 'pipe'],
    detached: true,
    ...(options.env === undefined ? {} : { env: options.env }),
    ...(options.cwd === undefined ? {} : { cwd: options.cwd }),
  };
}

function collect(stream: NodeJS.ReadableStream | null): Buffer[] {
  const chunks: Buffer[] = [];
  stream?.on('data', (chunk: Buffer) => chunks.push(chunk));
  return chunks;
}

/** Resolves with exit code and signal once the program ended and its pipes are drained. */
export function ended(child: ChildProcess): Promise<[number | null, NodeJS.Signals | null]> {
  return new Promise((resolve, reject) => {
    child.once('error', reject);
    child.once('exit', (status, signal) => {
      const timer = setTimeout(() => resolve([status, signal]), PIPE_CLOSE_MS);
      child.once('close', () => {
        clearTimeout(timer);
        resolve([status, signal]);
      });
    });
  });
}

function describeFailure(command: string, args: readonly string[], result: CommandResult): string {
  const how = result.isTimedOut
    ? `did not end within its time (${Math.round(result.elapsedMs)} ms)`
    : `ended with ${result.signal ?? `exit ${result.status}`}`;
  return `${command} ${args.join(' ')} ${how}`;
}
