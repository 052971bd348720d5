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
import type { LograftError } from '../base/errors.js';
import type { GroupKey } from '../base/group.js';
import { readInt64 } from '../base/int64.js';
import type { Mark } from '../base/mark.js';
import {
  type EpochEntry,
  type Position,
  comparePositions,
  isSamePosition,
} from '../base/position.js';
import type { LeaderEpoch, Offset, TopicId, WallMs } from '../base/units.js';
import { epochEnd, epochEndingAt } from './epoch-history.js';
import { FileCache } from './file-cache.js';
import type { LogConfig } from './log-config.js';
import { LogHealth } from './log-health.js';
import { LogReader, type LogView } from './log-reader.js';
import { LogScrub } from './log-scrub.js';
import type {
  AppendHeader,
  LogExtent,
  LogRange,
  LogSlice,
  RecoveryFinding,
  ReplicaOp,
  TimestampOffset,
} from './log-types.js';
import type { PartitionLogOptions } from './partition-log-options.js';
import { RecentBatches } from './recent-batches.js';
import { recoverReplica } from './recovery.js';
import { ReplicaFolder } from './replica-folder.js';
import { type ReplicaState, applyOp, placeBefore } from './replica-state.js';
import { proposeLogStart } from './retention.js';
import type { SegmentHome } from './segment-home.js';
import { SegmentList } from './segment-list.js';
import { asStorageError } from './storage-error.js';
import { type SyncDone, SyncLedger } from './sync-ledger.js';
import type { Wal } from './wal.js';

/** Operations in the write-ahead log above which a replica writes a checkpoint. */
const OPS_MAX = 64;

