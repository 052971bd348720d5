/**
 * The real disk: node:fs for names, the addon for bytes and syncs. Thread: its owner's; syncs run
 * on one native thread of this disk, those that nobody waits for on a second one, and writes that
 * nobody may wait for on a third: a slow sync keeps no write waiting.
 */
import {
  close,
  closeSync,
  constants,
  existsSync,
  ftruncateSync,
  mkdirSync,
  openSync,
  readdirSync,
  renameSync,
  rmSync,
  statSync,
} from 'node:fs';
import type { Clock } from '../base/clock.js';
import { freeBytes, readAt, syncDirectory, syncFile, writeAt } from '../native/files.js';
import { SyncThread } from '../native/sync-thread.js';
import type { DiskFile, OpenMode, SyncDone, ThreadedDisk, WriteDone } from './disk.js';
import { parentOf } from './disk.js';

const FLAGS: Readonly<Record<OpenMode, string | number>> = {
  read: 'r',
  existing: 'r+',
  // Not truncated, which no flag string says.
  create: constants.O_RDWR | constants.O_CREAT,
};

export type NodeDiskOptions = {
  readonly clock: Clock;
  /** A file that was waited for is durable after so long. */
  readonly onSync: (ms: number) => void;
};

export class NodeDisk implements ThreadedDisk {
  readonly isBehind = false;
  hasStalled = false;
  readonly #options: NodeDiskOptions | undefined;
  readonly #urgent = new SyncThread();
  /** Made when first needed: a disk that is never slow does without. */
  #writer: SyncThread | null = null;
  #stalledWrites = 0;
  /** Made when first needed: most disks of small clusters never need it. */
  #background: SyncThread | null = null;

  constructor(options?: NodeDiskOptions) {
    this.#options = options;
  }

  openFile(path: string, mode: OpenMode): DiskFile {
    return { fd: openSync(path, FLAGS[mode], 0o644), path };
  }

  close(file: DiskFile): void {
    closeSync(file.fd);
  }

  closeLater(file: DiskFile): void {
    // Nothing that could go wrong concerns a file without a name.
    close(file.fd, () => {});
  }

  writeAt(
    file: DiskFile,
    position: number,
    bytes: Uint8Array,
    start: number,
    length: number,
  ): void {
    this.hasStalled = writeAt(file.fd, position, bytes, start, length);
  }

  writeLater(file: DiskFile, position: number, bytes: Uint8Array, done: WriteDone): void {
    const writer = (this.#writer ??= new SyncThread());
    writer.write(file.fd, position, bytes, (error) => {
      const { stalledWrites } = writer.counters();
      const hasStalled = stalledWrites > this.#stalledWrites;
      this.#stalledWrites = stalledWrites;
      done(error, hasStalled);
    });
  }

  finishWrites(): void {
    this.#writer?.finish();
  }

  hasWritten(): boolean {
    return true;
  }

  readAt(file: DiskFile, position: number, bytes: Uint8Array, start: number, length: number) {
    return readAt(file.fd, position, bytes, start, length);
  }

  truncate(file: DiskFile, length: number): void {
    ftruncateSync(file.fd, length);
  }

  fileSize(path: string): number {
    return statSync(path, { throwIfNoEntry: false })?.size ?? -1;
  }

  sync(file: DiskFile, done: SyncDone): void {
    const options = this.#options;
    if (options === undefined) {
      this.#urgent.sync(file.fd, done);
      return;
    }
    const { clock, onSync } = options;
    const startMs = clock.monotonicMs();
    this.#urgent.sync(file.fd, (error) => {
      onSync(clock.monotonicMs() - startMs);
      done(error);
    });
  }

  syncLater(file: DiskFile, done: SyncDone): void {
    this.#background ??= new SyncThread();
    this.#background.sync(file.fd, done);
  }

  syncNow(file: DiskFile): void {
    syncFile(file.fd);
  }

  syncDirectory(path: string): void {
    syncDirectory(path);
  }

  rename(from: string, to: string): void {
    renameSync(from, to);
  }

  unlink(path: string): void {
    rmSync(path, { force: true });
  }

  makeDirectory(path: string): void {
    mkdirSync(path, { recursive: true });
  }

  list(path: string): string[] {
    try {
      return readdirSync(path).sort();
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'ENOENT') return [];
      throw error;
    }
  }

  exists(path: string): boolean {
    return existsSync(path);
  }

  removeTree(path: string): void {
    rmSync(path, { recursive: true, force: true });
    if (this.exists(parentOf(path))) syncDirectory(parentOf(path));
  }

  freeBytes(path: string): number {
    return freeBytes(path);
  }

  /** How often its threads made a file durable. */
  get syncCount(): number {
    return this.#urgent.counters().syncs + (this.#background?.counters().syncs ?? 0);
  }

  /** Finishes the syncs in flight and ends the threads. */
  async shutDown(): Promise<void> {
    await this.#writer?.close();
    await this.#urgent.close();
    await this.#background?.close();
  }
}
