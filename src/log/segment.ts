/**
 * One segment: a `.log` file of batches and its two sparse indexes. The newest segment of a log is
 * active and grows; the others are sealed. Promise: `sizeBytes` and `nextOffset` describe whole
 * batches, whatever a failed write left behind. Thread: the shard's.
 */
import { assert } from '../base/assert.js';
import { LograftError } from '../base/errors.js';
import { isShortage } from '../base/shortage.js';
import type { FilePosition, Offset, WallMs } from '../base/units.js';
import { type BatchHeader, nextOffsetOf } from '../records/batch.js';
import { headerAt, walkBatches } from './batch-walk.js';
import type { DiskFile } from './disk.js';
import { type OffsetEntry, OffsetIndex, TimeIndex } from './index-file.js';
import { segmentPath } from './names.js';
import type { SegmentSummary } from './replica-state.js';
import type { Boundary, ResumedIndexes, SegmentHome } from './segment-home.js';
import { storageError } from './storage-error.js';

/** Bytes without an index entry that a batch of any sane size explains. */
const INDEX_GAP_BYTES_MAX = 16 << 20;

export class Segment {
  readonly baseOffset: Offset;
  readonly path: string;
  readonly offsetIndex: OffsetIndex;
  readonly timeIndex: TimeIndex;
  /** Bytes of whole batches; the file is exactly that long between calls. */
  sizeBytes = 0;
  /** Offset behind the last record. */
  nextOffset: Offset;
  /** Bytes known to be on disk; below `sizeBytes` something is to be synced. */
  syncedBytes = 0;
  /** Largest timestamp of a batch and that batch's last offset; -1 when there is none. */
  maxTimestamp: WallMs = -1;
  maxTimestampOffset: Offset = -1;
  /** maxTimestamp of the first batch, for segment.ms; -1 when there is none or it is unknown. */
  firstTimestamp: WallMs = -1;
  /** How often the segment was cut; a sync that was begun before a cut proves nothing after it. */
  cuts = 0;
  readonly #home: SegmentHome;
  #cutsSynced = 0;
  #isPinned = false;
  #bytesSinceIndexEntry = 0;
  /** False while the indexes of a sealed segment are only in their files. */
  #isLoaded = true;
  /** Where the last search ended: consumers go on from there. */
  #hint: Boundary;

  constructor(home: SegmentHome, baseOffset: Offset) {
    this.#home = home;
    this.baseOffset = baseOffset;
    this.nextOffset = baseOffset;
    this.path = segmentPath(home.directory, baseOffset, 'log');
    this.offsetIndex = new OffsetIndex(
      segmentPath(home.directory, baseOffset, 'index'),
      baseOffset,
    );
    this.timeIndex = new TimeIndex(
      segmentPath(home.directory, baseOffset, 'timeindex'),
      baseOffset,
    );
    this.#hint = { offset: baseOffset, filePosition: 0 };
  }

  get file(): DiskFile {
    return this.#home.files.open(this.path);
  }

  /** Keeps the file open for a sync on another thread until the returned function is called. */
  hold(): () => void {
    return this.#home.files.hold(this.path);
  }

  get isEmpty(): boolean {
    return this.sizeBytes === 0;
  }

  /** True when the file differs from what is on disk. */
  get isDirty(): boolean {
    return this.syncedBytes < this.sizeBytes || this.hasUnsyncedCut;
  }

  /** True when the file was cut and a power cut could bring the bytes back. */
  get hasUnsyncedCut(): boolean {
    return this.#cutsSynced < this.cuts;
  }

