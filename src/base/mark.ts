/**
 * Marks: the entries of a replicated log that take no offset. They are replicated, synced and
 * committed like batches, but live in the write-ahead log and in small checkpoints, never in a
 * segment, so that no client ever sees an offset that is not its own.
 */
import type { Position } from './position.js';
import type { LeaderEpoch, Offset } from './units.js';

export type Mark = {
  /** epoch-start: a new leader's first entry. log-start: moves logStartOffset once committed. */
  readonly kind: 'epoch-start' | 'log-start';
  /** Epoch of the leader that wrote it. */
  readonly epoch: LeaderEpoch;
  /** The place before it; the place behind it is {@link positionAfterMark}. */
  readonly at: Position;
  /** log-start only: everything below is gone for clients. */
  readonly logStartOffset?: Offset;
};

/** The place behind a mark. */
export function positionAfterMark(mark: Mark): Position {
  return { offset: mark.at.offset, marks: mark.at.marks + 1 };
}
