/** Time as a value, so that the simulator can own it. Pure rooms are given one, never read Date. */
import type { MonotonicMs, WallMs } from './units.js';

export type Clock = {
  /** Monotonic milliseconds with a fraction; differences only. */
  monotonicMs(): MonotonicMs;
  /** Wall clock for record timestamps and retention. */
  wallMs(): WallMs;
};

export const systemClock: Clock = {
  monotonicMs: () => performance.now(),
  wallMs: () => Date.now(),
};
