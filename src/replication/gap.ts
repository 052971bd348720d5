/**
 * Notices that the process stood still: each turn looks at the monotonic clock first, before any
 * message is worked on. A ticking thread looks at least every tick. Owner's thread.
 */
import type { MonotonicMs } from '../base/units.js';

export class GapDetector {
  readonly #gapMs: number;
  #lastMs: MonotonicMs;

  /** `gapMs`: the shortest election timeout; a longer silence is a gap. */
  constructor(gapMs: number, nowMs: MonotonicMs) {
    this.#gapMs = gapMs;
    this.#lastMs = nowMs;
  }

  /** True when more than the gap has passed since the last call. */
  look(nowMs: MonotonicMs): boolean {
    const isGap = nowMs - this.#lastMs > this.#gapMs;
    this.#lastMs = nowMs;
    return isGap;
  }
}
