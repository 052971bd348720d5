/**
 * "Everybody knows": after an operation, the node that asked for it waits until every live broker
 * has applied it and knows a serving leader of each new partition, so that a client finds its topic
 * whichever broker it asks next. Bounded: at the deadline the answer is false and the client
 * retries.
 *
 *   asker  ── settle { id, offset, topicIds } ──▶  every live broker
 *          ◀─ settled { id } ──                    once its image and leader table are there
 */
import type { Clock } from '../base/clock.js';
import type { MonotonicMs, NodeId, Offset, TopicId } from '../base/units.js';
import { type ClusterImage, liveBrokers } from './image.js';
import { hasLeaders, type LeaderTable } from './leader-table.js';
import { REQUEST_RETRY_MS, REQUESTS_PENDING_MAX, SETTLE_WAIT_MS_MAX } from './limits.js';
import type { ControlMessage, SettleMessage } from './messages.js';

/** Attempts in a row, REQUEST_RETRY_MS apart, after which a broker without a link is left out. */
const UNREACHABLE_ASKS = 2;

export type SettleOptions = {
  readonly self: NodeId;
  readonly clock: Clock;
  readonly image: () => ClusterImage;
  readonly table: LeaderTable;
  readonly send: (to: NodeId, message: ControlMessage) => boolean;
  /** Calls back when every shard of this node has what the main thread has now. */
  readonly barrier: (done: () => void) => void;
};

type Asked = {
  readonly message: SettleMessage;
  readonly deadlineMs: MonotonicMs;
  readonly done: (isSettled: boolean) => void;
  readonly answered: Set<NodeId>;
  /** How often in a row a broker could not be asked because its link is down. */
  readonly unreachable: Map<NodeId, number>;
  askedAtMs: MonotonicMs;
};

/** Another broker's question that cannot be answered yet. */
type Owed = {
  readonly from: NodeId;
  readonly message: SettleMessage;
  readonly deadlineMs: MonotonicMs;
  /** Topics before this index were found to have leaders. */
  topicIndex: number;
};

export class Settle {
  readonly #options: SettleOptions;
  readonly #asked = new Map<number, Asked>();
  #owed: Owed[] = [];
  #nextId = 1;

  constructor(options: SettleOptions) {
    this.#options = options;
  }

  /** True once every live broker knows; false after `timeoutMs` (at most SETTLE_WAIT_MS_MAX). */
  everywhere(
    offset: Offset,
    topicIds: readonly TopicId[],
    timeoutMs: number,
    done: (isSettled: boolean) => void,
  ): void {
    if (this.#asked.size >= REQUESTS_PENDING_MAX) return done(false);
    const id = this.#nextId++;
    const deadlineMs = this.#options.clock.monotonicMs() + Math.min(timeoutMs, SETTLE_WAIT_MS_MAX);
    const message = { kind: 'settle', id, offset, topicIds } as const;
    this.#asked.set(id, {
      message,
      deadlineMs,
      done,
      answered: new Set(),
      unreachable: new Map(),
      askedAtMs: -Infinity,
    });
    this.#pursue(id);
    this.onSettle(this.#options.self, message);
  }

  onSettle(from: NodeId, message: SettleMessage): void {
    const isKnown = this.#owed.some((owed) => owed.from === from && owed.message.id === message.id);
    if (isKnown || this.#owed.length >= REQUESTS_PENDING_MAX) return;
    const deadlineMs = this.#options.clock.monotonicMs() + SETTLE_WAIT_MS_MAX;
    const owed = { from, message, deadlineMs, topicIndex: 0 };
    if (!this.#maybeAnswer(owed)) this.#owed.push(owed);
  }

  onSettled(from: NodeId, id: number): void {
    this.#asked.get(id)?.answered.add(from);
    this.#pursue(id);
  }

  /** Whoever asked may come back as another process, with the same ids for other questions. */
  onLinkDown(nodeId: NodeId): void {
    this.#owed = this.#owed.filter(({ from }) => from !== nodeId);
  }

  /** The image or the leader table has changed. */
  onProgress(): void {
    if (this.#owed.length > 0) this.#owed = this.#owed.filter((owed) => !this.#maybeAnswer(owed));
    for (const id of this.#asked.keys()) this.#pursue(id);
  }

  tick(): void {
    const nowMs = this.#options.clock.monotonicMs();
    if (this.#owed.length > 0) this.#owed = this.#owed.filter((owed) => nowMs < owed.deadlineMs);
    for (const [id, { deadlineMs, done }] of this.#asked) {
      if (nowMs < deadlineMs) {
        this.#pursue(id);
        continue;
      }
      this.#asked.delete(id);
      done(false);
    }
  }

  close(): void {
    const asked = [...this.#asked.values()];
    this.#asked.clear();
    this.#owed = [];
    for (const { done } of asked) done(false);
  }

  /** Asks those live brokers that have not answered, or resolves when there are none. */
  #pursue(id: number): void {
    const asked = this.#asked.get(id);
    if (asked === undefined) return;
    const { self, clock, image, send } = this.#options;
    // Whoever must have answered: this node, and each broker that clients may be sent to.
    const wanted = new Set([self, ...liveBrokers(image()).map(({ nodeId }) => nodeId)]);
    const missing = [...wanted].filter(
      (nodeId) => !asked.answered.has(nodeId) && !isGone(asked, nodeId),
    );
    if (missing.length === 0) {
      this.#asked.delete(id);
      asked.done(true);
      return;
    }
    const nowMs = clock.monotonicMs();
    if (nowMs - asked.askedAtMs < REQUEST_RETRY_MS) return;
    asked.askedAtMs = nowMs;
    for (const nodeId of missing) {
      if (nodeId === self) continue;
      const isAsked = send(nodeId, asked.message);
      asked.unreachable.set(nodeId, isAsked ? 0 : (asked.unreachable.get(nodeId) ?? 0) + 1);
    }
  }

  #maybeAnswer(owed: Owed): boolean {
    const { image, table, barrier } = this.#options;
    const { offset, topicIds } = owed.message;
    if (image().appliedOffset < offset) return false;
    while (owed.topicIndex < topicIds.length) {
      if (!hasLeaders(image(), table, topicIds[owed.topicIndex] as TopicId)) return false;
      owed.topicIndex++;
    }
    barrier(() => this.#answer(owed));
    return true;
  }

  #answer({ from, message }: Owed): void {
    const { self, send } = this.#options;
    if (from === self) this.onSettled(self, message.id);
    else send(from, { kind: 'settled', id: message.id });
  }
}

/** A killed broker's link is down long before its session ends: it is not waited for. */
function isGone(asked: Asked, nodeId: NodeId): boolean {
  return (asked.unreachable.get(nodeId) ?? 0) >= UNREACHABLE_ASKS;
}
