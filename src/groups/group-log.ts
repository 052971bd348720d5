/**
 * What a coordinator needs of its partition of __consumer_offsets. The shard fills it in; tests
 * give it a list.
 */
import type { Offset } from '../base/units.js';
import type { CoordinatorRecord } from './group-records.js';
import type { GroupError } from './group-types.js';

/**
 * `done` is called exactly once, before the append returns or later: with null when a quorum has
 * the records, else with the partition's error. The answers of appends that succeed come in the
 * order of the appends.
 */
export type AppendDone = (error: string | null, baseOffset: Offset) => void;

export type GroupLog = {
  /** Appends the records as one batch (uncompressed, no producer), acks=all, internal. */
  append(records: readonly CoordinatorRecord[], done: AppendDone): void;
  /**
   * Whole batches, the first of which holds `fromOffset`, ending at the high watermark; about
   * `maxBytes` of them but one at least. Null when they cannot be had now. May be a view.
   */
  read(fromOffset: Offset, maxBytes: number): Uint8Array | null;
  readonly logStartOffset: Offset;
  readonly highWatermark: Offset;
  /** Moves the start of the log by a committed mark; may be refused or get lost silently. */
  proposeLogStart(offset: Offset): void;
  /** Tells whether a quorum still followed this leader after the call (R13). */
  confirmLeadership(done: (isLeader: boolean) => void): void;
};

/** An append's error as a client of the group should see it; all of them mean "try again". */
export function groupErrorOf(error: string): GroupError {
  switch (error) {
    case 'NOT_LEADER':
    case 'LEADER_LOST':
    case 'STORAGE_FAILED':
    case 'UNKNOWN_PARTITION':
    case 'FENCED_LEADER_EPOCH':
    case 'UNKNOWN_LEADER_EPOCH':
      return 'NOT_COORDINATOR';
    case 'MESSAGE_TOO_LARGE':
      return 'MESSAGE_TOO_LARGE';
    default:
      return 'COORDINATOR_NOT_AVAILABLE';
  }
}
