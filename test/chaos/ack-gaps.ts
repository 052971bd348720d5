/**
 * Time without acks, per partition: from a fault until the first ack of a record that was sent
 * after it. Pure; whoever notes things brings the time.
 */

type Open = { readonly sinceMs: number };

export class AckGaps {
  readonly #lastAckMs = new Map<string, number>();
  readonly #open = new Map<string, Open>();
  readonly #gapsMs: number[] = [];

  acked(partition: string, sentMs: number, nowMs: number): void {
    this.#lastAckMs.set(partition, nowMs);
    const open = this.#open.get(partition);
    if (open === undefined || sentMs < open.sinceMs) return;
    this.#open.delete(partition);
    this.#gapsMs.push(nowMs - open.sinceMs);
  }

  /** The leaders of these partitions were hit. A gap that is still open goes on. */
  broke(partitions: readonly string[], nowMs: number): void {
    for (const partition of partitions) {
      if (!this.#open.has(partition)) this.#open.set(partition, { sinceMs: nowMs });
    }
  }

  /** Which of the partitions had no ack since `sinceMs`. */
  silentSince(partitions: readonly string[], sinceMs: number): string[] {
    return partitions.filter((partition) => (this.#lastAckMs.get(partition) ?? -1) < sinceMs);
  }

  /** -1 when nothing was measured. */
  percentileMs(fraction: number): number {
    if (this.#gapsMs.length === 0) return -1;
    const sorted = [...this.#gapsMs].sort((a, b) => a - b);
    const index = Math.min(sorted.length - 1, Math.ceil(fraction * sorted.length) - 1);
    return Math.round(sorted[Math.max(0, index)] as number);
  }
}
