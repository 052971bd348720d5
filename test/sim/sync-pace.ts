/**
 * How long the syncs of a simulated disk take: mostly little, sometimes very long, and the least
 * once the time of faults is over, also for those that are under way then.
 */
import type { Prng } from '#src/base/prng.js';
import type { World } from './world.js';

export type SyncPaceOptions = {
  readonly world: World;
  readonly random: Prng;
  readonly syncMsMin: number;
  readonly syncMsMax: number;
};

export class SyncPace {
  /** Factor of what a sync takes above the least. */
  slowness = 1;
  readonly #o: SyncPaceOptions;
  readonly #running = new Set<() => void>();

  constructor(options: SyncPaceOptions) {
    this.#o = options;
  }

  /** Runs the end of a sync once, when its time has come. */
  schedule(end: () => void): void {
    const { world, random, syncMsMin, syncMsMax } = this.#o;
    const complete = (): void => {
      if (this.#running.delete(complete)) end();
    };
    this.#running.add(complete);
    const spread = random.float() ** 3 * (syncMsMax - syncMsMin);
    world.after(syncMsMin + spread * this.slowness, complete);
  }

  /** No sync takes longer than the least any more. */
  quicken(): void {
    this.slowness = 0;
    const { world, syncMsMin } = this.#o;
    for (const complete of this.#running) world.after(syncMsMin, complete);
  }
}
