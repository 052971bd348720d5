/**
 * What the core wants done, as a value. The driver works it off in the order of the fields: writes
 * first, then the sync is started, then messages leave, then commits are told. Nothing in
 * `messages` waits for anything: the core holds back what promises durable state until its
 * {@link SyncToken} comes back through `RaftGroup.synced`.
 */
import type { VoterId } from '../base/group.js';
import type { Mark } from '../base/mark.js';
import type { EpochEntry, Position } from '../base/position.js';
import type { BatchSlice, RaftMessage, Term } from './messages.js';

/** What must survive a restart before any answer that rests on it leaves (R6). */
export type HardState = {
  readonly term: Term;
  /** Who got this voter's vote in `term`. */
  readonly votedFor: VoterId | null;
};

/** A change of the log; applied strictly in order, visible to reads before messages leave. */
export type LogWrite =
  /** Drop what lies at or behind `to`: all of it is of older epochs than the current term. */
  | { readonly kind: 'truncate'; readonly to: Position }
  /** Append the batches of slice number `index` of the append being stepped, from `from` on. */
  | {
      readonly kind: 'batches';
      readonly slice: BatchSlice;
      readonly index: number;
      readonly from: Position;
    }
  | { readonly kind: 'mark'; readonly mark: Mark }
  /** Install the state (durably), then forget the whole log; it starts, empty, at `to`. */
  | {
      readonly kind: 'reset';
      readonly to: Position;
      readonly epochs: readonly EpochEntry[];
      readonly state: Uint8Array;
    };

/**
 * "Make durable what was written so far, then give this back." Tokens may be skipped when a newer
 * one is worked off instead; one handed out before a truncation raises no position afterwards.
 */
export type SyncToken = {
  readonly position: Position;
  readonly generation: number;
  /** Number of the newest hard state, mark, truncation or reset it covers. */
  readonly walSequence: number;
  /** False when only batches are new: with `durability=cached` they count as soon as written. */
  readonly needsWal: boolean;
};

/** What people and counters may want to know; nothing depends on these being read. */
export type RaftEvent =
  | { readonly kind: 'leader'; readonly term: Term; readonly reason: ElectionReason }
  | { readonly kind: 'stepped-down'; readonly term: Term; readonly reason: StepDownReason }
  | { readonly kind: 'pre-vote' }
  | { readonly kind: 'campaign'; readonly term: Term }
  | { readonly kind: 'transfer-abandoned'; readonly to: VoterId }
  | { readonly kind: 'remembered' }
  /** Too many voters forgot: entries at or behind `from` may have been acknowledged once. */
  | { readonly kind: 'possible-data-loss'; readonly from: Position }
  /** A voter no longer holds what it acknowledged, and does not know it. */
  | { readonly kind: 'follower-lost-data'; readonly voter: VoterId; readonly at: Position }
  | { readonly kind: 'unknown-sender'; readonly from: VoterId }
  | { readonly kind: 'malformed'; readonly from: VoterId; readonly detail: string };

/** Why the winner of an election stood. */
export type ElectionReason = 'start' | 'link-closed' | 'timeout' | 'transfer' | 'recovery';

export type StepDownReason = 'higher-term' | 'no-majority' | 'asked';

export type Ready = {
  /**
   * Buffer it in the write-ahead log before any of `writes`. It is durable when the token of this
   * Ready (or a newer one) comes back.
   */
  readonly hardState: HardState | null;
  /**
   * Do them now, in order, before `messages` and before the next `step`: later slices and orders
   * read the log. `batches` refer to the payload of the append that was stepped last.
   */
  readonly writes: readonly LogWrite[];
  /** The replica is no longer forgetful: say so durably, covered by the token of this Ready. */
  readonly hasRemembered: boolean;
  /** Start after `writes`. Null when nothing new has to become durable. */
  readonly sync: SyncToken | null;
  /** May leave at once, after `writes`; a message that cannot be sent is dropped. */
  readonly messages: readonly RaftMessage[];
  /**
   * The commit position moved here: everything below is on a quorum, and the writes it covers were
   * in earlier Readys. Apply it.
   */
  readonly commit: Position | null;
  readonly events: readonly RaftEvent[];
};

/**
 * Work for the leader's driver that needs the log: taken after every Ready is worked off, so that
 * what it reads is not cut or closed in the same turn.
 */
export type Order =
  /** Read up to `bytesMax` from `from` to `limit`, then send `RaftGroup.appendMessage`. */
  | {
      readonly kind: 'append';
      readonly to: VoterId;
      readonly from: Position;
      readonly limit: Position;
      readonly bytesMax: number;
    }
  /** Capture the state, then call `RaftGroup.offerSnapshot`. */
  | { readonly kind: 'capture'; readonly to: VoterId }
  /** Send bytes [start, end) of the captured state in `RaftGroup.snapshotMessage`. */
  | {
      readonly kind: 'chunk';
      readonly to: VoterId;
      readonly start: number;
      readonly end: number;
    };

/** A follower as its leader sees it. */
export type FollowerStatus = {
  readonly id: VoterId;
  readonly isVoter: boolean;
  readonly state: 'probe' | 'replicate' | 'snapshot';
  readonly match: Position;
  readonly isForgetful: boolean;
  /** Ticks since it was last known to hold everything the leader had at that moment. */
  readonly ticksBehind: number;
  /** It answered in this term and not long ago, so it could lead next. */
  readonly isHeard: boolean;
};

export type RaftRole = 'leader' | 'follower' | 'candidate' | 'stranger';
