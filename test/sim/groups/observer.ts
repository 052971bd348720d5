/**
 * Somebody who asks for the positions of groups where an answer is most likely to be wrong: of
 * whoever says to coordinate, the newest or not, and of who has only just begun. Like a tool for
 * people, it is no member of anything; the judge hears what it is told.
 */
import type { Prng } from '#src/base/prng.js';
import type { SimNode } from '../sim-node.js';
import type { World } from '../world.js';
import { TOPIC_READ } from './wire.js';

export type ObserverOptions = {
  readonly world: World;
  readonly random: Prng;
  readonly groupIds: readonly string[];
  readonly partitions: number;
  /** Nodes that say to coordinate. */
  readonly claimants: () => readonly SimNode[];
  /** Two of them: a good moment to let positions move. */
  readonly onOverlap: () => void;
};

/** How long after a coordinator began it is asked. */
const CURIOUS_MS = 12;
const ASKS = 3;
const OVERLAP_MS = [5, 20, 60, 150];

export class Observer {
  /** Questions about a group that were answered with positions. */
  answered = 0;
  readonly #o: ObserverOptions;

  constructor(options: ObserverOptions) {
    this.#o = options;
  }

  /** Whoever was deposed and does not know it yet has old positions. */
  look(): void {
    const nodes = this.#o.claimants();
    if (nodes.length < 2) return;
    this.#o.world.branch('group-two-coordinators');
    this.askAll();
  }

  askAll(): void {
    for (const node of this.#o.claimants()) this.#ask(node);
  }

  /** A node began to coordinate. */
  onLoad(node: SimNode): void {
    const { world, random } = this.#o;
    if (this.#o.claimants().length > 1) {
      world.branch('group-begun-before-the-other-ended');
      for (const ms of OVERLAP_MS) world.after(ms, this.#o.onOverlap);
    }
    for (let i = 0; i < ASKS; i++) {
      world.after(random.float() ** 2 * CURIOUS_MS, () => this.#ask(node));
    }
  }

  #ask(node: SimNode): void {
    const { world, groupIds, partitions } = this.#o;
    const partitionIndexes = Array.from({ length: partitions }, (_, i) => i);
    const topics = [{ name: TOPIC_READ, partitionIndexes }];
    for (const groupId of groupIds) {
      node.coordinators?.ask('fetchOffsets', { groupId, topics }, (response) => {
        if (response === null) return;
        world.branch(`group-fetch-${response.error ?? 'answered'}`);
        if (response.error === null) this.answered++;
      });
    }
  }
}
