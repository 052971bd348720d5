/**
 * Gives leadership back to the first replica of a partition once its node has been steady for a
 * while. Each node moves only what it leads itself, a few at a time. Main thread.
 */
import type { Clock } from '../base/clock.js';
import { type GroupKey, groupText } from '../base/group.js';
import type { MonotonicMs, NodeId } from '../base/units.js';
import type { ClusterImage } from '../control/image.js';
import { balanceLeaders, type LeaderTransfer } from '../control/leader-balance.js';
import type { LeaderTable } from '../control/leader-table.js';
import type { BrokerSettings } from './settings.js';

/** A node that came back keeps quiet for this long before it is trusted with leadership again. */
const STEADY_MS = 3_000;
const TRANSFERS_MAX = 16;
/** A partition that is here again after it was given away is kept longer each time, up to this. */
const REST_MS_MAX = 60_000;

type Rest = { readonly ms: number; readonly untilMs: MonotonicMs };

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
  /** Of partitions that were given away lately. Each attempt costs a moment without acks. */
  readonly #rests = new Map<string, Rest>();
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
    this.#forgetRests(nowMs);
    const isResting = (group: GroupKey): boolean =>
      (this.#rests.get(groupText(group))?.untilMs ?? 0) > nowMs;
    const limits = { isSteady, isResting, transfersMax: TRANSFERS_MAX };
    for (const one of balanceLeaders({ image, table, self, ...limits })) {
      this.#rest(groupText(one), nowMs);
      transfer(one);
    }
  }

  /** From now on: one look, then two, four … */
  #rest(key: string, nowMs: MonotonicMs): void {
    const before = this.#rests.get(key);
    const ms = before === undefined ? this.#intervalMs : Math.min(before.ms * 2, REST_MS_MAX);
    this.#rests.set(key, { ms, untilMs: nowMs + ms });
  }

  /** What has not come back for a good while went well. */
  #forgetRests(nowMs: MonotonicMs): void {
    for (const [key, { ms, untilMs }] of this.#rests) {
      if (nowMs > untilMs + ms + REST_MS_MAX / 2) this.#rests.delete(key);
    }
  }
}
