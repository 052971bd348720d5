/**
 * One replica of a partition: the driver between the pure Raft core, the log, the shard's WAL and
 * the links to other nodes. Promise: the core's `Ready` is worked off in its order, a sync error
 * ends the replica for good, a broken invariant stops this partition, not the node. Shard thread.
 */
import { assert } from '../base/assert.js';
import { LograftError } from '../base/errors.js';
import type { GroupKey } from '../base/group.js';
import { isSamePosition, type Position } from '../base/position.js';
import {
  LEADER_NONE,
  type LeaderEpoch,
  type MonotonicMs,
  type NodeId,
  type Offset,
} from '../base/units.js';
import type { PartitionLog } from '../log/partition-log.js';
import { stampBatch } from '../native/batch.js';
import type { RaftMessage } from '../raft/messages.js';
import { RaftGroup } from '../raft/raft-group.js';
import type { FollowerStatus, RaftEvent, RaftRole, Ready, SyncToken } from '../raft/ready.js';
import { appendFault } from './append-check.js';
import { Applied } from './applied.js';
import { Confirmations } from './confirmations.js';
import { recoveredHardState } from './hard-state.js';
import { LogWriter } from './log-writer.js';
import { OrderSender } from './order-sender.js';
import type { ReplicaEvent, ReplicaOptions } from './replica-ports.js';
import { RoleTeller } from './role-teller.js';
import { isDiskFull, storageFailure } from './storage-errors.js';
import { Successors } from './successor.js';
import { SyncPump } from './sync-pump.js';

export type {
  PeerTransport,
  ReplicaEvent,
  ReplicaEvents,
  ReplicaOptions,
  ReplicationKnobs,
  StateSnapshots,
} from './replica-ports.js';

/** A replica whose disk is full does not try to lead, and hands over once, in this time. */
const FULL_MS = 3_000;

