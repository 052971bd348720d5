/**
 * One replica's log: segments, indexes, marks and epoch history behind one writer. It knows nothing
 * of Raft. Promises: `logStart <= logEnd`; when `done` of {@link PartitionLog.syncTo} says a
 * position, everything before it survives what the topic's durability names (a power cut, or the
 * end of the process); after a failed sync nothing is taken any more. Thread: the shard's; appends
 * and reads are synchronous.
 *
 *   appendBatch ─▶ active segment (page cache) ─┐
 *   appendMark, truncateTo ─▶ WAL (buffered) ───┴▶ syncTo: one sync for segment, folder and WAL
 */
import { assert } from '../base/assert.js';
import type { Clock } from '../base/clock.js';
import { LograftError } from '../base/errors.js';
import type { GroupKey } from '../base/group.js';
import { readInt64 } from '../base/int64.js';
import type { Mark } from '../base/mark.js';
import {
  type EpochEntry,
  type Position,
  comparePositions,
  formatPosition,
  isSamePosition,
} from '../base/position.js';
import type { LeaderEpoch, Offset, TopicId, WallMs } from '../base/units.js';
import type { Decompress } from '../records/records.js';
import { Checkpointer } from './checkpointer.js';
import type { Disk } from './disk.js';
import { epochEnd, epochEndingAt } from './epoch-history.js';
import { FileCache } from './file-cache.js';
import { writeEpochCheckpoint } from './kafka-files.js';
import type { LogConfig } from './log-config.js';
import { LogReader, type LogView } from './log-reader.js';
import type {
  AppendHeader,
  LogRange,
  LogSlice,
  RecoveryFinding,
  ReplicaOp,
  TimestampOffset,
} from './log-types.js';
import { RecentBatches } from './recent-batches.js';
import { recoverReplica } from './recovery.js';
import { type Checkpoint, type ReplicaState, applyOp } from './replica-state.js';
import { proposeLogStart } from './retention.js';
import type { SegmentHome } from './segment.js';
import { SegmentList } from './segment-list.js';
import { asStorageError, storageError } from './storage-error.js';
import { type SyncDone, SyncLedger } from './sync-ledger.js';
import type { Wal } from './wal.js';

export type PartitionLogOptions = {
  readonly disk: Disk;
  /** The partition's own folder, `<dataDir>/<topic>-<partition>`; made when absent. */
  readonly directory: string;
  readonly topicId: TopicId;
  readonly partition: number;
  readonly config: LogConfig;
  readonly wal: Wal;
  readonly clock: Clock;
  /** The broker ended in good order last time: nothing is scanned. */
  readonly isCleanStop: boolean;
  /** Another boot or mount than last time: what was not synced may be gone. */
  readonly isPageCacheLost: boolean;
  /** Shared by the logs of a shard, so that the bound on open files is theirs together. */
  readonly files?: FileCache;
  /** For searches by time in compressed batches; without it they answer with whole batches. */
  readonly decompress?: Decompress;
};

/** Operations in the write-ahead log above which a replica writes a checkpoint. */
const OPS_MAX = 64;

export class PartitionLog {
  readonly topicId: TopicId;
  readonly partition: number;
  readonly directory: string;
  /** What recovery met when the log was opened. */
  readonly findings: readonly RecoveryFinding[];
  readonly #group: GroupKey;
  readonly #home: SegmentHome;
  readonly #wal: Wal;
  readonly #state: ReplicaState;
  readonly #segments: SegmentList;
  readonly #recent = new RecentBatches();
  readonly #reader: LogReader;
  readonly #ledger: SyncLedger;
  readonly #checkpointer: Checkpointer;
  #config: LogConfig;
  /** Place behind the last entry. Invariant: offset is the segments' end, marks the state's. */
  #logEnd: Position;
  /** Highest promise that the checkpoint on disk holds. */
  #checkpointPromise: Offset;
  /** True when the folder says less than memory does: a clean close has something to write. */
  #isChanged: boolean;
  /**
   * Log-start marks that are not durable yet. A batch behind one must not reach the disk before it:
   * by its epoch nobody could tell that a mark is missing, and every position behind would be wrong.
   */
  #hiddenMarks = 0;
  /** False when leader-epoch-checkpoint lacks the newest epoch. */
  #isEpochFileCurrent = false;
  #failure: LograftError | null = null;
  #isClosed = false;

