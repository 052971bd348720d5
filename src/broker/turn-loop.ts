/**
 * The turn of one thread: whatever arrived is worked on first, then everything is written, synced
 * and sent once. Promise: `end` runs after every socket turn, and soon after something changed
 * outside one; a process that stood still is noticed before any message is worked on. Any thread.
 */
import type { Clock } from '../base/clock.js';
import { GapDetector } from '../replication/gap.js';

export type TurnLoopOptions = {
  readonly clock: Clock;
  /** A silence longer than this is a gap: the shortest election timeout. */
  readonly gapMs: number;
  readonly onGap: () => void;
  /** Drains what changed. */
  readonly onEnd: () => void;
};

export class TurnLoop {
  readonly #options: TurnLoopOptions;
  readonly #gap: GapDetector;
  #isInTurn = false;
  #isWanted = false;

  constructor(options: TurnLoopOptions) {
    this.#options = options;
    this.#gap = new GapDetector(options.gapMs, options.clock.monotonicMs());
  }

  /** Before anything is worked on; further calls in the same turn cost nothing. */
  begin(): void {
    if (this.#isInTurn) return;
    this.#isInTurn = true;
    this.look();
  }

  /** For what is worked on outside a turn: timers of requests, and calls of other threads. */
  look(): void {
    if (this.#gap.look(this.#options.clock.monotonicMs())) this.#options.onGap();
  }

  end(): void {
    this.#isInTurn = false;
    this.#options.onEnd();
  }

  /** Something changed outside a turn: end one before the loop goes round again. */
  want(): void {
    if (this.#isWanted || this.#isInTurn) return;
    this.#isWanted = true;
    setImmediate(() => {
      this.#isWanted = false;
      this.begin();
      this.end();
    });
  }
}
