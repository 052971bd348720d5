/**
 * Whether a node may still lead: by which voters it was reached lately, counted in its own ticks.
 * The network's view, so it knows no more of the others than the replica could (R14).
 */
import type { RaftKnobs } from '#src/raft/raft-config.js';
import type { ReplicaWatch } from './replica-watch.js';

/** Ticks a leader may need beyond its election timeout to see that nobody answers. */
const SLACK_TICKS = 3;

export class Majority {
  readonly #others: number;
  readonly #ticksMax: number;
  readonly #heardTick: number[] = [];
  #tick = 0;
  readonly #ledSince: { term: number; tick: number }[] = [];

  constructor(voters: number, { electionTicksMax }: RaftKnobs) {
    this.#others = Math.floor(voters / 2);
    this.#ticksMax = electionTicksMax + SLACK_TICKS;
  }

  tick(): void {
    this.#tick++;
  }

  heard(nodeId: number): void {
    this.#heardTick[nodeId] = this.#tick;
  }

  mayLead({ partition, group, term }: ReplicaWatch): boolean {
    if (partition === null || partition.replica.role !== 'leader') return true;
    const since = this.#ledSince[group.index];
    if (since === undefined || since.term !== term) {
      this.#ledSince[group.index] = { term, tick: this.#tick };
      return true;
    }
    if (this.#tick - since.tick <= this.#ticksMax) return true;
    let live = 0;
    for (const tick of this.#heardTick) if (this.#tick - tick <= this.#ticksMax) live++;
    return live >= this.#others;
  }
}
