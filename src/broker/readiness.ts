/**
 * When a node is ready: registered, followed by its shards, unfenced by the controller, and with a
 * leader known for every partition it holds (or after a bounded wait for them). Main thread.
 */
import type { Clock } from '../base/clock.js';
import type { MonotonicMs, NodeId } from '../base/units.js';
import type { ControlPlane } from '../control/control-plane.js';
import { LEADER_NONE } from '../base/units.js';

/** A start is over after this long even when some partition found no leader yet. */
const LEADERS_WAIT_MS = 5_000;

export class Readiness {
  readonly #nodeId: NodeId;
  readonly #clock: Clock;
  /** By shard: the image offset up to which its folders follow. */
  readonly #followed: number[];
  /** By shard: replicas that it could not open. */
  readonly #unopened: number[];
  #registeredAtMs: MonotonicMs = Number.POSITIVE_INFINITY;
  /** The controller was told that this node may lead and be sent clients. */
  #isAnnounced = false;
  #isReady = false;

  constructor(nodeId: NodeId, shards: number, clock: Clock) {
    this.#nodeId = nodeId;
    this.#clock = clock;
    this.#followed = new Array<number>(shards).fill(0);
    this.#unopened = new Array<number>(shards).fill(0);
  }

  get isReady(): boolean {
    return this.#isReady;
  }

  /** Ready, and every replica of this node is open. */
  get isComplete(): boolean {
    return this.#isReady && this.#unopened.every((count) => count === 0);
  }

  /** A shard's folders follow the image up to here; returns how far all of them do. */
  shardFollowed(shard: number, offset: number, unopened: number): number {
    this.#followed[shard] = offset;
    this.#unopened[shard] = unopened;
    return Math.min(...this.#followed);
  }

  /** The node closes: clients and leaders are to go elsewhere. */
  close(control: ControlPlane | null): void {
    control?.setReady(false);
    this.#isReady = false;
  }

  /** Every tick. Returns true when the node has just become ready. */
  follow(control: ControlPlane): boolean {
    const broker = control.image.brokers.get(this.#nodeId);
    if (control.registration !== 'registered' || broker === undefined) {
      this.#registeredAtMs = Number.POSITIVE_INFINITY;
      this.#isReady = false;
      return false;
    }
    const nowMs = this.#clock.monotonicMs();
    this.#registeredAtMs = Math.min(this.#registeredAtMs, nowMs);
    const hasFollowed = Math.min(...this.#followed) > broker.registeredAt;
    if (hasFollowed && !this.#isAnnounced) {
      this.#isAnnounced = true;
      control.setReady(true);
    }
    if (this.#isReady || broker.isFenced || !hasFollowed) return false;
    this.#isReady = nowMs - this.#registeredAtMs > LEADERS_WAIT_MS || this.#hasLeaders(control);
    return this.#isReady;
  }

  #hasLeaders({ image, leaders }: ControlPlane): boolean {
    for (const { topicId, partitions } of image.topics.values()) {
      for (const { partition, replicas } of partitions) {
        const isHere = replicas.some(({ nodeId }) => nodeId === this.#nodeId);
        const leaderId = leaders.leaderOf(topicId, partition);
        if (isHere && leaderId === LEADER_NONE) return false;
      }
    }
    return true;
  }
}
