/**
 * One replica of a partition: the driver between the pure Raft core, the partition's log, the
 * shard's write-ahead log and the links to other nodes. Promise: the core's `Ready` is worked off in
 * its order, a sync error ends the replica for good, and a broken invariant stops this partition,
 * not the node. Shard thread; nothing here waits.
 */
import { assert } from '../base/assert.js';
import type { Clock } from '../base/clock.js';
import { LograftError } from '../base/errors.js';
import type { GroupKey, VoterId } from '../base/group.js';
import type { Mark } from '../base/mark.js';
import { comparePositions, isSamePosition, type Position } from '../base/position.js';
import type { Prng } from '../base/prng.js';
import { LEADER_NONE, type LeaderEpoch, type MonotonicMs, type NodeId, type Offset } from '../base/units.js';
import type { LogRange } from '../log/log-types.js';
import type { PartitionLog } from '../log/partition-log.js';
import type { Wal } from '../log/wal.js';
import { stampBatch } from '../native/batch.js';
import type { RaftMessage } from '../raft/messages.js';
import type { RaftKnobs, RaftMutant } from '../raft/raft-config.js';
import { RaftGroup } from '../raft/raft-group.js';
import type {
  FollowerStatus,
  HardState,
  RaftEvent,
  RaftRole,
  Ready,
  SyncToken,
} from '../raft/ready.js';
import { appendFault } from './append-check.js';
import { Confirmations } from './confirmations.js';
import { LogWriter } from './log-writer.js';
import { OrderSender } from './order-sender.js';

export type ReplicationKnobs = {
  readonly raft: RaftKnobs;
  /** How often the shard calls `tick`. */
  readonly tickMs: number;
  /** replica.lag.time.max.ms: a follower behind for longer is not in sync. */
  readonly replicaLagMsMax: number;
};

export type ReplicaEvents = {
  /** Role, leader, epoch or {@link Replica.isServing} changed. */
  onRole(): void;
  onCommitted(highWatermark: Offset): void;
  /** A batch is in the local log, on leader and follower alike; bytes are good for the call only. */
  onAppended(bytes: Uint8Array, start: number, length: number, baseOffset: Offset): void;
  /** Batches at or behind `to` are gone from the local log. */
  onTruncated(to: Offset): void;
  /** The whole log was replaced by a snapshot. */
  onReset(): void;
  onMarkCommitted(mark: Mark): void;
  /** {@link Replica.localSyncedOffset} moved. */
  onSynced?(): void;
  /** The replica has ended; called once. It answers nobody any more. */
  onFailed(error: Error): void;
  /** {@link Replica.drain} has work to do before the turn ends, or as soon as possible. */
  onDirty(): void;
  /** For log lines and counters. */
  onEvent?(event: RaftEvent | ReplicaEvent): void;
};

/** What the driver itself has to tell. */
export type ReplicaEvent =
  | { readonly kind: 'append-refused'; readonly from: NodeId; readonly reason: string }
  | { readonly kind: 'storage-full' };

export interface PeerTransport {
  /**
   * False when the link is down, over its bound, or leads to another directory than `message.to`:
   * Raft sends again later, from the log. Ranges are read before the turn ends.
   */
  send(to: NodeId, group: GroupKey, message: RaftMessage, ranges: readonly LogRange[]): boolean;
}

/** State beside the log (metadata group only): an ordinary partition's snapshot is empty. */
export type StateSnapshots = {
  /** A committed state: everything below `position`. */
  capture(): { readonly position: Position; readonly bytes: Uint8Array };
  /** Durable when it returns; the log is reset to `position` after it. */
  install(position: Position, bytes: Uint8Array): void;
};

export type ReplicaOptions = {
  readonly group: GroupKey;
  readonly self: VoterId;
  /** In replica order; a self that is not among them is a stranger. */
  readonly voters: readonly VoterId[];
  readonly log: PartitionLog;
  readonly wal: Wal;
  readonly transport: PeerTransport;
  readonly clock: Clock;
  /** For this replica alone. */
  readonly random: Prng;
  readonly knobs: ReplicationKnobs;
  readonly durability: () => 'synced' | 'cached';
  readonly events: ReplicaEvents;
  readonly snapshots?: StateSnapshots | undefined;
  /** Tests only: a classical mistake in the core. */
  readonly mutant?: RaftMutant | undefined;
};

/** What {@link ReplicaEvents.onRole} is about. */
type Leading = {
  readonly role: RaftRole;
  readonly leaderId: NodeId;
  readonly leaderEpoch: LeaderEpoch;
  readonly isServing: boolean;
};

