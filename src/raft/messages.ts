/**
 * What the members of one Raft group say to each other. Plain values: no bytes of batches, only
 * their ranges; the driver puts the bytes behind an append. Every message names both ends as
 * (node, directory), so that a wiped disk neither votes nor counts, and carries the sender's term.
 */
import type { VoterId } from '../base/group.js';
import { type Mark, positionAfterMark } from '../base/mark.js';
import type { EpochEntry, Position } from '../base/position.js';
import type { LeaderEpoch } from '../base/units.js';

/** Epoch "before the first": the prefix that ends at the origin, or an unknown one. */
export const EPOCH_NONE: LeaderEpoch = -1;

/** Raft's term. The same number is a partition's leader epoch outside this room. */
export type Term = LeaderEpoch;

/** Consecutive batches of one epoch. The sender's log has an entry border at both ends. */
export type BatchSlice = {
  readonly kind: 'batches';
  readonly from: Position;
  /** Same marks as `from`, larger offset. */
  readonly to: Position;
  readonly epoch: LeaderEpoch;
  /** Size of the batches in the payload that travels with the message. */
  readonly byteLength: number;
};

export type MarkSlice = { readonly kind: 'mark'; readonly mark: Mark };

export type Slice = BatchSlice | MarkSlice;

type Envelope = {
  readonly from: VoterId;
  readonly to: VoterId;
  /** Sender's term; in a pre-vote the term it would stand in. */
  readonly term: Term;
};

/** "Would you vote for me?" Changes nothing at the receiver (R14). */
export type PreVote = Envelope & {
  readonly type: 'pre-vote';
  /** Ties the answers to this round of questions. */
  readonly nonce: number;
  readonly lastEpoch: LeaderEpoch;
  readonly lastPosition: Position;
  /** The asker lost what it may have acknowledged: it only gathers who else did. */
  readonly isForgetful: boolean;
};

export type PreVoted = Envelope & {
  readonly type: 'pre-voted';
  readonly nonce: number;
  readonly isGranted: boolean;
  /** Why a refusal may be: the answerer hears a live leader. */
  readonly hasLeader: boolean;
  readonly isForgetful: boolean;
  readonly lastEpoch: LeaderEpoch;
  readonly lastPosition: Position;
};

export type Vote = Envelope & {
  readonly type: 'vote';
  readonly lastEpoch: LeaderEpoch;
  readonly lastPosition: Position;
  /** The leader asked for this election: a live leader is no reason to refuse. */
  readonly isTransfer: boolean;
  /** All voters are present and too many forgot: the longest log leads, all must agree. */
  readonly isRecovery: boolean;
};

export type Voted = Envelope & { readonly type: 'voted'; readonly isGranted: boolean };

/** Entries behind `prevPosition`. Also the probe (no slices) that finds the common prefix. */
export type Append = Envelope & {
  readonly type: 'append';
  /** Newest heartbeat round when it was sent; echoed by answers. */
  readonly round: number;
  readonly prevEpoch: LeaderEpoch;
  readonly prevPosition: Position;
  readonly slices: readonly Slice[];
  readonly commit: Position;
  /** Nonce of a forgetful receiver that has caught up; 0 otherwise. */
  readonly remembered: number;
};

export type Heartbeat = Envelope & {
  readonly type: 'heartbeat';
  readonly round: number;
  readonly commit: Position;
  readonly remembered: number;
};

/** Where a follower's log parts from a probe: its largest epoch at most the probe's (KIP-279). */
export type Rejection = {
  /** The `prevPosition` that did not match. */
  readonly position: Position;
  readonly epoch: LeaderEpoch;
  /** End of that epoch in the follower's log. */
  readonly end: Position;
};

/** Cumulative answer to appends, heartbeats and an installed snapshot. */
export type Appended = Envelope & {
  readonly type: 'appended';
  readonly round: number;
  /** Durable here and the same as the leader's: what counts (R9). */
  readonly match: Position;
  /** The same as the leader's, maybe not durable yet; at or behind `match`. */
  readonly received: Position;
  /** Nonce of a replica that forgot and has not caught up yet: it does not count. 0 otherwise. */
  readonly forgetful: number;
  readonly rejection: Rejection | null;
};

/** A piece of a state snapshot for a follower that is below the leader's log start. */
export type SnapshotChunk = Envelope & {
  readonly type: 'snapshot';
  readonly round: number;
  /** Everything below is in the snapshot, and committed (R15). */
  readonly position: Position;
  /** Epoch history below `position`. */
  readonly epochs: readonly EpochEntry[];
  readonly totalBytes: number;
  readonly chunkStart: number;
  readonly bytes: Uint8Array;
};

export type SnapshotReceived = Envelope & {
  readonly type: 'snapshot-received';
  readonly round: number;
  readonly position: Position;
  /** Bytes held so far; the next chunk starts here. */
  readonly receivedBytes: number;
};

/** "Stand now": the leader hands over to a follower that holds everything. */
export type TimeoutNow = Envelope & { readonly type: 'timeout-now' };

export type RaftMessage =
  | PreVote
  | PreVoted
  | Vote
  | Voted
  | Append
  | Heartbeat
  | Appended
  | SnapshotChunk
  | SnapshotReceived
  | TimeoutNow;

/** True for what only a leader says. */
export function isLeaderMessage(message: RaftMessage): boolean {
  const { type } = message;
  return type === 'append' || type === 'heartbeat' || type === 'snapshot' || type === 'timeout-now';
}

export function sliceStart(slice: Slice): Position {
  return slice.kind === 'mark' ? slice.mark.at : slice.from;
}

export function sliceEnd(slice: Slice): Position {
  return slice.kind === 'mark' ? positionAfterMark(slice.mark) : slice.to;
}

export function sliceEpoch(slice: Slice): LeaderEpoch {
  return slice.kind === 'mark' ? slice.mark.epoch : slice.epoch;
}
