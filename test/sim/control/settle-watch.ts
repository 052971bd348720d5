/**
 * "Everybody knows" has to be true: a node that was linked to the asker all the while and lives the
 * same life knows at least as much as it was said to. (Where links refuse messages now and then, a
 * node that cannot be asked twice in a row is left out, and nothing can be said.)
 */
import type { Prng } from '#src/base/prng.js';
import { Violation, type World } from '../world.js';
import type { ControlNode } from './control-node.js';

export type SettleWatchOptions = {
  readonly world: World;
  readonly random: Prng;
  readonly nodes: readonly ControlNode[];
  readonly timeoutMs: number;
  readonly isRefusing: boolean;
};

export class SettleWatch {
  readonly #o: SettleWatchOptions;

  constructor(options: SettleWatchOptions) {
    this.#o = options;
  }

  run(node: ControlNode, offset: number): void {
    const { control } = node;
    const { nodes, world, timeoutMs } = this.#o;
    if (control === null) return;
    const before = nodes.map((other) => this.#bond(node, other));
    node.serve<boolean>(
      (answer) => control.whenEverywhere(offset, [], timeoutMs, answer),
      (isEverywhere) => {
        world.branch(isEverywhere === null ? 'settle-died' : `settled ${isEverywhere}`);
        if (isEverywhere !== true || this.#o.isRefusing) return;
        for (const [i, other] of nodes.entries()) {
          const bond = this.#bond(node, other);
          if (bond !== null && bond === before[i]) this.#check(node, other, offset);
        }
      },
    );
  }

  /** The same text means: never apart in between. */
  #bond(node: ControlNode, other: ControlNode): string | null {
    if (!node.isUp || !other.isUp) return null;
    const broker = node.control?.image.brokers.get(other.nodeId);
    const isLive = broker !== undefined && !broker.isFenced;
    if (!isLive || (node !== other && !node.isLinked(other.nodeId))) return null;
    return `${node.life} ${other.life} ${node.linksLost} ${broker.incarnation}`;
  }

  #check(node: ControlNode, other: ControlNode, offset: number): void {
    const knows = Math.min(
      other.control?.image.appliedOffset ?? 0,
      other.shards?.appliedOffset ?? 0,
    );
    if (knows >= offset) return;
    throw new Violation(
      'settle',
      `node ${node.nodeId} says that all know ${offset}; node ${other.nodeId} knows ${knows}`,
    );
  }
}
