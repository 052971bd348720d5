/**
 * One frame of the write-ahead log: bytes ⇄ values, nothing else. Pure; no thread.
 *
 *  0       4        8            12             16         20     21        22        24
 *  | crc32c | length | generation | filePosition | syncedTo | kind | version | textLen | body …
 *
 * All integers are big-endian. `crc32c` covers everything behind it; `length` is the whole frame,
 * frames start at multiples of 8. `generation` rises with each use of a file and `filePosition` is
 * the frame's own place, so that what a recycled file held before is never taken for news.
 * `syncedTo`: everything before that place in this file was on disk when the frame was written.
 * So a broken frame in front of a sound one that says so is damage; otherwise it is a torn tail.
 *
 * The body is the text (topic id, for a vote also "\0" and the directory id), then fields of 64
 * bits each, since nothing here is hot: the partition, for an operation its number, and what it
 * says.
 */
import { assert } from '../base/assert.js';
import type { GroupKey } from '../base/group.js';
import { readInt64, readUint32, writeInt64, writeUint32 } from '../base/int64.js';
import type { Mark } from '../base/mark.js';
import type { EpochEntry, Position } from '../base/position.js';
import { crc32c } from '../native/crc32c.js';
import type { HardState, ReplicaOp } from './log-types.js';

const FRAME_HEADER_BYTES = 24;
const FRAME_VERSION = 1;
const FRAME_BYTES_MAX = 1 << 20;
const ALIGNMENT = 8;

const KIND_FILE_START = 1;
const KIND_SNAPSHOT_END = 2;
const KIND_NOTHING = 3;
const KIND_HARD_STATE = 4;
const KIND_OPERATION = 5;
const KIND_GROUP = 6;
const KIND_REMOVED = 7;

const OP_MARK_EPOCH_START = 1;
const OP_MARK_LOG_START = 2;
const OP_TRUNCATE = 3;
const OP_RESET = 4;
const OP_LOG_START = 5;
const OP_SYNCED = 6;
const OP_FORGETFUL = 7;
const OP_UNPROMISE = 8;

export type WalFrame =
  | { readonly kind: 'file-start' }
  | { readonly kind: 'snapshot-end' }
  /** Carries only its `syncedTo`. */
  | { readonly kind: 'nothing' }
  | { readonly kind: 'hard-state'; readonly group: GroupKey; readonly hardState: HardState }
  | {
      readonly kind: 'operation';
      readonly group: GroupKey;
      readonly sequence: number;
      readonly op: ReplicaOp;
    }
  /** A group exists and has used operation numbers up to this one. */
  | { readonly kind: 'group'; readonly group: GroupKey; readonly sequence: number }
  | { readonly kind: 'removed'; readonly group: GroupKey };

export type FramePlace = {
  readonly generation: number;
  readonly filePosition: number;
  readonly syncedTo: number;
};

/** Bytes from one frame's start to the next one's. */
export function alignFrame(length: number): number {
  return (length + ALIGNMENT - 1) & ~(ALIGNMENT - 1);
}

/** A frame without its place: {@link sealFrame} adds that when it is written. */
export function encodeFrame(frame: WalFrame): Buffer {
  const body: number[] = [];
  const kind = writeBody(body, frame);
  const text = Buffer.from(textOf(frame));
  const length = FRAME_HEADER_BYTES + text.length + body.length * 8;
  assert(length <= FRAME_BYTES_MAX, 'a frame of the write-ahead log has a bound', { length });
  // Frames are small and many: they come out of the shared slab.
  const bytes = Buffer.allocUnsafe(alignFrame(length)).fill(0);
  writeUint32(bytes, length, 4);
  bytes[20] = kind;
  bytes[21] = FRAME_VERSION;
  bytes.writeUInt16BE(text.length, 22);
  text.copy(bytes, FRAME_HEADER_BYTES);
  let at = FRAME_HEADER_BYTES + text.length;
  for (const value of body) {
    writeInt64(bytes, value, at);
    at += 8;
  }
  return bytes;
}

