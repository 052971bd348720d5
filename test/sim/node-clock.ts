/** The clocks of a simulated node: a monotonic one that may run slow or fast, and a wall clock. */
import type { Clock } from '#src/base/clock.js';
import type { Prng } from '#src/base/prng.js';
import type { World } from './world.js';

const WALL_MS = 1_700_000_000_000;

export class NodeClock implements Clock {
  readonly #world: World;
  readonly #wallSkewMs: number;
  /** Local time = `#localMs` + (now − `#sinceMs`) × `rate`. */
  #localMs: number;
  #sinceMs = 0;
  #rate: number;

  constructor(world: World, random: Prng) {
    this.#world = world;
    // Clocks drift a little apart, and never showed the same time.
    this.#rate = 0.97 + random.float() * 0.06;
    this.#localMs = random.int(0, 100_000);
    this.#wallSkewMs = random.int(-30_000, 30_000);
  }

  get rate(): number {
    return this.#rate;
  }

  setRate(rate: number): void {
    this.#localMs = this.monotonicMs();
    this.#sinceMs = this.#world.nowMs;
    this.#rate = rate;
  }

  monotonicMs(): number {
    return this.#localMs + (this.#world.nowMs - this.#sinceMs) * this.#rate;
  }

  wallMs(): number {
    return WALL_MS + this.#wallSkewMs + Math.floor(this.#world.nowMs);
  }
}
