/** Waiting for what the system does to a process. */
import { setTimeout as sleep } from 'node:timers/promises';
import { type ProcessId, type ProcessState, stateOf } from '../../broker/processes.js';

const POLL_MS = 10;

/** Waits until the process is in `state`; false when that took longer than `timeoutMs`. */
export async function waitForState(
  id: ProcessId,
  state: ProcessState,
  timeoutMs: number,
): Promise<boolean> {
  const deadline = performance.now() + timeoutMs;
  while (stateOf(id) !== state) {
    if (performance.now() >= deadline) return false;
    await sleep(POLL_MS);
  }
  return true;
}
