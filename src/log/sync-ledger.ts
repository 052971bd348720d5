/**
 * Keeps account of what a replica has made durable. Its promise: a ticket is told done only when
 * every segment, the folder and the write-ahead log were synced after the ticket was written, and
 * never for more than the log still holds. Thread: the shard's; syncs complete on it.
 */
import type { Clock } from '../base/clock.js';
import type { GroupKey } from '../base/group.js';
import { type Position, maxPosition, minPosition } from '../base/position.js';
import type { MonotonicMs } from '../base/units.js';
import type { Disk } from './disk.js';
import type { ReplicaState } from './replica-state.js';
import type { Segment } from './segment.js';
import { type SegmentList, type SyncItem, itemOf } from './segment-list.js';
import type { Wal } from './wal.js';

/**
 * A sealed segment is left alone for so long: what retention removes before never costs the disk
 * anything. A kill in between costs recovery a scan of what was written meanwhile.
 */
const SEALED_MS = 5_000;

/** `synced`: everything before it is durable, as the topic's durability defines it. */
export type SyncDone = (error: Error | null, synced: Position) => void;

export type LedgerOptions = {
  readonly disk: Disk;
  readonly clock: Clock;
  readonly wal: Wal;
  readonly group: GroupKey;
  readonly state: ReplicaState;
  readonly segments: SegmentList;
  /** Place up to which the log is durable as it was opened. */
  readonly synced: Position;
  /** A sync failed: nothing of this log counts any more. */
  failed(error: Error): void;
};

/** One call of {@link SyncLedger.sync} under way. */
type Ticket = {
  /** Log end when the call was made; truncations lower it. */
  position: Position;
  readonly isSegmentSynced: boolean;
  left: number;
  error: Error | null;
  readonly done: SyncDone;
};

export class SyncLedger {
  readonly #o: LedgerOptions;
  readonly #tickets = new Set<Ticket>();
  /** Segments that nobody has synced since, oldest first. */
  readonly #sealed: { readonly segment: Segment; readonly atMs: MonotonicMs }[] = [];
  #synced: Position;
  /**
   * The first error. A sync of the same file that ran beside the failed one may have gone well
   * without the lost pages: nothing counts any more.
   */
  #failure: Error | null = null;
  #isClosed = false;

  constructor(options: LedgerOptions) {
    this.#o = options;
    this.#synced = options.synced;
  }

  get synced(): Position {
    return this.#synced;
  }

  /** Makes everything before `position`, the log's end, durable. */
  sync(position: Position, withSegments: boolean, done: SyncDone): void {
    const { disk, wal } = this.#o;
    const items = this.#itemsOf(withSegments);
    // Nearly always where the page cache is good enough: there is nothing to wait for.
    if (items.length === 0 && wal.isFlushed && this.#failure === null) {
      this.#advance(position, withSegments);
      return done(null, this.#synced);
    }
    const isSegmentSynced = withSegments;
    const ticket: Ticket = { position, isSegmentSynced, left: 1, error: null, done };
    this.#tickets.add(ticket);
    ticket.left += items.length;
    for (const { file, settle } of items) {
      disk.sync(file, (error) => {
        settle(error);
        this.#settle(ticket, error);
      });
    }
    wal.flush((error) => this.#settle(ticket, error));
  }

  /** After a failure none: the system would say that all is well, without the lost pages. */
  #itemsOf(withSegments: boolean): SyncItem[] {
    if (this.#failure !== null) return [];
    const { segments } = this.#o;
    return withSegments ? segments.unsynced() : segments.unnamed();
  }

  /**
   * Makes segments durable that were sealed {@link SEALED_MS} ago: nobody waits for that, but it
   * lets recovery believe them. `then` runs after each.
   */
  syncSealed(then: () => void): void {
    const { segments, clock } = this.#o;
    const beforeMs = clock.monotonicMs() - SEALED_MS;
    for (let next = this.#sealed[0]; next !== undefined; next = this.#sealed[0]) {
      if (this.#failure !== null || next.atMs > beforeMs) return;
      this.#sealed.shift();
      // It may have gone, or be written to again after a truncation.
      const isSealed = segments.all.includes(next.segment) && next.segment !== segments.active;
      if (isSealed && next.segment.isDirty) this.#syncLater(next.segment, then);
    }
  }

  noteSealed(segment: Segment): void {
    this.#sealed.push({ segment, atMs: this.#o.clock.monotonicMs() });
  }

  #syncLater(segment: Segment, then: () => void): void {
    const { file, settle } = itemOf(segment);
    this.#o.disk.syncLater(file, (error) => {
      settle(error);
      if (this.#isClosed) return;
      if (error !== null) this.#fail(error);
      else if (this.#failure === null) {
        this.#noteSegments();
        then();
      }
    });
  }

  /** As {@link sync}, blocking, whatever the durability. */
  syncNow(position: Position): void {
    const { wal, state } = this.#o;
    this.syncSegmentsNow();
    wal.flushNow();
    this.#synced = position;
    state.syncedOffset = position.offset;
    state.promisedOffset = position.offset;
  }

  /** Makes segments and folder durable, blocking. */
  syncSegmentsNow(): void {
    for (const { file, settle } of this.#o.segments.unsynced()) {
      this.#o.disk.syncNow(file);
      settle(null);
    }
  }

  /** Nothing behind `p` is durable; syncs under way prove nothing about what comes there. */
  truncateTo(p: Position): void {
    this.#synced = minPosition(this.#synced, p);
    for (const ticket of this.#tickets) ticket.position = minPosition(ticket.position, p);
  }

  /** The log starts, empty and durable, at `p`. */
  resetTo(p: Position): void {
    this.#synced = p;
    for (const ticket of this.#tickets) ticket.position = p;
  }

  close(): void {
    this.#isClosed = true;
  }

  #settle(ticket: Ticket, error: Error | null): void {
    ticket.left -= 1;
    ticket.error ??= error ?? this.#failure;
    if (error !== null) this.#failure ??= error;
    if (ticket.left > 0) return;
    this.#tickets.delete(ticket);
    if (this.#isClosed) return;
    if (ticket.error !== null) {
      this.#fail(ticket.error);
      ticket.done(ticket.error, this.#synced);
      return;
    }
    this.#advance(ticket.position, ticket.isSegmentSynced);
    ticket.done(null, this.#synced);
  }

  #fail(error: Error): void {
    this.#failure ??= error;
    this.#o.failed(error);
  }

  /** Tells the write-ahead log, too, so that recovery can tell a torn tail from damage. */
  #advance(position: Position, isSegmentSynced: boolean): void {
    const { state, wal, group } = this.#o;
    this.#synced = maxPosition(this.#synced, position);
    const { offset } = position;
    const syncedOffset = isSegmentSynced ? offset : 0;
    if (offset <= state.promisedOffset && syncedOffset <= state.syncedOffset) return;
    state.promisedOffset = Math.max(state.promisedOffset, offset);
    state.syncedOffset = Math.max(state.syncedOffset, syncedOffset);
    wal.noteSynced(group, state.syncedOffset, state.promisedOffset);
  }

  /** Sealed segments were synced in their own time: the front that is on disk moves up to them. */
  #noteSegments(): void {
    const { segments, state, wal, group } = this.#o;
    for (const segment of segments.all) {
      if (segment.isDirty) break;
      state.syncedOffset = Math.max(state.syncedOffset, segment.nextOffset);
    }
    wal.noteSynced(group, state.syncedOffset, state.promisedOffset);
  }
}
