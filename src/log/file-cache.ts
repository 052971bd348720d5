/**
 * The open segment files of a shard, with a bound. Its promise: a descriptor handed out stays open
 * for at least {@link GRACE_MS}, even when its file was unlinked meanwhile, so that a range given
 * to a socket in the same turn never reads from another file that got the same number. Thread: the
 * shard's.
 */
import type { Clock } from '../base/clock.js';
import { systemClock } from '../base/clock.js';
import type { Disk, DiskFile } from './disk.js';

type Entry = {
  readonly file: DiskFile;
  /** Holds bytes that are not synced: not to be closed to make room. */
  isPinned: boolean;
  /** Syncs under way on another thread: not to be closed at all. */
  holds: number;
  usedMs: number;
  /** Closed as soon as nothing holds it. */
  isDoomed: boolean;
  /** Its path is gone, or means another file. */
  isForgotten: boolean;
};

const GRACE_MS = 2_000;
const FILES_MAX = 1_024;

export class FileCache {
  readonly #disk: Disk;
  readonly #clock: Clock;
  readonly #filesMax: number;
  /** By path, least recently used first. */
  readonly #open = new Map<string, Entry>();
  /** The last of them. */
  #newest: Entry | null = null;
  /** No longer to be found, closed when their time is over. */
  #leaving: Entry[] = [];

  constructor(disk: Disk, clock: Clock = systemClock, filesMax = FILES_MAX) {
    this.#disk = disk;
    this.#clock = clock;
    this.#filesMax = filesMax;
  }

  /** An open, readable and writable file that must exist. */
  open(path: string): DiskFile {
    const nowMs = this.#clock.monotonicMs();
    let entry = this.#open.get(path);
    if (entry !== undefined && entry === this.#newest) {
      entry.usedMs = nowMs;
      return entry.file;
    }
    if (entry === undefined) {
      this.#closeOld(nowMs);
      const file = this.#disk.openFile(path, 'existing');
      const state = { isPinned: false, isDoomed: false, isForgotten: false };
      entry = { file, holds: 0, usedMs: nowMs, ...state };
    } else this.#open.delete(path);
    entry.usedMs = nowMs;
    this.#open.set(path, entry);
    this.#newest = entry;
    return entry.file;
  }

  /** Keeps a file open: an error of its write-back is only told to who has it open. */
  setPinned(path: string, isPinned: boolean): void {
    const entry = this.#open.get(path);
    if (entry !== undefined) entry.isPinned = isPinned;
  }

  /** Keeps the descriptor of an open path alive until the returned function is called. */
  hold(path: string): () => void {
    const entry = this.#open.get(path);
    if (entry === undefined) return () => {};
    entry.holds += 1;
    return () => {
      entry.holds -= 1;
      if (entry.isDoomed) this.#close(entry);
    };
  }

  /** The path is gone or means another file now. */
  forget(path: string): void {
    const entry = this.#open.get(path);
    if (entry === undefined) return;
    this.#open.delete(path);
    entry.isForgotten = true;
    this.#leaving.push(entry);
  }

  /** Closes everything in a folder now. Nobody may still want to read one of its ranges. */
  closeUnder(directory: string): void {
    const prefix = `${directory}/`;
    for (const [path, entry] of this.#open) {
      if (!path.startsWith(prefix)) continue;
      this.#open.delete(path);
      this.#close(entry);
    }
    this.#leaving = this.#leaving.filter((entry) => {
      const isHere = entry.file.path.startsWith(prefix);
      if (isHere) this.#close(entry);
      return !isHere;
    });
  }

  #close(entry: Entry): void {
    if (entry.holds > 0) entry.isDoomed = true;
    else if (entry.isForgotten) this.#disk.closeLater(entry.file);
    else this.#disk.close(entry.file);
  }

  #closeOld(nowMs: number): void {
    this.#leaving = this.#leaving.filter((entry) => {
      const isOver = nowMs - entry.usedMs > GRACE_MS;
      if (isOver) this.#close(entry);
      return !isOver;
    });
    if (this.#open.size < this.#filesMax) return;
    for (const [path, entry] of this.#open) {
      // The list is in order of use: behind this one everything is younger.
      if (nowMs - entry.usedMs <= GRACE_MS) return;
      if (entry.isPinned || entry.holds > 0) continue;
      this.#open.delete(path);
      this.#disk.close(entry.file);
      if (this.#open.size < this.#filesMax) return;
    }
  }
}
