/** Waiting for something to become true, with a limit and a name for the failure message. */
import { setTimeout as sleep } from 'node:timers/promises';

export type WaitOptions = { readonly timeoutMs?: number; readonly everyMs?: number };

/**
 * Polls until `condition` yields something other than false, null or undefined, and returns that.
 * An error thrown by the condition counts as "not yet" and is shown when time is up.
 */
export async function waitFor<T>(
  what: string,
  condition: () => T | Promise<T>,
  options: WaitOptions = {},
): Promise<NonNullable<Exclude<T, false>>> {
  const timeoutMs = options.timeoutMs ?? 10_000;
  const endMs = performance.now() + timeoutMs;
  let lastError: unknown = null;
  for (;;) {
    try {
      const value = await condition();
      if (value !== false && value !== null && value !== undefined) {
        return value as NonNullable<Exclude<T, false>>;
      }
      lastError = null;
    } catch (error) {
      lastError = error;
    }
    if (performance.now() >= endMs) {
      throw new Error(`waited ${timeoutMs} ms in vain for: ${what}`, { cause: lastError });
    }
    await sleep(options.everyMs ?? 50);
  }
}

export { sleep };
