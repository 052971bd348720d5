/**
 * A node that `lograft up` started must not outlive it: the broker looks now and then whether the
 * process named in its environment still lives, by pid and start time. Main thread.
 */
import { type ProcessId, stateOf } from './processes.js';

export const SUPERVISOR_PID = 'LOGRAFT_SUPERVISOR_PID';
/** Start time of that process, so that a recycled pid is not taken for it. */
export const SUPERVISOR_START = 'LOGRAFT_SUPERVISOR_START';

const LOOK_EVERY_MS = 250;

/** Calls `onGone` once when the supervisor has ended. Does nothing for a node without one. */
export function watchSupervisor(
  env: Readonly<Record<string, string | undefined>>,
  onGone: () => void,
): { stop(): void } {
  const pid = Number(env[SUPERVISOR_PID] ?? 0);
  const startTime = env[SUPERVISOR_START];
  if (!Number.isSafeInteger(pid) || pid <= 0 || startTime === undefined) {
    return { stop: () => undefined };
  }
  const timer = setInterval(() => {
    if (!isGone({ pid, startTime })) return;
    clearInterval(timer);
    onGone();
  }, LOOK_EVERY_MS);
  timer.unref();
  return { stop: () => clearInterval(timer) };
}

/** A node that is out of descriptors can not look: the next look may tell. */
function isGone(supervisor: ProcessId): boolean {
  try {
    return stateOf(supervisor) === 'gone';
  } catch {
    return false;
  }
}
