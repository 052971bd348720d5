/**
 * How a member reaches its coordinator: over connections that take their time, keep their order and
 * break, to the node that seems to coordinate. Nobody answers twice; who waits too long gives up,
 * and what it asked for may still happen.
 */
import type { Prng } from '#src/base/prng.js';
import type { ClientKnobs } from '../plan.js';
import type { SimNode } from '../sim-node.js';
import type { World } from '../world.js';
import type { GroupCall, GroupCalls } from './node-groups.js';

export type GroupClientOptions = {
  readonly world: World;
  readonly random: Prng;
  readonly knobs: ClientKnobs;
  /** The node that seems to coordinate. */
  readonly find: () => SimNode;
};

export class GroupClient {
  readonly #o: GroupClientOptions;
  readonly #arrivals: number[] = [];
  /** No answer gets lost any more. */
  isCalm = false;

  constructor(options: GroupClientOptions) {
    this.#o = options;
  }

  /** `done` is called once: with the answer, or with null when there is none in time. */
  call<C extends GroupCall>(
    call: C,
    request: GroupCalls[C][0],
    timeoutMs: number,
    done: (response: GroupCalls[C][1] | null) => void,
  ): void {
    const { world, knobs, random, find } = this.#o;
    const node = find();
    const atMs = Math.max(world.nowMs + this.#delay(), this.#arrivals[node.nodeId] ?? 0);
    this.#arrivals[node.nodeId] = atMs;
    let isOver = false;
    const end = (response: GroupCalls[C][1] | null): void => {
      if (isOver) return;
      isOver = true;
      done(response);
    };
    world.at(atMs, () => {
      const { coordinators } = node;
      if (coordinators === null) return end(null);
      coordinators.ask(call, request, (response) => {
        const isLost = !this.isCalm && knobs.answerLoss > 0 && random.chance(knobs.answerLoss);
        if (isLost) world.count('lost-answer');
        // A lost answer is a broken connection: its client notices.
        world.after(this.#delay(), () => end(isLost ? null : response));
      });
    });
    world.after(timeoutMs, () => {
      if (!isOver) world.branch('group-gave-up-connection');
      end(null);
    });
  }

  #delay(): number {
    const { random, knobs } = this.#o;
    return 0.05 + random.float() * knobs.delayMsMax;
  }
}
