/**
 * Positioned file access for the log, synchronous and on the calling thread: a page-cache append
 * costs microseconds, a hop to another thread more. Short transfers and EINTR are handled below.
 * Errors look like Node's own: an `Error` with `code`, `errno` and `syscall`.
 */
import { LograftError } from '../base/errors.js';
import type { FilePosition } from '../base/units.js';
import { native } from './addon.js';
import { NATIVE_CONSTANTS } from './constants.js';

/** What this environment did to files so far, and how slow its slowest write was. */
export type FileCounters = {
  writeCalls: number;
  writeBytes: number;
  /** Writes that took over 2 ms: the kernel throttles dirty pages. */
  slowWrites: number;
  slowestWriteMicros: number;
  lastWriteMicros: number;
  readCalls: number;
  readBytes: number;
  syncCalls: number;
};

/**
 * Writes all of `bytes[start, start + length)` at `filePosition` or throws. True when the system
 * made it wait for long, and not for the first time lately: it throttles who writes too much.
 */
export function writeAt(
  fd: number,
  filePosition: FilePosition,
  bytes: Uint8Array,
  start: number,
  length: number,
): boolean {
  return native.writeAt(fd, filePosition, bytes, start, length);
}

/** Writes all views one behind the other; returns their bytes. */
export function writeListAt(
  fd: number,
  filePosition: FilePosition,
  views: readonly Uint8Array[],
): number {
  return native.writeListAt(fd, filePosition, views);
}

/** Reads up to `length` bytes; fewer only where the file ends. */
export function readAt(
  fd: number,
  filePosition: FilePosition,
  bytes: Uint8Array,
  start: number,
  length: number,
): number {
  return native.readAt(fd, filePosition, bytes, start, length);
}

/** Reserves blocks for a range. Without `keepSize` the file is at least that long afterwards. */
export function allocate(fd: number, from: FilePosition, length: number, keepSize: boolean): void {
  native.allocate(fd, from, length, keepSize);
}

/** Makes a file's data durable while the caller waits (fdatasync; F_FULLFSYNC on macOS). */
export function syncFile(fd: number): void {
  native.syncFile(fd);
}

/** Makes a folder's entries (creations, renames, unlinks) durable. */
export function syncDirectory(path: string): void {
  native.syncDirectory(path);
}

/** Bytes that an unprivileged process may still write on the file system of `path`. */
export function freeBytes(path: string): number {
  return native.freeBytes(path);
}

/**
 * Names the mount that holds `path` as no other one before the next boot is named; null where the
 * system cannot (Linux before 6.8, other systems).
 */
export function uniqueMountId(path: string): string | null {
  const id = native.uniqueMountId(path);
  return id === '0' ? null : id;
}

export type FileLock = { release(): void };

/** Takes the exclusive lock of `path` (created when missing) until release or process end. */
export function lockFile(path: string): FileLock {
  let fd: number;
  try {
    fd = native.lockFile(path);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EAGAIN') throw error;
    throw new LograftError(
      'DIRECTORY_LOCKED',
      `${path} is locked by another process`,
      'stop the broker that runs on this directory, or choose another one',
      { cause: error },
    );
  }
  return {
    release(): void {
      if (fd < 0) return;
      native.unlockFile(fd);
      fd = -1;
    },
  };
}

export function fileCounters(): FileCounters {
  const into = new Float64Array(NATIVE_CONSTANTS.FILE_COUNTER_COUNT);
  native.fileCounters(into);
  const at = (index: number): number => into[index] ?? 0;
  return {
    writeCalls: at(0),
    writeBytes: at(1),
    slowWrites: at(2),
    slowestWriteMicros: at(3),
    lastWriteMicros: at(4),
    readCalls: at(5),
    readBytes: at(6),
    syncCalls: at(7),
  };
}