/** Gives the frame at `start` its place and its checksum. */
export function sealFrame(bytes: Uint8Array, start: number, place: FramePlace): void {
  const length = readUint32(bytes, start + 4);
  writeUint32(bytes, place.generation, start + 8);
  writeUint32(bytes, place.filePosition, start + 12);
  writeUint32(bytes, place.syncedTo, start + 16);
  writeUint32(bytes, crc32c(bytes, start + 4, length - 4), start);
}

/** Place and length of a sound frame at `start`, or null. `filePosition` is where it was read. */
export function frameAt(
  bytes: Uint8Array,
  start: number,
  filePosition: number,
): (FramePlace & { readonly length: number }) | null {
  if (start + FRAME_HEADER_BYTES > bytes.length) return null;
  if (readUint32(bytes, start + 12) !== filePosition) return null;
  const length = readUint32(bytes, start + 4);
  if (length < FRAME_HEADER_BYTES || length > FRAME_BYTES_MAX) return null;
  if (start + length > bytes.length || bytes[start + 21] !== FRAME_VERSION) return null;
  if (crc32c(bytes, start + 4, length - 4) !== readUint32(bytes, start)) return null;
  return {
    generation: readUint32(bytes, start + 8),
    filePosition,
    syncedTo: readUint32(bytes, start + 16),
    length,
  };
}

/**
 * The value of a frame that {@link frameAt} found sound; null for a kind we do not know, and for a
 * body that is not exactly as long as its kind says: a checksum of 32 bits is no proof.
 */
export function decodeFrame(bytes: Uint8Array, start: number): WalFrame | null {
  const kind = bytes[start + 20];
  if (kind === KIND_FILE_START) return { kind: 'file-start' };
  if (kind === KIND_SNAPSHOT_END) return { kind: 'snapshot-end' };
  if (kind === KIND_NOTHING) return { kind: 'nothing' };
  const textStart = start + FRAME_HEADER_BYTES;
  const textLength = ((bytes[start + 22] as number) << 8) | (bytes[start + 23] as number);
  const end = start + readUint32(bytes, start + 4);
  if (textStart + textLength > end) return null;
  const text = Buffer.from(bytes.buffer, bytes.byteOffset + textStart, textLength).toString();
  const cursor = new Cursor(bytes, textStart + textLength, end);
  const frame = readBody(kind, text, cursor);
  return cursor.isComplete ? frame : null;
}

function readBody(kind: number | undefined, text: string, cursor: Cursor): WalFrame | null {
  const [topicId = '', directoryId = ''] = text.split('\0');
  const group = { topicId, partition: cursor.next() };
  if (kind === KIND_HARD_STATE) {
    const term = cursor.next();
    const nodeId = cursor.next();
    const votedFor = nodeId === -1 ? null : { nodeId, directoryId };
    return { kind: 'hard-state', group, hardState: { term, votedFor } };
  }
  if (kind === KIND_REMOVED) return { kind: 'removed', group };
  const sequence = cursor.next();
  if (kind === KIND_GROUP) return { kind: 'group', group, sequence };
  if (kind !== KIND_OPERATION) return null;
  const op = readOp(cursor);
  return op === null ? null : { kind: 'operation', group, sequence, op };
}

function textOf(frame: WalFrame): string {
  if (!('group' in frame)) return '';
  if (frame.kind !== 'hard-state' || frame.hardState.votedFor === null) return frame.group.topicId;
  return `${frame.group.topicId}\0${frame.hardState.votedFor.directoryId}`;
}

function writeBody(body: number[], frame: WalFrame): number {
  if ('group' in frame) body.push(frame.group.partition);
  switch (frame.kind) {
    case 'file-start':
      return KIND_FILE_START;
    case 'snapshot-end':
      return KIND_SNAPSHOT_END;
    case 'nothing':
      return KIND_NOTHING;
    case 'removed':
      return KIND_REMOVED;
    case 'group':
      body.push(frame.sequence);
      return KIND_GROUP;
    case 'hard-state':
      body.push(frame.hardState.term, frame.hardState.votedFor?.nodeId ?? -1);
      return KIND_HARD_STATE;
    case 'operation':
      body.push(frame.sequence);
      writeOp(body, frame.op);
      return KIND_OPERATION;
  }
}

