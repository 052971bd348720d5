/**
 * Time without acks, per partition. Two measures: the gap from a fault until the first ack of a
 * record that was sent after it, where the leader was hit; and the silence, the longest time
 * between two acks of any partition in a round, which also sees what the healing breaks. Pure;
 * whoever notes things brings the time.
 */

type Open = { readonly sinceMs: number; readonly kind: string };

export type Percentiles = { readonly p50: number; readonly p99: number };

/** The longest time between two acks of one partition. */
export type Silence = {
  readonly partition: string;
  readonly ms: number;
  /** When it began, from the start of the round. */
  readonly fromMs: number;
};

const NO_SILENCE: Silence = { partition: 'none', ms: 0, fromMs: 0 };

export class AckGaps {
  readonly #lastAckMs = new Map<string, number>();
  readonly #open = new Map<string, Open>();
  readonly #gapsMs = new Map<string, number[]>();
  #longest: Silence = NO_SILENCE;
  #roundStartMs = 0;

  acked(partition: string, sentMs: number, nowMs: number): void {
    this.#noteSilence(partition, nowMs);
    this.#lastAckMs.set(partition, nowMs);
    const open = this.#open.get(partition);
    if (open === undefined || sentMs < open.sinceMs) return;
    this.#open.delete(partition);
    const gaps = this.#gapsMs.get(open.kind) ?? [];
    this.#gapsMs.set(open.kind, gaps);
    gaps.push(nowMs - open.sinceMs);
  }

  /** The leaders of these partitions were hit. A gap that is still open goes on. */
  broke(partitions: readonly string[], kind: string, nowMs: number): void {
    for (const partition of partitions) {
      if (!this.#open.has(partition)) this.#open.set(partition, { sinceMs: nowMs, kind });
    }
  }

  /** Silences count from here on. */
  startRound(nowMs: number): void {
    this.#longest = NO_SILENCE;
    this.#roundStartMs = nowMs;
  }

  /** The longest of this round so far; one that lasts still counts up to now. */
  longestSilence(partitions: readonly string[], nowMs: number): Silence {
    for (const partition of partitions) this.#noteSilence(partition, nowMs);
    return this.#longest;
  }

  /** Which of the partitions had no ack since `sinceMs`. */
  silentSince(partitions: readonly string[], sinceMs: number): string[] {
    return partitions.filter((partition) => (this.#lastAckMs.get(partition) ?? -1) < sinceMs);
  }

  /** Of all gaps; -1 when nothing was measured. */
  percentiles(): Percentiles {
    return percentilesOf([...this.#gapsMs.values()].flat());
  }

  byKind(): Record<string, Percentiles> {
    const entries = [...this.#gapsMs].map(([kind, gaps]) => [kind, percentilesOf(gaps)] as const);
    return Object.fromEntries(entries);
  }

  #noteSilence(partition: string, nowMs: number): void {
    const sinceMs = Math.max(this.#lastAckMs.get(partition) ?? 0, this.#roundStartMs);
    const ms = Math.round(nowMs - sinceMs);
    if (ms <= this.#longest.ms) return;
    this.#longest = { partition, ms, fromMs: Math.round(sinceMs - this.#roundStartMs) };
  }
}

function percentilesOf(values: readonly number[]): Percentiles {
  const sorted = [...values].sort((a, b) => a - b);
  const at = (fraction: number): number => {
    if (sorted.length === 0) return -1;
    const index = Math.min(sorted.length - 1, Math.ceil(fraction * sorted.length) - 1);
    return Math.round(sorted[Math.max(0, index)] as number);
  };
  return { p50: at(0.5), p99: at(0.99) };
}
