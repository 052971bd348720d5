/**
 * The core's knowledge of its own log: five positions and the epoch history, never a byte. Changes
 * are queued as {@link LogWrite} for the driver; the positions run ahead of the disk and `synced`
 * says how far the disk has come. One promise: `start <= commit <= matched <= end` and
 * `synced <= end`, asserted in the setters.
 */
import { assert } from '../base/assert.js';
import { type Mark, positionAfterMark } from '../base/mark.js';
import {
  comparePositions,
  type EpochEntry,
  formatPosition,
  isSamePosition,
  maxPosition,
  minPosition,
  ORIGIN,
  type Position,
} from '../base/position.js';
import type { LeaderEpoch } from '../base/units.js';
import { EpochHistory } from './epoch-history.js';
import {
  EPOCH_NONE,
  type Rejection,
  type Slice,
  sliceEnd,
  sliceEpoch,
  sliceStart,
} from './messages.js';
import type { LogWrite, SyncToken } from './ready.js';

/** What a snapshot replaced, for as long as the driver may find no room for it. */
type Replaced = {
  readonly by: Position;
  readonly start: Position;
  readonly end: Position;
  readonly commit: Position;
  readonly told: Position;
  readonly epochs: EpochHistory;
};

export class RaftLog {
  #start: Position;
  #end: Position;
  #synced: Position = ORIGIN;
  #commit: Position;
  /** The commit position as the driver knows it. */
  #told: Position;
  #matched: Position;
  #epochs: EpochHistory;
  #writes: LogWrite[] = [];
  #replaced: Replaced | null = null;
  /** Raised by whatever makes an earlier sync say nothing about the log's end. */
  #generation = 0;
  #walSequence = 0;
  #walSynced = 0;
  #requested: SyncToken | null = null;

  constructor(start: Position, end: Position, epochs: readonly EpochEntry[]) {
    assert(comparePositions(start, end) <= 0, 'a log starts before it ends', { start, end });
    this.#start = start;
    this.#end = end;
    // Only what lies below a log's start is known to be committed before a leader speaks.
    this.#commit = start;
    this.#told = start;
    this.#matched = start;
    this.#epochs = new EpochHistory(epochs);
  }

  /** First entry that is still there. */
  get start(): Position {
    return this.#start;
  }

  get end(): Position {
    return this.#end;
  }

  /** Everything below is durable here. */
  get synced(): Position {
    return this.#synced;
  }

  /** Everything below is on a quorum and never cut (R10). */
  get commit(): Position {
    return this.#commit;
  }

  /** Everything below is the same as in the log of the leader of this term. */
  get matched(): Position {
    return this.#matched;
  }

  get epochs(): EpochHistory {
    return this.#epochs;
  }

  get lastEpoch(): LeaderEpoch {
    return this.#epochs.lastEpoch;
  }

  get hasWrites(): boolean {
    return this.#writes.length > 0;
  }

  /** Number of the newest change that only the write-ahead log makes durable. */
  get walSequence(): number {
    return this.#walSequence;
  }

  /** Numbers up to this one are durable. */
  get walSynced(): number {
    return this.#walSynced;
  }

