/**
 * A disk in memory that forgets like a real one. It keeps, per file and per directory, what is
 * durable and which operations came since, so that a power cut can keep any part of them; what it
 * keeps is drawn from a seed. It also fails on purpose: EIO on sync (pages dropped and marked
 * clean), EIO on read, a full disk, flipped bits. The simulator and the log's tests share it.
 */
import type { Prng } from '#src/base/prng.js';
import type { DiskFile, OpenMode, SyncDone, ThreadedDisk, WriteDone } from '#src/log/disk.js';
import { parentOf } from '#src/log/disk.js';
import {
  type DirectoryNode,
  type FileNode,
  type FileOp,
  type Keep,
  type Node,
  applyNames,
  applyOp,
  copyOf,
  crashDirectory,
  dropOps,
  newDirectory,
  newFile,
} from './memory-node.js';
import { errnoError, nameOf, PathNames } from './memory-paths.js';

export type { Keep };

export type MemoryDiskOptions = {
  /** Runs a sync's completion later; default: collected until {@link MemoryDisk.drain}. */
  readonly schedule?: (run: () => void) => void;
  /** Bytes all files together may have. */
  readonly capacityBytes?: number;
  /** A folder that has always been there, durable. */
  readonly root?: string;
};

export class MemoryDisk implements ThreadedDisk {
  readonly isBehind = false;
  readonly counters = {
    reads: 0,
    readBytes: 0,
    writes: 0,
    writeBytes: 0,
    syncs: 0,
    opens: 0,
    failedReads: 0,
    failedSyncs: 0,
    fullWrites: 0,
  };
  /** Bytes all files together may have; lower it to make the disk full. */
  capacityBytes: number;
  /** While true (or matching the path) syncs fail with EIO and the pages are lost. */
  failSync: RegExp | null = null;
  failRead: RegExp | null = null;
  /** Files and folders that may be open at the same time. */
  descriptorsMax = Number.MAX_SAFE_INTEGER;
  /** What whoever uses this disk forgets to do; the simulator's mutants. */
  mistake: 'rename-without-directory-sync' | 'sync-retried-after-error' | null = null;
  /**
   * The process is killed in the middle of its next write: a prefix of it (drawn from here) reaches
   * the page cache, the write throws, and nothing changes any more until {@link MemoryDisk.crash}.
   */
  killInWrite: Prng | null = null;
  /** Writes that go well before the one of {@link killInWrite}. */
  writesUntilKill = 0;
  /** Each write says that it had to wait. */
  hasStalled = false;
  /** Writes of a thread of this disk, not yet carried out. */
  #later: (() => void)[] = [];
  readonly #schedule: (run: () => void) => void;
  readonly #due: (() => void)[] = [];
  #root: DirectoryNode = newDirectory();
  #open = new Map<number, { node: Node; path: string }>();
  readonly #paths = new PathNames();
  #nextFd = 3;
  #usedBytes = 0;
  #isDead = false;
  /** Rises with each crash, so that syncs from before it come to nothing. */
  #life = 0;

  constructor(options: MemoryDiskOptions = {}) {
    this.capacityBytes = options.capacityBytes ?? Number.MAX_SAFE_INTEGER;
    this.#schedule = options.schedule ?? ((run) => this.#due.push(run));
    const root = options.root ?? '/data';
    this.makeDirectory(root);
    for (let path = root; path !== '/'; path = parentOf(path)) this.syncDirectory(parentOf(path));
  }

  /** The process was killed in a write; see {@link MemoryDisk.killInWrite}. */
  get isDead(): boolean {
    return this.#isDead;
  }

  /** Files open now. */
  get openFiles(): number {
    return this.#open.size;
  }

  /** Syncs asked for and not completed (default schedule only). */
  get pendingSyncs(): number {
    return this.#due.length;
  }

