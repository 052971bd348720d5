/**
 * Watches one open log: every entry that it takes, finds at start or loses goes to the checker as a
 * link of the hash chain over its prefix. Also reads whole logs, as a follower would be sent them.
 */
import { positionAfterMark } from '#src/base/mark.js';
import {
  comparePositions,
  isSamePosition,
  maxPosition,
  minPosition,
  type Position,
} from '#src/base/position.js';
import type { PartitionLog } from '#src/log/partition-log.js';
import type { MemoryDisk } from '../log/memory-disk.js';
import type { Checker, Link } from './checker.js';
import { Violation } from './world.js';

const CRC_AT = 17;

export class LogWatch {
  readonly #nodeId: number;
  readonly #log: PartitionLog;
  readonly #checker: Checker;
  #links: Link[] = [];
  /** Chain below the first link. */
  #base: number;
  #durableEnd: Position;

  constructor(
    nodeId: number,
    disk: MemoryDisk,
    log: PartitionLog,
    checker: Checker,
    durableEnd: Position,
  ) {
    this.#nodeId = nodeId;
    this.#log = log;
    this.#checker = checker;
    this.#durableEnd = durableEnd;
    this.#base = checker.chainAt(log.epochEndingAt(log.logStart), log.logStart);
    for (const { end, epoch, content } of readLog(disk, log)) this.#addLink(end, epoch, content);
    this.#watchAppends();
    this.#watchCuts();
  }

  get links(): readonly Link[] {
    return this.#links;
  }

  /** A log that was just opened may know of less than it had synced before. */
  get durableEnd(): Position {
    return maxPosition(this.#durableEnd, this.#log.synced);
  }

  #watchAppends(): void {
    const log = this.#log;
    const append = log.appendBatch.bind(log);
    const appendMark = log.appendMark.bind(log);
    log.appendBatch = (bytes, start, length, header) => {
      append(bytes, start, length, header);
      this.#addLink(log.logEnd, header.leaderEpoch, crcOf(bytes, start));
    };
    log.appendMark = (mark) => {
      appendMark(mark);
      this.#addLink(positionAfterMark(mark), mark.epoch, mark.logStartOffset ?? 0);
    };
  }

  #watchCuts(): void {
    const log = this.#log;
    const truncateTo = log.truncateTo.bind(log);
    const resetTo = log.resetTo.bind(log);
    log.truncateTo = (position) => {
      truncateTo(position);
      this.#durableEnd = minPosition(this.#durableEnd, position);
      this.#links = this.#links.filter((link) => comparePositions(link.end, position) <= 0);
    };
    log.resetTo = (position, epochs) => {
      try {
        resetTo(position, epochs);
      } finally {
        if (isSamePosition(log.logEnd, position)) {
          this.#durableEnd = position;
          this.#links = [];
          this.#base = this.#checker.chainAt(epochs.at(-1)?.epoch ?? -1, position);
        }
      }
    };
  }

  #addLink(end: Position, epoch: number, content: number): void {
    const before = this.#links.at(-1)?.chain ?? this.#base;
    const link = { end, epoch, chain: mix(before, epoch, end, content) };
    this.#links.push(link);
    this.#checker.onEntry(this.#nodeId, link);
  }
}

export type ReadEntry = {
  readonly end: Position;
  readonly epoch: number;
  readonly content: number;
  readonly baseOffset: number;
  readonly isBatch: boolean;
};

/** Every entry that a log holds, as a follower would be sent it. */
export function readLog(disk: MemoryDisk, log: PartitionLog): ReadEntry[] {
  const entries: ReadEntry[] = [];
  for (let from = log.logStart; comparePositions(from, log.logEnd) < 0; ) {
    const slices = log.slicesBetween(from, log.logEnd, 1 << 20);
    if (slices.length === 0) throw new Violation('log', `nothing behind ${JSON.stringify(from)}`);
    for (const slice of slices) {
      if (slice.kind === 'mark') {
        const { mark } = slice;
        from = positionAfterMark(mark);
        const content = mark.logStartOffset ?? 0;
        const baseOffset = from.offset;
        entries.push({ end: from, epoch: mark.epoch, content, baseOffset, isBatch: false });
        continue;
      }
      const { fd, filePosition, length } = slice.range;
      const bytes = disk.readFd(fd, filePosition, length);
      for (let at = 0; at < bytes.length; at += bytes.readInt32BE(at + 8) + 12) {
        const baseOffset = Number(bytes.readBigInt64BE(at));
        const end = {
          offset: baseOffset + bytes.readInt32BE(at + 23) + 1,
          marks: slice.from.marks,
        };
        const content = crcOf(bytes, at);
        entries.push({ end, epoch: slice.epoch, content, baseOffset, isBatch: true });
      }
      from = slice.to;
    }
  }
  return entries;
}

export function crcOf(bytes: Uint8Array, start: number): number {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).readUInt32BE(start + CRC_AT);
}

function mix(before: number, epoch: number, end: Position, content: number): number {
  let hash = before;
  for (const value of [epoch, end.offset, end.marks, content]) {
    hash = Math.imul((hash ^ value) >>> 0, 0x85ebca6b);
    hash ^= hash >>> 13;
    hash = Math.imul(hash, 0xc2b2ae35);
  }
  return hash >>> 0;
}