  /** True when a log ending with (`epoch`, `end`) holds at least as much as this one (§5.4.1). */
  isAtMost(epoch: LeaderEpoch, end: Position): boolean {
    if (epoch !== this.lastEpoch) return epoch > this.lastEpoch;
    return comparePositions(end, this.#end) >= 0;
  }

  /** A batch of `records` records was written behind the end, by this leader. */
  proposeBatch(records: number): void {
    assert(Number.isSafeInteger(records) && records > 0, 'a batch takes offsets', { records });
    assert(this.#writes.length === 0, 'earlier writes reached the log first');
    this.#end = { offset: this.#end.offset + records, marks: this.#end.marks };
  }

  /** Appends a mark behind the end; the driver writes it. */
  appendMark(mark: Mark): void {
    assert(isSamePosition(mark.at, this.#end), 'a mark lies at the end', { at: mark.at });
    if (mark.kind === 'epoch-start') this.#epochs.append({ epoch: mark.epoch, start: mark.at });
    else assert(mark.epoch === this.lastEpoch, 'a mark is of the last epoch', { mark });
    this.#end = positionAfterMark(mark);
    this.#writes.push({ kind: 'mark', mark });
    this.#walSequence++;
  }

  /** A new leader, or none: what matches it is known only up to the commit position. */
  resetMatched(): void {
    this.#matched = this.#commit;
  }

  /** Log matching: is there an entry of `epoch` that ends at `position`? */
  hasEntryAt(epoch: LeaderEpoch, position: Position): boolean {
    if (comparePositions(position, this.#commit) <= 0) return true;
    if (comparePositions(position, this.#end) > 0) return false;
    return this.#epochs.epochEndingAt(position) === epoch;
  }

  /** Why the probe at `position` fails, as the leader needs it to come closer at once. */
  rejectionOf(epoch: LeaderEpoch, position: Position): Rejection {
    const own = this.#epochs.largestAtMost(epoch);
    const end = own === EPOCH_NONE ? this.#commit : this.#epochs.endOf(own, this.#end);
    return { position, epoch: own, end };
  }

  /**
   * Takes the slices behind a position that matches: skips what is there, cuts what differs, queues
   * the rest as writes. A shorter message never cuts: only an entry of another epoch does.
   */
  accept(prev: Position, slices: readonly Slice[]): void {
    assert(comparePositions(prev, this.#end) <= 0, 'slices follow the log', { prev });
    for (const [index, slice] of slices.entries()) this.#acceptSlice(slice, index);
    const last = slices.at(-1);
    const reached = last === undefined ? prev : sliceEnd(last);
    assert(comparePositions(reached, this.#end) <= 0, 'what was accepted is in the log');
    this.#matched = maxPosition(this.#matched, reached);
  }

  #acceptSlice(slice: Slice, index: number): void {
    const to = sliceEnd(slice);
    const start = sliceStart(slice);
    if (comparePositions(start, this.#commit) < 0) this.#checkCommitted(slice, start);
    if (comparePositions(to, this.#commit) <= 0) return;
    let from = maxPosition(start, this.#commit);
    if (comparePositions(from, this.#end) < 0) {
      from = this.#sharedEnd(slice, from);
      if (isSamePosition(from, to)) return;
      if (comparePositions(from, this.#end) < 0) this.#truncateTo(from);
    }
    if (slice.kind === 'mark') {
      this.appendMark(slice.mark);
      return;
    }
    assert(isSamePosition(from, this.#end), 'batches follow the log', { from, end: this.#end });
    assert(slice.epoch === this.lastEpoch, 'batches are of the last epoch', { slice });
    this.#writes.push({ kind: 'batches', slice, index, from });
    this.#end = to;
  }

  /** No leader has other committed entries than this log; below its start it has forgotten them. */
  #checkCommitted(slice: Slice, start: Position): void {
    if (comparePositions(start, this.#start) < 0) return;
    const own = this.#epochs.epochStartingAt(start);
    assert(own === sliceEpoch(slice), 'committed entries are never cut (R10)', {
      at: formatPosition(start),
      epoch: sliceEpoch(slice),
      own,
      commit: formatPosition(this.#commit),
    });
  }

  /** How far this log holds the entries of `slice`, from `from` on (which both logs share). */
  #sharedEnd(slice: Slice, from: Position): Position {
    const epoch = sliceEpoch(slice);
    if (this.#epochs.epochStartingAt(from) !== epoch) return from;
    return minPosition(sliceEnd(slice), this.#epochs.endOf(epoch, this.#end));
  }

  #truncateTo(to: Position): void {
    assert(comparePositions(to, this.#commit) >= 0, 'committed entries are never cut (R10)', {
      to: formatPosition(to),
      commit: formatPosition(this.#commit),
    });
    assert(comparePositions(to, this.#matched) >= 0, "a leader's own entries are never cut", {
      to: formatPosition(to),
      matched: formatPosition(this.#matched),
    });
    this.#epochs.truncateTo(to);
    this.#end = to;
    this.#synced = minPosition(this.#synced, to);
    this.#generation++;
    this.#walSequence++;
    this.#writes.push({ kind: 'truncate', to });
  }

  /** Replaces everything by a snapshot that ends at `to`. */
  reset(to: Position, epochs: readonly EpochEntry[], state: Uint8Array): void {
    assert(comparePositions(to, this.#commit) > 0, 'a snapshot is news', { to });
    this.#rememberReplaced(to);
    this.#epochs = new EpochHistory(epochs);
    this.#start = to;
    this.#end = to;
    this.#commit = to;
    this.#told = to;
    this.#matched = to;
    this.#synced = ORIGIN;
    this.#generation++;
    this.#walSequence++;
    this.#writes.push({ kind: 'reset', to, epochs, state });
  }

  #rememberReplaced(by: Position): void {
    const isRepeated = this.#writes.some(({ kind }) => kind === 'reset');
    // A snapshot that nobody has written yet is replaced with everything before it.
    this.#writes = [];
    if (this.#replaced !== null && isRepeated) this.#replaced = { ...this.#replaced, by };
    else {
      this.#replaced = {
        by,
        start: this.#start,
        end: this.#end,
        commit: this.#commit,
        told: this.#told,
        epochs: this.#epochs,
      };
    }
  }

  /** The driver could not write everything: the log really begins and ends here. */
  retreatTo(start: Position, end: Position): void {
    this.#maybeTakeBack(start);
    assert(comparePositions(end, this.#end) <= 0, 'a failed write adds nothing', { end });
    assert(comparePositions(end, this.#told) >= 0, 'applied entries were written', { end });
    this.#epochs.truncateTo(end);
    this.#end = end;
    this.#commit = minPosition(this.#commit, end);
    this.#matched = minPosition(this.#matched, end);
    this.#synced = minPosition(this.#synced, end);
    this.#generation++;
    this.#writes = [];
  }

  /** The log is as it was before the snapshot, for which there was no room. */
  #maybeTakeBack(start: Position): void {
    const before = this.#replaced;
    if (before === null || comparePositions(start, before.by) >= 0) return;
    this.#replaced = null;
    this.#epochs = before.epochs;
    this.#start = before.start;
    this.#end = before.end;
    this.#commit = before.commit;
    this.#told = before.told;
    this.#matched = before.commit;
  }

  /** The driver moved the log's start (a committed decision). */
  setStart(start: Position): void {
    assert(comparePositions(start, this.#start) >= 0, 'a log start never goes back', {
      from: this.#start,
      to: start,
    });
    assert(comparePositions(start, this.#commit) <= 0, 'a log start is committed', {
      start,
      commit: this.#commit,
    });
    this.#start = start;
  }

  /** Returns whether the commit position moved. */
  commitTo(position: Position): boolean {
    if (comparePositions(position, this.#commit) <= 0) return false;
    assert(comparePositions(position, this.#end) <= 0, 'commit <= end', {
      commit: position,
      end: this.#end,
    });
    this.#commit = position;
    this.#matched = maxPosition(this.#matched, position);
    return true;
  }

  /** Something outside the log (term, vote, remembering) goes through the write-ahead log too. */
  noteWalChange(): number {
    return ++this.#walSequence;
  }

  /** Returns whether anything became durable that was not before. */
  onSynced(token: SyncToken): boolean {
    assert(token.walSequence <= this.#walSequence, 'a token was handed out');
    const isWalNews = token.walSequence > this.#walSynced;
    if (isWalNews) this.#walSynced = token.walSequence;
    if (token.generation !== this.#generation) return isWalNews;
    assert(comparePositions(token.position, this.#end) <= 0, 'synced <= end', { token });
    if (comparePositions(token.position, this.#synced) <= 0) return isWalNews;
    this.#synced = token.position;
    return true;
  }

  /** The commit position when it moved since the last call. */
  takeCommit(): Position | null {
    if (isSamePosition(this.#told, this.#commit)) return null;
    assert(comparePositions(this.#told, this.#commit) < 0, 'commit never goes back', {
      from: this.#told,
      to: this.#commit,
    });
    this.#told = this.#commit;
    return this.#commit;
  }

  takeWrites(): readonly LogWrite[] {
    const writes = this.#writes;
    if (writes.length > 0) this.#writes = [];
    // What was handed out before was written, or the driver would have said otherwise.
    else this.#replaced = null;
    return writes;
  }

  /** Whether one of the take methods has something to give. */
  get hasWork(): boolean {
    return (
      this.#writes.length > 0 || this.#isSyncWanted || !isSamePosition(this.#told, this.#commit)
    );
  }

  get #isSyncWanted(): boolean {
    const asked = this.#requested;
    if (asked === null) return this.#walSequence > 0 || !isSamePosition(this.#end, ORIGIN);
    return (
      asked.generation !== this.#generation ||
      asked.walSequence !== this.#walSequence ||
      !isSamePosition(asked.position, this.#end)
    );
  }

  /** A token for everything not yet asked for; null when there is nothing new. */
  takeSync(): SyncToken | null {
    if (!this.#isSyncWanted) return null;
    this.#requested = {
      position: this.#end,
      generation: this.#generation,
      walSequence: this.#walSequence,
      // At first nothing is known of the disk: what was recovered may be in the page cache only.
      needsWal: this.#requested === null || this.#walSequence > this.#walSynced,
    };
    return this.#requested;
  }
}