export class PartitionLog {
  readonly topicId: TopicId;
  readonly partition: number;
  readonly directory: string;
  /** What recovery met when the log was opened. */
  readonly findings: readonly RecoveryFinding[];
  /** For its owner to drive: looks for damage in what was there when its pass began. */
  readonly scrub: LogScrub;
  readonly #group: GroupKey;
  readonly #home: SegmentHome;
  readonly #wal: Wal;
  readonly #state: ReplicaState;
  readonly #segments: SegmentList;
  readonly #recent = new RecentBatches();
  readonly #reader: LogReader;
  readonly #ledger: SyncLedger;
  readonly #health: LogHealth;
  readonly #folder: ReplicaFolder;
  #config: LogConfig;
  /** Place behind the last entry. Invariant: offset is the segments' end, marks the state's. */
  #logEnd: Position;
  /**
   * Log-start marks that are not durable yet. A batch behind one must not reach the disk before it:
   * its epoch would not tell that a mark is missing, and every position behind would be wrong.
   */
  #hiddenMarks = 0;

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
    const { disk, wal, clock, topicId, partition, directory } = options;
    this.topicId = topicId;
    this.partition = partition;
    this.directory = directory;
    this.#group = { topicId, partition };
    this.#wal = wal;
    this.#config = options.config;
    this.#home = { disk, files, directory, mutant: options.mutant };
    this.#health = new LogHealth(directory);
    const recovered = recoverReplica({ ...options, home: this.#home, group: this.#group });
    this.findings = recovered.findings;
    this.#state = recovered.state;
    this.#segments = new SegmentList(this.#home, recovered.segments);
    this.#logEnd = { offset: this.#segments.endOffset, marks: this.#state.endMarks };
    const view = this.#makeView();
    this.#reader = new LogReader(view, options.decompress);
    this.scrub = new LogScrub(view, this.#health);
    this.#ledger = new SyncLedger({
      ...{ disk, wal, clock },
      group: this.#group,
      state: this.#state,
      segments: this.#segments,
      synced: recovered.synced,
      failed: (error) => this.#health.fail(error),
    });
    this.#folder = new ReplicaFolder({
      home: this.#home,
      group: this.#group,
      wal,
      state: this.#state,
      segments: this.#segments,
      health: this.#health,
      isClean: recovered.isClean,
      promisedOffset: recovered.checkpointPromise,
    });
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

  /** What was appended may not have reached the page cache. */
  get isBehind(): boolean {
    return this.#home.disk.isBehind;
  }

  get sizeBytes(): number {
    return this.#segments.sizeBytes;
  }

  /** Why this log takes nothing more, or null. */
  get failure(): LograftError | null {
    return this.#health.failure ?? this.#wal.failure;
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
    this.#folder.change();
    try {
      if (this.#hiddenMarks > 0) this.#wal.flushNow();
      if (this.#segments.mustRoll(length, nextOffset, maxTimestamp, this.#config)) this.#roll();
      const { active } = this.#segments;
      active.write(bytes, start, length);
      this.#recent.push(offset, active.sizeBytes);
      active.accept(length, nextOffset, maxTimestamp, this.#config.indexIntervalBytes);
    } catch (error) {
      throw this.#health.judge(error, 'append to');
    }
    this.#logEnd = { offset: nextOffset, marks };
    this.#folder.writeEpochs();
  }

  /** Appends a mark at the log's end; it is durable with {@link syncTo} or a flush of the WAL. */
  appendMark(mark: Mark): void {
    this.#mustTake();
    assert(isSamePosition(mark.at, this.#logEnd), 'a mark lies at the log end', {
      at: mark.at,
      logEnd: this.#logEnd,
    });
    this.#apply({ kind: 'mark', mark });
    if (mark.kind === 'epoch-start') this.#folder.changeEpochs();
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
    this.#health.change('truncate', () => {
      const isBetween = this.#reader.baseOffsetOf(p.offset) === p.offset;
      assert(isBetween, 'truncation between batches', { to: p });
      const removed = this.#reader.marksBetween(p, this.#logEnd);
      if (removed.some(({ kind }) => kind === 'log-start')) this.#cutFilesFirst(p);
      const evidence = Math.max(this.#folder.promisedOffset, this.#wal.promisedOffset(this.#group));
      this.#apply({ kind: 'truncate', to: p });
      if (evidence > p.offset) this.#wal.flushNow();
      this.#cutFiles(p);
    });
    this.#logEnd = p;
    this.#ledger.truncateTo(p);
    this.#folder.changeEpochs();
  }

  /** Drops everything: the log starts, empty, at `p` with that history. Blocks; rare. */
  resetTo(p: Position, epochs: readonly EpochEntry[]): void {
    this.#mustTake();
    this.#health.change('reset', () => {
      this.#apply({ kind: 'reset', to: p, epochs });
      this.#wal.flushNow();
      this.#recent.clear();
      this.#segments.resetTo(p.offset);
      this.#logEnd = p;
      this.#ledger.resetTo(p);
      this.#folder.checkpointNow();
    });
    this.#folder.changeEpochs();
  }

  /**
   * Makes everything appended so far durable; with `cached` durability only marks and truncations
   * are synced, and batches while any of them may not even be in the page cache. Calls share syncs.
   * `done` may run before this returns, when nothing is left to do; it says how far the log is
   * durable now. After an error the log takes nothing more.
   */
  syncTo(done: SyncDone): void {
    const { failure } = this;
    if (failure !== null) return done(failure, this.#ledger.synced);
    this.#ledger.sync(this.#logEnd, this.#config.durability === 'synced' || this.isBehind, done);
  }

  /**
   * Whole batches of one segment from the one that holds `offset`, below `endOffset`; the first one
   * even when it is larger than `maxBytes`. Null when `endOffset` is reached.
   */
  locate(offset: Offset, maxBytes: number, endOffset: Offset): LogRange | null {
    return this.#health.read(() => this.#reader.locate(offset, maxBytes, endOffset));
  }

  /** From the batch that holds `offset` to the last one that ends at or before `endOffset`. */
  extent(offset: Offset, endOffset: Offset): LogExtent {
    return this.#health.read(() => this.#reader.extent(offset, endOffset));
  }

  /** What lies between two places, in order, as marks and ranges of one epoch each. */
  slicesBetween(from: Position, to: Position, maxBytes: number): LogSlice[] {
    return this.#health.read(() => this.#reader.slicesBetween(from, to, maxBytes));
  }

  /** The first record at or after a time, below `endOffset`. */
  offsetForTimestamp(
    timestamp: WallMs,
    endOffset: Offset = this.#logEnd.offset,
  ): TimestampOffset | null {
    return this.#health.read(() => this.#reader.offsetForTimestamp(timestamp, endOffset));
  }

  /** The record with the largest timestamp, below `endOffset`. */
  maxTimestamp(endOffset: Offset = this.#logEnd.offset): TimestampOffset | null {
    return this.#health.read(() => this.#reader.maxTimestamp(endOffset));
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
    this.#health.change('move the start of', () => {
      if (offset === this.#logEnd.offset && !this.#segments.active.isEmpty) this.#roll();
      const start = placeBefore(this.#state, this.#reader.baseOffsetOf(offset));
      this.#apply({ kind: 'log-start', logStartOffset: offset, start });
      this.#wal.flush((error) => {
        if (error !== null || this.#health.isClosed) return;
        this.#health.attempt('unlink in', () => this.#segments.dropBelow(start.offset));
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
    if (this.failure !== null || !this.#folder.isChanged) return;
    this.#health.attempt('checkpoint', () => this.#segments.active.flushIndexes());
    this.#folder.settleEpochs();
    this.#syncSealed();
    this.#folder.checkpoint();
  }

  /**
   * Syncs everything, blocking, and says so in the folder: the next open scans nothing. The files
   * are closed even when it throws.
   */
  closeCleanly(): void {
    if (this.#health.isClosed) return;
    try {
      if (this.failure === null && this.#folder.isChanged)
        this.#health.change('close', () => this.#settle());
    } finally {
      this.closeAbruptly();
    }
  }

  /** Closes the files and does nothing else, as the end of the process would. */
  closeAbruptly(): void {
    this.#health.close();
    this.#folder.close();
    this.#ledger.close();
    this.#home.files.closeUnder(this.directory);
  }

  #settle(): void {
    this.#segments.active.flushIndexes(true);
    this.#ledger.syncNow(this.#logEnd);
    this.#folder.closeCleanly();
  }

  #roll(): void {
    this.#recent.clear();
    this.#ledger.noteSealed(this.#segments.roll(this.#logEnd.offset));
    if (this.#config.durability === 'synced') this.#folder.checkpoint();
    else this.#syncSealed();
  }

  #syncSealed(): void {
    this.#ledger.syncSealed(() => this.#folder.checkpoint());
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
    this.#folder.change();
    this.#wal.append(this.#group, op);
    applyOp(this.#state, op);
    if (this.#wal.ops(this.#group).length > OPS_MAX) this.#folder.checkpoint();
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

  #mustTake(): void {
    const { failure } = this;
    if (failure !== null) throw failure;
  }
}
