/**
 * A shard's write-ahead log. It holds what must be durable at once and is too small for a file of
 * its own: terms and votes, marks, truncations. Its promise: when `done` of {@link Wal.flush} runs
 * without error, everything said before that call survives a power cut; and after the files exist
 * nothing here ever needs new disk space. Thread: the shard's; one sync serves all its groups.
 *
 *   slot 0  [file-start g=7][state of all groups][snapshot-end][frame][frame] … (zeros or g=5)
 *   slot 1  [file-start g=6] … full, free again as soon as the head of g=7 is synced
 *
 * Two files take turns. When one is full, the state of all groups (bounded: replicas checkpoint
 * and drop their operations) is copied to the head of the other one, which then goes on.
 */
import { LograftError } from '../base/errors.js';
import { type GroupKey, groupText } from '../base/group.js';
import { GroupMap } from '../base/group-map.js';
import { type Disk, type DiskFile, makeDurableDirectory } from './disk.js';
import type { HardState, ReplicaOp } from './log-types.js';
import { type WalFrame, encodeFrame, sealFrame } from './wal-frame.js';
import {
  type SequencedOp,
  type WalGroup,
  appendOp,
  encodeState,
  framesOf,
  groupIn,
  recoverWal,
} from './wal-recovery.js';

export type WalOptions = {
  readonly disk: Disk;
  /** Made when absent. */
  readonly directory: string;
  /** Size of each of the two files; they grow when the state of all groups needs it. */
  readonly fileBytes?: number;
};

export type FlushDone = (error: Error | null) => void;

type Note = { readonly group: GroupKey; readonly op: ReplicaOp };

const SLOT_NAMES = ['00000000.wal', '00000001.wal'];
const FILE_BYTES = 4 << 20;
/** Larger chunks make large folios, and those make each later small write dearer. */
const CHUNK_BYTES = 64 << 10;
/** Frames are written, though not yet synced, when this much has gathered. */
const PENDING_BYTES_MAX = 256 << 10;
const NO_OPS: readonly SequencedOp[] = [];

export class Wal {
  readonly #disk: Disk;
  readonly #paths: readonly string[];
  readonly #files: DiskFile[] = [];
  readonly #sizes: number[] = [];
  readonly #groups: Map<string, WalGroup>;
  #generation: number;
  /** Slot that holds the newest synced state; -1 before the first sync of a new log. */
  #slot: number;
  /** Next place to write in the current file; -1 when the next write begins a new file. */
  #writePosition = -1;
  /** Everything before this place of the current file is on disk. */
  #syncedTo = 0;
  /** Everything before this place is waited for; behind it lie only notes. */
  #wantedTo = 0;
  #pending: Buffer[] = [];
  #pendingBytes = 0;
  /** Newest news of what groups have synced; they ride along with the next write. */
  readonly #notes = new GroupMap<Note>();
  #isSyncing = false;
  #waiting: FlushDone[] = [];
  #inFlight: FlushDone[] = [];
  #failure: LograftError | null = null;
  #isClosed = false;

