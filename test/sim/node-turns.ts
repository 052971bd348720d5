/**
 * The turns of a simulated process. In part of the plans events that come close to each other share
 * one, as in a loop that works off all sockets before it writes, syncs and sends: what one of them
 * changed is then only half known when the next one looks. While the process is paused, events wait
 * and an open turn stays open.
 */
import type { Prng } from '#src/base/prng.js';
import type { World } from './world.js';

/** How long turns may stay open where a seed draws it, in milliseconds. */
export const TURN_MS: readonly number[] = [0, 0, 0.5, 5];

export type NodeTurnsOptions = {
  readonly world: World;
  readonly random: Prng;
  /** How long a turn may stay open; 0: each event has one of its own. */
  readonly turnMsMax: number;
  readonly onBegin: () => void;
  /** Everything that the events of a turn caused. */
  readonly onEnd: () => void;
  /** Asked after each piece of work; false: it was the last one of the process. */
  readonly survives: () => boolean;
};

export class NodeTurns {
  isPaused = false;
  readonly #o: NodeTurnsOptions;
  #isOpen = false;
  /** Rises with each turn that was open, so that a late end ends nothing else. */
  #opened = 0;
  #told: (() => void)[] = [];
  #backlog: (() => void)[] = [];

  constructor(options: NodeTurnsOptions) {
    this.#o = options;
  }

  /** Something a client hears; judged when the turn is over, unheard when the process is dead. */
  tell(how: () => void): void {
    this.#told.push(how);
  }

  run(event: () => void): void {
    if (this.isPaused) {
      this.#backlog.push(event);
      return;
    }
    const { world, random, turnMsMax, onBegin, survives } = this.#o;
    if (!this.#isOpen) onBegin();
    event();
    if (!survives()) return;
    if (turnMsMax === 0) return this.#end();
    if (this.#isOpen) return world.branch('turn-shared');
    this.#isOpen = true;
    const opened = ++this.#opened;
    world.after(random.float() * turnMsMax, () => {
      if (opened === this.#opened && !this.isPaused) this.#close();
    });
  }

  /** The turn goes on where it stood; then timers, then what waits in the sockets. */
  resume(timers: () => void): void {
    const { survives } = this.#o;
    this.isPaused = false;
    if (this.#isOpen) this.#close();
    timers();
    for (const event of this.#backlog.splice(0)) {
      if (!survives()) return;
      this.run(event);
    }
  }

  /** The process is dead: what was half done stays so, what waited is lost. */
  drop(): void {
    this.isPaused = false;
    this.#isOpen = false;
    this.#opened++;
    this.#told = [];
    this.#backlog = [];
  }

  #close(): void {
    this.#isOpen = false;
    this.#opened++;
    this.#end();
  }

  #end(): void {
    const { onEnd, survives } = this.#o;
    onEnd();
    if (!survives() || this.#told.length === 0) return;
    for (const tell of this.#told.splice(0)) tell();
  }
}
