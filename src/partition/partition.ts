/**
 * One partition on its shard: validates what clients send, appends it through Raft, and answers
 * from the watermarks. Promise: `logStartOffset <= highWatermark <= logEndOffset`, nothing above
 * the high watermark is served, and every waiter is answered exactly once. Shard thread, no locks.
 */
import { assert } from '../base/assert.js';
import type { Clock } from '../base/clock.js';
import { LograftError } from '../base/errors.js';
import type { GroupKey } from '../base/group.js';
import type { Mark } from '../base/mark.js';
import { PARTITION_POLLS_MAX, PARTITION_PRODUCES_MAX } from '../base/limits.js';
import type { Mutant } from '../base/mutant.js';
import type { LeaderEpoch, MonotonicMs, Offset, WallMs } from '../base/units.js';
import type { Disk } from '../log/disk.js';
import type { PartitionLog } from '../log/partition-log.js';
import type { Replica } from '../replication/replica.js';
import {
  type EpochEndAnswer,
  type Extent,
  type ExtentRequest,
  type FetchOutcome,
  type FetchRequest,
  type OffsetAnswer,
  type OffsetQuestion,
  type PartitionAccess,
  type PartitionError,
  type PartitionFacts,
  type ProduceOptions,
  type ProduceOutcome,
  produceFailure,
} from './access.js';
import { AckWaiters } from './ack-waiters.js';
import {
  type AppendRules,
  checkIncoming,
  type IncomingBatch,
  isRejection,
} from './incoming-batch.js';
import type { PartitionMeter } from './partition-meter.js';
import { producerBatchOf, replayProducers } from './producer-recovery.js';
import { PartitionReads } from './partition-reads.js';
import type { ProducerState } from './producer-state.js';
import { appendErrorOf } from './storage-code.js';
import { Waiters } from './waiters.js';

export type PartitionOptions = {
  readonly group: GroupKey;
  readonly topic: string;
  readonly isInternal: boolean;
  readonly disk: Disk;
  readonly log: PartitionLog;
  readonly replica: Replica;
  readonly producers: ProducerState;
  readonly clock: Clock;
  readonly meter: PartitionMeter;
  readonly rules: AppendRules;
  readonly minInSync: number;
  /** True while the disk is below its low-water mark: nothing new is taken. */
  readonly isDiskFull: () => boolean;
  /** Tests only. */
  readonly mutant?: Mutant | undefined;
};

type Done = (outcome: ProduceOutcome) => void;

/** Where a batch is in the log. A duplicate's time of append is not remembered: -1. */
type Appended = {
  readonly baseOffset: Offset;
  readonly lastOffset: Offset;
  readonly logAppendTimeMs: WallMs;
};

export class Partition implements PartitionAccess {
  readonly group: GroupKey;
  readonly topic: string;
  readonly isInternal: boolean;
  readonly log: PartitionLog;
  readonly replica: Replica;
  readonly producers: ProducerState;
  readonly #disk: Disk;
  readonly #clock: Clock;
  readonly #meter: PartitionMeter;
  readonly #isDiskFull: () => boolean;
  readonly #mutant: Mutant | undefined;
  readonly #acks: AckWaiters;
  readonly #polls = new Waiters();
  readonly #reads: PartitionReads;
  #rules: AppendRules;
  #minInSync: number;
  #failure: string | null = null;
  /** Committed, but the disk had no room to say so. */
  #logStartDue: Offset | null = null;

