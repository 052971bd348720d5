/**
 * What a replica must know of itself besides its batches: where its log starts, its marks, its
 * epoch history, how far it is synced. Promise: the state while running and the state that recovery
 * rebuilds come from the same {@link applyOp}. Pure but for the two functions that touch the file.
 *
 * The file `replica-state` is this, twice, each copy padded to a multiple of 4096 bytes, so that
 * one rotten sector loses nothing:
 *
 *   lograft-replica-state 1 <crc32c of the JSON, hex> <bytes of the JSON>\n<JSON>\n\n\n…
 */
import { assert } from '../base/assert.js';
import type { Mark } from '../base/mark.js';
import { type EpochEntry, ORIGIN, type Position, comparePositions } from '../base/position.js';
import type { Offset, TopicId, WallMs } from '../base/units.js';
import { crc32c } from '../native/crc32c.js';
import type { Disk } from './disk.js';
import { pruneEpochs, truncateEpochs } from './epoch-history.js';
import type { ReplicaOp } from './log-types.js';

export type ReplicaState = {
  /** Operations up to this number are in here. */
  opSequence: number;
  /** First offset a client may read; it may lie inside a batch. */
  logStartOffset: Offset;
  /** Place before the first entry kept: a batch boundary at or before logStartOffset. */
  start: Position;
  /** How many marks lie before the log's end. */
  endMarks: number;
  /** Marks at or behind `start`, in order. */
  marks: Mark[];
  /** The last epoch that starts before `start`, and all that start later. */
  epochs: EpochEntry[];
  /** Every byte below is on disk. */
  syncedOffset: Offset;
  /** Everything below may have been acknowledged as durable, as the topic defines it. */
  promisedOffset: Offset;
  /** Something was lost here that may have been acknowledged; a leader has to heal it. */
  isForgetful: boolean;
};

/** A segment as the checkpoint saw it. */
export type SegmentSummary = {
  readonly baseOffset: Offset;
  readonly sizeBytes: number;
  /** Largest timestamp of its batches; -1 when there is none. */
  readonly maxTimestamp: WallMs;
};

export type Checkpoint = {
  readonly topicId: TopicId;
  readonly state: ReplicaState;
  readonly segments: readonly SegmentSummary[];
  /** Present after a clean stop: what opening would otherwise have to find out. */
  readonly closed: ClosedTail | null;
};

export type ClosedTail = { readonly logEndOffset: Offset };

const MAGIC = 'lograft-replica-state';
const VERSION = 1;
const COPY_BYTES = 4096;
const LINE_FEED = 10;
/** Magic, version, checksum and length of the JSON, which is never empty. */
const HEADER_LINE = new RegExp(`^${MAGIC} (\\d+) ([0-9a-f]{8}) ([1-9]\\d{0,9})$`);

/** State of a log in which nothing has happened yet. */
export function newState(): ReplicaState {
  return {
    opSequence: 0,
    logStartOffset: 0,
    start: ORIGIN,
    endMarks: 0,
    marks: [],
    epochs: [],
    syncedOffset: 0,
    promisedOffset: 0,
    isForgetful: false,
  };
}

/** Applies one operation to the state, in place. */
export function applyOp(state: ReplicaState, op: ReplicaOp): void {
  switch (op.kind) {
    case 'mark':
      return applyMark(state, op.mark);
    case 'truncate':
      return cutState(state, op.to);
    case 'unpromise':
      state.syncedOffset = Math.min(state.syncedOffset, op.offset);
      state.promisedOffset = Math.min(state.promisedOffset, op.offset);
      return;
    case 'reset':
      state.logStartOffset = op.to.offset;
      state.start = op.to;
      state.endMarks = op.to.marks;
      state.marks = [];
      state.epochs = [...op.epochs];
      state.syncedOffset = op.to.offset;
      state.promisedOffset = op.to.offset;
      return;
    case 'log-start':
      if (op.logStartOffset <= state.logStartOffset) return;
      state.logStartOffset = op.logStartOffset;
      state.start = op.start;
      state.marks = state.marks.filter(({ at }) => comparePositions(at, op.start) >= 0);
      state.epochs = pruneEpochs(state.epochs, op.start);
      return;
    case 'synced':
      state.syncedOffset = Math.max(state.syncedOffset, op.syncedOffset);
      state.promisedOffset = Math.max(state.promisedOffset, op.promisedOffset);
      return;
    case 'forgetful':
      state.isForgetful = op.isForgetful;
  }
}

