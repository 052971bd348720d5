/**
 * What Linux says of processes and of the machine, out of /proc. Sums and differences only: the
 * brokers are not asked, so that every system is measured the same way.
 */
import { readFileSync, readdirSync } from 'node:fs';
import { cpus } from 'node:os';
import { setTimeout as sleep } from 'node:timers/promises';

/** Clock ticks a second in /proc/<pid>/stat; Linux fixed it at 100 for user space. */
const TICKS_PER_SECOND = 100;
const KIB = 1024;

/** Processor time of these processes since they started, over all of their threads. */
export function cpuSecondsOf(pids: readonly number[]): number {
  const seconds = pids.map((pid) => {
    const stat = readFileSync(`/proc/${pid}/stat`, 'latin1');
    // The name in parentheses may hold spaces; utime and stime are fields 14 and 15.
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    return (Number(fields[11]) + Number(fields[12])) / TICKS_PER_SECOND;
  });
  return sum(seconds);
}

/** Cores that these processes keep busy over the next `ms`: 1 is a whole one. */
export async function coresTaken(pids: readonly number[], ms: number): Promise<number> {
  const before = cpuSecondsOf(pids);
  await sleep(ms);
  return (cpuSecondsOf(pids) - before) / (ms / 1e3);
}

/** Thread → how often it gave its core away or lost it, since it started. */
export type Switches = ReadonlyMap<string, number>;

/** Of every thread that lives; Linux counts them nowhere per process. */
export function switchesOf(pids: readonly number[]): Switches {
  return new Map(
    pids.flatMap((pid) => {
      const threads = readdirSync(`/proc/${pid}/task`);
      return threads.flatMap((thread) => threadSwitches(`/proc/${pid}/task/${thread}`));
    }),
  );
}

/** Those of the threads that lived at the end; what ended in between took its count with it. */
export function switchesBetween(before: Switches, after: Switches): number {
  return sum([...after].map(([thread, count]) => count - (before.get(thread) ?? 0)));
}

function threadSwitches(folder: string): [string, number][] {
  let status: string;
  try {
    status = readFileSync(`${folder}/status`, 'latin1');
  } catch (error) {
    // It ended since the folder was listed.
    if (['ENOENT', 'ESRCH'].includes((error as NodeJS.ErrnoException).code ?? '')) return [];
    throw error;
  }
  const counts = [...status.matchAll(/^(?:non)?voluntary_ctxt_switches:\s+(\d+)$/gm)];
  return [[folder, sum(counts.map(([, count]) => Number(count)))]];
}

/** Resident memory of the largest of these processes. */
export function largestResidentBytes(pids: readonly number[]): number {
  const resident = pids.map((pid) => numberIn(`/proc/${pid}/status`, /^VmRSS:\s+(\d+) kB$/m));
  return Math.max(...resident) * KIB;
}

/** Share of the machine's CPU time that nobody used over the next `ms`: 1 is a quiet machine. */
export async function idleShare(ms: number): Promise<number> {
  const before = cpuTimes();
  await sleep(ms);
  const after = cpuTimes();
  const total = after.total - before.total;
  return total === 0 ? 1 : (after.idle - before.idle) / total;
}

function cpuTimes(): { idle: number; total: number } {
  let idle = 0;
  let total = 0;
  for (const { times } of cpus()) {
    idle += times.idle;
    total += times.user + times.nice + times.sys + times.irq + times.idle;
  }
  return { idle, total };
}

function numberIn(path: string, pattern: RegExp): number {
  const match = pattern.exec(readFileSync(path, 'latin1'));
  if (match === null) throw new Error(`${path} has no ${pattern}`);
  return Number(match[1]);
}

function sum(numbers: readonly number[]): number {
  return numbers.reduce((total, number) => total + number, 0);
}
