/**
 * A disk that keeps its owner's loop running while the system makes writers wait. From then on
 * writes gather in memory and a thread of the disk below carries them out, those that follow each
 * other in one file together, until it is calm. Promises: `readAt` sees every write at once; a sync
 * covers what was written before it; of one file nothing is written behind a write that failed, and
 * who syncs it hears of that. Thread: its owner's.
 *
 *   calm ──a write had to wait──▶ slow ──nothing is left, and no write waited for CALM_MS──▶ calm
 *
 * What waits here is lost with the process, as what waits in the page cache is lost with the power:
 * so while anything waits nobody may take "written" for "in the page cache" (`isBehind`).
 */
import type { Clock } from '../base/clock.js';
import { LograftError } from '../base/errors.js';
import { WRITE_BEHIND_BYTES_MAX } from '../base/limits.js';
import type { Mutant } from '../base/mutant.js';
import type { MonotonicMs } from '../base/units.js';
import type { Disk, DiskFile, OpenMode, SyncDone, ThreadedDisk } from './disk.js';

const CALM_MS = 1_000;
const WRITE_BYTES_MAX = 4 << 20;
/** With less room than this beyond what waits, a full disk is met where it can be refused. */
const ROOM_BYTES_MIN = 16 << 20;
const NOTHING = Buffer.alloc(0);

type Piece = { readonly file: DiskFile; readonly position: number; readonly bytes: Buffer };

type Waiter = {
  /** Runs when so many pieces of the file were written. */
  readonly after: number;
  readonly run: (error: Error | null) => void;
};

/** What waits for one file. */
type Trail = {
  /** Oldest first; the first `underWay` of them are being written. */
  readonly pieces: Piece[];
  underWay: number;
  /** Pieces written since the trail began. */
  written: number;
  /** Oldest first. */
  readonly waiters: Waiter[];
  /** A write failed: the file takes nothing more. */
  failure: Error | null;
};

type Use = {
  readonly trail: Trail;
  /** Pieces that wait. */
  count: number;
  /** To be closed after the last one. */
  isClosing: boolean;
};

export type WriteBehindOptions = {
  readonly disk: ThreadedDisk;
  readonly clock: Clock;
  /** The disk became slow, or calm again. */
  readonly onSlow?: (isSlow: boolean) => void;
  /** Tests only. */
  readonly mutant?: Mutant | undefined;
};

export class WriteBehind implements Disk {
  readonly #o: WriteBehindOptions;
  readonly #disk: ThreadedDisk;
  readonly #trails = new Map<string, Trail>();
  /** Descriptors with pieces that wait. */
  readonly #uses = new Map<number, Use>();
  /** Files as they were opened, with a sync that failed. */
  readonly #unsyncable = new WeakMap<DiskFile, Error>();
  #waitingBytes = 0;
  #isSlow = false;
  #slowMs: MonotonicMs = 0;
  /** Trails with pieces that are not under way. */
  readonly #ready = new Set<Trail>();
  /** Writes under way. */
  #running = 0;
  /** Somebody waits for the disk, blocking: he is not to hear of other failures meanwhile. */
  #isBlocking = false;
  readonly #owed: (() => void)[] = [];

  constructor(options: WriteBehindOptions) {
    this.#o = options;
    this.#disk = options.disk;
  }

  get isBehind(): boolean {
    return this.#trails.size > 0;
  }

  /** Writes do not block now. */
  get isSlow(): boolean {
    return this.#isSlow;
  }

  hasWritten(file: DiskFile, end: number): boolean {
    const trail = this.#trailOf(file);
    return trail === undefined || trail.pieces.every(({ position }) => position >= end);
  }

