/**
 * Everything the log does to a disk goes through this, so that the simulator can own it. Calls
 * block and throw errno errors (`code` is set) except the two syncs with a callback, which run on
 * threads of their own. Thread: the owner's; a Disk belongs to one event loop.
 */

export type DiskFile = {
  readonly fd: number;
  readonly path: string;
};

/** read: must exist. existing: read and write, must exist. create: as existing, made if absent. */
export type OpenMode = 'read' | 'existing' | 'create';

export type SyncDone = (error: Error | null) => void;

export interface Disk {
  /** Something that was written is not in its file yet: only this disk's own calls see it. */
  readonly isBehind: boolean;
  /** Opens a file; a directory may be opened with 'read' in order to sync it. */
  openFile(path: string, mode: OpenMode): DiskFile;
  close(file: DiskFile): void;
  /**
   * As {@link close}, for a file whose name is gone: giving back what it held takes long, and
   * nobody waits for it.
   */
  closeLater(file: DiskFile): void;
  /** Writes all of the bytes or throws; a part may have been written when it throws. */
  writeAt(file: DiskFile, position: number, bytes: Uint8Array, start: number, length: number): void;
  /** Bytes read: less than `length` only at the end of the file. */
  readAt(
    file: DiskFile,
    position: number,
    bytes: Uint8Array,
    start: number,
    length: number,
  ): number;
  truncate(file: DiskFile, length: number): void;
  /** Size in bytes, or -1 when there is no such file. */
  fileSize(path: string): number;
  /** False when something before `end` is not in the file yet, so that {@link readAt} is needed. */
  hasWritten(file: DiskFile, end: number): boolean;
  /**
   * Makes a file (or directory) durable without blocking; calls in flight share the work. `done`
   * never runs before this returns. After an error the pages are lost: never call it again.
   */
  sync(file: DiskFile, done: SyncDone): void;
  /** As {@link sync} for what nobody waits for: never delays an acknowledgement. */
  syncLater(file: DiskFile, done: SyncDone): void;
  /** Blocking; for start-up and rare paths. */
  syncNow(file: DiskFile): void;
  /** Blocking: makes creations, renames and removals in a directory durable. */
  syncDirectory(path: string): void;
  rename(from: string, to: string): void;
  /** Removes a file; an absent one is fine. */
  unlink(path: string): void;
  /** Makes a directory and its parents; an existing one is fine. */
  makeDirectory(path: string): void;
  /** Names in a directory, sorted; empty when it does not exist. */
  list(path: string): string[];
  exists(path: string): boolean;
  removeTree(path: string): void;
  /** Bytes an unprivileged writer may still use. */
  freeBytes(path: string): number;
}

/** A disk that can also write on a thread of its own, so that its owner need not wait. */
export interface ThreadedDisk extends Disk {
  /** The system made the last {@link Disk.writeAt} wait, and the next one may wait, too. */
  readonly hasStalled: boolean;
  /**
   * As {@link Disk.writeAt}, without blocking: in the order asked, told in that order. `done` never
   * runs before this returns.
   */
  writeLater(file: DiskFile, position: number, bytes: Uint8Array, done: WriteDone): void;
  /** Blocks until every write that was asked for is done and told. */
  finishWrites(): void;
}

/** `hasStalled` as in {@link ThreadedDisk}. */
export type WriteDone = (error: Error | null, hasStalled: boolean) => void;

/** Parent directory of a path; paths here are absolute or relative, always with "/". */
export function parentOf(path: string): string {
  const slash = path.lastIndexOf('/');
  if (slash < 0) return '.';
  return slash === 0 ? '/' : path.slice(0, slash);
}

/** Makes a directory and what it lies in, durably. True when it was not there. */
export function makeDurableDirectory(disk: Disk, path: string): boolean {
  if (disk.exists(path)) return false;
  const parent = parentOf(path);
  makeDurableDirectory(disk, parent);
  disk.makeDirectory(path);
  disk.syncDirectory(parent);
  return true;
}