/** The place before the first entry at `offset`, a batch boundary inside the log or its end. */
export function placeBefore({ marks, endMarks }: ReplicaState, offset: Offset): Position {
  let behind = 0;
  while (behind < marks.length && (marks.at(-1 - behind) as Mark).at.offset >= offset) behind++;
  return { offset, marks: endMarks - behind };
}

/** Removes marks and epochs at or behind `to`, and what was said of bytes there. */
function cutState(state: ReplicaState, to: Position): void {
  state.marks = state.marks.filter(({ at }) => comparePositions(at, to) < 0);
  state.epochs = truncateEpochs(state.epochs, to);
  state.endMarks = to.marks;
  state.syncedOffset = Math.min(state.syncedOffset, to.offset);
  state.promisedOffset = Math.min(state.promisedOffset, to.offset);
}

function applyMark(state: ReplicaState, mark: Mark): void {
  assert(mark.at.marks === state.endMarks, 'marks are numbered without a gap', {
    marks: mark.at.marks,
    endMarks: state.endMarks,
  });
  state.marks.push(mark);
  state.endMarks = mark.at.marks + 1;
  if (mark.kind !== 'epoch-start') return;
  const last = state.epochs.at(-1);
  assert(last === undefined || mark.epoch > last.epoch, 'epochs rise along a log', {
    epoch: mark.epoch,
    last: last?.epoch,
  });
  state.epochs.push({ epoch: mark.epoch, start: mark.at });
}

/** The bytes of the file `replica-state`. */
export function encodeCheckpoint(checkpoint: Checkpoint): Buffer {
  const json = Buffer.from(JSON.stringify(checkpoint));
  const crc = crc32c(json, 0, json.length).toString(16).padStart(8, '0');
  const copy = Buffer.concat([
    Buffer.from(`${MAGIC} ${VERSION} ${crc} ${json.length}\n`),
    json,
    Buffer.from('\n'),
  ]);
  const size = Math.ceil(copy.length / COPY_BYTES) * COPY_BYTES;
  const bytes = Buffer.allocUnsafe(size * 2).fill(LINE_FEED);
  copy.copy(bytes, 0);
  copy.copy(bytes, size);
  return bytes;
}

/** The checkpoint in these bytes; null when neither copy is sound. */
export function decodeCheckpoint(bytes: Buffer): Checkpoint | null {
  return decodeCopy(bytes, 0) ?? decodeCopy(bytes, bytes.length / 2);
}

function decodeCopy(bytes: Buffer, start: number): Checkpoint | null {
  const lineEnd = bytes.indexOf('\n', start);
  if (lineEnd < 0) return null;
  // The checksum does not cover this line, so it is read as strictly as it is written.
  const line = HEADER_LINE.exec(bytes.toString('latin1', start, lineEnd));
  if (line === null || Number(line[1]) !== VERSION) return null;
  const jsonStart = lineEnd + 1;
  const jsonBytes = Number(line[3]);
  if (jsonStart + jsonBytes > bytes.length) return null;
  if (crc32c(bytes, jsonStart, jsonBytes) !== Number.parseInt(line[2] as string, 16)) return null;
  // The checksum holds, so this is what encodeCheckpoint wrote.
  return JSON.parse(bytes.toString('utf8', jsonStart, jsonStart + jsonBytes)) as Checkpoint;
}

/** Reads the file; null when it is absent or neither copy is sound. */
export function readCheckpoint(disk: Disk, path: string): Checkpoint | null {
  const size = disk.fileSize(path);
  if (size <= 0) return null;
  const bytes = Buffer.alloc(size);
  const file = disk.openFile(path, 'read');
  try {
    disk.readAt(file, 0, bytes, 0, size);
  } finally {
    disk.close(file);
  }
  return decodeCheckpoint(bytes);
}