  static open(options: WalOptions): Wal {
    const { disk, directory, fileBytes = FILE_BYTES } = options;
    makeDurableDirectory(disk, directory);
    const wal = new Wal(disk, directory);
    try {
      if (wal.#prepareFiles(fileBytes)) disk.syncDirectory(directory);
      wal.flushNow();
    } catch (error) {
      wal.closeAbruptly();
      throw error;
    }
    return wal;
  }

  private constructor(disk: Disk, directory: string) {
    this.#disk = disk;
    this.#paths = SLOT_NAMES.map((name) => `${directory}/${name}`);
    const state = recoverWal(disk, this.#paths);
    this.#groups = state.groups;
    this.#generation = state.generation;
    this.#slot = state.slot;
    // What was read may only have been in the page cache: it is written anew, and synced.
    if (this.#groups.size > 0) this.#enqueue({ kind: 'nothing' });
  }

  /** Nothing that was said waits to be durable: {@link flush} would call back at once. */
  get isFlushed(): boolean {
    const isIdle = !this.#isSyncing && this.#pendingBytes === 0 && this.#failure === null;
    return isIdle && this.#wantedTo <= this.#syncedTo;
  }

  /** Why this log takes nothing more, or null. */
  get failure(): LograftError | null {
    return this.#failure;
  }

  get #current(): DiskFile {
    return this.#files[this.#slot] as DiskFile;
  }

  /** Every group this log has word of. */
  groups(): GroupKey[] {
    return Array.from(this.#groups.values(), (group) => group.key);
  }

  hardState(group: GroupKey): HardState | null {
    return this.#groups.get(groupText(group))?.hardState ?? null;
  }

  /** Durable with the next {@link flush}. */
  setHardState(group: GroupKey, hardState: HardState): void {
    groupIn(this.#groups, group).hardState = hardState;
    this.#push({ kind: 'hard-state', group, hardState });
  }

  /** Operations of a replica that its checkpoint may not hold, oldest first. */
  ops(group: GroupKey): readonly SequencedOp[] {
    return this.#groups.get(groupText(group))?.ops ?? NO_OPS;
  }

  /** The highest promise of a group that a frame may have made durable; 0 for none. */
  promisedOffset(group: GroupKey): number {
    let promised = 0;
    for (const { op } of this.ops(group)) {
      if (op.kind === 'synced') promised = Math.max(promised, op.promisedOffset);
    }
    return promised;
  }

  /** A checkpoint holds operations up to this number, though their frames may not have survived. */
  raiseSequence(group: GroupKey, sequence: number): void {
    const entry = groupIn(this.#groups, group);
    entry.sequence = Math.max(entry.sequence, sequence);
  }

  /** Number of the newest operation of a group; 0 for a group that never had one. */
  sequence(group: GroupKey): number {
    return this.#groups.get(groupText(group))?.sequence ?? 0;
  }

  /** Durable with the next {@link flush}. Returns the operation's number. */
  append(group: GroupKey, op: ReplicaOp): number {
    // What was noted before a truncation is not true behind it.
    this.#notes.delete(group);
    const entry = groupIn(this.#groups, group);
    const sequence = entry.sequence + 1;
    appendOp(entry, sequence, op);
    this.#push({ kind: 'operation', group, sequence, op });
    return sequence;
  }

  /** The replica's checkpoint is on disk and holds the operations up to this number. */
  dropOps(group: GroupKey, upTo: number): void {
    const entry = this.#groups.get(groupText(group));
    if (entry === undefined) return;
    entry.ops = entry.ops.filter(({ sequence }) => sequence > upTo);
  }

  /**
   * Remembers how far a replica has synced and what it has promised: with it recovery can tell a
   * torn tail from damage. Written with the next frames or {@link tick}; nobody waits for it.
   */
  noteSynced(group: GroupKey, syncedOffset: number, promisedOffset: number): void {
    this.#notes.set(group, { group, op: { kind: 'synced', syncedOffset, promisedOffset } });
  }

  /** Takes over what another log knows of a group, unless this one knows as much already. */
  adopt(key: GroupKey, from: Wal): void {
    const other = from.#groups.get(groupText(key));
    const own = this.#groups.get(groupText(key));
    if (other === undefined) return;
    const isOlder =
      own === undefined ||
      (own.hardState?.term ?? -1) < (other.hardState?.term ?? -1) ||
      own.sequence < other.sequence;
    if (!isOlder) return;
    this.#groups.set(groupText(key), { ...other, ops: [...other.ops] });
    for (const frame of framesOf(other)) this.#push(frame);
  }

  /** Forgets a group whose partition was deleted. Durable with the next {@link flush}. */
  remove(group: GroupKey): void {
    this.#notes.delete(group);
    if (this.#groups.delete(groupText(group))) this.#push({ kind: 'removed', group });
  }

  /**
   * Makes everything said so far durable. Calls share syncs. `done` runs before this returns when
   * there is nothing to wait for.
   */
  flush(done: FlushDone): void {
    if (this.#failure !== null) done(this.#failure);
    else if (this.isFlushed) done(null);
    else if (this.#isSyncing && this.#pendingBytes === 0) this.#inFlight.push(done);
    else {
      this.#waiting.push(done);
      if (!this.#isSyncing) this.#startSync();
    }
  }

  /** As {@link flush}, blocking; for start-up and rare paths. */
  flushNow(): void {
    if (this.#failure !== null) throw this.#failure;
    try {
      this.#writePending();
      if (this.#wantedTo > this.#syncedTo) this.#disk.syncNow(this.#current);
      else return;
    } catch (error) {
      throw this.#fail(error);
    }
    this.#syncedTo = this.#writePosition;
  }

  /** Now and then (50–100 ms): writes, without a sync, what was noted since the last write. */
  tick(): void {
    if (this.#notes.size === 0 || this.#isSyncing || this.#failure !== null) return;
    const isWanted = this.#pendingBytes > 0;
    const wantedTo = this.#wantedTo;
    const generation = this.#generation;
    this.#tryWrite();
    if (!isWanted && generation === this.#generation) this.#wantedTo = wantedTo;
  }

  /** Flushes, blocking, and closes the files. */
  closeCleanly(): void {
    if (this.#failure === null && !this.#isClosed) this.flushNow();
    this.closeAbruptly();
  }

  closeAbruptly(): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#failure ??= new LograftError('CLOSED', 'the write-ahead log is closed');
    if (!this.#isSyncing) this.#closeFiles();
  }

  #closeFiles(): void {
    for (const file of this.#files.splice(0)) this.#disk.close(file);
  }

  /** Makes both files at full size; true when one was created. */
  #prepareFiles(fileBytes: number): boolean {
    let isCreated = false;
    for (const path of this.#paths) {
      const size = this.#disk.fileSize(path);
      isCreated ||= size < 0;
      this.#files.push(this.#disk.openFile(path, 'create'));
      this.#sizes.push(Math.max(0, size));
    }
    for (const slot of this.#paths.keys()) this.#growFile(slot, fileBytes);
    return isCreated;
  }

  #growFile(slot: number, size: number): void {
    const zeros = Buffer.alloc(CHUNK_BYTES);
    for (let at = this.#sizes[slot] as number; at < size; ) {
      const length = Math.min(CHUNK_BYTES - (at % CHUNK_BYTES), size - at);
      this.#disk.writeAt(this.#files[slot] as DiskFile, at, zeros, 0, length);
      at += length;
      this.#sizes[slot] = at;
    }
  }

  #push(frame: WalFrame): void {
    // After a failure every flush says so; until then nothing said here counts for anybody.
    if (this.#failure !== null) return;
    this.#enqueue(frame);
    if (this.#pendingBytes > PENDING_BYTES_MAX && !this.#isSyncing) this.#startSync();
  }

  #enqueue(frame: WalFrame): void {
    const bytes = encodeFrame(frame);
    this.#pending.push(bytes);
    this.#pendingBytes += bytes.length;
  }

  #startSync(): void {
    if (!this.#tryWrite()) return;
    this.#isSyncing = true;
    this.#inFlight = this.#waiting;
    this.#waiting = [];
    const target = this.#writePosition;
    const generation = this.#generation;
    this.#disk.sync(this.#current, (error) => {
      this.#isSyncing = false;
      if (this.#isClosed) return this.#closeFiles();
      if (error !== null) this.#fail(error);
      else if (generation === this.#generation) this.#syncedTo = Math.max(this.#syncedTo, target);
      this.#settle();
    });
  }

  /** Runs who waited for the sync that has ended, then starts the next one if anybody waits. */
  #settle(): void {
    for (const done of this.#inFlight.splice(0)) done(this.#failure);
    if (this.#failure !== null || this.#isSyncing) return;
    if (this.#waiting.length > 0) this.#startSync();
    else if (this.#pendingBytes === 0 && this.#syncedTo === this.#writePosition) {
      // Says in the file itself that what lies before it is on disk.
      this.#enqueue({ kind: 'nothing' });
      this.#tryWrite();
      this.#wantedTo = this.#syncedTo;
    }
  }

  #tryWrite(): boolean {
    try {
      this.#writePending();
      return true;
    } catch (error) {
      this.#fail(error);
      for (const done of this.#waiting.splice(0)) done(this.#failure);
      return false;
    }
  }

  #writePending(): void {
    this.#takeNotes();
    if (this.#pendingBytes === 0) return;
    const size = this.#sizes[this.#slot] ?? 0;
    if (this.#writePosition < 0 || this.#writePosition + this.#pendingBytes > size) {
      this.#beginFile();
    }
    const bytes = Buffer.concat(this.#pending, this.#pendingBytes);
    for (let at = 0, i = 0; i < this.#pending.length; i++) {
      const filePosition = this.#writePosition + at;
      sealFrame(bytes, at, {
        generation: this.#generation,
        filePosition,
        syncedTo: this.#syncedTo,
      });
      at += (this.#pending[i] as Buffer).length;
    }
    this.#disk.writeAt(this.#current, this.#writePosition, bytes, 0, bytes.length);
    this.#writePosition += bytes.length;
    this.#wantedTo = this.#writePosition;
    this.#pending = [];
    this.#pendingBytes = 0;
  }

  #takeNotes(): void {
    for (const { group, op } of this.#notes.values()) {
      const entry = this.#groups.get(groupText(group));
      if (entry === undefined) continue;
      appendOp(entry, entry.sequence + 1, op);
      this.#enqueue({ kind: 'operation', group: entry.key, sequence: entry.sequence, op });
    }
    this.#notes.clear();
  }

  /** Goes on in the other file; what waits to be written becomes part of the state at its head. */
  #beginFile(): void {
    // The other file is still the only durable state as long as this one's head is not synced.
    if (this.#writePosition >= 0 && this.#syncedTo === 0) this.#disk.syncNow(this.#current);
    this.#pending = encodeState(this.#groups.values());
    this.#pendingBytes = this.#pending.reduce((sum, frame) => sum + frame.length, 0);
    const slot = this.#slot === 0 ? 1 : 0;
    this.#makeRoom(slot);
    this.#slot = slot;
    this.#generation += 1;
    this.#writePosition = 0;
    this.#syncedTo = 0;
  }

  /** The state must fill only a part of a file, or files would take turns all the time. */
  #makeRoom(slot: number): void {
    if ((this.#sizes[slot] as number) >= this.#pendingBytes * 2) return;
    try {
      this.#growFile(slot, this.#pendingBytes * 4);
    } catch (error) {
      // A full disk does not matter as long as the state itself fits.
      if ((this.#sizes[slot] as number) < this.#pendingBytes) throw error;
    }
  }

  #fail(cause: unknown): LograftError {
    const reason = cause instanceof Error ? cause.message : String(cause);
    this.#failure ??= new LograftError(
      'STORAGE_FAILED',
      `the write-ahead log cannot be written: ${reason}`,
      'check the disk, then restart the node',
      { cause },
    );
    return this.#failure;
  }
}
