/**
 * A segment's sparse indexes in Kafka's format: entries of fixed size, big-endian, in rising order,
 * held in memory as the bytes they are on disk and written out lazily. Derived data: whoever loads
 * one checks it and rebuilds it from the log when in doubt.
 *
 *   .index       | offset − baseOffset (4) | file position (4) |   offset = last of the batch there
 *   .timeindex   | timestamp (8) | offset − baseOffset (4) |       largest timestamp up to there
 */
import { readInt64, readUint32, writeInt64, writeUint32 } from '../base/int64.js';
import type { FilePosition, Offset, WallMs } from '../base/units.js';
import type { Disk } from './disk.js';

const OFFSET_ENTRY_BYTES = 8;
const TIME_ENTRY_BYTES = 12;
const FIRST_ENTRIES = 32;
const NO_BYTES = Buffer.alloc(0);

/** Entries as bytes; what both kinds of index share. */
class EntryFile {
  readonly path: string;
  readonly entryBytes: number;
  bytes: Buffer = NO_BYTES;
  count = 0;
  /** Entries at the front of the file that are as they are here. */
  #written = 0;
  /** Entries the file has in all. */
  #onDisk = 0;

  constructor(path: string, entryBytes: number) {
    this.path = path;
    this.entryBytes = entryBytes;
  }

  /** Room for one more entry; returns where it goes. */
  grow(): number {
    const at = this.count * this.entryBytes;
    if (at + this.entryBytes > this.bytes.length) {
      const entries = Math.max(FIRST_ENTRIES, this.count * 2);
      const grown = Buffer.allocUnsafe(entries * this.entryBytes).fill(0);
      this.bytes.copy(grown, 0, 0, at);
      this.bytes = grown;
    }
    this.count += 1;
    return at;
  }

  /** Reads the file. False when it is absent or its size is not one of whole entries. */
  load(disk: Disk): boolean {
    this.reset(disk);
    const size = disk.fileSize(this.path);
    if (size < 0 || size % this.entryBytes !== 0) return false;
    if (size === 0) return true;
    const bytes = Buffer.alloc(size);
    const file = disk.openFile(this.path, 'read');
    try {
      if (disk.readAt(file, 0, bytes, 0, size) < size) return false;
    } finally {
      disk.close(file);
    }
    this.bytes = bytes;
    this.count = size / this.entryBytes;
    this.#written = this.count;
    return true;
  }

  keep(count: number): void {
    this.count = Math.min(this.count, count);
    this.#written = Math.min(this.#written, count);
  }

  /** Brings the file up to date. With `sync` it is also durable afterwards. */
  flush(disk: Disk, sync: boolean): void {
    const size = this.count * this.entryBytes;
    const from = this.#written * this.entryBytes;
    const isLonger = this.#onDisk > this.count;
    if (from === size && !isLonger && !sync) return;
    const file = disk.openFile(this.path, 'create');
    try {
      if (isLonger) disk.truncate(file, size);
      if (size > from) disk.writeAt(file, from, this.bytes, from, size - from);
      if (sync) disk.syncNow(file);
    } finally {
      disk.close(file);
    }
    this.#written = this.count;
    this.#onDisk = this.count;
  }

  /** Starts over empty; the file's entries, however many, are not believed. */
  reset(disk: Disk): void {
    this.clear();
    this.#written = 0;
    this.#onDisk = Math.ceil(Math.max(0, disk.fileSize(this.path)) / this.entryBytes);
  }

  clear(): void {
    this.count = 0;
    this.bytes = Buffer.alloc(0);
  }

  /** First entry whose number, read by `key`, is above `limit`. Entries rise. */
  firstAbove(limit: number, key: (at: number) => number): number {
    let low = 0;
    let high = this.count;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (key(middle * this.entryBytes) > limit) high = middle;
      else low = middle + 1;
    }
    return low;
  }
}

export type OffsetEntry = { readonly lastOffset: Offset; readonly filePosition: FilePosition };

export class OffsetIndex {
  readonly baseOffset: Offset;
  readonly #file: EntryFile;

  constructor(path: string, baseOffset: Offset) {
    this.baseOffset = baseOffset;
    this.#file = new EntryFile(path, OFFSET_ENTRY_BYTES);
  }

  get sizeBytes(): number {
    return this.#file.count * OFFSET_ENTRY_BYTES;
  }

  get count(): number {
    return this.#file.count;
  }

