/**
 * How long the first round of an empty group gathers (KIP-134): `group.initial.rebalance.delay.ms`,
 * and again as long whenever somebody came meanwhile, up to the longest rebalance timeout. Pure.
 */

export class InitialDelay {
  #delayMs = 0;
  #restMs = 0;
  #hasNewcomer = false;

  /** The first wait. */
  begin(delayMs: number, rebalanceTimeoutMs: number): number {
    this.#delayMs = delayMs;
    this.#restMs = Math.max(rebalanceTimeoutMs - delayMs, 0);
    this.#hasNewcomer = false;
    return delayMs;
  }

  noteNewcomer(): void {
    this.#hasNewcomer = true;
  }

  /** A wait is over: the next one, or null when the round is to begin. */
  next(delayMs: number): number | null {
    if (!this.#hasNewcomer || this.#restMs === 0) return null;
    const nextMs = Math.min(delayMs, this.#restMs);
    this.#restMs = Math.max(this.#restMs - this.#delayMs, 0);
    this.#delayMs = nextMs;
    this.#hasNewcomer = false;
    return nextMs;
  }
}