export class Replica {
  readonly group: GroupKey;
  readonly #options: ReplicaOptions;
  readonly #raft: RaftGroup;
  readonly #log: PartitionLog;
  readonly #writer: LogWriter;
  readonly #sender: OrderSender;
  readonly #syncs: SyncPump;
  #isDirty = false;
  #isClosed = false;
  #isRetiring = false;
  #failure: Error | null = null;
  readonly #confirmations = new Confirmations();
  readonly #applied: Applied;
  #fullUntilMs: MonotonicMs = Number.NEGATIVE_INFINITY;
  readonly #teller: RoleTeller;
  readonly #successors = new Successors();

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
    this.#applied = new Applied(this.#log, options.events, this.#raft.commit);
    this.#writer = new LogWriter(options, this.#applied);
    this.#sender = new OrderSender(this.#raft, options);
    this.#syncs = new SyncPump({
      log: this.#log,
      durability: options.durability,
      mutant: options.mutant,
      onSynced: (token) => this.#onSynced(token),
      onDone: (error, token) => this.#onSyncDone(error, token),
    });
    this.#teller = new RoleTeller(options.events, this.role, this.leaderEpoch);
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
    return this.#failure === null && this.#raft.isServingAt(this.#applied.position);
  }

  get highWatermark(): Offset {
    return this.#applied.position.offset;
  }

  get commitPosition(): Position {
    return this.#applied.position;
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

  /** {@link drain} has work; never after a failure or the end. */
  get isDirty(): boolean {
    return this.#isDirty && this.#failure === null && !this.#isClosed;
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

  /** Asks the group to move the log start; `onMarkCommitted` tells when it may. */
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
    const hasRoom = this.#options.clock.monotonicMs() >= this.#fullUntilMs;
    this.#raft.setMayStand(hasRoom && !this.#isRetiring);
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
    const followers = this.#raft.followers().filter(isIn);
    return [self.nodeId, ...followers.map((f) => f.id.nodeId)];
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

  /**
   * Hands over to `to`, or to the follower that holds most among those that `mayLead`. False when
   * there is nobody.
   */
  transferLeadership(to?: NodeId, mayLead: (nodeId: NodeId) => boolean = () => true): boolean {
    if (this.role !== 'leader') return false;
    const successor = to ?? this.#successors.best(this.#raft.followers(), mayLead);
    if (successor === null || !this.#raft.transferTo(successor)) return false;
    this.#markDirty();
    return true;
  }

  /** The disk has room again: the replica need not wait any longer before it may lead. */
  roomAgain(): void {
    this.#fullUntilMs = Number.NEGATIVE_INFINITY;
  }

  /** Leads no more, whether or not anybody has caught up, and lets the others stand first. */
  stepAside(): void {
    if (this.role !== 'leader') return;
    this.#fullUntilMs = this.#options.clock.monotonicMs() + FULL_MS;
    this.#raft.setMayStand(false);
    this.#raft.stepDown();
    this.#markDirty();
  }

  /** This node is about to close: the replica votes and follows on, but does not lead again. */
  retire(): void {
    this.#isRetiring = true;
    this.#raft.setMayStand(false);
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
      else if (!this.#syncs.start()) return;
    }
  }

  /** One Ready, in the order of its contract. */
  #work(ready: Ready): void {
    const { wal, group, transport } = this.#options;
    if (ready.hardState !== null) wal.setHardState(group, ready.hardState);
    if (ready.writes.length > 0) this.#write(ready);
    if (ready.hasRemembered) this.#log.clearForgetful();
    if (ready.sync !== null) this.#syncs.want(ready.sync);
    for (const message of ready.messages) transport.send(message.to.nodeId, group, message, []);
    if (ready.commit !== null) this.#applied.advance(ready.commit);
    for (const event of ready.events) this.#emit(event);
  }

  #write(ready: Ready): void {
    try {
      for (const write of ready.writes) this.#writer.write(write);
    } catch (error) {
      if (!isDiskFull(error)) throw error;
      this.#onFull();
      this.#raft.writesFailed(this.#log.logStart, this.#log.logEnd);
    }
  }

  /** A sync that was waited for has ended, most likely outside of a turn. */
  #onSyncDone(error: Error | null, token: SyncToken | null): void {
    if (this.#isClosed || this.#failure !== null) return;
    if (error !== null) this.#fail(storageFailure(error));
    else if (token !== null) this.#guard(() => this.#onSynced(token));
    this.#markDirty();
  }

  #onSynced(token: SyncToken): void {
    const before = this.#raft.syncedEnd.offset;
    this.#raft.synced(token);
    if (this.#raft.syncedEnd.offset > before) this.#options.events.onSynced?.();
  }

  #onAppendError(error: unknown): Error {
    if (isDiskFull(error)) {
      this.#onFull();
      return new LograftError('STORAGE_FULL', 'the disk is full', undefined, { cause: error });
    }
    const failure = storageFailure(error);
    this.#fail(failure);
    return failure;
  }

  /** Somebody with space should lead; who votes and what is promised does not change. */
  #onFull(): void {
    const nowMs = this.#options.clock.monotonicMs();
    if (nowMs < this.#fullUntilMs) return;
    this.#fullUntilMs = nowMs + FULL_MS;
    this.#emit({ kind: 'storage-full' });
    this.transferLeadership(undefined, this.#options.hasRoom);
  }

  #settleConfirmations(): void {
    if (this.#confirmations.isEmpty) return;
    const isLost = this.#failure !== null || this.#isClosed || this.#raft.role !== 'leader';
    this.#confirmations.settle(isLost ? null : this.#raft.confirmedRound, this.#raft.term);
  }

  #tellRole(): void {
    this.#teller.tell(this.role, this.leaderId, this.leaderEpoch, this.isServing);
  }

  #markDirty(): void {
    if (this.#isDirty || this.#isClosed || this.#failure !== null) return;
    this.#isDirty = true;
    this.#options.events.onDirty();
  }

  #emit(event: RaftEvent | ReplicaEvent): void {
    this.#successors.note(event);
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
