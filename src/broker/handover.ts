/**
 * Leaves in good order: before a node closes, its leaders move to nodes that stay. Nodes that close
 * at the same time tell each other, so that leadership is not passed around among them. Main
 * thread.
 */
import type { Clock } from '../base/clock.js';
import { SHUTDOWN_TRANSFER_MS } from '../base/limits.js';
import type { NodeId } from '../base/units.js';
import type { PeerLinks } from '../replication/peer-links.js';
import type { MetadataGroup } from './metadata-group.js';
import type { ShardPool } from './shard-pool.js';

/** Said to every peer when a node begins to close. */
export type ClosingMessage = { readonly kind: 'closing' };

export function isClosingMessage(value: unknown): value is ClosingMessage {
  return ((value ?? {}) as Readonly<Record<string, unknown>>)['kind'] === 'closing';
}

export type HandoverOptions = {
  readonly clock: Clock;
  readonly links: PeerLinks;
  readonly shards: ShardPool;
  readonly nodeIds: readonly NodeId[];
};

const POLL_MS = 50;

export class Handover {
  readonly #options: HandoverOptions;
  readonly #closing = new Set<NodeId>();

  constructor(options: HandoverOptions) {
    this.#options = options;
  }

  onClosing(from: NodeId): void {
    this.#closing.add(from);
  }

  onLinkDown(from: NodeId): void {
    this.#closing.delete(from);
  }

  /** Resolves when nothing here leads that could lead elsewhere; bounded. */
  async run(metadata: MetadataGroup | null): Promise<void> {
    const { clock, links, shards, nodeIds } = this.#options;
    const deadlineMs = clock.monotonicMs() + SHUTDOWN_TRANSFER_MS;
    const message: ClosingMessage = { kind: 'closing' };
    metadata?.replica.retire();
    for (const nodeId of nodeIds) links.sendControl(nodeId, message);
    links.flush();
    while (clock.monotonicMs() < deadlineMs) {
      const successors = this.#successors(metadata);
      // Alone, or everybody closes: there is nobody to hand over to.
      if (successors.length === 0) return;
      metadata?.replica.transferLeadership(undefined, (nodeId) => successors.includes(nodeId));
      const leading = (await shards.requestAll('retire', successors)) as number[];
      const isController = metadata?.replica.role === 'leader';
      if (!isController && leading.every((count) => count === 0)) return;
      await new Promise((resolve) => setTimeout(resolve, POLL_MS));
    }
  }

  /** Nodes that are linked, not fenced and not closing themselves. */
  #successors(metadata: MetadataGroup | null): NodeId[] {
    return [...(metadata?.control.image.brokers.values() ?? [])]
      .filter(({ nodeId, isFenced }) => !isFenced && !this.#closing.has(nodeId))
      .filter(({ nodeId }) => this.#options.links.isUp(nodeId))
      .map(({ nodeId }) => nodeId);
  }
}
