/** Words from one thread of a node to another: in order, each with its own delay. */
import type { Prng } from '#src/base/prng.js';
import type { World } from '../world.js';

export type ThreadPortOptions = {
  readonly world: World;
  readonly random: Prng;
  readonly delayMsMax: number;
  /** Runs something as a turn of the node, if it still lives. */
  readonly schedule: (delayMs: number, run: () => void) => void;
};

export class ThreadPort {
  readonly #o: ThreadPortOptions;
  #arrivalMs = 0;

  constructor(options: ThreadPortOptions) {
    this.#o = options;
  }

  post(run: () => void): void {
    const { world, random, delayMsMax, schedule } = this.#o;
    this.#arrivalMs = Math.max(this.#arrivalMs, world.nowMs + random.float() ** 3 * delayMsMax);
    schedule(this.#arrivalMs - world.nowMs, run);
  }
}
