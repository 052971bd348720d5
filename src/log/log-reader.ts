/**
 * Reading one replica's log: ranges for consumers, slices for followers, searches by time. Nothing
 * here changes the log, and bytes are only looked at where a single record's time is asked for.
 * Thread: the shard's, synchronous.
 */
import { assert } from '../base/assert.js';
import { LograftError } from '../base/errors.js';
import type { Mark } from '../base/mark.js';
import { positionAfterMark } from '../base/mark.js';
import { type Position, comparePositions } from '../base/position.js';
import type { FilePosition, Offset, WallMs } from '../base/units.js';
import { type BatchHeader, CODEC_MASK, nextOffsetOf } from '../records/batch.js';
import { type Decompress, iterateRecords } from '../records/records.js';
import { walkBatches } from './batch-walk.js';
import type { DiskFile } from './disk.js';
import { epochOfOffset } from './epoch-history.js';
import type { LogExtent, LogRange, LogSlice, TimestampOffset } from './log-types.js';
import type { RecentBatches } from './recent-batches.js';
import type { ReplicaState } from './replica-state.js';
import type { Segment } from './segment.js';
import type { Boundary, SegmentHome } from './segment-home.js';
import { DamagedLogError } from './storage-error.js';

/** What the reader sees of the log it reads. */
export type LogView = {
  readonly home: SegmentHome;
  /** Oldest first, never empty; the last one is active. */
  readonly segments: readonly Segment[];
  readonly state: ReplicaState;
  readonly recent: RecentBatches;
  readonly logEnd: Position;
  readonly indexIntervalBytes: number;
};

/** Sealed segments whose indexes stay in memory: one for each of a few consumers that lag. */
const WARM_SEGMENTS_MAX = 4;
/** Bound on the pieces of one answer to a follower; marks are as small as they come. */
const SLICES_MAX = 1_024;

export class LogReader {
  readonly #view: LogView;
  readonly #decompress: Decompress | undefined;
  #warm: Segment[] = [];

  constructor(view: LogView, decompress?: Decompress) {
    this.#view = view;
    this.#decompress = decompress;
  }

  locate(offset: Offset, maxBytes: number, endOffset: Offset): LogRange | null {
    const { state, logEnd } = this.#view;
    assert(offset >= state.start.offset && endOffset <= logEnd.offset, 'a readable range', {
      offset,
      endOffset,
      start: state.start.offset,
      logEnd: logEnd.offset,
    });
    if (offset >= endOffset) return null;
    const segment = this.#segmentOf(offset);
    return this.#range(segment, this.#boundaryOf(segment, offset), endOffset, maxBytes);
  }

  extent(offset: Offset, endOffset: Offset): LogExtent {
    const { segments } = this.#view;
    const first = this.#segmentOf(offset);
    const last = this.#segmentOf(endOffset);
    const start = this.#boundaryOf(first, offset);
    const end = this.#boundaryOf(last, endOffset);
    let bytes = end.filePosition - start.filePosition;
    // What lies between is in memory as sizes: nothing is read.
    for (let i = segments.indexOf(first); segments[i] !== last; i++) {
      bytes += (segments[i] as Segment).sizeBytes;
    }
    return { firstOffset: start.offset, nextOffset: end.offset, bytes };
  }

  slicesBetween(from: Position, to: Position, maxBytes: number): LogSlice[] {
    const { state, logEnd } = this.#view;
    const isKept =
      comparePositions(from, state.start) >= 0 &&
      comparePositions(from, to) <= 0 &&
      comparePositions(to, logEnd) <= 0;
    assert(isKept, 'slices of what the log keeps', { from, to, start: state.start, logEnd });
    const slices: LogSlice[] = [];
    let markIndex = this.#firstMarkFrom(from);
    let at = from;
    let bytesLeft = maxBytes;
    while (comparePositions(at, to) < 0 && slices.length < SLICES_MAX) {
      const mark: Mark | undefined = state.marks[markIndex];
      if (mark !== undefined && comparePositions(mark.at, at) === 0) {
        slices.push({ kind: 'mark', mark });
        at = positionAfterMark(mark);
        markIndex += 1;
        continue;
      }
      if (bytesLeft <= 0) break;
      const endOffset = Math.min(to.offset, mark?.at.offset ?? to.offset);
      const slice = this.#batchesFrom(at, endOffset, bytesLeft);
      // Only the first batch may be larger than what was asked for.
      if (bytesLeft < maxBytes && slice.range.length > bytesLeft) break;
      slices.push(slice);
      bytesLeft -= slice.range.length;
      at = slice.to;
    }
    return slices;
  }

