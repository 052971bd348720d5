/**
 * Producers that wait for their acks. Promise: they are told of what this very leadership made
 * durable or committed, and of nothing else. Another leader's records have the offsets of those
 * that were appended here, and a deposed leader may hear of them in the message that deposes it.
 * Shard thread.
 */
import type { Mutant } from '../base/mutant.js';
import type { LeaderEpoch, MonotonicMs, Offset } from '../base/units.js';
import type { Replica } from '../replication/replica.js';
import { type WaiterEnd, Waiters } from './waiters.js';

/** What is waited for: everything behind `target` by a majority (-1), or on this disk (1). */
export type AwaitedAck = {
  readonly acks: -1 | 1;
  readonly target: Offset;
  readonly deadlineMs: MonotonicMs;
};

export class AckWaiters {
  readonly #replica: Pick<Replica, 'role' | 'leaderEpoch'>;
  readonly #mutant: Mutant | undefined;
  readonly #committed = new Waiters();
  readonly #synced = new Waiters();
  /** In which everybody who waits began to. */
  #leaderEpoch: LeaderEpoch = -1;

  constructor(replica: Pick<Replica, 'role' | 'leaderEpoch'>, mutant: Mutant | undefined) {
    this.#replica = replica;
    this.#mutant = mutant;
  }

  get size(): number {
    return this.#committed.size + this.#synced.size;
  }

  add({ acks, target, deadlineMs }: AwaitedAck, end: (how: WaiterEnd) => void): void {
    this.#failOutlived();
    this.#leaderEpoch = this.#replica.leaderEpoch;
    (acks === 1 ? this.#synced : this.#committed).add(target, deadlineMs, end);
  }

  committed(highWatermark: Offset): void {
    this.#failOutlived();
    this.#committed.advance(highWatermark);
  }

  synced(offset: Offset): void {
    this.#failOutlived();
    this.#synced.advance(offset);
  }

  expire(nowMs: MonotonicMs): void {
    this.#committed.expire(nowMs);
    this.#synced.expire(nowMs);
  }

  fail(): void {
    this.#committed.fail();
    this.#synced.fail();
  }

  #failOutlived(): void {
    const { role, leaderEpoch } = this.#replica;
    const isSame = role === 'leader' && leaderEpoch === this.#leaderEpoch;
    if (!isSame && this.#mutant !== 'ack-outlives-leadership') this.fail();
  }
}