  writeAt(file: DiskFile, position: number, bytes: Uint8Array, start: number, length: number) {
    if (!this.#isSlow && this.#trails.size === 0) {
      return this.#writeNow(file, position, bytes, start, length);
    }
    if (this.#waitingBytes + length > WRITE_BEHIND_BYTES_MAX) this.finish();
    const trail = this.#trailOf(file);
    if (trail?.failure != null) throw trail.failure;
    if (!this.#mayWait(file, length)) {
      this.#finishTrail(trail);
      return this.#writeNow(file, position, bytes, start, length);
    }
    const piece = { file, position, bytes: Buffer.from(bytes.subarray(start, start + length)) };
    this.#take(trail ?? this.#begin(file.path), piece);
  }

  readAt(file: DiskFile, position: number, bytes: Uint8Array, start: number, length: number) {
    let count = this.#disk.readAt(file, position, bytes, start, length);
    for (const piece of this.#trailOf(file)?.pieces ?? []) {
      const from = Math.max(position, piece.position);
      const to = Math.min(position + length, piece.position + piece.bytes.length);
      if (from >= to) continue;
      const at = from - position;
      if (at > count) bytes.fill(0, start + count, start + at);
      bytes.set(piece.bytes.subarray(from - piece.position, to - piece.position), start + at);
      count = Math.max(count, to - position);
    }
    return count;
  }

  sync(file: DiskFile, done: SyncDone): void {
    this.#whenWritten(file, done, (told) => this.#disk.sync(file, told));
  }

  syncLater(file: DiskFile, done: SyncDone): void {
    this.#whenWritten(file, done, (told) => this.#disk.syncLater(file, told));
  }

  syncNow(file: DiskFile): void {
    this.#finishTrail(this.#trailOf(file));
    this.#disk.syncNow(file);
  }

  truncate(file: DiskFile, length: number): void {
    this.#finishTrail(this.#trailOf(file));
    this.#disk.truncate(file, length);
  }

  close(file: DiskFile): void {
    const use = this.#uses.get(file.fd);
    if (use === undefined) this.#disk.close(file);
    else use.isClosing = true;
  }

  closeLater(file: DiskFile): void {
    if (this.#uses.has(file.fd)) this.close(file);
    else this.#disk.closeLater(file);
  }

  fileSize(path: string): number {
    let size = this.#disk.fileSize(path);
    for (const { position, bytes } of this.#trails.get(path)?.pieces ?? []) {
      size = Math.max(size, position + bytes.length);
    }
    return size;
  }

  rename(from: string, to: string): void {
    this.#disk.rename(from, to);
    this.#leave(to);
    for (const [path, trail] of [...this.#trails]) {
      if (path !== from && !path.startsWith(`${from}/`)) continue;
      this.#trails.delete(path);
      this.#trails.set(to + path.slice(from.length), trail);
    }
  }

  unlink(path: string): void {
    this.#disk.unlink(path);
    this.#leave(path);
  }

  removeTree(path: string): void {
    this.#disk.removeTree(path);
    this.#leave(path);
  }

  openFile(path: string, mode: OpenMode): DiskFile {
    return this.#disk.openFile(path, mode);
  }

  syncDirectory(path: string): void {
    this.#disk.syncDirectory(path);
  }

  makeDirectory(path: string): void {
    this.#disk.makeDirectory(path);
  }

  list(path: string): string[] {
    return this.#disk.list(path);
  }

  exists(path: string): boolean {
    return this.#disk.exists(path);
  }

  freeBytes(path: string): number {
    return this.#disk.freeBytes(path);
  }

  /** Blocks until nothing waits but what failed: before the process ends, and at the bound. */
  finish(): void {
    while (this.#waitingBytes > 0) this.#block(() => this.#disk.finishWrites());
  }

  #mayWait({ path }: DiskFile, length: number): boolean {
    if (!this.#isSlow && this.#waitingBytes === 0) return false;
    return this.#disk.freeBytes(path) >= this.#waitingBytes + length + ROOM_BYTES_MIN;
  }

  #writeNow(file: DiskFile, position: number, bytes: Uint8Array, start: number, length: number) {
    this.#disk.writeAt(file, position, bytes, start, length);
    if (this.#disk.hasStalled) this.#noteSlow();
  }

  #noteSlow(): void {
    this.#slowMs = this.#o.clock.monotonicMs();
    if (this.#isSlow) return;
    this.#isSlow = true;
    this.#o.onSlow?.(true);
  }

  #maybeCalm(): void {
    if (!this.#isSlow || this.#waitingBytes > 0) return;
    if (this.#o.clock.monotonicMs() - this.#slowMs < CALM_MS) return;
    this.#isSlow = false;
    this.#o.onSlow?.(false);
  }

  /** A descriptor means one file for as long as it is open, whatever becomes of its name. */
  #trailOf({ fd, path }: DiskFile): Trail | undefined {
    return this.#uses.get(fd)?.trail ?? this.#trails.get(path);
  }

  #begin(path: string): Trail {
    const trail = { pieces: [], underWay: 0, written: 0, waiters: [], failure: null };
    this.#trails.set(path, trail);
    return trail;
  }

  #take(trail: Trail, piece: Piece): void {
    const { fd } = piece.file;
    const use = this.#uses.get(fd);
    if (use === undefined) this.#uses.set(fd, { trail, count: 1, isClosing: false });
    else use.count += 1;
    this.#waitingBytes += piece.bytes.length;
    trail.pieces.push(piece);
    this.#ready.add(trail);
    this.#start();
  }

  /** A write for each file; what comes while they are under way gathers for the next ones. */
  #start(): void {
    if (this.#running > 0 || this.#isBlocking) return;
    for (const trail of [...this.#ready]) this.#handOver(trail);
  }

  #handOver(trail: Trail): void {
    const { file, position, bytes, count } = oldestOf(trail);
    trail.underWay = count;
    if (count === trail.pieces.length) this.#ready.delete(trail);
    try {
      this.#disk.writeLater(file, position, bytes, (error, hasStalled) => {
        this.#running -= 1;
        if (hasStalled) this.#noteSlow();
        this.#onWritten(trail, count, error);
        this.#start();
        this.#maybeCalm();
      });
      this.#running += 1;
    } catch (error) {
      // Nobody will write them, and they were taken: whoever comes or waits is to hear of it.
      this.#fail(trail, error as Error);
      this.#tell(trail);
    }
  }

  #onWritten(trail: Trail, count: number, error: Error | null): void {
    trail.underWay = 0;
    if (error !== null) this.#fail(trail, error);
    else {
      for (const piece of trail.pieces.splice(0, count)) this.#release(piece);
      trail.written += count;
      if (trail.pieces.length === 0) this.#forget(trail);
    }
    this.#tell(trail);
  }

