/**
 * What one partition counts: what was appended for producers, and how long a batch takes from its
 * append to its commit. One batch is timed at a time: a few additions a batch, a clock read a
 * round. Shard thread.
 */
import type { Clock } from '../base/clock.js';
import type { MonotonicMs, Offset, TopicId } from '../base/units.js';
import type { ShardCounters, TopicTraffic } from '../observability/shard-counters.js';

export class PartitionMeter {
  readonly #counters: ShardCounters;
  readonly #clock: Clock;
  readonly #traffic: TopicTraffic;
  /** Behind the batch that is timed; -1 when none is. */
  #timedOffset: Offset = -1;
  #startMs: MonotonicMs = 0;

  constructor(counters: ShardCounters, topicId: TopicId, clock: Clock) {
    this.#counters = counters;
    this.#clock = clock;
    this.#traffic = counters.topic(topicId);
  }

  appended(bytes: number, baseOffset: Offset, nextOffset: Offset): void {
    this.#traffic.in(bytes, nextOffset - baseOffset);
    if (this.#timedOffset !== -1) return;
    this.#timedOffset = nextOffset;
    this.#startMs = this.#clock.monotonicMs();
  }

  committed(highWatermark: Offset): void {
    if (this.#timedOffset === -1 || highWatermark < this.#timedOffset) return;
    this.#timedOffset = -1;
    this.#counters.observe('commits', 0, this.#clock.monotonicMs() - this.#startMs);
  }

  /** Leadership went: another leader decides what becomes of the batch. */
  lost(): void {
    this.#timedOffset = -1;
  }
}
