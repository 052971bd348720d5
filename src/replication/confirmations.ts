/**
 * Those who wait to hear whether this replica still leads: each is told once, when a quorum has
 * answered a round that began after the question, or when leading has ended. Shard thread.
 */
import type { LeaderEpoch } from '../base/units.js';

type Confirmation = {
  readonly round: number;
  readonly leaderEpoch: LeaderEpoch;
  readonly done: (isConfirmed: boolean) => void;
};

export class Confirmations {
  #waiting: Confirmation[] = [];

  get isEmpty(): boolean {
    return this.#waiting.length === 0;
  }

  add(round: number, leaderEpoch: LeaderEpoch, done: (isConfirmed: boolean) => void): void {
    this.#waiting.push({ round, leaderEpoch, done });
  }

  /** `confirmedRound` is null when this replica leads nothing. */
  settle(confirmedRound: number | null, leaderEpoch: LeaderEpoch): void {
    const waiting = this.#waiting;
    this.#waiting = [];
    for (const confirmation of waiting) {
      const isLost = confirmedRound === null || confirmation.leaderEpoch !== leaderEpoch;
      if (isLost) confirmation.done(false);
      else if (confirmedRound >= confirmation.round) confirmation.done(true);
      else this.#waiting.push(confirmation);
    }
  }
}
