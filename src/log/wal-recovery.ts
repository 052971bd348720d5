/**
 * Reads what the files of a write-ahead log hold after a stop of any kind. Its promise: the state
 * that comes out is that of the last completed sync or a later one, and damage to anything that was
 * once synced is an error, never a silent loss of votes. Runs once, at open; reads only.
 *
 *  the newest file …                            | verdict
 *  ---------------------------------------------|------------------------------------------------
 *  ends in zeros or older generations           | normal end
 *  has a broken frame, nothing sound behind it  | torn tail: ends there
 *  has a broken frame, a sound one behind it    |
 *    that was written before the place synced   | torn tail: ends there
 *    that says "synced up to behind the break"  | CORRUPT
 *  lost its head, no sound frame says synced    | torn switch: the file before it counts
 *  lost its head, a sound frame says synced     | CORRUPT
 */
import { LograftError } from '../base/errors.js';
import { type GroupKey, groupText } from '../base/group.js';
import { readUint32 } from '../base/int64.js';
import type { Disk } from './disk.js';
import type { HardState, ReplicaOp } from './log-types.js';
import { type WalFrame, alignFrame, decodeFrame, encodeFrame, frameAt } from './wal-frame.js';

export type SequencedOp = { readonly sequence: number; readonly op: ReplicaOp };

/** What the log knows of one group. */
export type WalGroup = {
  readonly key: GroupKey;
  hardState: HardState | null;
  /** Number of the group's newest operation; numbers are never used twice. */
  sequence: number;
  /** Operations that no checkpoint of the replica holds yet, in order. */
  ops: SequencedOp[];
};

export type WalState = {
  readonly groups: Map<string, WalGroup>;
  /** Highest generation seen anywhere; the next file takes a higher one. */
  readonly generation: number;
  /** Slot that holds the state and must not be overwritten yet, or -1. */
  readonly slot: number;
};

/** A file as far as it is sound from its start. */
type FileReading = {
  readonly slot: number;
  readonly path: string;
  readonly bytes: Uint8Array;
  /** 0 when the first frame is broken. */
  readonly generation: number;
  readonly end: number;
  readonly isComplete: boolean;
};

const STEP = 8;

export function recoverWal(disk: Disk, paths: readonly string[]): WalState {
  const readings = paths.map((path, slot) => readFile(disk, path, slot));
  let best: FileReading | null = null;
  for (const reading of readings) {
    if (!reading.isComplete) continue;
    if (best === null || reading.generation > best.generation) best = reading;
  }
  let generation = 0;
  for (const reading of readings) {
    generation = Math.max(generation, reading.generation, checkRest(reading, best));
  }
  return {
    groups: best === null ? new Map() : replay(best),
    generation,
    slot: best === null ? -1 : best.slot,
  };
}

function readFile(disk: Disk, path: string, slot: number): FileReading {
  const size = Math.max(0, disk.fileSize(path));
  const bytes = Buffer.alloc(size);
  if (size > 0) {
    const file = disk.openFile(path, 'read');
    disk.readAt(file, 0, bytes, 0, size);
    disk.close(file);
  }
  const first = frameAt(bytes, 0, 0);
  const startsFile = first !== null && decodeFrame(bytes, 0)?.kind === 'file-start';
  if (!startsFile) return { slot, path, bytes, generation: 0, end: 0, isComplete: false };
  const generation = first.generation;
  let end = 0;
  let isComplete = false;
  for (;;) {
    const frame = frameAt(bytes, end, end);
    if (frame === null || frame.generation !== generation) break;
    isComplete ||= decodeFrame(bytes, end)?.kind === 'snapshot-end';
    end += alignFrame(frame.length);
  }
  return { slot, path, bytes, generation, end, isComplete };
}

/** Looks behind the end for proof that it is not the end. Returns the highest generation seen. */
function checkRest(reading: FileReading, best: FileReading | null): number {
  const { bytes, end, path } = reading;
  // Older generations are what the file held before; a file older than the best one is history.
  const since = reading.generation > 0 ? reading.generation : (best?.generation ?? 0) + 1;
  let highest = 0;
  for (let at = end; at < bytes.length; at += STEP) {
    const frame = frameAt(bytes, at, at);
    if (frame === null) continue;
    highest = Math.max(highest, frame.generation);
    const isHistory = best !== null && frame.generation < best.generation;
    if (!isHistory && frame.generation >= since && frame.syncedTo > end) {
      throw new LograftError(
        'CORRUPT',
        `write-ahead log ${path} is damaged at ${end}: a frame at ${at} says it was synced`,
        'votes may be lost: move the data directory aside, the node comes back as a stranger',
      );
    }
  }
  return highest;
}

function replay(reading: FileReading): Map<string, WalGroup> {
  const groups = new Map<string, WalGroup>();
  for (let at = 0; at < reading.end; ) {
    const frame = decodeFrame(reading.bytes, at);
    if (frame === null) {
      throw new LograftError(
        'CORRUPT',
        `write-ahead log ${reading.path} has a frame of a kind unknown to this version at ${at}`,
        'a newer version wrote it: start that one',
      );
    }
    if (frame.kind === 'removed') groups.delete(groupText(frame.group));
    else if ('group' in frame) {
      const group = groupIn(groups, frame.group);
      if (frame.kind === 'hard-state') group.hardState = frame.hardState;
      if (frame.kind === 'group') group.sequence = Math.max(group.sequence, frame.sequence);
      if (frame.kind === 'operation' && frame.sequence > (group.ops.at(-1)?.sequence ?? 0)) {
        appendOp(group, frame.sequence, frame.op);
      }
    }
    at += alignFrame(readUint32(reading.bytes, at + 4));
  }
  return groups;
}

/** The group's entry, made when absent. */
export function groupIn(groups: Map<string, WalGroup>, key: GroupKey): WalGroup {
  const text = groupText(key);
  let group = groups.get(text);
  if (group === undefined) {
    group = { key, hardState: null, sequence: 0, ops: [] };
    groups.set(text, group);
  }
  return group;
}

/** Adds an operation; a note that only repeats the one before it with newer numbers replaces it. */
export function appendOp(group: WalGroup, sequence: number, op: ReplicaOp): void {
  group.sequence = Math.max(group.sequence, sequence);
  if (op.kind === 'synced' && group.ops.at(-1)?.op.kind === 'synced') group.ops.pop();
  group.ops.push({ sequence, op });
}

/** Everything a log knows of a group. */
export function framesOf({ key, hardState, sequence, ops }: WalGroup): WalFrame[] {
  const frames: WalFrame[] = [{ kind: 'group', group: key, sequence }];
  if (hardState !== null) frames.push({ kind: 'hard-state', group: key, hardState });
  for (const op of ops) frames.push({ kind: 'operation', group: key, ...op });
  return frames;
}

/** The head of a new file: what {@link recoverWal} needs to forget the file before it. */
export function encodeState(groups: Iterable<WalGroup>): Buffer[] {
  const frames: WalFrame[] = [{ kind: 'file-start' }];
  for (const group of groups) frames.push(...framesOf(group));
  frames.push({ kind: 'snapshot-end' });
  return frames.map(encodeFrame);
}