  /** Opens a replica's folder and recovers it; DIRECTORY_FOREIGN when it is another topic's. */
  static open(options: PartitionLogOptions): PartitionLog {
    const files = options.files ?? new FileCache(options.disk, options.clock);
    try {
      return new PartitionLog(options, files);
    } catch (error) {
      files.closeUnder(options.directory);
      throw asStorageError(error, `open ${options.directory}`);
    }
  }

  private constructor(options: PartitionLogOptions, files: FileCache) {
    const { disk, wal, topicId, partition, directory } = options;
    this.topicId = topicId;
    this.partition = partition;
    this.directory = directory;
    this.#group = { topicId, partition };
    this.#wal = wal;
    this.#config = options.config;
    this.#home = { disk, files, directory };
    const recovered = recoverReplica({ ...options, home: this.#home, group: this.#group });
    this.findings = recovered.findings;
    this.#state = recovered.state;
    this.#checkpointPromise = recovered.checkpointPromise;
    this.#isChanged = !recovered.isClean;
    this.#segments = new SegmentList(this.#home, recovered.segments);
    this.#logEnd = { offset: this.#segments.endOffset, marks: this.#state.endMarks };
    this.#reader = new LogReader(this.#makeView(), options.decompress);
    this.#checkpointer = this.#makeCheckpointer();
    this.#ledger = new SyncLedger({
      disk,
      wal,
      group: this.#group,
      state: this.#state,
      segments: this.#segments,
      synced: recovered.synced,
      failed: (error) => this.#fail(error),
    });
    this.#isEpochFileCurrent = recovered.isClean;
    this.#writeEpochFile();
  }

  get config(): LogConfig {
    return this.#config;
  }

  /** First offset that a client may read; it may lie inside a batch. */
  get logStartOffset(): Offset {
    return this.#state.logStartOffset;
  }

  /** Place before the first entry kept: a batch boundary at or before `logStartOffset`. */
  get logStart(): Position {
    return this.#state.start;
  }

  get logEnd(): Position {
    return this.#logEnd;
  }

  /** Everything before this was made durable, as the topic defines it. */
  get synced(): Position {
    return this.#ledger.synced;
  }

  /** The last epoch that starts before {@link logStart}, and all later ones. */
  get epochs(): readonly EpochEntry[] {
    return this.#state.epochs;
  }

  /** Recovery had to cut what may have been acknowledged, or the page cache is gone. */
  get isForgetful(): boolean {
    return this.#state.isForgetful;
  }

  get sizeBytes(): number {
    return this.#segments.sizeBytes;
  }

  /** Why this log takes nothing more, or null. */
  get failure(): LograftError | null {
    return this.#failure ?? this.#wal.failure;
  }

  setConfig(config: LogConfig): void {
    this.#config = config;
  }