  marksBetween(from: Position, to: Position): Mark[] {
    return this.#view.state.marks.filter(
      ({ at }) => comparePositions(at, from) >= 0 && comparePositions(at, to) < 0,
    );
  }

  /** The boundary at or before `offset`: the base offset of the batch that holds it. */
  baseOffsetOf(offset: Offset): Offset {
    const { logEnd } = this.#view;
    if (offset >= logEnd.offset) return logEnd.offset;
    return this.#boundaryOf(this.#segmentOf(offset), offset).offset;
  }

  offsetForTimestamp(timestamp: WallMs, endOffset: Offset): TimestampOffset | null {
    const { segments, state } = this.#view;
    for (const segment of segments) {
      if (segment.nextOffset <= state.logStartOffset || segment.baseOffset >= endOffset) continue;
      if (segment.maxTimestamp < timestamp) continue;
      const found = this.#searchTimestamp(segment, timestamp, endOffset);
      if (found !== null) return found;
    }
    return null;
  }

  maxTimestamp(endOffset: Offset): TimestampOffset | null {
    let best: TimestampOffset | null = null;
    for (const segment of this.#view.segments) {
      if (segment.baseOffset >= endOffset) break;
      const max = this.#maxTimestampIn(segment, endOffset);
      if (max !== null && (best === null || max.timestamp > best.timestamp)) best = max;
    }
    return best;
  }

  #maxTimestampIn(segment: Segment, endOffset: Offset): TimestampOffset | null {
    const { logStartOffset } = this.#view.state;
    let timestamp = segment.maxTimestamp;
    if (timestamp < 0 || segment.nextOffset <= logStartOffset) return null;
    this.#warmUp(segment);
    segment.load(this.#view.indexIntervalBytes);
    let lastOffset = segment.maxTimestampOffset;
    if (lastOffset >= endOffset || lastOffset < logStartOffset) {
      // Rare: the largest one is not visible (yet, or any more), so all headers have to be read.
      timestamp = -1;
      this.#walk(segment, 0, (header) => {
        if (nextOffsetOf(header) > endOffset) return false;
        if (header.maxTimestamp > timestamp && nextOffsetOf(header) > logStartOffset) {
          timestamp = header.maxTimestamp;
          lastOffset = nextOffsetOf(header) - 1;
        }
        return true;
      });
      if (timestamp < 0) return null;
    }
    const { filePosition } = this.#boundaryOf(segment, lastOffset);
    return this.#recordFrom(segment, filePosition, timestamp, endOffset);
  }

  /** First record at or after `timestamp` in a segment that has one, if it is visible. */
  #searchTimestamp(segment: Segment, timestamp: WallMs, endOffset: Offset): TimestampOffset | null {
    this.#warmUp(segment);
    segment.load(this.#view.indexIntervalBytes);
    const { logStartOffset } = this.#view.state;
    const below = segment.timeIndex.lookupBelow(timestamp);
    const offset = Math.max(below?.lastOffset ?? segment.baseOffset, segment.baseOffset);
    let found: TimestampOffset | null = null;
    const from = this.#boundaryOf(segment, offset).filePosition;
    this.#walk(segment, from, (header, filePosition) => {
      if (header.baseOffset >= endOffset) return false;
      if (header.maxTimestamp < timestamp || nextOffsetOf(header) <= logStartOffset) return true;
      found = this.#recordFrom(segment, filePosition, timestamp, endOffset);
      return found === null;
    });
    return found;
  }

  /** The first record of a batch at or after `timestamp` that a client may see. */
  #recordFrom(
    segment: Segment,
    filePosition: FilePosition,
    timestamp: WallMs,
    endOffset: Offset,
  ): TimestampOffset | null {
    const { disk } = this.#view.home;
    const { logStartOffset, epochs } = this.#view.state;
    let header: BatchHeader | null = null;
    this.#walk(segment, filePosition, (first) => {
      header = { ...first };
      return false;
    });
    if (header === null) return null;
    const { baseOffset, sizeBytes, attributes, maxTimestamp } = header as BatchHeader;
    const leaderEpoch = epochOfOffset(epochs, baseOffset);
    const isOpaque = (attributes & CODEC_MASK) !== 0 && this.#decompress === undefined;
    if (isOpaque) {
      // Without a decompressor the whole batch is the answer: a consumer starts a little early.
      const offset = Math.max(baseOffset, logStartOffset);
      return offset < endOffset ? { offset, timestamp: maxTimestamp, leaderEpoch } : null;
    }
    const bytes = Buffer.allocUnsafe(sizeBytes);
    disk.readAt(segment.file, filePosition, bytes, 0, sizeBytes);
    for (const record of iterateRecords(bytes, 0, this.#decompress)) {
      if (record.timestamp < timestamp || record.offset < logStartOffset) continue;
      if (record.offset >= endOffset) return null;
      return { offset: record.offset, timestamp: record.timestamp, leaderEpoch };
    }
    return null;
  }

  #batchesFrom(from: Position, endOffset: Offset, maxBytes: number) {
    const range = this.#rangeFrom(from.offset, endOffset, maxBytes);
    // Positions of followers are ours: it is the bytes that changed.
    if (range?.baseOffset !== from.offset) throw new DamagedLogError(from.offset);
    const epoch = epochOfOffset(this.#view.state.epochs, from.offset);
    const to = { offset: range.nextOffset, marks: from.marks };
    return { kind: 'batches', from, to, epoch, range } as const;
  }

  /** Null where headers in the way are no longer what they were, too. */
  #rangeFrom(offset: Offset, endOffset: Offset, maxBytes: number): LogRange | null {
    const segment = this.#segmentOf(offset);
    try {
      return this.#range(segment, this.#boundaryOf(segment, offset), endOffset, maxBytes);
    } catch (error) {
      if (error instanceof LograftError && error.code === 'CORRUPT') return null;
      throw error;
    }
  }

  /** Whole batches from `start`, below `endOffset`, within one segment; at least one if any. */
  #range(segment: Segment, start: Boundary, endOffset: Offset, maxBytes: number): LogRange | null {
    let end = segment.end();
    if (endOffset < segment.nextOffset) end = this.#boundaryOf(segment, endOffset);
    if (end.filePosition <= start.filePosition) return null;
    if (end.filePosition - start.filePosition > maxBytes) {
      const limit = start.filePosition + maxBytes;
      const capped = this.#boundaryBefore(segment, limit, start);
      end = capped.filePosition > start.filePosition ? capped : this.#batchEnd(segment, start);
    }
    const { file } = segment;
    const length = end.filePosition - start.filePosition;
    // Field by field: a spread of another object would cost more than all the rest of it.
    return {
      fd: file.fd,
      path: file.path,
      bytes: this.#bytesBehind(file, start.filePosition, length),
      filePosition: start.filePosition,
      length,
      baseOffset: start.offset,
      nextOffset: end.offset,
    };
  }

  /** What is not in the file yet can not be sent from there. */
  #bytesBehind(file: DiskFile, from: FilePosition, length: number): LogRange['bytes'] {
    const { disk } = this.#view.home;
    if (!disk.isBehind || disk.hasWritten(file, from + length)) return null;
    const bytes = new Uint8Array(length);
    disk.readAt(file, from, bytes, 0, length);
    return bytes;
  }

  #batchEnd(segment: Segment, start: Boundary): Boundary {
    let end = start;
    this.#walk(segment, start.filePosition, (header, filePosition) => {
      end = { offset: nextOffsetOf(header), filePosition: filePosition + header.sizeBytes };
      return false;
    });
    return end;
  }

  #boundaryOf(segment: Segment, offset: Offset): Boundary {
    if (offset >= segment.nextOffset) return segment.end();
    const recent = this.#isActive(segment) ? this.#view.recent.find(offset) : null;
    if (recent !== null) return recent;
    this.#warmUp(segment);
    return segment.boundaryOf(offset, this.#view.indexIntervalBytes);
  }

  #boundaryBefore(segment: Segment, filePosition: FilePosition, from: Boundary): Boundary {
    const recent = this.#isActive(segment) ? this.#view.recent.findBefore(filePosition) : null;
    if (recent !== null) return recent;
    this.#warmUp(segment);
    return segment.boundaryBefore(filePosition, from, this.#view.indexIntervalBytes);
  }

  #isActive(segment: Segment): boolean {
    return segment === this.#view.segments.at(-1);
  }

  /** Keeps the indexes of the few sealed segments that are being read, and only those. */
  #warmUp(segment: Segment): void {
    if (this.#isActive(segment) || this.#warm.at(-1) === segment) return;
    this.#warm = this.#warm.filter((warm) => warm !== segment);
    this.#warm.push(segment);
    if (this.#warm.length <= WARM_SEGMENTS_MAX) return;
    const coldest = this.#warm.shift() as Segment;
    if (this.#view.segments.includes(coldest) && !this.#isActive(coldest)) coldest.release();
  }

  #walk(segment: Segment, from: FilePosition, visit: Parameters<typeof walkBatches>[4]): void {
    walkBatches(this.#view.home.disk, segment.file, from, segment.end(), visit);
  }

  #segmentOf(offset: Offset): Segment {
    const { segments } = this.#view;
    let low = 0;
    let high = segments.length;
    while (high - low > 1) {
      const middle = (low + high) >>> 1;
      if ((segments[middle] as Segment).baseOffset > offset) high = middle;
      else low = middle;
    }
    return segments[low] as Segment;
  }

  #firstMarkFrom(from: Position): number {
    const { marks } = this.#view.state;
    // Followers ask for the tail, so the search starts there.
    let i = marks.length;
    while (i > 0 && comparePositions((marks[i - 1] as Mark).at, from) >= 0) i -= 1;
    return i;
  }
}
