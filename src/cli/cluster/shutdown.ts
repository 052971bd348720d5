/**
 * Ends nodes: asks first, waits, then insists. Its one promise: when it returns, every node it was
 * given is gone, within ten seconds however they behave.
 */
import { LograftError } from '../../base/errors.js';
import { type ProcessId, signal, stateOf } from '../../broker/processes.js';
import { waitForState } from './wait.js';

const POLITE_MS = 8_000;
const FORCED_MS = 1_500;

/** Throws LograftError TIMED_OUT for a process that even SIGKILL does not end (a stuck disk). */
export async function endProcesses(
  processes: readonly ProcessId[],
  politeMs = POLITE_MS,
): Promise<void> {
  for (const id of processes) {
    signal(id, 'SIGTERM');
    // A paused process takes no signal but this one and SIGKILL.
    if (stateOf(id) === 'paused') signal(id, 'SIGCONT');
  }
  const ended = await Promise.all(processes.map((id) => waitForState(id, 'gone', politeMs)));
  const left = processes.filter((_, i) => ended[i] === false);
  for (const id of left) signal(id, 'SIGKILL');
  for (const id of left) {
    if (await waitForState(id, 'gone', FORCED_MS)) continue;
    throw new LograftError('TIMED_OUT', `process ${id.pid} does not end`);
  }
}
