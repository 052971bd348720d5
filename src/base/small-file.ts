/**
 * Small whole files, written so that a crash leaves the old one or the new one: write beside, sync,
 * rename, sync the directory. Through a disk that is given, so that the simulator can own it.
 */

/** The part of a disk that small files need; `log/disk.ts` has it all. */
export type SmallFileDisk<F> = {
  openFile(path: string, mode: 'read' | 'create'): F;
  close(file: F): void;
  writeAt(file: F, at: number, bytes: Uint8Array, start: number, length: number): void;
  readAt(file: F, at: number, bytes: Uint8Array, start: number, length: number): number;
  fileSize(path: string): number;
  syncLater(file: F, done: (error: Error | null) => void): void;
  syncNow(file: F): void;
  syncDirectory(path: string): void;
  rename(from: string, to: string): void;
  unlink(path: string): void;
};

/** Ending of a file that is being written; left over ones mean nothing. */
export const UNFINISHED = '.tmp';

export function readWhole<F>(disk: SmallFileDisk<F>, path: string): Buffer {
  const file = disk.openFile(path, 'read');
  try {
    const bytes = Buffer.alloc(Math.max(0, disk.fileSize(path)));
    const length = disk.readAt(file, 0, bytes, 0, bytes.length);
    return bytes.subarray(0, length);
  } finally {
    disk.close(file);
  }
}

/** Blocks until `directory/name` holds `bytes` durably. */
export function writeAtomically<F>(
  disk: SmallFileDisk<F>,
  directory: string,
  name: string,
  bytes: Uint8Array,
): void {
  const file = beginFile(disk, `${directory}/${name}${UNFINISHED}`, bytes);
  try {
    disk.syncNow(file);
  } finally {
    disk.close(file);
  }
  publish(disk, directory, name);
}

/** As {@link writeAtomically}, without blocking on the bytes; `done` has null or what failed. */
export function writeAtomicallyLater<F>(
  disk: SmallFileDisk<F>,
  directory: string,
  name: string,
  bytes: Uint8Array,
  done: (error: Error | null) => void,
): void {
  const file = beginFile(disk, `${directory}/${name}${UNFINISHED}`, bytes);
  disk.syncLater(file, (error) => {
    disk.close(file);
    if (error !== null) return done(error);
    try {
      publish(disk, directory, name);
    } catch (failure) {
      return done(failure as Error);
    }
    done(null);
  });
}

function beginFile<F>(disk: SmallFileDisk<F>, path: string, bytes: Uint8Array): F {
  disk.unlink(path);
  const file = disk.openFile(path, 'create');
  try {
    disk.writeAt(file, 0, bytes, 0, bytes.length);
  } catch (error) {
    disk.close(file);
    throw error;
  }
  return file;
}

function publish<F>(disk: SmallFileDisk<F>, directory: string, name: string): void {
  disk.rename(`${directory}/${name}${UNFINISHED}`, `${directory}/${name}`);
  disk.syncDirectory(directory);
}