  /** Makes the three files, empty, whatever lay there under these names. */
  create(): void {
    const { disk, files } = this.#home;
    files.forget(this.path);
    for (const suffix of ['log', 'index', 'timeindex']) {
      const path = segmentPath(this.#home.directory, this.baseOffset, suffix);
      const file = disk.openFile(path, 'create');
      disk.truncate(file, 0);
      disk.close(file);
    }
  }

  /** A segment as the checkpoint describes it; its indexes are loaded when first needed. */
  adopt({ sizeBytes, maxTimestamp }: SegmentSummary, nextOffset: Offset): void {
    this.sizeBytes = sizeBytes;
    this.syncedBytes = sizeBytes;
    this.maxTimestamp = maxTimestamp;
    this.nextOffset = nextOffset;
    this.#isLoaded = false;
  }

  /**
   * For recovery: believes the indexes, as far as they are sound, for what lies below `offset`.
   * Checking must begin where the segment ends afterwards; it grows as batches are accepted.
   */
  resume(fileBytes: number, offset: Offset): ResumedIndexes {
    const { disk } = this.#home;
    this.#isLoaded = true;
    this.#restart();
    const anyOffset = Number.MAX_SAFE_INTEGER;
    const isLoaded = this.offsetIndex.load(disk, fileBytes, anyOffset);
    const isTimeLoaded =
      this.timeIndex.load(disk, anyOffset) &&
      (this.timeIndex.count > 0 || this.offsetIndex.count === 0);
    const entry = this.offsetIndex.lookup(offset - 1);
    const from = isLoaded && entry !== null ? this.#batchAt(entry, fileBytes) : null;
    const isUsed = isTimeLoaded && from !== null && this.#resumeAt(from);
    if (!isUsed) {
      this.offsetIndex.reset(disk);
      this.timeIndex.reset(disk);
      this.#restart();
    }
    return {
      isOffsetIndexSound: isLoaded && (entry === null || from !== null),
      isTimeIndexSound: isTimeLoaded && (from === null || isUsed),
    };
  }

  #resumeAt(from: Boundary): boolean {
    this.sizeBytes = from.filePosition;
    this.nextOffset = from.offset;
    this.offsetIndex.truncateTo(from.filePosition);
    this.timeIndex.truncateTo(from.offset);
    return this.#tryReloadTimestamps();
  }

  /** Writes one batch behind the last one. Throws STORAGE_FULL with the file as it was before. */
  write(bytes: Uint8Array, start: number, length: number): void {
    const { file } = this;
    try {
      this.#home.disk.writeAt(file, this.sizeBytes, bytes, start, length);
    } catch (error) {
      this.#home.disk.truncate(file, this.sizeBytes);
      throw storageError(error, `append to ${this.path}`);
    }
  }