  /** `filePosition` is where the batch that ends with `lastOffset` begins. */
  append(lastOffset: Offset, filePosition: FilePosition): void {
    const at = this.#file.grow();
    writeUint32(this.#file.bytes, lastOffset - this.baseOffset, at);
    writeUint32(this.#file.bytes, filePosition, at + 4);
  }

  entry(i: number): OffsetEntry {
    const at = i * OFFSET_ENTRY_BYTES;
    return {
      lastOffset: this.baseOffset + this.#relativeAt(at),
      filePosition: this.#positionAt(at),
    };
  }

  /** The last entry whose batch ends at or before `offset`, or null. */
  lookup(offset: Offset): OffsetEntry | null {
    const above = this.#file.firstAbove(offset - this.baseOffset, this.#relativeAt);
    return above === 0 ? null : this.entry(above - 1);
  }

  /** The last entry whose batch begins at or before `filePosition`, or null. */
  lookupPosition(filePosition: FilePosition): OffsetEntry | null {
    const above = this.#file.firstAbove(filePosition, this.#positionAt);
    return above === 0 ? null : this.entry(above - 1);
  }

  /** Drops entries of batches that begin at or behind `filePosition`. */
  truncateTo(filePosition: FilePosition): void {
    this.#file.keep(this.#file.firstAbove(filePosition - 1, this.#positionAt));
  }

  /** Loads from the file; false when it cannot be an index of a log file of that size and end. */
  load(disk: Disk, logBytes: number, nextOffset: Offset): boolean {
    if (!this.#file.load(disk)) return false;
    let offset = -1;
    let position = -1;
    for (let i = 0; i < this.#file.count; i++) {
      const at = i * OFFSET_ENTRY_BYTES;
      if (this.#relativeAt(at) <= offset || this.#positionAt(at) <= position) return false;
      offset = this.#relativeAt(at);
      position = this.#positionAt(at);
    }
    return position < logBytes && this.baseOffset + offset < nextOffset;
  }

  flush(disk: Disk, sync = false): void {
    this.#file.flush(disk, sync);
  }

  /** Starts over empty; what the file holds is not believed. */
  reset(disk: Disk): void {
    this.#file.reset(disk);
  }

  /** Gives the memory back; {@link load} brings it again. Must have been flushed. */
  release(): void {
    this.#file.clear();
  }

  #relativeAt = (at: number): number => readUint32(this.#file.bytes, at);
  #positionAt = (at: number): number => readUint32(this.#file.bytes, at + 4);
}

export type TimeEntry = { readonly timestamp: WallMs; readonly lastOffset: Offset };

export class TimeIndex {
  readonly baseOffset: Offset;
  readonly #file: EntryFile;

  constructor(path: string, baseOffset: Offset) {
    this.baseOffset = baseOffset;
    this.#file = new EntryFile(path, TIME_ENTRY_BYTES);
  }

  get sizeBytes(): number {
    return this.#file.count * TIME_ENTRY_BYTES;
  }

  get count(): number {
    return this.#file.count;
  }

  /** Adds an entry when it is news: timestamps rise strictly from entry to entry. */
  maybeAppend(timestamp: WallMs, lastOffset: Offset): void {
    const last = this.last();
    if (timestamp < 0 || (last !== null && timestamp <= last.timestamp)) return;
    const at = this.#file.grow();
    writeInt64(this.#file.bytes, timestamp, at);
    writeUint32(this.#file.bytes, lastOffset - this.baseOffset, at + 8);
  }

  entry(i: number): TimeEntry {
    const at = i * TIME_ENTRY_BYTES;
    return { timestamp: this.#timestampAt(at), lastOffset: this.baseOffset + this.#relativeAt(at) };
  }

  last(): TimeEntry | null {
    return this.#file.count === 0 ? null : this.entry(this.#file.count - 1);
  }

  /** The last entry with a timestamp below `timestamp`, or null. */
  lookupBelow(timestamp: WallMs): TimeEntry | null {
    const above = this.#file.firstAbove(timestamp - 1, this.#timestampAt);
    return above === 0 ? null : this.entry(above - 1);
  }

  /** Drops entries about batches that end at or behind `offset`. */
  truncateTo(offset: Offset): void {
    this.#file.keep(this.#file.firstAbove(offset - this.baseOffset - 1, this.#relativeAt));
  }

  /** Loads from the file; false when it cannot be a time index of a segment that ends there. */
  load(disk: Disk, nextOffset: Offset): boolean {
    if (!this.#file.load(disk)) return false;
    let timestamp = -1;
    let offset = -1;
    for (let i = 0; i < this.#file.count; i++) {
      const at = i * TIME_ENTRY_BYTES;
      if (this.#timestampAt(at) <= timestamp || this.#relativeAt(at) <= offset) return false;
      timestamp = this.#timestampAt(at);
      offset = this.#relativeAt(at);
    }
    return this.baseOffset + offset < nextOffset;
  }

  flush(disk: Disk, sync = false): void {
    this.#file.flush(disk, sync);
  }

  reset(disk: Disk): void {
    this.#file.reset(disk);
  }

  release(): void {
    this.#file.clear();
  }

  #timestampAt = (at: number): number => readInt64(this.#file.bytes, at);
  #relativeAt = (at: number): number => readUint32(this.#file.bytes, at + 8);
}