  /** Completes `count` of the waiting syncs, all by default, with those they lead to. */
  drain(count = Number.MAX_SAFE_INTEGER): void {
    for (let i = 0; i < count && this.#due.length > 0; i++) (this.#due.shift() as () => void)();
  }

  /** Loses power, or only the process ('all'). Every open file is closed, nothing calls back. */
  crash(keep: Keep, prng: Prng): void {
    this.#life += 1;
    this.#due.length = 0;
    this.#later = [];
    this.#open = new Map();
    this.#isDead = false;
    this.killInWrite = null;
    this.writesUntilKill = 0;
    if (keep === 'all') return;
    this.#usedBytes = crashDirectory(this.#root, keep, prng);
  }

  /** Changes one bit, on the platter and in the page cache. */
  flipBit(path: string, position: number, bit = 0): void {
    const file = this.#mustFile(path);
    for (const { bytes, size } of [file.content, file.durable]) {
      if (position < size) bytes[position] = (bytes[position] as number) ^ (1 << bit);
    }
  }

  /** A copy of what a reader sees now. */
  contents(path: string): Buffer {
    const { bytes, size } = this.#mustFile(path).content;
    return Buffer.from(bytes.subarray(0, size));
  }

  /** Puts a file there as if it had always been there, durable. */
  plant(path: string, bytes: Uint8Array): void {
    const file = this.openFile(path, 'create');
    this.truncate(file, 0);
    this.writeAt(file, 0, bytes, 0, bytes.length);
    this.syncNow(file);
    this.close(file);
    this.syncDirectory(parentOf(path));
  }

  openFile(path: string, mode: OpenMode): DiskFile {
    this.counters.opens += 1;
    if (this.#open.size >= this.descriptorsMax) throw errnoError('EMFILE', path);
    let node = this.#find(path);
    if (node === null && mode === 'create') {
      node = newFile();
      this.#link(path, node);
    }
    if (node === null) throw errnoError('ENOENT', path);
    if (node.kind === 'directory' && mode !== 'read') throw errnoError('EISDIR', path);
    const fd = this.#nextFd++;
    this.#open.set(fd, { node, path });
    return { fd, path };
  }

  close(file: DiskFile): void {
    if (!this.#open.delete(file.fd)) throw errnoError('EBADF', file.path);
  }

  closeLater(file: DiskFile): void {
    this.close(file);
  }

  writeAt(file: DiskFile, position: number, bytes: Uint8Array, start: number, length: number) {
    const node = this.#fileOf(file);
    const grows = Math.max(0, position + length - node.content.size);
    const free = Math.max(0, this.capacityBytes - this.#usedBytes);
    if (this.#isDead) throw errnoError('EKILLED', file.path);
    let taken = grows <= free ? length : Math.max(0, length - (grows - free));
    const isKilled = this.killInWrite !== null && this.writesUntilKill-- <= 0;
    if (isKilled) taken = (this.killInWrite as Prng).int(0, taken);
    this.#write(node, position, copyOf(bytes, start, taken));
    this.#isDead = isKilled;
    if (isKilled) throw errnoError('EKILLED', file.path);
    if (taken === length) return;
    this.counters.fullWrites += 1;
    throw errnoError('ENOSPC', file.path);
  }

  writeLater(file: DiskFile, position: number, bytes: Uint8Array, done: WriteDone): void {
    const copy = Buffer.from(bytes);
    const life = this.#life;
    this.#later.push(() => done(this.#writeOf(file, position, copy), this.hasStalled));
    // Whenever the thread comes to something, it is the oldest write.
    this.#schedule(() => life === this.#life && this.#later.shift()?.());
  }

  finishWrites(): void {
    while (this.#later.length > 0) (this.#later.shift() as () => void)();
  }

  hasWritten(): boolean {
    return true;
  }

  #writeOf(file: DiskFile, position: number, bytes: Buffer): Error | null {
    try {
      if (bytes.length > 0) this.writeAt(file, position, bytes, 0, bytes.length);
    } catch (error) {
      return error as Error;
    }
    return null;
  }

  readAt(file: DiskFile, position: number, bytes: Uint8Array, start: number, length: number) {
    const node = this.#fileOf(file);
    if (this.failRead?.test(file.path)) {
      this.counters.failedReads += 1;
      throw errnoError('EIO', file.path);
    }
    const end = Math.min(node.content.size, position + length);
    const count = Math.max(0, end - position);
    if (count > 0) bytes.set(node.content.bytes.subarray(position, end), start);
    this.counters.reads += 1;
    this.counters.readBytes += count;
    return count;
  }

  /** What a socket layer would send of a file it only knows by number. */
  readFd(fd: number, position: number, length: number): Buffer {
    const open = this.#open.get(fd);
    if (open === undefined) throw errnoError('EBADF', `fd ${fd}`);
    const bytes = Buffer.allocUnsafe(length);
    const count = this.readAt({ fd, path: open.path }, position, bytes, 0, length);
    return bytes.subarray(0, count);
  }

  truncate(file: DiskFile, length: number): void {
    const node = this.#fileOf(file);
    this.#apply(node, { kind: 'truncate', length });
  }

  fileSize(path: string): number {
    const node = this.#find(path);
    return node === null || node.kind !== 'file' ? -1 : node.content.size;
  }

  sync(file: DiskFile, done: SyncDone): void {
    const node = this.#nodeOf(file);
    const upTo = node.kind === 'file' ? node.firstOp + node.ops.length : 0;
    const life = this.#life;
    this.#schedule(() => {
      if (life !== this.#life) return;
      done(this.#makeDurable(node, file.path, upTo));
    });
  }

  syncLater(file: DiskFile, done: SyncDone): void {
    this.sync(file, done);
  }

  syncNow(file: DiskFile): void {
    const node = this.#nodeOf(file);
    const upTo = node.kind === 'file' ? node.firstOp + node.ops.length : 0;
    const error = this.#makeDurable(node, file.path, upTo);
    if (error !== null) throw error;
  }

  syncDirectory(path: string): void {
    const node = this.#find(path);
    if (node === null) throw errnoError('ENOENT', path);
    const error = this.#makeDurable(node, path, 0);
    if (error !== null) throw error;
  }

  rename(from: string, to: string): void {
    const node = this.#find(from);
    const parent = this.#directory(parentOf(from));
    if (this.#isDead) return;
    if (node === null || parent === null) throw errnoError('ENOENT', from);
    if (parentOf(to) !== parentOf(from)) throw errnoError('EXDEV', to);
    const [fromName, toName] = [nameOf(from), nameOf(to)];
    parent.entries.delete(fromName);
    parent.entries.set(toName, node);
    parent.ops.push({ kind: 'rename', from: fromName, to: toName, node });
  }

  unlink(path: string): void {
    const parent = this.#directory(parentOf(path));
    const node = parent?.entries.get(nameOf(path));
    if (parent === null || node === undefined || this.#isDead) return;
    if (node.kind === 'directory') throw errnoError('EISDIR', path);
    this.#usedBytes -= node.content.size;
    parent.entries.delete(nameOf(path));
    parent.ops.push({ kind: 'unlink', name: nameOf(path) });
  }

  makeDirectory(path: string): void {
    if (this.#find(path)?.kind === 'directory') return;
    const parent = parentOf(path);
    if (parent !== '/' && parent !== '.') this.makeDirectory(parent);
    this.#link(path, newDirectory());
  }

  list(path: string): string[] {
    return [...(this.#directory(path)?.entries.keys() ?? [])].sort();
  }

  exists(path: string): boolean {
    return this.#find(path) !== null;
  }

  removeTree(path: string): void {
    if (this.#isDead) return;
    const directory = this.#directory(path);
    if (directory === null) return this.unlink(path);
    for (const name of directory.entries.keys()) this.removeTree(`${path}/${name}`);
    const parent = this.#directory(parentOf(path));
    parent?.entries.delete(nameOf(path));
    parent?.ops.push({ kind: 'unlink', name: nameOf(path) });
  }

  freeBytes(): number {
    return Math.max(0, this.capacityBytes - this.#usedBytes);
  }

  #write(node: FileNode, position: number, bytes: Buffer): void {
    if (bytes.length === 0) return;
    this.#apply(node, { kind: 'write', position, bytes });
    this.counters.writes += 1;
    this.counters.writeBytes += bytes.length;
  }

  #apply(node: FileNode, op: FileOp): void {
    if (this.#isDead) return;
    const before = node.content.size;
    applyOp(node.content, op);
    this.#usedBytes += node.content.size - before;
    node.ops.push(op);
  }

  #makeDurable(node: Node, path: string, upTo: number): Error | null {
    this.counters.syncs += 1;
    if (this.#isDead) return null;
    if (this.failSync?.test(path)) {
      // The pages are gone and marked clean: a later sync succeeds without them.
      this.counters.failedSyncs += 1;
      if (node.kind === 'file') dropOps(node, upTo, () => undefined);
      if (this.mistake === 'sync-retried-after-error') return null;
      return errnoError('EIO', path);
    }
    if (node.kind === 'directory') {
      const isForgotten = this.mistake === 'rename-without-directory-sync';
      if (isForgotten && node.ops.at(-1)?.kind === 'rename') return null;
      applyNames(node.durable, node.ops);
      node.ops = [];
      return null;
    }
    dropOps(node, upTo, (op) => applyOp(node.durable, op));
    return null;
  }

  #find(path: string): Node | null {
    let node: Node = this.#root;
    for (const name of this.#paths.namesOf(path)) {
      const next: Node | undefined = node.kind === 'directory' ? node.entries.get(name) : undefined;
      if (next === undefined) return null;
      node = next;
    }
    return node;
  }

  #directory(path: string): DirectoryNode | null {
    const node = this.#find(path);
    return node?.kind === 'directory' ? node : null;
  }

  #link(path: string, node: Node): void {
    const parent = this.#directory(parentOf(path));
    if (parent === null) throw errnoError('ENOENT', path);
    parent.entries.set(nameOf(path), node);
    parent.ops.push({ kind: 'link', name: nameOf(path), node });
  }

  #mustFile(path: string): FileNode {
    const node = this.#find(path);
    if (node?.kind !== 'file') throw errnoError('ENOENT', path);
    return node;
  }

  #nodeOf(file: DiskFile): Node {
    const open = this.#open.get(file.fd);
    if (open === undefined) throw errnoError('EBADF', file.path);
    return open.node;
  }

  #fileOf(file: DiskFile): FileNode {
    const node = this.#nodeOf(file);
    if (node.kind !== 'file') throw errnoError('EISDIR', file.path);
    return node;
  }
}