function writeOp(body: number[], op: ReplicaOp): void {
  switch (op.kind) {
    case 'mark': {
      const { kind, epoch, at, logStartOffset } = op.mark;
      body.push(kind === 'epoch-start' ? OP_MARK_EPOCH_START : OP_MARK_LOG_START, epoch);
      body.push(at.offset, at.marks, logStartOffset ?? -1);
      return;
    }
    case 'truncate':
      body.push(OP_TRUNCATE, op.to.offset, op.to.marks);
      return;
    case 'unpromise':
      body.push(OP_UNPROMISE, op.offset);
      return;
    case 'reset':
      body.push(OP_RESET, op.to.offset, op.to.marks, op.epochs.length);
      for (const { epoch, start } of op.epochs) body.push(epoch, start.offset, start.marks);
      return;
    case 'log-start':
      body.push(OP_LOG_START, op.logStartOffset, op.start.offset, op.start.marks);
      return;
    case 'synced':
      body.push(OP_SYNCED, op.syncedOffset, op.promisedOffset);
      return;
    case 'forgetful':
      body.push(OP_FORGETFUL, op.isForgetful ? 1 : 0);
  }
}

function readOp(cursor: Cursor): ReplicaOp | null {
  const kind = cursor.next();
  switch (kind) {
    case OP_MARK_EPOCH_START:
    case OP_MARK_LOG_START:
      return { kind: 'mark', mark: readMark(cursor, kind) };
    case OP_TRUNCATE:
      return { kind: 'truncate', to: cursor.position() };
    case OP_UNPROMISE:
      return { kind: 'unpromise', offset: cursor.next() };
    case OP_RESET: {
      const to = cursor.position();
      const epochs: EpochEntry[] = [];
      // The frame's own bytes bound the loop, whatever the count says.
      for (let left = cursor.next(); left > 0 && !cursor.isFaulty; left--) {
        epochs.push({ epoch: cursor.next(), start: cursor.position() });
      }
      return { kind: 'reset', to, epochs };
    }
    case OP_LOG_START:
      return { kind: 'log-start', logStartOffset: cursor.next(), start: cursor.position() };
    case OP_SYNCED:
      return { kind: 'synced', syncedOffset: cursor.next(), promisedOffset: cursor.next() };
    case OP_FORGETFUL:
      return { kind: 'forgetful', isForgetful: cursor.next() === 1 };
    default:
      return null;
  }
}

function readMark(cursor: Cursor, kind: number): Mark {
  const epoch = cursor.next();
  const at = cursor.position();
  const logStartOffset = cursor.next();
  return kind === OP_MARK_EPOCH_START
    ? { kind: 'epoch-start', epoch, at }
    : { kind: 'log-start', epoch, at, logStartOffset };
}

/** Reads the 64-bit fields of a body one after another; what is not there is a fault and 0. */
class Cursor {
  readonly #bytes: Uint8Array;
  readonly #end: number;
  #at: number;
  isFaulty = false;

  constructor(bytes: Uint8Array, at: number, end: number) {
    this.#bytes = bytes;
    this.#at = at;
    this.#end = end;
  }

  /** Everything was read, and nothing that was not there. */
  get isComplete(): boolean {
    return !this.isFaulty && this.#at === this.#end;
  }

  next(): number {
    const value = this.#at + 8 > this.#end ? Number.NaN : readInt64(this.#bytes, this.#at);
    this.#at += 8;
    if (Number.isSafeInteger(value)) return value;
    this.isFaulty = true;
    return 0;
  }

  position(): Position {
    return { offset: this.next(), marks: this.next() };
  }
}
