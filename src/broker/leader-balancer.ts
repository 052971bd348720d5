/**
 * Gives leadership back to the first replica of a partition once its node has been steady for a
 * while. Each node moves only what it leads itself, a few at a time. Main thread.
 */
import type { Clock } from '../base/clock.js';
import type { MonotonicMs, NodeId } from '../base/units.js';
import type { ClusterImage } from '../control/image.js';
import { balanceLeaders, type LeaderTransfer } from '../control/leader-balance.js';
import type { LeaderTable } from '../control/leader-table.js';
import type { BrokerSettings } from './settings.js';

/** A node that came back keeps quiet for this long before it is trusted with leadership again. */
const STEADY_MS = 3_000;
const TRANSFERS_MAX = 16;

export type LeaderBalancerOptions = {
  readonly self: NodeId;
  readonly clock: Clock;
  readonly settings: BrokerSettings;
  /** False: the node would refuse what it leads. */
  readonly hasRoom: (nodeId: NodeId) => boolean;
  readonly transfer: (transfer: LeaderTransfer) => void;
};

export class LeaderBalancer {
  readonly #options: LeaderBalancerOptions;
  readonly #intervalMs: number;
  readonly #liveSince = new Map<NodeId, { incarnation: string; sinceMs: MonotonicMs }>();
  #nextMs: MonotonicMs = 0;

  constructor(options: LeaderBalancerOptions) {
    this.#options = options;
    this.#intervalMs = options.settings['leader.imbalance.check.interval.seconds'] * 1_000;
  }

  onImage(image: ClusterImage): void {
    const nowMs = this.#options.clock.monotonicMs();
    for (const { nodeId, incarnation, isFenced } of image.brokers.values()) {
      if (isFenced) this.#liveSince.delete(nodeId);
      else if (this.#liveSince.get(nodeId)?.incarnation !== incarnation) {
        this.#liveSince.set(nodeId, { incarnation, sinceMs: nowMs });
      }
    }
  }

  tick(image: ClusterImage, table: LeaderTable): void {
    const { clock, self, settings, hasRoom, transfer } = this.#options;
    const nowMs = clock.monotonicMs();
    if (nowMs < this.#nextMs || !settings['auto.leader.rebalance.enable']) return;
    this.#nextMs = nowMs + this.#intervalMs;
    const isSteady = (nodeId: NodeId): boolean => {
      const live = this.#liveSince.get(nodeId);
      return live !== undefined && nowMs - live.sinceMs >= STEADY_MS && hasRoom(nodeId);
    };
    const transfers = balanceLeaders({ image, table, self, isSteady, transfersMax: TRANSFERS_MAX });
    for (const one of transfers) transfer(one);
  }
}