  constructor(options: PartitionOptions) {
    this.group = options.group;
    this.topic = options.topic;
    this.isInternal = options.isInternal;
    this.log = options.log;
    this.replica = options.replica;
    this.producers = options.producers;
    this.#disk = options.disk;
    this.#clock = options.clock;
    this.#meter = options.meter;
    this.#rules = options.rules;
    this.#minInSync = options.minInSync;
    this.#isDiskFull = options.isDiskFull;
    this.#mutant = options.mutant;
    const { log, replica, mutant } = options;
    this.#acks = new AckWaiters(replica, mutant);
    this.#reads = new PartitionReads({
      log,
      replica,
      mutant,
      hasFailed: () => this.#failure !== null,
    });
  }

  setRules(rules: AppendRules, minInSync: number): void {
    this.#rules = rules;
    this.#minInSync = minInSync;
  }

  // --- produce -----------------------------------------------------------------------------

  produce(
    bytes: Uint8Array,
    start: number,
    length: number,
    options: ProduceOptions,
    done: Done,
  ): void {
    const refusal = this.#refusal(options);
    if (refusal !== null) {
      done(refusal);
      return;
    }
    const nowMs = this.#clock.wallMs();
    const batch = checkIncoming(bytes, start, length, this.#rules, nowMs);
    if (isRejection(batch)) {
      done(produceFailure(batch.error, batch.message));
      return;
    }
    const verdict = this.producers.check(batch);
    if (typeof verdict !== 'string') {
      const { duplicate: baseOffset, lastOffset } = verdict;
      const isEarly = this.#mutant === 'duplicate-before-commit';
      const wanted = isEarly ? { ...options, acks: 0 as const } : options;
      this.#acknowledge({ baseOffset, lastOffset, logAppendTimeMs: -1 }, wanted, done);
      return;
    }
    if (verdict !== 'append') {
      this.#refuseSequence(verdict, batch, done);
      return;
    }
    this.#append(bytes, start, length, batch, options, done);
  }

  /**
   * A client takes these for final, so a deposed leader, who has not seen the newest batches, must
   * not say them: a quorum confirms first that this replica led when it looked.
   */
  #refuseSequence(error: PartitionError, batch: IncomingBatch, done: Done): void {
    const refusal = produceFailure(error, describeSequence(batch));
    this.replica.confirmLeadership((isConfirmed) => {
      done(isConfirmed ? refusal : produceFailure('NOT_LEADER', null));
    });
  }

  /** Why nothing can be appended here now; always before an append, so always definite. */
  #refusal(options: ProduceOptions): ProduceOutcome | null {
    const { replica } = this;
    if (this.#failure !== null) return produceFailure('STORAGE_FAILED', this.#failure);
    if (replica.role !== 'leader') return produceFailure('NOT_LEADER', null);
    if (this.#isDiskFull()) {
      return produceFailure('STORAGE_FULL', 'the disk of the leader is almost full');
    }
    if (this.isInternal && options.isInternal !== true) {
      return produceFailure('INVALID_RECORD', `${this.topic} is written by the broker only`);
    }
    if (this.#acks.size >= PARTITION_PRODUCES_MAX) {
      return produceFailure(
        'NOT_ENOUGH_REPLICAS',
        `${PARTITION_PRODUCES_MAX} produces wait already`,
      );
    }
    if (options.acks === -1 && this.#minInSync > 1) {
      const inSync = replica.inSync().length;
      if (inSync < this.#minInSync) {
        const message = `${inSync} replicas in sync, min.insync.replicas is ${this.#minInSync}`;
        return produceFailure('NOT_ENOUGH_REPLICAS', message);
      }
    }
    return null;
  }

  #append(
    bytes: Uint8Array,
    start: number,
    length: number,
    batch: IncomingBatch,
    options: ProduceOptions,
    done: Done,
  ): void {
    let baseOffset: Offset;
    try {
      baseOffset = this.replica.append(bytes, start, length);
    } catch (error) {
      if (!(error instanceof LograftError)) throw error;
      done(produceFailure(appendErrorOf(error), error.message));
      return;
    }
    const lastOffset = baseOffset + batch.lastOffsetDelta;
    this.#meter.appended(length, baseOffset, lastOffset + 1);
    const logAppendTimeMs = this.#rules.isLogAppendTime ? batch.maxTimestamp : -1;
    this.#acknowledge({ baseOffset, lastOffset, logAppendTimeMs }, options, done);
  }

  /** Second stage: the batch has its place, now its durability decides when the client hears. */
  #acknowledge(
    { baseOffset, lastOffset, logAppendTimeMs }: Appended,
    options: ProduceOptions,
    done: Done,
  ): void {
    const succeed = (): void => {
      done({
        error: null,
        baseOffset,
        logAppendTimeMs,
        logStartOffset: this.log.logStartOffset,
        message: null,
      });
    };
    const reached =
      options.acks === 1 ? this.replica.localSyncedOffset : this.replica.highWatermark;
    if (options.acks === 0 || lastOffset < reached) {
      succeed();
      return;
    }
    const deadlineMs = this.#clock.monotonicMs() + options.timeoutMs;
    this.#acks.add({ acks: options.acks, target: lastOffset + 1, deadlineMs }, (how) => {
      if (how === 'reached') succeed();
      else done(produceFailure(how === 'timed-out' ? 'TIMED_OUT' : 'LEADER_LOST', null));
    });
  }

  // --- reads -------------------------------------------------------------------------------

  fetch(request: FetchRequest, done: (outcome: FetchOutcome) => void): void {
    done(this.#reads.fetch(request));
  }

  /** {@link fetch} for callers on this shard: the answer is known at once. */
  fetchNow(request: FetchRequest): FetchOutcome {
    return this.#reads.fetch(request);
  }

  extent(request: ExtentRequest, done: (extent: Extent) => void): void {
    done(this.#reads.extent(request));
  }

  onAdvance(offset: Offset, wake: () => void): () => void {
    const { role, isServing, highWatermark } = this.replica;
    // Between the look and this call, on another shard for one, things may have moved.
    if (this.#failure !== null || role !== 'leader' || (isServing && highWatermark > offset)) {
      wake();
      return () => {};
    }
    // Too many wait: this one hears nothing and looks again when its time is over.
    if (this.#polls.size >= PARTITION_POLLS_MAX) return () => {};
    return this.#polls.add(offset + 1, Number.POSITIVE_INFINITY, wake);
  }

  offsetFor(
    question: OffsetQuestion,
    currentLeaderEpoch: LeaderEpoch | -1,
    done: (answer: OffsetAnswer) => void,
  ): void {
    this.#reads.offsetFor(question, currentLeaderEpoch, done);
  }

  epochEnd(
    leaderEpoch: LeaderEpoch,
    currentLeaderEpoch: LeaderEpoch | -1,
    done: (answer: EpochEndAnswer) => void,
  ): void {
    done(this.#reads.epochEnd(leaderEpoch, currentLeaderEpoch));
  }

  // --- what Raft tells ---------------------------------------------------------------------

  /** The high watermark rose, or an elected leader began to serve. */
  committed(highWatermark: Offset): void {
    this.#meter.committed(highWatermark);
    this.producers.committed(highWatermark);
    this.#acks.committed(highWatermark);
    this.#polls.advance(highWatermark);
  }

  /** The leader's own disk came further. */
  synced(): void {
    this.#acks.synced(this.replica.localSyncedOffset);
  }

  /** A batch is in the local log, on leader and follower alike. */
  appended(bytes: Uint8Array, start: number, length: number, baseOffset: Offset): void {
    this.producers.applied(producerBatchOf(bytes, start, length), baseOffset);
  }

  /** Batches at or behind `to` are gone; producers are what they were there. */
  truncated(to: Offset): void {
    if (!this.producers.truncated(to)) replayProducers(this.#disk, this.log, this.producers);
  }

  markCommitted(mark: Mark): void {
    if (mark.kind !== 'log-start') return;
    assert(mark.logStartOffset !== undefined, 'a log-start mark says where');
    this.#logStartDue = mark.logStartOffset;
    this.#moveLogStart();
  }

  /** A decision that is committed is carried out, on a full disk as soon as there is room. */
  #moveLogStart(): void {
    const offset = this.#logStartDue;
    if (offset === null) return;
    try {
      this.log.setLogStart(offset);
    } catch (error) {
      if (error instanceof LograftError && error.code === 'STORAGE_FULL') return;
      throw error;
    }
    this.#logStartDue = null;
    this.producers.logStartMoved(offset);
  }

  /** Outside of the replica's own turn: what its disk cannot do stops the partition, no more. */
  #moveLogStartOrFail(): void {
    try {
      this.#moveLogStart();
    } catch (error) {
      if (!(error instanceof LograftError)) throw error;
      this.failed(error.message);
    }
  }

  /** Leadership came or went: nobody may wait here for what another leader will decide. */
  roleChanged(): void {
    if (this.replica.role !== 'leader') {
      this.#meter.lost();
      this.#acks.fail();
    }
    this.#polls.fail();
  }

  /** Storage or an invariant failed: this partition stops, the shard serves on. */
  failed(message: string): void {
    this.#failure ??= message;
    this.#acks.fail();
    this.#polls.fail();
  }

  get failure(): string | null {
    return this.#failure;
  }

  expire(nowMs: MonotonicMs): void {
    this.#acks.expire(nowMs);
    this.#polls.expire(nowMs);
    if (this.#logStartDue !== null && this.#failure === null) this.#moveLogStartOrFail();
  }

  facts(): PartitionFacts {
    const { replica } = this;
    return {
      group: this.group,
      topic: this.topic,
      role: this.#failure === null ? replica.role : 'failed',
      leaderId: replica.leaderId,
      leaderEpoch: replica.leaderEpoch,
      isServing: replica.isServing,
      inSync: replica.inSync(),
      logStartOffset: this.log.logStartOffset,
      highWatermark: replica.highWatermark,
      logEndOffset: this.log.logEnd.offset,
      logBytes: this.log.sizeBytes,
      openProduces: this.#acks.size,
      openPolls: this.#polls.size,
      failure: this.#failure,
    };
  }
}

function describeSequence(batch: IncomingBatch): string {
  const { producerId, producerEpoch, baseSequence } = batch;
  return `producer ${producerId} epoch ${producerEpoch} sent sequence ${baseSequence}`;
}
