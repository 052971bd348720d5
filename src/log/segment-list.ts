/**
 * The segments of a log, oldest first; the last one is active. Owns rolling, cutting and unlinking,
 * and knows which changes of names and lengths are not on disk yet. Never empty. Thread: the
 * shard's.
 */
import { assert } from '../base/assert.js';
import type { Offset, WallMs } from '../base/units.js';
import { type DiskFile, parentOf } from './disk.js';
import type { LogConfig } from './log-config.js';
import { PARTITION_METADATA, segmentPath } from './names.js';
import type { SegmentSummary } from './replica-state.js';
import { Segment } from './segment.js';
import type { SegmentHome } from './segment-home.js';

/** Offsets in a segment's indexes, and positions in its file, are int32. */
const INT32_MAX = 2 ** 31 - 1;
const INDEX_ENTRY_BYTES = 8;
const TIME_ENTRY_BYTES = 12;

/** Something to be synced; `settle` takes the outcome and closes what was opened for it. */
export type SyncItem = {
  readonly file: DiskFile;
  readonly settle: (error: Error | null) => void;
};

export class SegmentList {
  readonly all: Segment[];
  readonly #home: SegmentHome;
  /** Number of changes to the folder's names, and how many of them are on disk. */
  #folderChanges = 0;
  #folderSynced = 0;
  /** So many of the oldest segments, all sealed, are known to be on disk. */
  #cleanSegments = 0;

  constructor(home: SegmentHome, segments: readonly Segment[]) {
    assert(segments.length > 0, 'a log has a segment');
    this.#home = home;
    this.all = [...segments];
    for (const sealed of segments.slice(0, -1)) sealed.seal();
    // Files may have been made or removed by recovery.
    this.#folderChanges = 1;
  }

  get active(): Segment {
    return this.all[this.all.length - 1] as Segment;
  }

  get endOffset(): Offset {
    return this.active.nextOffset;
  }

  get sizeBytes(): number {
    let sum = 0;
    for (const { sizeBytes } of this.all) sum += sizeBytes;
    return sum;
  }

  /** Kafka's rules: by size, by time between first and next batch, by what the indexes can hold. */
  mustRoll(length: number, nextOffset: Offset, maxTimestamp: WallMs, config: LogConfig): boolean {
    const { active } = this;
    active.load(config.indexIntervalBytes);
    if (active.isEmpty) return false;
    const limit = Math.min(config.segmentBytes, INT32_MAX);
    return (
      active.sizeBytes + length > limit ||
      nextOffset - 1 - active.baseOffset > INT32_MAX ||
      active.offsetIndex.sizeBytes + INDEX_ENTRY_BYTES > config.indexBytesMax ||
      active.timeIndex.sizeBytes + 2 * TIME_ENTRY_BYTES > config.indexBytesMax ||
      (active.firstTimestamp >= 0 && maxTimestamp - active.firstTimestamp > config.segmentMs)
    );
  }

  /** Seals the active segment and starts the next one at `offset`. Returns the sealed one. */
  roll(offset: Offset): Segment {
    const sealed = this.active;
    const next = new Segment(this.#home, offset);
    next.create();
    this.#folderChanges += 1;
    this.all.push(next);
    sealed.seal();
    return sealed;
  }

  /** Cuts at a batch boundary; the segment that holds it is the active one afterwards. */
  truncateTo(offset: Offset, indexIntervalBytes: number): void {
    this.#cleanSegments = 0;
    const isAcross = this.active.baseOffset > offset && this.all.length > 1;
    while (this.active.baseOffset > offset && this.all.length > 1) {
      this.#unlink(this.all.pop() as Segment);
    }
    // A cut segment in front of one that came back would look like a hole.
    if (isAcross) this.#home.disk.syncDirectory(this.#home.directory);
    const { active } = this;
    const boundary = active.boundaryOf(offset, indexIntervalBytes);
    active.truncateTo(boundary, indexIntervalBytes);
  }

  /** Unlinks everything and starts over, empty, at `offset`. */
  resetTo(offset: Offset): void {
    const next = new Segment(this.#home, offset);
    next.create();
    const old = this.all.splice(0, this.all.length, next);
    for (const segment of old) if (segment.baseOffset !== offset) this.#unlink(segment);
    this.#folderChanges += 1;
    this.#cleanSegments = 0;
  }

  /** Unlinks sealed segments that lie wholly below `offset`. */
  dropBelow(offset: Offset): void {
    this.#cleanSegments = 0;
    while (this.all.length > 1 && (this.all[0] as Segment).nextOffset <= offset) {
      this.#unlink(this.all.shift() as Segment);
    }
  }

  summary(): SegmentSummary[] {
    return this.all.map(summaryOf);
  }

  /** What a checkpoint, which lets go of truncations, must find on disk. */
  unsyncedCuts(): SyncItem[] {
    const cut = this.all.filter((segment) => segment.hasUnsyncedCut);
    return [...cut.map(itemOf), ...this.changedFolders()];
  }

  /** What an acknowledgement of everything so far needs on disk besides marks. */
  unsynced(): SyncItem[] {
    const items: SyncItem[] = [];
    const { all } = this;
    while (this.#cleanSegments < all.length - 1 && !(all[this.#cleanSegments] as Segment).isDirty) {
      this.#cleanSegments += 1;
    }
    for (let i = this.#cleanSegments; i < all.length; i++) {
      const segment = all[i] as Segment;
      if (segment.isDirty) items.push(itemOf(segment));
    }
    return this.#folderSynced === this.#folderChanges
      ? items
      : [...items, ...this.changedFolders()];
  }

  /** What even an acknowledgement from the page cache needs: that the folder says whose it is. */
  unnamed(): SyncItem[] {
    return this.#folderSynced === 0 ? this.changedFolders() : [];
  }

  /** Folders, opened, whose names are not on disk. */
  changedFolders(): SyncItem[] {
    if (this.#folderSynced === this.#folderChanges) return [];
    const { disk, directory } = this.#home;
    const changes = this.#folderChanges;
    const paths = [directory];
    // The folder and the name of its owner may be new; that is needed once.
    if (this.#folderSynced === 0) {
      paths.push(parentOf(directory), `${directory}/${PARTITION_METADATA}`);
    }
    let left = paths.length;
    return paths.map((path) => {
      const file = disk.openFile(path, 'read');
      const settle = (error: Error | null) => {
        disk.close(file);
        if (error === null) left -= 1;
        if (left === 0) this.#folderSynced = Math.max(this.#folderSynced, changes);
      };
      return { file, settle };
    });
  }

  #unlink(segment: Segment): void {
    const { disk, files, directory } = this.#home;
    files.forget(segment.path);
    // The log first: an index without its log is left over and goes at the next open.
    for (const suffix of ['log', 'index', 'timeindex']) {
      disk.unlink(segmentPath(directory, segment.baseOffset, suffix));
    }
    this.#folderChanges += 1;
  }
}

export function summaryOf({ baseOffset, sizeBytes, maxTimestamp }: Segment): SegmentSummary {
  return { baseOffset, sizeBytes, maxTimestamp };
}

/** A sync of the segment as it is now. */
export function itemOf(segment: Segment): SyncItem {
  const { file, sizeBytes, cuts } = segment;
  const release = segment.hold();
  return {
    file,
    settle: (error) => {
      release();
      if (error === null) segment.markSynced(sizeBytes, cuts);
    },
  };
}