  /** The bytes stay readable; nothing else of the file counts any more. */
  #fail(trail: Trail, cause: Error): void {
    // Also on a full disk: what was taken can not be refused any more.
    const what = `what was taken cannot be written: ${cause.message}`;
    const hint = 'check the disk, then restart the node';
    trail.failure = new LograftError('STORAGE_FAILED', what, hint, { cause });
    trail.underWay = 0;
    this.#ready.delete(trail);
    for (const piece of trail.pieces) this.#release(piece);
  }

  #release({ file, bytes }: Piece): void {
    this.#waitingBytes -= bytes.length;
    const use = this.#uses.get(file.fd);
    if (use === undefined) return;
    use.count -= 1;
    if (use.count > 0) return;
    this.#uses.delete(file.fd);
    if (use.isClosing) this.#disk.close(file);
  }

  #forget(trail: Trail): void {
    this.#ready.delete(trail);
    for (const [path, other] of this.#trails) {
      if (other === trail) this.#trails.delete(path);
    }
  }

  #tell(trail: Trail): void {
    const { waiters, failure } = trail;
    while (waiters[0] !== undefined && (failure !== null || waiters[0].after <= trail.written)) {
      const { run } = waiters.shift() as Waiter;
      if (failure !== null && this.#isBlocking) this.#owed.push(() => run(failure));
      else run(failure);
    }
  }

  #whenWritten(file: DiskFile, done: SyncDone, sync: (told: SyncDone) => void): void {
    const trail = this.#trailOf(file);
    if (trail === undefined || this.#o.mutant === 'sync-overtakes-append') {
      return this.#sync(file, done, sync);
    }
    const { failure, pieces, written, waiters } = trail;
    if (failure !== null) return this.#soon(() => done(failure));
    const run = (error: Error | null): void => {
      if (error === null) this.#sync(file, done, sync);
      else done(error);
    };
    waiters.push({ after: written + pieces.length, run });
  }

  /** Not again after a failure: the system would say that all is well, without the lost pages. */
  #sync(file: DiskFile, done: SyncDone, sync: (told: SyncDone) => void): void {
    const failure = this.#unsyncable.get(file);
    if (failure !== undefined) return this.#soon(() => done(failure));
    sync((error) => {
      if (error !== null) this.#unsyncable.set(file, error);
      done(error);
    });
  }

  /** Writes what waits for a file, without what waits for others. Throws what became of it. */
  #finishTrail(trail: Trail | undefined): void {
    if (trail === undefined) return;
    this.#block(() => {
      if (trail.underWay > 0) this.#disk.finishWrites();
      while (trail.failure === null && trail.pieces.length > 0) this.#writeOldest(trail);
    });
    if (trail.failure !== null) throw trail.failure;
  }

  #writeOldest(trail: Trail): void {
    const { file, position, bytes, count } = oldestOf(trail);
    let failure: Error | null = null;
    try {
      this.#disk.writeAt(file, position, bytes, 0, bytes.length);
    } catch (error) {
      failure = error as Error;
    }
    this.#onWritten(trail, count, failure);
  }

  #block(wait: () => void): void {
    this.#isBlocking = true;
    wait();
    this.#isBlocking = false;
    for (const tell of this.#owed.splice(0)) this.#soon(tell);
    this.#start();
  }

  /** What waits for a name that is gone is written, and told, but no more to be found. */
  #leave(name: string): void {
    for (const path of [...this.#trails.keys()]) {
      if (path === name || path.startsWith(`${name}/`)) this.#trails.delete(path);
    }
  }

  #soon(run: () => void): void {
    this.#disk.writeLater({ fd: -1, path: '' }, 0, NOTHING, () => {
      if (this.#isBlocking) this.#owed.push(run);
      else run();
    });
  }
}

/** The oldest pieces of a trail, as many as lie one behind the other. */
function oldestOf({ pieces }: Trail): Piece & { readonly count: number } {
  const { file, position, bytes } = pieces[0] as Piece;
  let length = bytes.length;
  let count = 1;
  for (; count < pieces.length; count++) {
    const piece = pieces[count] as Piece;
    const isNext = piece.file.fd === file.fd && piece.position === position + length;
    if (!isNext || length + piece.bytes.length > WRITE_BYTES_MAX) break;
    length += piece.bytes.length;
  }
  const parts = pieces.slice(0, count).map((piece) => piece.bytes);
  return { file, position, bytes: count === 1 ? bytes : Buffer.concat(parts, length), count };
}