  /** Accounts for a batch that lies at the end, and indexes it now and then, as Kafka does. */
  accept(
    sizeBytes: number,
    nextOffset: Offset,
    maxTimestamp: WallMs,
    indexIntervalBytes: number,
  ): void {
    if (this.sizeBytes === 0) this.firstTimestamp = maxTimestamp;
    if (maxTimestamp > this.maxTimestamp) {
      this.maxTimestamp = maxTimestamp;
      this.maxTimestampOffset = nextOffset - 1;
    }
    if (this.#bytesSinceIndexEntry > indexIntervalBytes) {
      this.offsetIndex.append(nextOffset - 1, this.sizeBytes);
      this.timeIndex.maybeAppend(this.maxTimestamp, this.maxTimestampOffset);
      this.#bytesSinceIndexEntry = 0;
    }
    this.#bytesSinceIndexEntry += sizeBytes;
    this.sizeBytes += sizeBytes;
    this.nextOffset = nextOffset;
    if (!this.#isPinned && this.isDirty) this.#pin();
  }

  /** A sync that began when the segment had this size and had been cut so often has completed. */
  markSynced(sizeBytes: number, cuts: number): void {
    if (cuts !== this.cuts) return;
    this.#cutsSynced = cuts;
    this.syncedBytes = Math.max(this.syncedBytes, sizeBytes);
    if (this.#isPinned && !this.isDirty) {
      this.#isPinned = false;
      this.#home.files.setPinned(this.path, false);
    }
  }

  /** Loads the indexes from their files, or rebuilds them from the log. True when rebuilt. */
  load(indexIntervalBytes: number): boolean {
    if (this.#isLoaded) return false;
    const { disk } = this.#home;
    const isSound =
      this.offsetIndex.load(disk, this.sizeBytes, this.nextOffset) &&
      this.timeIndex.load(disk, this.nextOffset) &&
      this.#isIndexed(indexIntervalBytes);
    if (!isSound) this.rebuildIndexes(indexIntervalBytes);
    this.#isLoaded = true;
    return !isSound;
  }

  /** A segment is sealed, and a log closed, with the largest timestamp as last time entry. */
  #isIndexed(indexIntervalBytes: number): boolean {
    const gapBytes = this.#bytesBehindIndex();
    const last = this.timeIndex.last();
    if (gapBytes > indexIntervalBytes + INDEX_GAP_BYTES_MAX) return false;
    if ((last?.timestamp ?? -1) !== this.maxTimestamp) return false;
    this.maxTimestampOffset = last?.lastOffset ?? -1;
    this.#bytesSinceIndexEntry = gapBytes;
    this.#readFirstTimestamp();
    return true;
  }

  /**
   * The log is the truth: reads every header of the segment. Where it cannot be read, the segment
   * is as long as before and the indexes count as not loaded.
   */
  rebuildIndexes(indexIntervalBytes: number): void {
    const { disk } = this.#home;
    const { maxTimestamp, maxTimestampOffset, firstTimestamp } = this;
    const end = this.end();
    this.offsetIndex.reset(disk);
    this.timeIndex.reset(disk);
    this.#restart();
    try {
      walkBatches(disk, this.file, 0, end, (header) => {
        this.acceptHeader(header, indexIntervalBytes);
        return true;
      });
    } catch (error) {
      this.#isLoaded = false;
      this.sizeBytes = end.filePosition;
      this.nextOffset = end.offset;
      Object.assign(this, { maxTimestamp, maxTimestampOffset, firstTimestamp });
      throw error;
    }
    this.#isLoaded = true;
    this.timeIndex.maybeAppend(this.maxTimestamp, this.maxTimestampOffset);
    this.#tryFlush();
  }

  acceptHeader(header: BatchHeader, indexIntervalBytes: number): void {
    this.accept(header.sizeBytes, nextOffsetOf(header), header.maxTimestamp, indexIntervalBytes);
  }

  /** Gives back the memory of a sealed segment's indexes, unless they cannot be written now. */
  release(): void {
    if (!this.#isLoaded || !this.#tryFlush()) return;
    this.offsetIndex.release();
    this.timeIndex.release();
    this.#isLoaded = false;
  }

  /** The indexes are written whole, with the last time entry that Kafka expects, and let go. */
  seal(): void {
    if (this.#tryFlush(true)) this.release();
  }

  /** False when the disk is full or no descriptor is free: indexes wait in memory, as derived. */
  #tryFlush(isSealing = false): boolean {
    try {
      this.flushIndexes(isSealing);
      return true;
    } catch (error) {
      if (isShortage(error)) return false;
      throw error;
    }
  }

  /** Writes the indexes out; with `isSealing` also the last time entry, as Kafka does. */
  flushIndexes(isSealing = false): void {
    if (!this.#isLoaded) return;
    if (isSealing) this.timeIndex.maybeAppend(this.maxTimestamp, this.maxTimestampOffset);
    this.offsetIndex.flush(this.#home.disk);
    this.timeIndex.flush(this.#home.disk);
  }

  /**
   * The boundary in front of the batch that holds `offset`, which must lie in the segment or be its
   * `nextOffset`. Reads headers from the nearest index entry or from where the last search ended.
   */
  boundaryOf(offset: Offset, indexIntervalBytes: number): Boundary {
    const { baseOffset, nextOffset } = this;
    const isInside = offset >= baseOffset && offset <= nextOffset;
    assert(isInside, 'an offset of this segment', { offset, baseOffset, nextOffset });
    if (offset === this.nextOffset) return this.end();
    if (offset === this.baseOffset) return { offset, filePosition: 0 };
    this.load(indexIntervalBytes);
    const from = this.#nearestTo(offset, indexIntervalBytes);
    let found = from.offset;
    const filePosition = this.#walk(from.filePosition, (header) => {
      found = header.baseOffset;
      return nextOffsetOf(header) <= offset;
    });
    this.#hint = { offset: found, filePosition };
    return this.#hint;
  }

  /** The last boundary at or before `filePosition` that is not before `from`. */
  boundaryBefore(filePosition: FilePosition, from: Boundary, indexIntervalBytes: number): Boundary {
    if (filePosition >= this.sizeBytes) return this.end();
    this.load(indexIntervalBytes);
    const entry = this.offsetIndex.lookupPosition(filePosition);
    const isAhead = entry !== null && entry.filePosition > from.filePosition;
    const start = (isAhead ? this.#batchAt(entry, this.sizeBytes) : null) ?? from;
    let { offset } = start;
    const reached = this.#walk(start.filePosition, (header, at) => {
      if (at + header.sizeBytes > filePosition) return false;
      offset = nextOffsetOf(header);
      return true;
    });
    return { offset, filePosition: reached };
  }

  end(): Boundary {
    return { offset: this.nextOffset, filePosition: this.sizeBytes };
  }

  /** Cuts the segment at a boundary inside it; it is active afterwards. */
  truncateTo(boundary: Boundary, indexIntervalBytes: number): void {
    this.load(indexIntervalBytes);
    this.#home.disk.truncate(this.file, boundary.filePosition);
    this.cuts += 1;
    if (!this.#isPinned) this.#pin();
    const isCut = this.#home.mutant !== 'index-not-truncated';
    if (isCut) this.offsetIndex.truncateTo(boundary.filePosition);
    if (isCut) this.timeIndex.truncateTo(boundary.offset);
    this.sizeBytes = boundary.filePosition;
    this.syncedBytes = Math.min(this.syncedBytes, this.sizeBytes);
    this.nextOffset = boundary.offset;
    this.#hint = { offset: this.baseOffset, filePosition: 0 };
    this.#bytesSinceIndexEntry = this.#bytesBehindIndex();
    const isMaxGone = this.maxTimestampOffset >= boundary.offset;
    if (isMaxGone && isCut && !this.#reloadTimestamps()) this.rebuildIndexes(indexIntervalBytes);
  }

  #pin(): void {
    this.#isPinned = true;
    this.#home.files.setPinned(this.path, true);
  }

  /**
   * Finds the largest timestamp from the last time entry and the batches behind the index entry
   * there. False when that time entry is not what its batch says.
   */
  #reloadTimestamps(): boolean {
    const last = this.timeIndex.last();
    const entry = last === null ? null : this.offsetIndex.lookup(last.lastOffset);
    if (entry !== null && this.#batchAt(entry, this.sizeBytes) === null) return false;
    let isFound = last === null;
    this.maxTimestamp = last?.timestamp ?? -1;
    this.maxTimestampOffset = last?.lastOffset ?? -1;
    this.#walk(entry?.filePosition ?? 0, (header) => {
      const lastOffset = nextOffsetOf(header) - 1;
      if (lastOffset === last?.lastOffset) isFound = header.maxTimestamp === last.timestamp;
      if (header.maxTimestamp > this.maxTimestamp) {
        this.maxTimestamp = header.maxTimestamp;
        this.maxTimestampOffset = lastOffset;
      }
      return true;
    });
    this.#readFirstTimestamp();
    this.#bytesSinceIndexEntry = this.#bytesBehindIndex();
    return isFound;
  }

  #readFirstTimestamp(): void {
    this.#walk(0, (header) => {
      this.firstTimestamp = header.maxTimestamp;
      return false;
    });
  }

  #bytesBehindIndex(): number {
    const { count } = this.offsetIndex;
    return this.sizeBytes - (count === 0 ? 0 : this.offsetIndex.entry(count - 1).filePosition);
  }

  /** What lies below is not checked yet: damage there only means that the indexes do not help. */
  #tryReloadTimestamps(): boolean {
    try {
      return this.#reloadTimestamps();
    } catch (error) {
      if (error instanceof LograftError && error.code === 'CORRUPT') return false;
      throw error;
    }
  }

  /** Where to start looking for `offset`: hint or index entry, whichever is nearer. */
  #nearestTo(offset: Offset, indexIntervalBytes: number): Boundary {
    const hint = this.#hint;
    const start = { offset: this.baseOffset, filePosition: 0 };
    const entry = this.offsetIndex.lookup(offset);
    if (entry === null || (hint.offset <= offset && hint.filePosition >= entry.filePosition)) {
      return hint.offset <= offset ? hint : start;
    }
    const indexed = this.#batchAt(entry, this.sizeBytes);
    if (indexed !== null) return indexed;
    this.rebuildIndexes(indexIntervalBytes);
    return start;
  }

  /** The boundary that an index entry names, if the entry tells the truth. */
  #batchAt({ lastOffset, filePosition }: OffsetEntry, fileBytes: number): Boundary | null {
    const header = headerAt(this.#home.disk, this.file, filePosition, fileBytes);
    const isBelieved = this.#home.mutant === 'index-not-truncated';
    assert(header !== null || !isBelieved, 'an index entry leads to a batch', { filePosition });
    if (header === null || (nextOffsetOf(header) - 1 !== lastOffset && !isBelieved)) return null;
    return { offset: header.baseOffset, filePosition };
  }

  #walk(from: FilePosition, visit: Parameters<typeof walkBatches>[4]): FilePosition {
    return walkBatches(this.#home.disk, this.file, from, this.end(), visit);
  }

  #restart(): void {
    this.sizeBytes = 0;
    this.nextOffset = this.baseOffset;
    this.maxTimestamp = -1;
    this.maxTimestampOffset = -1;
    this.firstTimestamp = -1;
    this.#bytesSinceIndexEntry = 0;
    this.#hint = { offset: this.baseOffset, filePosition: 0 };
  }
}
