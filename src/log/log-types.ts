/** Shapes that the log shows to replication, partitions and tools. */
import type { Mark } from '../base/mark.js';
import type { EpochEntry, Position } from '../base/position.js';
import type { FilePosition, LeaderEpoch, NodeId, Offset, WallMs } from '../base/units.js';

/**
 * Whole batches that lie one behind the other in one file. `fd` stays open at least until the end
 * of the turn in which the range was handed out, whatever happens to the segment.
 */
export type LogRange = {
  readonly fd: number;
  readonly path: string;
  /** The range itself while it is not wholly in the file; else null, and it is read from there. */
  readonly bytes: Uint8Array<ArrayBuffer> | null;
  readonly filePosition: FilePosition;
  readonly length: number;
  /** Offset of the first record of the first batch. */
  readonly baseOffset: Offset;
  /** Offset behind the last record of the last batch. */
  readonly nextOffset: Offset;
};

/** Whole batches that lie one behind the other, over as many segments as it takes. */
export type LogExtent = {
  readonly firstOffset: Offset;
  readonly nextOffset: Offset;
  readonly bytes: number;
};

/** A piece of the log for a follower; all of a slice was written in one epoch. */
export type LogSlice =
  | {
      readonly kind: 'batches';
      readonly from: Position;
      readonly to: Position;
      readonly epoch: LeaderEpoch;
      readonly range: LogRange;
    }
  | { readonly kind: 'mark'; readonly mark: Mark };

/** What appendBatch needs to know of a batch that somebody has validated. */
export type AppendHeader = {
  readonly lastOffsetDelta: number;
  readonly maxTimestamp: WallMs;
  readonly leaderEpoch: LeaderEpoch;
};

/** Answer to a search by time. */
export type TimestampOffset = {
  readonly offset: Offset;
  readonly timestamp: WallMs;
  readonly leaderEpoch: LeaderEpoch;
};

/** Raft's own durable words: the newest term seen and who got this replica's vote in it. */
export type HardState = {
  readonly term: number;
  readonly votedFor: { readonly nodeId: NodeId; readonly directoryId: string } | null;
};

/** Something that changed a replica's marks or bounds since its last checkpoint. */
export type ReplicaOp =
  | { readonly kind: 'mark'; readonly mark: Mark }
  /** Removes what lies at or behind `to`. */
  | { readonly kind: 'truncate'; readonly to: Position }
  /** Takes back what was said of bytes from here on, which are about to be cut. */
  | { readonly kind: 'unpromise'; readonly offset: Offset }
  /** Forgets everything; the log starts, empty, at `to`. */
  | { readonly kind: 'reset'; readonly to: Position; readonly epochs: readonly EpochEntry[] }
  | { readonly kind: 'log-start'; readonly logStartOffset: Offset; readonly start: Position }
  /** Everything below was synced, or at least promised, when this was written. */
  | { readonly kind: 'synced'; readonly syncedOffset: Offset; readonly promisedOffset: Offset }
  | { readonly kind: 'forgetful'; readonly isForgetful: boolean };

/** Something recovery met, in words for the log line and with a code for tests. */
export type RecoveryFinding = {
  readonly kind: RecoveryCase;
  readonly detail: string;
};

export type RecoveryCase =
  | 'clean-stop'
  | 'torn-tail'
  | 'zero-tail'
  | 'bad-crc-last'
  | 'bad-crc-middle'
  | 'hole'
  | 'stale-epoch'
  | 'unknown-epoch'
  | 'segment-missing'
  | 'segment-short'
  | 'offset-index-rebuilt'
  | 'time-index-rebuilt'
  | 'mark-beyond-end'
  | 'truncate-replayed'
  | 'synced-bytes-missing'
  | 'left-over-file'
  | 'name-restored'
  | 'state-lost'
  | 'folder-lost'
  | 'page-cache-lost';
