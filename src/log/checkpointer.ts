/**
 * Writes a replica's checkpoint file: temporary file, sync, rename, sync of the folder; only then
 * are the operations it holds dropped from the write-ahead log. Never blocks unless asked to; calls
 * that come while one is being written lead to exactly one more. Thread: the shard's.
 */
import { isShortage } from '../base/shortage.js';
import { writeAtomically } from '../base/small-file.js';
import type { Disk, DiskFile } from './disk.js';
import { REPLICA_STATE } from './names.js';
import { type Checkpoint, encodeCheckpoint } from './replica-state.js';
import type { SyncItem } from './segment-list.js';

export type CheckpointerHost = {
  readonly disk: Disk;
  readonly directory: string;
  /** What is to be written, as of now. */
  capture(): Checkpoint;
  /** Files that must be on disk before the checkpoint may say so (cut segments, the folder). */
  filesFirst(): SyncItem[];
  /** The checkpoint is durable. */
  written(checkpoint: Checkpoint): void;
  failed(error: Error): void;
};

export class Checkpointer {
  readonly #host: CheckpointerHost;
  #isRunning = false;
  #isWanted = false;
  /** Rises when a blocking write overtakes one under way, whose next step then comes to nothing. */
  #turn = 0;
  #isClosed = false;

  constructor(host: CheckpointerHost) {
    this.#host = host;
  }

  /** Starts writing a checkpoint, or marks that another one is wanted. */
  write(): void {
    if (this.#isClosed) return;
    this.#isWanted = true;
    if (this.#isRunning) return;
    this.#isRunning = true;
    this.#next();
  }

  /** Writes a checkpoint, blocking. Throws errno errors. */
  writeNow(): void {
    const { disk, directory } = this.#host;
    this.#turn += 1;
    this.#isRunning = false;
    for (const { file, settle } of this.#host.filesFirst()) {
      disk.syncNow(file);
      settle(null);
    }
    const checkpoint = this.#host.capture();
    writeAtomically(disk, directory, REPLICA_STATE, encodeCheckpoint(checkpoint));
    this.#host.written(checkpoint);
  }

  /** Nothing is started any more, and what is running comes to nothing. */
  close(): void {
    this.#isClosed = true;
  }

  #next(): void {
    if (!this.#isWanted || this.#isClosed) {
      this.#isRunning = false;
      return;
    }
    this.#isWanted = false;
    this.#guard(() => this.#syncFirst());
  }

  #syncFirst(): void {
    const files = this.#host.filesFirst();
    let left = files.length;
    if (left === 0) return this.#writeState();
    for (const { file, settle } of files) {
      this.#syncLater(file, settle, () => {
        left -= 1;
        if (left === 0) this.#writeState();
      });
    }
  }

  #writeState(): void {
    const { disk, directory } = this.#host;
    const checkpoint = this.#host.capture();
    const file = this.#writeTemporary(checkpoint);
    const close = () => disk.close(file);
    this.#syncLater(file, close, () => {
      disk.rename(file.path, `${directory}/${REPLICA_STATE}`);
      const folder = disk.openFile(directory, 'read');
      const closeFolder = () => disk.close(folder);
      this.#syncLater(folder, closeFolder, () => {
        this.#host.written(checkpoint);
        this.#next();
      });
    });
  }

  #writeTemporary(checkpoint: Checkpoint): DiskFile {
    const { disk, directory } = this.#host;
    const bytes = encodeCheckpoint(checkpoint);
    const file = disk.openFile(`${directory}/${REPLICA_STATE}.tmp`, 'create');
    try {
      disk.truncate(file, 0);
      disk.writeAt(file, 0, bytes, 0, bytes.length);
    } catch (error) {
      disk.close(file);
      throw error;
    }
    return file;
  }

  #syncLater(file: DiskFile, settle: SyncItem['settle'], then: () => void): void {
    const turn = this.#turn;
    this.#host.disk.syncLater(file, (error) => {
      settle(error);
      if (this.#isClosed || turn !== this.#turn) return;
      if (error !== null) {
        this.#isRunning = false;
        this.#host.failed(error);
      } else this.#guard(then);
    });
  }

  /** A step that cannot be taken now is no loss: the next checkpoint tries again. */
  #guard(step: () => void): void {
    try {
      step();
    } catch (error) {
      this.#isRunning = false;
      if (!isShortage(error)) this.#host.failed(error as Error);
    }
  }
}