  epochEndingAt(p: Position): LeaderEpoch {
    return epochEndingAt(this.#state.epochs, p);
  }

  epochEnd(epoch: LeaderEpoch): { readonly epoch: LeaderEpoch; readonly endOffset: Offset } {
    return epochEnd(this.#state.epochs, epoch, this.#logEnd.offset);
  }

  marksBetween(from: Position, to: Position): Mark[] {
    return this.#reader.marksBetween(from, to);
  }

  /**
   * Appends one validated batch, whose base offset and epoch are stamped, to the page cache. Throws
   * STORAGE_FULL with the log as it was, STORAGE_FAILED when the log is of no use any more.
   */
  appendBatch(bytes: Uint8Array, start: number, length: number, header: AppendHeader): void {
    this.#mustTake();
    const { offset, marks } = this.#logEnd;
    const { leaderEpoch, lastOffsetDelta, maxTimestamp } = header;
    assert(readInt64(bytes, start) === offset, 'a batch begins where the log ends', {
      baseOffset: readInt64(bytes, start),
      logEndOffset: offset,
    });
    assert(leaderEpoch === this.#state.epochs.at(-1)?.epoch, 'a batch has the newest epoch', {
      leaderEpoch,
      newest: this.#state.epochs.at(-1)?.epoch,
    });
    const nextOffset = offset + lastOffsetDelta + 1;
    this.#isChanged = true;
    try {
      if (this.#hiddenMarks > 0) this.#wal.flushNow();
      if (this.#segments.mustRoll(length, nextOffset, maxTimestamp, this.#config)) this.#roll();
      const { active } = this.#segments;
      active.write(bytes, start, length);
      this.#recent.push(offset, active.sizeBytes);
      active.accept(length, nextOffset, maxTimestamp, this.#config.indexIntervalBytes);
    } catch (error) {
      throw this.#storageError(error, 'append');
    }
    this.#logEnd = { offset: nextOffset, marks };
    if (!this.#isEpochFileCurrent) this.#writeEpochFile();
  }

  /** Appends a mark at the log's end; it is durable with {@link syncTo} or a flush of the WAL. */
  appendMark(mark: Mark): void {
    this.#mustTake();
    assert(isSamePosition(mark.at, this.#logEnd), 'a mark lies at the log end', {
      at: mark.at,
      logEnd: this.#logEnd,
    });
    this.#apply({ kind: 'mark', mark });
    if (mark.kind === 'epoch-start') this.#isEpochFileCurrent = false;
    else this.#hideMark();
    this.#logEnd = { offset: this.#logEnd.offset, marks: this.#state.endMarks };
  }

  /**
   * Removes everything at and behind `p`, a place between two entries. Blocks for a sync only when
   * the removed bytes had been promised durably, or a log-start mark goes with them.
   */
  truncateTo(p: Position): void {
    this.#mustTake();
    const isInside =
      comparePositions(p, this.#state.start) >= 0 && comparePositions(p, this.#logEnd) <= 0;
    assert(isInside, 'truncation inside the log', { to: p, logEnd: this.#logEnd });
    if (isSamePosition(p, this.#logEnd)) return;
    assert(this.#reader.baseOffsetOf(p.offset) === p.offset, 'truncation between batches', {
      to: p,
    });
    this.#guard('truncate', () => {
      const removed = this.#reader.marksBetween(p, this.#logEnd);
      if (removed.some(({ kind }) => kind === 'log-start')) this.#cutFilesFirst(p);
      const evidence = Math.max(this.#checkpointPromise, this.#wal.promisedOffset(this.#group));
      this.#apply({ kind: 'truncate', to: p });
      if (evidence > p.offset) this.#wal.flushNow();
      this.#cutFiles(p);
    });
    this.#logEnd = p;
    this.#ledger.truncateTo(p);
    this.#isEpochFileCurrent = false;
  }

  /** Drops everything: the log starts, empty, at `p` with that history. Blocks; rare. */
  resetTo(p: Position, epochs: readonly EpochEntry[]): void {
    this.#mustTake();
    this.#guard('reset', () => {
      this.#apply({ kind: 'reset', to: p, epochs });
      this.#wal.flushNow();
      this.#recent.clear();
      this.#segments.resetTo(p.offset);
      this.#logEnd = p;
      this.#ledger.resetTo(p);
      this.#checkpointer.writeNow();
    });
    this.#isEpochFileCurrent = false;
  }

  /**
   * Makes everything appended so far durable; with `cached` durability only marks and truncations
   * are synced. Calls share syncs. `done` may run before this returns, when nothing is left to do;
   * it says how far the log is durable now. After an error the log takes nothing more.
   */
  syncTo(done: SyncDone): void {
    const { failure } = this;
    if (failure !== null) return done(failure, this.#ledger.synced);
    this.#ledger.sync(this.#logEnd, this.#config.durability === 'synced', done);
  }

  /**
   * Whole batches of one segment from the one that holds `offset`, below `endOffset`; the first one
   * even when it is larger than `maxBytes`. Null when `endOffset` is reached.
   */
  locate(offset: Offset, maxBytes: number, endOffset: Offset): LogRange | null {
    return this.#reading(() => this.#reader.locate(offset, maxBytes, endOffset));
  }

  /** What lies between two places, in order, as marks and ranges of one epoch each. */
  slicesBetween(from: Position, to: Position, maxBytes: number): LogSlice[] {
    return this.#reading(() => this.#reader.slicesBetween(from, to, maxBytes));
  }

  /** The first record at or after a time, below `endOffset`. */
  offsetForTimestamp(
    timestamp: WallMs,
    endOffset: Offset = this.#logEnd.offset,
  ): TimestampOffset | null {
    return this.#reading(() => this.#reader.offsetForTimestamp(timestamp, endOffset));
  }

  /** The record with the largest timestamp, below `endOffset`. */
  maxTimestamp(endOffset: Offset = this.#logEnd.offset): TimestampOffset | null {
    return this.#reading(() => this.#reader.maxTimestamp(endOffset));
  }

  /** The log start that retention would like, or null. Changes nothing. */
  applyRetention(nowMs: WallMs, highWatermark: Offset): Offset | null {
    const { logStartOffset } = this.#state;
    const segments = this.#segments.all.filter(({ nextOffset }) => nextOffset > logStartOffset);
    return proposeLogStart(segments, this.#config, nowMs, highWatermark);
  }

  /**
   * Everything below `offset` is gone for clients; whole segments below it are unlinked as soon as
   * that is durable. A lower offset than the present one changes nothing.
   */
  setLogStart(offset: Offset): void {
    this.#mustTake();
    if (offset <= this.#state.logStartOffset) return;
    assert(offset <= this.#logEnd.offset, 'the log start lies in the log', {
      offset,
      logEndOffset: this.#logEnd.offset,
    });
    this.#guard('move the log start', () => {
      if (offset === this.#logEnd.offset && !this.#segments.active.isEmpty) this.#roll();
      const start = this.#placeBefore(this.#reader.baseOffsetOf(offset));
      this.#apply({ kind: 'log-start', logStartOffset: offset, start });
      this.#isEpochFileCurrent = false;
      this.#wal.flush((error) => {
        if (error !== null || this.#isClosed) return;
        this.#guard('unlink segments', () => this.#segments.dropBelow(start.offset));
      });
    });
  }

  /** The metadata group has a snapshot up to here. */
  trimTo(offset: Offset): void {
    this.setLogStart(offset);
  }

  /** Recovery ended: a leader that was elected without this replica has brought it up to date. */
  clearForgetful(): void {
    if (this.#state.isForgetful) this.#apply({ kind: 'forgetful', isForgetful: false });
  }

  /** Now and then, and by itself after many marks: bounds what recovery has to replay and scan. */
  checkpoint(): void {
    if (this.failure !== null || this.#isClosed || !this.#isChanged) return;
    this.#guard('checkpoint', () => this.#segments.active.flushIndexes());
    this.#writeEpochFile();
    this.#checkpointer.write();
  }

  /** Syncs everything, blocking, and says so in the folder: the next open scans nothing. */
  closeCleanly(): void {
    if (this.#isClosed) return;
    if (this.failure === null && this.#isChanged) {
      this.#guard('close', () => {
        this.#segments.active.flushIndexes(true);
        this.#writeEpochFile();
        this.#wal.flushNow();
        this.#ledger.syncNow(this.#logEnd);
        this.#isClosed = true;
        this.#checkpointer.writeNow();
      });
    }
    this.closeAbruptly();
  }

  /** Closes the files and does nothing else, as the end of the process would. */
  closeAbruptly(): void {
    this.#isClosed = true;
    this.#failure ??= new LograftError('CLOSED', `the log ${this.directory} is closed`);
    this.#checkpointer.close();
    this.#ledger.close();
    this.#home.files.closeUnder(this.directory);
  }

  #roll(): void {
    const sealed = this.#segments.roll(this.#logEnd.offset);
    this.#recent.clear();
    if (this.#config.durability === 'synced') return this.#checkpointer.write();
    // Nobody waits for it, but it lets recovery believe the segment.
    this.#ledger.syncLater(sealed, () => this.#checkpointer.write());
  }

  #hideMark(): void {
    this.#hiddenMarks += 1;
    this.#wal.flush((error) => {
      if (error === null) this.#hiddenMarks -= 1;
    });
  }

  #cutFiles(p: Position): void {
    if (p.offset >= this.#segments.endOffset) return;
    this.#recent.clear();
    this.#segments.truncateTo(p.offset, this.#config.indexIntervalBytes);
  }

  /**
   * Batches that come back after a power cut tell by their epoch that a mark before them is gone,
   * unless that mark did not change the epoch. So then they must be gone first, durably.
   */
  #cutFilesFirst(p: Position): void {
    this.#apply({ kind: 'unpromise', offset: p.offset });
    this.#wal.flushNow();
    this.#cutFiles(p);
    this.#ledger.syncSegmentsNow();
  }

  #apply(op: ReplicaOp): void {
    this.#isChanged = true;
    this.#wal.append(this.#group, op);
    applyOp(this.#state, op);
    if (this.#wal.ops(this.#group).length > OPS_MAX) this.#checkpointer.write();
  }

  /** The place before the first entry at `offset`. */
  #placeBefore(offset: Offset): Position {
    const { marks, endMarks } = this.#state;
    let behind = 0;
    while (behind < marks.length && (marks.at(-1 - behind) as Mark).at.offset >= offset) behind++;
    return { offset, marks: endMarks - behind };
  }

  #makeView(): LogView {
    const log = this;
    return {
      home: this.#home,
      segments: this.#segments.all,
      state: this.#state,
      recent: this.#recent,
      get logEnd() {
        return log.#logEnd;
      },
      get indexIntervalBytes() {
        return log.#config.indexIntervalBytes;
      },
    };
  }

  #makeCheckpointer(): Checkpointer {
    const { disk } = this.#home;
    return new Checkpointer({
      disk,
      directory: this.directory,
      capture: () => this.#captureCheckpoint(),
      filesFirst: () => this.#segments.unsyncedCuts(),
      written: ({ state, closed }) => {
        this.#checkpointPromise = state.promisedOffset;
        this.#wal.dropOps(this.#group, state.opSequence);
        if (closed !== null) this.#isChanged = false;
      },
      failed: (error) => this.#fail(error),
    });
  }

  #captureCheckpoint(): Checkpoint {
    const state = { ...this.#state, opSequence: this.#wal.sequence(this.#group) };
    const closed = this.#isClosed ? { logEndOffset: this.#logEnd.offset } : null;
    return { topicId: this.topicId, state, segments: this.#segments.summary(), closed };
  }

  /** Derived, for Kafka's tools: when it cannot be written now, the next occasion will do. */
  #writeEpochFile(): void {
    if (this.#isEpochFileCurrent) return;
    try {
      const { epochs, logStartOffset } = this.#state;
      writeEpochCheckpoint(this.#home.disk, this.directory, epochs, logStartOffset);
      this.#isEpochFileCurrent = true;
    } catch (error) {
      const { code } = storageError(error, 'write the epoch checkpoint');
      if (code !== 'STORAGE_FULL') throw this.#fail(error as Error);
    }
  }

  #mustTake(): void {
    const { failure } = this;
    if (failure !== null) throw failure;
  }

  #reading<T>(read: () => T): T {
    if (this.#isClosed) throw this.#failure as LograftError;
    try {
      return read();
    } catch (error) {
      throw asStorageError(error, `read ${this.directory}`);
    }
  }

  /** Runs a change that must happen wholly: when the disk fails in it the log is of no use. */
  #guard(what: string, change: () => void): void {
    try {
      change();
    } catch (error) {
      throw this.#storageError(error, what);
    }
  }

  #storageError(error: unknown, what: string): unknown {
    const failure = asStorageError(error, `${what} at ${formatPosition(this.#logEnd)}`);
    if (!(failure instanceof LograftError)) return failure;
    return failure.code === 'STORAGE_FULL' ? failure : this.#fail(failure);
  }

  #fail(cause: Error): LograftError {
    this.#failure ??= storageError(cause, `the log ${this.directory}`);
    return this.#failure;
  }
}
