/**
 * The C++ core under libFuzzer: one program with the address and undefined-behaviour sanitizers,
 * built from the sources into a temporary folder, started once per target with a corpus of our own
 * making. A finding comes back with the bytes that repeat it. Main thread.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { missingCommand } from '../support/requires.js';
import { corpusOf } from './corpus.js';
import type { FuzzFailure, FuzzReport } from './fuzz-target.js';

const ROOT = fileURLToPath(new URL('../../../', import.meta.url));
const CORE = [
  'batch',
  'crc32c',
  'frame_reader',
  'json',
  'outbound',
  'record_blocks',
  'record_cutter',
  'record_teller',
].map((name) => `native/core/${name}.cc`);
const FLAGS = [
  ...['-std=c++17', '-O2', '-g1', '-Wall', '-Wextra', '-Werror', '-fno-exceptions'],
  ...['-fno-omit-frame-pointer', '-fno-sanitize-recover=all'],
  // Tracing compares halves the speed here, and finds nothing that the corpus does not have.
  ...['-fsanitize=fuzzer,address,undefined', '-fno-sanitize-coverage=trace-cmp'],
];
/** Deep stacks and a large quarantine cost more than they find in code this small. */
const SANITIZER_OPTIONS = 'malloc_context_size=4:quarantine_size_mb=16';
const INPUT_BYTES_MAX = 768;
const INPUT_SECONDS_MAX = 10;
const MEMORY_MIB_MAX = 1024;
const STORY_LINES_MAX = 40;

/** Name, and the share of the time that it gets. */
export const NATIVE_TARGETS: Readonly<Record<string, number>> = {
  batch: 5,
  'record-cutter': 5,
  'record-teller': 3,
  varint: 4,
  'frame-reader': 2,
  'carry-buffer': 1,
  outbound: 1,
  crc32c: 1,
};

/** Null when the C++ targets can run here, else the reason why not. */
export function missingForNative(): string | null {
  return missingCommand('clang++', 'apt-get install clang libclang-rt-dev');
}

const running = new Set<ChildProcess>();

/** For a signal handler: nothing that was started here outlives this process. */
export function stopNative(): void {
  for (const child of running) child.kill('SIGKILL');
}

/** Compiles everything into `folder` and returns the program's path. */
export async function buildNative(folder: string): Promise<string> {
  const program = join(folder, 'core-fuzz');
  const harness = sourcesIn('test/fuzz/core');
  const sources = [...harness, ...CORE, ...sourcesIn('native/platform')];
  const { status, output } = await run('clang++', [...FLAGS, ...sources, '-o', program], {});
  if (status !== 0) throw new Error(`clang++ failed:\n${output}`);
  return program;
}

export type NativeBudget = {
  readonly seed: number;
  readonly seconds: number;
  readonly runs: number;
};

/** Runs one target until its time or its inputs are used up, or one fails. */
export async function runNative(
  program: string,
  name: string,
  { seed, seconds, runs }: NativeBudget,
): Promise<FuzzReport> {
  const startMs = performance.now();
  const folder = `${program}.${name}`;
  const corpus = join(folder, 'corpus');
  rmSync(folder, { recursive: true, force: true });
  mkdirSync(corpus, { recursive: true });
  for (const [i, bytes] of corpusOf(name).entries()) writeFileSync(join(corpus, `${i}`), bytes);
  const limits = [
    `-max_total_time=${Math.max(1, Math.ceil(seconds))}`,
    ...(Number.isFinite(runs) ? [`-runs=${runs}`] : []),
    ...[`-timeout=${INPUT_SECONDS_MAX}`, `-rss_limit_mb=${MEMORY_MIB_MAX}`],
  ];
  // Seed 0 means "any" to libFuzzer.
  const repeatable = [`-seed=${(seed % 0x7fffffff) + 1}`, `-max_len=${INPUT_BYTES_MAX}`];
  const artifacts = [`-artifact_prefix=${folder}/finding-`, '-print_final_stats=1', '-reload=0'];
  const args = [corpus, ...limits, ...repeatable, ...artifacts];
  const { status, output } = await run(program, args, environment(name));
  const inputs = Number(/stat::number_of_executed_units: (\d+)/.exec(output)?.[1] ?? 0);
  const failure = status === 0 ? null : findingOf(name, folder, output);
  return { target: name, inputs, seconds: (performance.now() - startMs) / 1000, failure };
}

/** Runs a single input; null when it does no harm. */
export async function repeatNative(
  program: string,
  name: string,
  bytes: Uint8Array,
): Promise<FuzzFailure | null> {
  const file = `${program}.input`;
  writeFileSync(file, bytes);
  const { status, output } = await run(program, [file], environment(name));
  return status === 0 ? null : { story: storyOf(output), repeat: repeatOf(name, bytes) };
}

function environment(name: string): NodeJS.ProcessEnv {
  return { LOGRAFT_FUZZ_TARGET: name, ASAN_OPTIONS: SANITIZER_OPTIONS };
}

function findingOf(name: string, folder: string, output: string): FuzzFailure {
  const file = readdirSync(folder).find((entry) => entry.startsWith('finding-'));
  const bytes = file === undefined ? Buffer.alloc(0) : readFileSync(join(folder, file));
  return { story: storyOf(output), repeat: repeatOf(name, bytes) };
}

function repeatOf(name: string, bytes: Uint8Array): string {
  return `--target ${name} --input '${Buffer.from(bytes).toString('base64')}'`;
}

/** What the sanitizer or the check said, without libFuzzer's progress. */
function storyOf(output: string): string {
  const lines = output.split('\n').filter((line) => !/^(#\d|INFO|stat::|\t(NEW|RED))/.test(line));
  return lines.slice(0, STORY_LINES_MAX).join('\n').trim();
}

function sourcesIn(folder: string): string[] {
  return readdirSync(join(ROOT, folder))
    .filter((name) => name.endsWith('.cc'))
    .map((name) => join(folder, name));
}

function run(
  command: string,
  args: readonly string[],
  env: NodeJS.ProcessEnv,
): Promise<{ readonly status: number | null; readonly output: string }> {
  const child = spawn(command, args, {
    cwd: ROOT,
    env: { ...process.env, ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  running.add(child);
  const parts: Buffer[] = [];
  for (const pipe of [child.stdout, child.stderr]) {
    pipe.on('data', (part: Buffer) => parts.push(part));
  }
  return new Promise((resolve, reject) => {
    child.once('error', reject);
    child.once('close', (status) => {
      running.delete(child);
      resolve({ status, output: Buffer.concat(parts).toString() });
    });
  });
}
