/**
 * The least value that leaders may show, by leader epoch: what a leader has shown, it and every
 * later one must show for ever. A deposed leader of an older epoch may lag. Pure; an epoch is a
 * failover, so there are few.
 */

export class EpochFloors {
  readonly #floors = new Map<number, number>();

  raise(epoch: number, value: number): void {
    if (epoch < 0) return;
    this.#floors.set(epoch, Math.max(value, this.#floors.get(epoch) ?? -1));
  }

  /** What a leader of `epoch` must show; -1 when nothing binds it, or the epoch is not known. */
  at(epoch: number): number {
    let floor = -1;
    for (const [from, value] of this.#floors) if (from <= epoch) floor = Math.max(floor, value);
    return floor;
  }

  /** What leaders of exactly this epoch have shown. */
  exactly(epoch: number): number {
    return this.#floors.get(epoch) ?? -1;
  }
}
