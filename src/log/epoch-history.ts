/**
 * The short history that answers every question about epochs: one entry per epoch, in order, at the
 * position of its epoch-start mark. Pure functions over the list; nothing reads a file.
 */
import type { EpochEntry, Position } from '../base/position.js';
import { comparePositions } from '../base/position.js';
import type { LeaderEpoch, Offset } from '../base/units.js';
import { type BatchHeader, nextOffsetOf } from '../records/batch.js';
import type { DamageKind } from './batch-scan.js';

/** Epoch of the entry that ends at `p`: the last one that starts before `p`; -1 when none does. */
export function epochEndingAt(epochs: readonly EpochEntry[], p: Position): LeaderEpoch {
  for (let i = epochs.length - 1; i >= 0; i--) {
    const entry = epochs[i] as EpochEntry;
    if (comparePositions(entry.start, p) < 0) return entry.epoch;
  }
  return -1;
}

/** Epoch that a batch at `offset` must carry; -1 when the history does not reach so far back. */
export function epochOfOffset(epochs: readonly EpochEntry[], offset: Offset): LeaderEpoch {
  for (let i = epochs.length - 1; i >= 0; i--) {
    const entry = epochs[i] as EpochEntry;
    if (entry.start.offset <= offset) return entry.epoch;
  }
  return -1;
}

/** What a batch's epoch says against the history of a log that starts at `startOffset`. */
export function epochDamage(
  epochs: readonly EpochEntry[],
  startOffset: Offset,
  header: BatchHeader,
): DamageKind | null {
  const nextOffset = nextOffsetOf(header);
  // Below the log's start the history may have been forgotten.
  if (nextOffset <= startOffset) return null;
  // An epoch that began inside the batch also says that the batch was replaced.
  const expected = epochOfOffset(epochs, nextOffset - 1);
  if (header.leaderEpoch === expected) return null;
  return header.leaderEpoch < expected ? 'stale-epoch' : 'unknown-epoch';
}

/** Drops the entries that start at or behind `to`. */
export function truncateEpochs(epochs: readonly EpochEntry[], to: Position): EpochEntry[] {
  return epochs.filter(({ start }) => comparePositions(start, to) < 0);
}

/** Keeps what is needed from `start` on: also the epoch of the entry that ends there. */
export function pruneEpochs(epochs: readonly EpochEntry[], start: Position): EpochEntry[] {
  let first = 0;
  for (const [i, entry] of epochs.entries()) {
    if (comparePositions(entry.start, start) < 0) first = i;
  }
  return epochs.slice(first);
}

/**
 * OffsetForLeaderEpoch (KIP-101, KIP-279): the largest epoch not above the asked one, and where it
 * ends. An epoch above all of ours is unknown: both are -1.
 */
export function epochEnd(
  epochs: readonly EpochEntry[],
  asked: LeaderEpoch,
  logEndOffset: Offset,
): { readonly epoch: LeaderEpoch; readonly endOffset: Offset } {
  const latest = epochs.at(-1);
  if (latest === undefined || asked > latest.epoch || asked < 0)
    return { epoch: -1, endOffset: -1 };
  if (asked === latest.epoch) return { epoch: asked, endOffset: logEndOffset };
  const next = epochs.findIndex(({ epoch }) => epoch > asked);
  const floor = epochs[next - 1];
  return {
    epoch: floor === undefined ? asked : floor.epoch,
    endOffset: (epochs[next] as EpochEntry).start.offset,
  };
}
