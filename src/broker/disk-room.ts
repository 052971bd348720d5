/**
 * Whose disk has room. Each node looks at its own and tells its peers when that changes, so that a
 * node that must refuse produce hands its leaders to one that need not, and is given none back
 * before it has room. A peer that says nothing has room. Main thread.
 */
import type { Clock } from '../base/clock.js';
import type { MonotonicMs, NodeId } from '../base/units.js';

/** Said to every peer when it changes, and to a new link. */
export type DiskRoomMessage = { readonly kind: 'disk-room'; readonly isLow: boolean };

export function isDiskRoomMessage(value: unknown): value is DiskRoomMessage {
  const { kind, isLow } = (value ?? {}) as Readonly<Record<string, unknown>>;
  return kind === 'disk-room' && typeof isLow === 'boolean';
}

export type DiskRoomOptions = {
  readonly self: NodeId;
  readonly clock: Clock;
  readonly nodeIds: readonly NodeId[];
  /** log.free.bytes.min */
  readonly freeBytesMin: number;
  readonly freeBytes: () => number;
  /** False: it did not leave. */
  readonly send: (to: NodeId, message: DiskRoomMessage) => boolean;
  /** Nodes without room, this one included; called when they change. */
  readonly onChange: (low: readonly NodeId[]) => void;
};

const LOOK_MS = 250;

export class DiskRoom {
  readonly #options: DiskRoomOptions;
  readonly #low = new Set<NodeId>();
  /** Peers that have not heard how it stands here. */
  readonly #untold = new Set<NodeId>();
  #lookAtMs: MonotonicMs = Number.NEGATIVE_INFINITY;

  constructor(options: DiskRoomOptions) {
    this.#options = options;
  }

  isLow(nodeId: NodeId): boolean {
    return this.#low.has(nodeId);
  }

  tick(): void {
    const { clock, self, nodeIds, freeBytes, freeBytesMin, send } = this.#options;
    const nowMs = clock.monotonicMs();
    if (nowMs < this.#lookAtMs) return;
    this.#lookAtMs = nowMs + LOOK_MS;
    const isLow = freeBytes() < freeBytesMin;
    if (this.#set(self, isLow)) {
      for (const nodeId of nodeIds) if (nodeId !== self) this.#untold.add(nodeId);
    }
    for (const nodeId of this.#untold) {
      if (send(nodeId, { kind: 'disk-room', isLow })) this.#untold.delete(nodeId);
    }
  }

  onLinkUp(peer: NodeId): void {
    this.#untold.add(peer);
  }

  onLinkDown(peer: NodeId): void {
    this.#untold.delete(peer);
    this.#set(peer, false);
  }

  onMessage(from: NodeId, { isLow }: DiskRoomMessage): void {
    this.#set(from, isLow);
  }

  /** False when that was known. */
  #set(nodeId: NodeId, isLow: boolean): boolean {
    if (isLow === this.#low.has(nodeId)) return false;
    if (isLow) this.#low.add(nodeId);
    else this.#low.delete(nodeId);
    this.#options.onChange([...this.#low]);
    return true;
  }
}
