/**
 * Processes by pid and start time. Its one promise: a signal never reaches a stranger that was
 * given the pid of a node that ended, because the start time that was noted is compared first.
 */
import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';

/** Identity of a process. `startTime` is opaque: clock ticks since boot on Linux. */
export type ProcessId = { readonly pid: number; readonly startTime: string };

export type ProcessState = 'running' | 'paused' | 'gone';

/** Who `pid` is now; null when there is no such process, or only its zombie. */
export function identify(pid: number): ProcessId | null {
  const facts = readFacts(pid);
  return facts === null || facts.state === 'gone' ? null : { pid, startTime: facts.startTime };
}

export function stateOf(id: ProcessId): ProcessState {
  const facts = readFacts(id.pid);
  if (facts === null || facts.startTime !== id.startTime) return 'gone';
  return facts.state;
}

/** Sends the signal if `id` still lives; says whether it did. */
export function signal(id: ProcessId, name: NodeJS.Signals): boolean {
  if (stateOf(id) === 'gone') return false;
  try {
    process.kill(id.pid, name);
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ESRCH') return false;
    throw error;
  }
}

/** Resident memory in bytes, from the outside (a paused process cannot tell); 0 when unknown. */
export function residentBytes(pid: number): number {
  try {
    const match = /^VmRSS:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, 'latin1'));
    return match === null ? 0 : Number(match[1]) * 1024;
  } catch {
    return 0;
  }
}

type Facts = { readonly state: ProcessState; readonly startTime: string };

function readFacts(pid: number): Facts | null {
  return process.platform === 'linux' ? procFacts(pid) : psFacts(pid);
}

/** proc(5): `pid (name) state ppid …`, start time is field 22; the name may hold `)` and spaces. */
function procFacts(pid: number): Facts | null {
  let text: string;
  try {
    text = readFileSync(`/proc/${pid}/stat`, 'latin1');
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    // Anything else (no descriptor left, for one) says nothing about the process.
    if (code === 'ENOENT' || code === 'ESRCH') return null;
    throw error;
  }
  const fields = text.slice(text.lastIndexOf(')') + 2).split(' ');
  return { state: stateFromLetter(fields[0] ?? 'X'), startTime: fields[19] ?? '' };
}

function psFacts(pid: number): Facts | null {
  const ps = spawnSync('ps', ['-o', 'state=,lstart=', '-p', String(pid)], { encoding: 'latin1' });
  const line = ps.status === 0 ? ps.stdout.trim() : '';
  if (line === '') return null;
  return { state: stateFromLetter(line.charAt(0)), startTime: line.replace(/^\S+\s+/, '') };
}

/** A zombie has ended; that nobody has waited for it yet is its parent's affair. */
function stateFromLetter(letter: string): ProcessState {
  if (letter === 'Z' || letter === 'X' || letter === 'x') return 'gone';
  return letter === 'T' || letter === 't' ? 'paused' : 'running';
}
