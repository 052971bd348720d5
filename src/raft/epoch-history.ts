/**
 * Which epoch wrote which stretch of a log: the answer to every question of log matching, without
 * reading a batch. Each epoch begins with its epoch-start mark, so the entry of an epoch starts
 * where its mark lies. Old entries may be missing at the low end of a log whose start has moved.
 *
 *     epochs   |1        |3     |4          |
 *     entries  m b b b b m b b  m b b b b b   log end
 *
 * Invariant: epochs and starts both rise strictly.
 */
import { assert } from '../base/assert.js';
import { comparePositions, type EpochEntry, minPosition, type Position } from '../base/position.js';
import type { LeaderEpoch } from '../base/units.js';
import { EPOCH_NONE } from './messages.js';

export class EpochHistory {
  #entries: EpochEntry[];

  constructor(entries: readonly EpochEntry[]) {
    this.#entries = [...entries];
    for (let i = 1; i < entries.length; i++) {
      assertRises(entries[i - 1] as EpochEntry, entries[i] as EpochEntry);
    }
  }

  get entries(): readonly EpochEntry[] {
    return this.#entries;
  }

  /** Epoch of the last entry of the log. */
  get lastEpoch(): LeaderEpoch {
    return this.#entries.at(-1)?.epoch ?? EPOCH_NONE;
  }

  /** Epoch of the entry that ends at `position`. */
  epochEndingAt(position: Position): LeaderEpoch {
    const index = this.#lastIndex((entry) => comparePositions(entry.start, position) < 0);
    return this.#entries[index]?.epoch ?? EPOCH_NONE;
  }

  /** Epoch of the entry that begins at `position`. */
  epochStartingAt(position: Position): LeaderEpoch {
    const index = this.#lastIndex((entry) => comparePositions(entry.start, position) <= 0);
    return this.#entries[index]?.epoch ?? EPOCH_NONE;
  }

  /** The largest epoch that is at most `epoch`. */
  largestAtMost(epoch: LeaderEpoch): LeaderEpoch {
    const index = this.#lastIndex((entry) => entry.epoch <= epoch);
    return this.#entries[index]?.epoch ?? EPOCH_NONE;
  }

  /** Where the entries of `epoch` end in a log that ends at `logEnd`; `epoch` must be known. */
  endOf(epoch: LeaderEpoch, logEnd: Position): Position {
    const index = this.#lastIndex((entry) => entry.epoch <= epoch);
    assert(this.#entries[index]?.epoch === epoch, 'epoch is not in the history', { epoch });
    return this.#entries[index + 1]?.start ?? logEnd;
  }

  /** The entries that start below `position`. */
  below(position: Position): EpochEntry[] {
    return this.#entries.filter((entry) => comparePositions(entry.start, position) < 0);
  }

  append(entry: EpochEntry): void {
    const last = this.#entries.at(-1);
    if (last !== undefined) assertRises(last, entry);
    this.#entries.push(entry);
  }

  /** Forgets epochs that start at or behind `position`. */
  truncateTo(position: Position): void {
    while (true) {
      const last = this.#entries.at(-1);
      if (last === undefined || comparePositions(last.start, position) < 0) return;
      this.#entries.pop();
    }
  }

  /**
   * The furthest place where this log (ending at `logEnd`) and another one may still agree, when
   * the other has `epoch` as its largest epoch at most ours and that ends there at `end`. Null when
   * this history has no epoch so low: only a snapshot helps.
   */
  meet(epoch: LeaderEpoch, end: Position, logEnd: Position): Position | null {
    const own = this.largestAtMost(epoch);
    if (own === EPOCH_NONE) return null;
    const ownEnd = this.endOf(own, logEnd);
    return own === epoch ? minPosition(ownEnd, end) : ownEnd;
  }

  #lastIndex(isWanted: (entry: EpochEntry) => boolean): number {
    // From the end: nearly every question is about the newest epochs.
    let index = this.#entries.length - 1;
    while (index >= 0 && !isWanted(this.#entries[index] as EpochEntry)) index--;
    return index;
  }
}

function assertRises(before: EpochEntry, after: EpochEntry): void {
  assert(after.epoch > before.epoch, 'epochs rise', { before: before.epoch, after: after.epoch });
  assert(comparePositions(before.start, after.start) < 0, 'epoch starts rise', {
    before: before.start,
    after: after.start,
  });
}
