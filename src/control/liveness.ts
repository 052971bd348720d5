/**
 * Who lives, as the controller sees it: heartbeats in, records that fence and unfence brokers out.
 * Sessions are kept in memory only; a new controller (and one that was paused) gives every broker a
 * whole session timeout before it judges. Pure but for the times it is given.
 */
import type { MonotonicMs, NodeId, Offset } from '../base/units.js';
import type { BrokerImage, ClusterImage } from './image.js';
import type { HeartbeatMessage } from './messages.js';
import type { FenceBrokerRecord } from './records.js';

type Session = {
  readonly incarnation: string;
  readonly heardAtMs: MonotonicMs;
  readonly appliedOffset: Offset;
  readonly reconciledOffset: Offset;
  readonly isReady: boolean;
};

export class Liveness {
  readonly #sessionTimeoutMs: number;
  readonly #sessions = new Map<NodeId, Session>();
  /** Nobody's silence counts from before this moment. */
  #judgedSinceMs: MonotonicMs;

  constructor(sessionTimeoutMs: number, nowMs: MonotonicMs) {
    this.#sessionTimeoutMs = sessionTimeoutMs;
    this.#judgedSinceMs = nowMs;
  }

  heard(message: HeartbeatMessage, nowMs: MonotonicMs): void {
    const { incarnation, appliedOffset, reconciledOffset, isReady } = message;
    this.#sessions.set(message.nodeId, {
      incarnation,
      heardAtMs: nowMs,
      appliedOffset,
      reconciledOffset,
      isReady,
    });
  }

  /** This process did not run for a while, so it could not hear: everyone starts afresh. */
  forgive(nowMs: MonotonicMs): void {
    this.#judgedSinceMs = nowMs;
  }

  /** Records that bring `isFenced` of every broker in line with what was heard. */
  judge(image: ClusterImage, nowMs: MonotonicMs): FenceBrokerRecord[] {
    const records: FenceBrokerRecord[] = [];
    for (const broker of image.brokers.values()) {
      const shouldFence = this.#shouldFence(broker, nowMs);
      if (shouldFence === null || shouldFence === broker.isFenced) continue;
      const { nodeId, incarnation } = broker;
      records.push({ kind: shouldFence ? 'fence-broker' : 'unfence-broker', nodeId, incarnation });
    }
    return records;
  }

  /** Deletions below this are done on every registered broker; 0 while one has not said so. */
  reconciledEverywhere(image: ClusterImage): Offset {
    let through = image.appliedOffset;
    for (const broker of image.brokers.values()) {
      through = Math.min(through, this.#sessionOf(broker)?.reconciledOffset ?? 0);
    }
    return through;
  }

  /** Null: too early to say. */
  #shouldFence(broker: BrokerImage, nowMs: MonotonicMs): boolean | null {
    const session = this.#sessionOf(broker);
    const heardAtMs = Math.max(session?.heardAtMs ?? 0, this.#judgedSinceMs);
    if (nowMs - heardAtMs > this.#sessionTimeoutMs) return true;
    if (session === undefined) return null;
    if (!session.isReady) return true;
    if (!broker.isFenced) return false;
    const isFresh = nowMs - session.heardAtMs <= this.#sessionTimeoutMs;
    return isFresh && session.appliedOffset > broker.registeredAt ? false : null;
  }

  /** Heartbeats of an earlier process on the same node say nothing about this one. */
  #sessionOf(broker: BrokerImage): Session | undefined {
    const session = this.#sessions.get(broker.nodeId);
    return session?.incarnation === broker.incarnation ? session : undefined;
  }
}
