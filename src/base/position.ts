/**
 * Positions in a replicated log.
 *
 * A log holds record batches, which take offsets, and *marks* (epoch start, log-start move, voter
 * change), which are entries of width zero. A position names the place before the next entry:
 *
 *     entries    mark   batch(3)   batch(2)   mark    batch(1)
 *     position  (0,0)   (0,1)      (3,1)      (5,1)   (5,2)      (6,2) = log end
 *
 * Along one log both coordinates never go down and each entry raises exactly one of them. Within an
 * epoch only one leader appends, so (epoch, position) names one prefix for ever (invariant R11).
 */
import type { LeaderEpoch, Offset } from './units.js';

export type Position = {
  /** Next offset to assign here. */
  readonly offset: Offset;
  /** How many marks lie before this place, counted from the birth of the partition. */
  readonly marks: number;
};

/** An epoch and the position of its epoch-start mark (the mark itself lies at `start`). */
export type EpochEntry = { readonly epoch: LeaderEpoch; readonly start: Position };

/** The very beginning of a log. */
export const ORIGIN: Position = Object.freeze({ offset: 0, marks: 0 });

/** Negative, zero or positive as `a` lies before, at or behind `b`. */
export function comparePositions(a: Position, b: Position): number {
  return a.offset - b.offset || a.marks - b.marks;
}

export function minPosition(a: Position, b: Position): Position {
  return comparePositions(a, b) <= 0 ? a : b;
}

export function maxPosition(a: Position, b: Position): Position {
  return comparePositions(a, b) >= 0 ? a : b;
}

export function isSamePosition(a: Position, b: Position): boolean {
  return a.offset === b.offset && a.marks === b.marks;
}

export function formatPosition(p: Position): string {
  return `${p.offset}+${p.marks}`;
}