/** Syncs in flight of one replica: one runs, one gathers. */
const SYNCS_MAX = 2;
/** A replica whose disk is full does not try to lead, and hands over once, in this time. */
const FULL_MS = 10_000;

export class Replica {
  readonly group: GroupKey;
  readonly #options: ReplicaOptions;
  readonly #raft: RaftGroup;
  readonly #log: PartitionLog;
  readonly #writer: LogWriter;
  readonly #sender: OrderSender;
  #isDirty = false;
  #isClosed = false;
  #failure: Error | null = null;
  readonly #confirmations = new Confirmations();
  #wantedSync: SyncToken | null = null;
  #syncsRunning = 0;
  #applied: Position;
  #fullUntilMs: MonotonicMs = Number.NEGATIVE_INFINITY;
  #told: Leading;

  constructor(options: ReplicaOptions) {
    this.#options = options;
    this.group = options.group;
    this.#log = options.log;
    this.#raft = new RaftGroup({
      self: options.self,
      members: { voters: options.voters, learners: [] },
      knobs: options.knobs.raft,
      random: options.random,
      hardState: recoveredHardState(options),
      log: { start: this.#log.logStart, end: this.#log.logEnd, epochs: this.#log.epochs },
      isForgetful: this.#log.isForgetful,
      mutant: options.mutant,
    });
    this.#applied = this.#raft.commit;
    this.#writer = new LogWriter(this.#log, options.events, options.snapshots);
    this.#sender = new OrderSender(this.#raft, options);
    this.#told = this.#roleNow();
    this.#markDirty();
  }

  get role(): RaftRole {
    return this.#failure === null ? this.#raft.role : 'follower';
  }

  /** -1 when nobody is known to lead. */
  get leaderId(): NodeId {
    return this.#failure === null ? this.#raft.leaderId : LEADER_NONE;
  }

  get leaderEpoch(): LeaderEpoch {
    return this.#raft.term;
  }

  /** Leader whose epoch start is committed, and no gap in time awaits a quorum's word. */
  get isServing(): boolean {
    return this.#failure === null && this.#raft.isServing;
  }

  get highWatermark(): Offset {
    return this.#applied.offset;
  }

  get commitPosition(): Position {
    return this.#applied;
  }

  get logEnd(): Position {
    return this.#raft.end;
  }

  /** Everything below is durable on this node (`acks=1`). */
  get localSyncedOffset(): Offset {
    return this.#raft.syncedEnd.offset;
  }

  get isForgetful(): boolean {
    return this.#raft.isForgetful;
  }

  get isDirty(): boolean {
    return this.#isDirty;
  }

  get failure(): Error | null {
    return this.#failure;
  }

  /** True when {@link append} would be taken now. */
  get mayAppend(): boolean {
    return this.#failure === null && !this.#isClosed && this.#raft.mayPropose;
  }

  /**
   * Appends one validated batch: stamps its base offset and epoch in place and returns the offset.
   * Throws `NOT_LEADER`, `STORAGE_FULL` or `STORAGE_FAILED`; all three are definite.
   */
  append(bytes: Uint8Array, start: number, length: number): Offset {
    if (!this.mayAppend) throw new LograftError('NOT_LEADER', 'this replica does not lead');
    if (this.#raft.hasWrites) this.#guard(() => this.#workOff());
    if (!this.mayAppend) throw new LograftError('NOT_LEADER', 'this replica does not lead');
    const baseOffset = this.#raft.end.offset;
    assert(isSamePosition(this.#log.logEnd, this.#raft.end), 'log and core end alike', {
      log: this.#log.logEnd,
      core: this.#raft.end,
    });
    stampBatch(bytes, start, baseOffset, this.#raft.term);
    try {
      this.#raft.propose(this.#writer.appendBatch(bytes, start, length));
    } catch (error) {
      throw this.#onAppendError(error);
    }
    this.#markDirty();
    return baseOffset;
  }

  /** Asks the group to move the log start; {@link ReplicaEvents.onMarkCommitted} tells when it may. */
  proposeLogStart(offset: Offset): boolean {
    if (!this.mayAppend || !this.#raft.proposeLogStart(offset)) return false;
    this.#markDirty();
    return true;
  }

  /** A message from a link, with its payload at `start`; bytes are good for the call only. */
  receive(message: RaftMessage, bytes: Uint8Array, start: number): void {
    if (this.#failure !== null || this.#isClosed) return;
    this.#guard(() => {
      if (message.type === 'append') {
        const fault = appendFault(message, bytes, start);
        if (fault !== null) {
          const from = message.from.nodeId;
          this.#emit({ kind: 'append-refused', from, reason: fault });
          return;
        }
        this.#writer.setPayload(message, bytes, start);
        this.#raft.step(message);
        this.#workOff();
        this.#writer.clearPayload();
      } else {
        this.#raft.step(message);
      }
    });
    this.#markDirty();
  }

  /** Every `tickMs`, by the shard. */
  tick(): void {
    if (this.#failure !== null || this.#isClosed) return;
    this.#raft.setMayStand(this.#options.clock.monotonicMs() >= this.#fullUntilMs);
    this.#guard(() => this.#raft.tick());
    if (this.#raft.hasWork) this.#markDirty();
  }

  /** The end of a turn: persists, sends, tells. Cheap when there is nothing to do. */
  drain(): void {
    if (this.#failure !== null || this.#isClosed) return;
    this.#isDirty = false;
    this.#guard(() => {
      this.#workOff();
      // Last, so that nothing that was read for a follower is cut or closed in this drain.
      this.#raft.setLogStart(this.#log.logStart);
      this.#sender.sendAll();
      this.#workOff();
    });
    this.#settleConfirmations();
    this.#tellRole();
  }

  onLinkDown(nodeId: NodeId): void {
    this.#raft.peerDown(nodeId);
    this.#markDirty();
  }

  /** The link is up, or takes bytes again after it refused some. */
  onLinkUp(nodeId: NodeId): void {
    this.#raft.peerUp(nodeId);
    this.#markDirty();
  }

  /** The clock jumped by more than an election timeout: lead nothing until a quorum confirms. */
  resumedAfterGap(): void {
    this.#raft.resumedAfterGap();
    this.#markDirty();
    this.#tellRole();
  }

  /** Voters that hold, or held within replica.lag.time.max.ms, all of the log; the leader first. */
  inSync(): NodeId[] {
    const { knobs, self } = this.#options;
    const ticksMax = knobs.replicaLagMsMax / knobs.tickMs;
    const isIn = (f: FollowerStatus): boolean =>
      f.isVoter && !f.isForgetful && f.ticksBehind <= ticksMax;
    if (this.role !== 'leader') return [];
    return [self.nodeId, ...this.#raft.followers().filter(isIn).map((f) => f.id.nodeId)];
  }

  followerProgress(): FollowerStatus[] {
    return this.#raft.followers();
  }

  /** Asks a quorum, in a round begun after this call, whether this replica still leads. */
  confirmLeadership(done: (isConfirmed: boolean) => void): void {
    const round = this.#failure === null && !this.#isClosed ? this.#raft.requestRound() : -1;
    if (round === -1) {
      done(false);
      return;
    }
    this.#confirmations.add(round, this.#raft.term, done);
    this.#markDirty();
  }

  /** Hands over to `to`, or to the follower that holds most. False when there is nobody. */
  transferLeadership(to?: NodeId): boolean {
    if (this.role !== 'leader') return false;
    const successor = to ?? bestFollower(this.#raft.followers());
    if (successor === null || !this.#raft.transferTo(successor)) return false;
    this.#markDirty();
    return true;
  }

  /** Stops; the log and the write-ahead log belong to the caller. Waiting confirmations end. */
  close(): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#settleConfirmations();
  }

  /** Takes Readys until there is none; starts syncs, whose results may come at once. */
  #workOff(): void {
    while (true) {
      const ready = this.#raft.takeReady();
      if (ready !== null) this.#work(ready);
      else if (!this.#startSync()) return;
    }
  }

  /** One Ready, in the order of its contract. */
  #work(ready: Ready): void {
    const { wal, group, transport } = this.#options;
    if (ready.hardState !== null) wal.setHardState(group, ready.hardState);
    if (ready.writes.length > 0) this.#write(ready);
    if (ready.hasRemembered) this.#log.clearForgetful();
    if (ready.sync !== null) this.#wantedSync = ready.sync;
    for (const message of ready.messages) transport.send(message.to.nodeId, group, message, []);
    if (ready.commit !== null) this.#onCommit(ready.commit);
    for (const event of ready.events) this.#emit(event);
  }

  #write(ready: Ready): void {
    try {
      for (const write of ready.writes) this.#writer.write(write);
    } catch (error) {
      if (!isDiskFull(error)) throw error;
      this.#onFull();
      this.#raft.writesFailed(this.#log.logEnd);
    }
  }

  /** Starts (or, for cached batches, ends) the sync that is wanted; true when a Ready may follow. */
  #startSync(): boolean {
    const token = this.#wantedSync;
    if (token === null) return false;
    const isCached = !token.needsWal && this.#options.durability() === 'cached';
    if (isCached) {
      // In the page cache is good enough: nobody waits, but the log still notes what was promised.
      this.#onSynced(token);
      this.#wantedSync = null;
      if (this.#syncsRunning > 0) return true;
    }
    if (this.#syncsRunning >= SYNCS_MAX) return false;
    this.#wantedSync = null;
    this.#syncsRunning++;
    this.#log.syncTo((error) => {
      this.#syncsRunning--;
      if (this.#isClosed || this.#failure !== null) return;
      if (error !== null) this.#fail(error);
      else if (!isCached) this.#guard(() => this.#onSynced(token));
      this.#markDirty();
    });
    return true;
  }

  #onSynced(token: SyncToken): void {
    const before = this.#raft.syncedEnd.offset;
    this.#raft.synced(token);
    if (this.#raft.syncedEnd.offset > before) this.#options.events.onSynced?.();
  }

  #onCommit(commit: Position): void {
    const before = this.#applied;
    assert(comparePositions(before, commit) < 0, 'commit never goes back', { before, commit });
    this.#applied = commit;
    const { events } = this.#options;
    if (commit.marks > before.marks) {
      for (const mark of this.#log.marksBetween(before, commit)) events.onMarkCommitted(mark);
    }
    if (commit.offset > before.offset) events.onCommitted(commit.offset);
  }

  #onAppendError(error: unknown): Error {
    if (isDiskFull(error)) {
      this.#onFull();
      return new LograftError('STORAGE_FULL', 'the disk is full', undefined, { cause: error });
    }
    const failure = error instanceof Error ? error : new Error(String(error));
    this.#fail(failure);
    return new LograftError('STORAGE_FAILED', failure.message, undefined, { cause: error });
  }

  /** Somebody with space should lead; who votes and what is promised does not change. */
  #onFull(): void {
    const nowMs = this.#options.clock.monotonicMs();
    if (nowMs < this.#fullUntilMs) return;
    this.#fullUntilMs = nowMs + FULL_MS;
    this.#emit({ kind: 'storage-full' });
    this.transferLeadership();
  }

  #settleConfirmations(): void {
    const isLost = this.#failure !== null || this.#isClosed || this.#raft.role !== 'leader';
    this.#confirmations.settle(isLost ? null : this.#raft.confirmedRound, this.#raft.term);
  }

  #roleNow(): Leading {
    const { role, leaderId, leaderEpoch, isServing } = this;
    return { role, leaderId, leaderEpoch, isServing };
  }

  #tellRole(): void {
    const { role, leaderId, leaderEpoch, isServing } = this.#told;
    const isSame =
      role === this.role &&
      leaderId === this.leaderId &&
      leaderEpoch === this.leaderEpoch &&
      isServing === this.isServing;
    if (isSame) return;
    this.#told = this.#roleNow();
    this.#options.events.onRole();
  }

  #markDirty(): void {
    if (this.#isDirty || this.#isClosed || this.#failure !== null) return;
    this.#isDirty = true;
    this.#options.events.onDirty();
  }

  #emit(event: RaftEvent | ReplicaEvent): void {
    this.#options.events.onEvent?.(event);
  }

  /** A broken invariant or a failed disk ends this replica and leaves the node alone. */
  #guard(work: () => void): void {
    if (this.#failure !== null) return;
    try {
      work();
    } catch (error) {
      this.#fail(error instanceof Error ? error : new Error(String(error)));
    }
  }

  #fail(error: Error): void {
    if (this.#failure !== null || this.#isClosed) return;
    this.#failure = error;
    this.#settleConfirmations();
    this.#tellRole();
    this.#options.events.onFailed(error);
  }
}

/**
 * Term and vote as the write-ahead log has them. When it lost them (a finding of recovery), nothing
 * may be voted in the newest epoch of the log again.
 */
function recoveredHardState(options: ReplicaOptions): HardState | null {
  const { wal, group, log, self } = options;
  const stored = wal.hardState(group);
  const lastEpoch = log.epochs.at(-1)?.epoch ?? -1;
  if (stored !== null && stored.term >= lastEpoch) return stored;
  return lastEpoch === -1 ? stored : { term: lastEpoch, votedFor: self };
}

/** The voter that would lose least by leading. */
function bestFollower(followers: readonly FollowerStatus[]): NodeId | null {
  let best: FollowerStatus | null = null;
  for (const follower of followers) {
    if (!follower.isVoter || follower.isForgetful || follower.state !== 'replicate') continue;
    if (best === null || comparePositions(follower.match, best.match) > 0) best = follower;
  }
  return best?.id.nodeId ?? null;
}

function isDiskFull(error: unknown): boolean {
  const code = (error as { code?: unknown } | null)?.code;
  return code === 'ENOSPC' || code === 'EDQUOT' || code === 'STORAGE_FULL';
}
