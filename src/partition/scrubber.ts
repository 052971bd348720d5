/**
 * Looks through the logs of a shard, a piece each tick: once after they were opened, and all of
 * them again now and then, for bytes also change under a node that runs for months. Promise: a
 * replica whose bytes have changed is handed to its owner for repair, but only while another
 * replica leads, so that nothing is given up that nobody else could give back. Shard thread.
 */
import type { Clock } from '../base/clock.js';
import { LograftError } from '../base/errors.js';
import type { GroupKey } from '../base/group.js';
import { LEADER_NONE, type MonotonicMs, type Offset } from '../base/units.js';
import type { ScrubFinding } from '../log/log-scrub.js';
import type { Logger } from '../observability/logger.js';
import type { Partition } from './partition.js';

export type ScrubberOptions = {
  readonly clock: Clock;
  readonly logger: Logger;
  /** log.scrub.interval.ms: from the begin of one pass to that of the next; -1 for one only. */
  readonly scrubIntervalMs: number;
  /** The replica is to be opened again, and to believe nothing from the batch at `from` on. */
  readonly onDamaged: (group: GroupKey, from: Offset) => void;
};

/** Bytes of all logs together that are looked at in one tick. */
export const SCRUB_TICK_BYTES = 256 << 10;
const HAND_OVER_MS = 1_000;
/** After bytes that could not be read at all. */
const READ_AGAIN_MS = 10_000;

export class Scrubber {
  readonly #options: ScrubberOptions;
  readonly #all = new Set<Partition>();
  readonly #waiting = new Set<Partition>();
  readonly #damaged = new Map<Partition, Offset>();
  /** Of those, leaders that have tried to hand over. */
  readonly #asked = new Set<Partition>();
  #handOverAtMs: MonotonicMs = Number.NEGATIVE_INFINITY;
  #readAgainAtMs: MonotonicMs = Number.NEGATIVE_INFINITY;
  #passBeganAtMs: MonotonicMs;

  constructor(options: ScrubberOptions) {
    this.#options = options;
    this.#passBeganAtMs = options.clock.monotonicMs();
  }

  add(partition: Partition): void {
    this.#all.add(partition);
    this.#waiting.add(partition);
  }

  remove(partition: Partition): void {
    this.#all.delete(partition);
    this.#waiting.delete(partition);
    this.#damaged.delete(partition);
    this.#asked.delete(partition);
  }

  /** Also what somebody else came upon. */
  found(partition: Partition, finding: ScrubFinding): void {
    if (this.#damaged.has(partition)) return;
    const { group, topic } = partition;
    this.#options.logger.error({ topic, ...group, ...finding }, 'damaged bytes in the log');
    this.#waiting.delete(partition);
    this.#damaged.set(partition, finding.offset);
  }

  tick(): void {
    if (this.#waiting.size === 0) this.#maybeBeginPass();
    if (this.#options.clock.monotonicMs() >= this.#readAgainAtMs) this.#lookFurther();
    if (this.#damaged.size > 0) this.#repair();
  }

  #lookFurther(): void {
    let bytes = 0;
    for (const partition of this.#waiting) {
      if (partition.failure !== null) this.remove(partition);
      else bytes += this.#tryLook(partition, SCRUB_TICK_BYTES - bytes);
      if (bytes >= SCRUB_TICK_BYTES) break;
    }
  }

  #maybeBeginPass(): void {
    const { clock, scrubIntervalMs } = this.#options;
    const nowMs = clock.monotonicMs();
    if (scrubIntervalMs < 0 || nowMs < this.#passBeganAtMs + scrubIntervalMs) return;
    this.#passBeganAtMs = nowMs;
    for (const partition of this.#all) {
      // What is damaged waits for its repair.
      if (this.#damaged.has(partition)) continue;
      partition.log.scrub.restart();
      this.#waiting.add(partition);
    }
  }

  /** A disk that cannot be read now is asked again later: what it hides may be damage. */
  #tryLook(partition: Partition, bytesMax: number): number {
    try {
      return this.#look(partition, bytesMax);
    } catch (error) {
      if (!(error instanceof LograftError)) throw error;
      const { group, topic } = partition;
      this.#options.logger.error({ topic, ...group, error: error.message }, 'log cannot be read');
      // Behind the others, which may be readable.
      this.#waiting.delete(partition);
      this.#waiting.add(partition);
      this.#readAgainAtMs = this.#options.clock.monotonicMs() + READ_AGAIN_MS;
      return SCRUB_TICK_BYTES;
    }
  }

  #look(partition: Partition, bytesMax: number): number {
    const { log } = partition;
    let bytes = 0;
    while (bytes < bytesMax && !log.scrub.isDone) bytes += log.scrub.step(bytesMax - bytes);
    if (!log.scrub.isDone) return bytes;
    this.#waiting.delete(partition);
    const { finding } = log.scrub;
    if (finding !== null) this.found(partition, finding);
    return bytes;
  }

  #repair(): void {
    const nowMs = this.#options.clock.monotonicMs();
    const isHandOverDue = nowMs >= this.#handOverAtMs;
    if (isHandOverDue) this.#handOverAtMs = nowMs + HAND_OVER_MS;
    for (const [partition, from] of this.#damaged) {
      const { replica, group, failure } = partition;
      if (failure !== null) this.remove(partition);
      else if (replica.role === 'leader') {
        if (isHandOverDue) this.#endLeading(partition);
      } else if (replica.leaderId !== LEADER_NONE) {
        this.remove(partition);
        this.#options.onDamaged(group, from);
      }
    }
  }

  /** Followers refuse damaged bytes, so nobody may ever catch up: then without a successor. */
  #endLeading(partition: Partition): void {
    if (this.#asked.has(partition)) partition.replica.stepAside();
    else partition.replica.transferLeadership();
    this.#asked.add(partition);
  }
}
