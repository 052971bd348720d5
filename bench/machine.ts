/** The machine that a bench runs on: what it says of itself, and its memory touched once. */
import { spawnSync } from 'node:child_process';
import { availableParallelism, cpus, freemem, release, totalmem } from 'node:os';

const GIB = 2 ** 30;
const MS_PER_SECOND = 1e3;

export function describeMachine(): Record<string, string | number> {
  return {
    CPU: cpus()[0]?.model.trim() ?? 'unknown',
    cores: availableParallelism(),
    'memory GiB': Math.round(totalmem() / GIB),
    // Without what a distribution adds.
    Linux: /^[\d.]*\d/.exec(release())?.[0] ?? release(),
    Node: process.versions.node,
  };
}

/** How a run measured, for people; the names are words of the document. */
export function settingsOf(size: {
  readonly rounds: number;
  readonly warmupMs: number;
  readonly measureMs: number;
}): Record<string, string | number> {
  const { rounds, warmupMs, measureMs } = size;
  return {
    rounds,
    'warm-up': `${warmupMs / MS_PER_SECOND} s`,
    window: `${measureMs / MS_PER_SECOND} s`,
  };
}

/** Writes to so much memory once (half of what is free at most), in a process that ends then. */
export function touchMemory(bytes: number): void {
  const gibibytes = Math.floor(Math.min(bytes, freemem() / 2) / GIB);
  if (gibibytes === 0) return;
  const script = `Array.from({ length: ${gibibytes} }, () => Buffer.alloc(${GIB}, 1))`;
  spawnSync(process.execPath, ['-e', script], { stdio: 'ignore' });
}
