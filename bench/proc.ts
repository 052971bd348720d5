/**
 * What Linux says of processes and of the machine, out of /proc. Sums and differences only: the
 * brokers are not asked, so that every system is measured the same way.
 */
import { readFileSync } from 'node:fs';
import { cpus } from 'node:os';
import { setTimeout as sleep } from 'node:timers/promises';

/** Clock ticks a second in /proc/<pid>/stat; Linux fixed it at 100 for user space. */
const TICKS_PER_SECOND = 100;
const KIB = 1024;

export type Usage = {
  readonly cpuSeconds: number;
  /** What these processes caused to be written to the disk, sooner or later. */
  readonly writtenBytes: number;
};

/** Since the processes started, over all of their threads. */
export function usageOf(pids: readonly number[]): Usage {
  let cpuSeconds = 0;
  let writtenBytes = 0;
  for (const pid of pids) {
    const stat = readFileSync(`/proc/${pid}/stat`, 'latin1');
    // The name in parentheses may hold spaces; utime and stime are fields 14 and 15.
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    cpuSeconds += (Number(fields[11]) + Number(fields[12])) / TICKS_PER_SECOND;
    writtenBytes += numberIn(`/proc/${pid}/io`, /^write_bytes: (\d+)$/m);
  }
  return { cpuSeconds, writtenBytes };
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
