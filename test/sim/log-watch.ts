/**
 * Watches one open log: every entry that it takes, finds at start or loses goes to the checker as a
 * link of the hash chain over its prefix. Also reads whole logs, as a follower would be sent them.
 */
import { type Mark, positionAfterMark } from '#src/base/mark.js';
import {
  comparePositions,
  type EpochEntry,
  isSamePosition,
  maxPosition,
  minPosition,
  ORIGIN,
  type Position,
} from '#src/base/position.js';
import type { LeaderEpoch } from '#src/base/units.js';
import { PartitionLog } from '#src/log/partition-log.js';
import { readBatchHeader } from '#src/records/batch.js';
import type { MemoryDisk } from '../log/memory-disk.js';
import type { BatchFacts, Checker, Link } from './checker.js';
import { Violation, type World } from './world.js';

export class LogWatch {
  readonly #nodeId: number;
  readonly #log: PartitionLog;
  readonly #checker: Checker;
  readonly #world: World;
  #links: Link[] = [];
  /** Chain below the first link. */
  #base: number;
  #durableEnd: Position;
  /** Everything before it has reached the page cache. */
  #cachedEnd: Position = ORIGIN;

  /** `before`: what was known of the log when it was last open. */
  constructor(
    nodeId: number,
    disk: MemoryDisk,
    log: PartitionLog,
    checker: Checker,
    world: World,
    before: LogWatch | null,
  ) {
    this.#nodeId = nodeId;
    this.#log = log;
    this.#checker = checker;
    this.#world = world;
    this.#durableEnd = minPosition(before?.durableEnd ?? ORIGIN, log.logEnd);
    this.#base = checker.chainAt(log.epochEndingAt(log.logStart), log.logStart);
    const isClean = log.findings.some(({ kind }) => kind === 'clean-stop');
    if (isClean && before !== null && isSameLog(before, log)) this.#links = before.#links;
    else this.#read(disk);
    watch(log, this);
  }

  get links(): readonly Link[] {
    return this.#links;
  }

  get end(): Position {
    return this.#log.logEnd;
  }

  /** A log that was just opened may know of less than it had synced before. */
  get durableEnd(): Position {
    return maxPosition(this.#durableEnd, this.#log.synced);
  }

  /** What a killed process leaves in the page cache is there when it comes back. */
  get cachedEnd(): Position {
    return this.#log.isBehind ? maxPosition(this.#cachedEnd, this.durableEnd) : this.#log.logEnd;
  }

  #read(disk: MemoryDisk): void {
    for (const entry of readLog(disk, this.#log)) {
      this.#addLink(entry.end, entry.epoch, entry.batch, entry.logStartOffset);
    }
  }

  onBatch(bytes: Uint8Array, start: number, leaderEpoch: LeaderEpoch): void {
    this.#addLink(this.#log.logEnd, leaderEpoch, factsOf(bytes, start), -1);
  }

  onMark(mark: Mark): void {
    this.#addLink(positionAfterMark(mark), mark.epoch, null, mark.logStartOffset ?? -1);
  }

  onTruncated(position: Position): void {
    this.#world.branch('truncated');
    this.#durableEnd = minPosition(this.#durableEnd, position);
    this.#cachedEnd = minPosition(this.#cachedEnd, position);
    const links = this.#links;
    while (links.length > 0 && comparePositions((links.at(-1) as Link).end, position) > 0) {
      links.pop();
    }
  }

  /** Also when it has failed: how far it came is what counts. */
  onReset(position: Position, epochs: readonly EpochEntry[]): void {
    if (!isSamePosition(this.#log.logEnd, position)) return;
    this.#world.branch('reset');
    this.#durableEnd = position;
    this.#cachedEnd = position;
    this.#links = [];
    this.#base = this.#checker.chainAt(epochs.at(-1)?.epoch ?? -1, position);
  }

  /** Whoever asks whether the log is behind may act on it at once. */
  onAllCached(): void {
    this.#cachedEnd = this.#log.logEnd;
  }

  #addLink(end: Position, epoch: number, batch: BatchFacts | null, logStartOffset: number): void {
    const before = this.#links.at(-1)?.chain ?? this.#base;
    const content = batch === null ? logStartOffset : batch.crc ^ (batch.baseSequence << 1);
    const chain = mix(mix(mix(mix(before, epoch), end.offset), end.marks), content);
    const link = { end, epoch, chain, batch, logStartOffset };
    this.#links.push(link);
    this.#world.mix(chain);
    this.#checker.onEntry(this.#nodeId, link);
  }
}

const WATCH = Symbol('watch');
type WatchedLog = PartitionLog & { [WATCH]: LogWatch };
const real = PartitionLog.prototype;

/**
 * What a watched log does instead. One prototype for all of them, so that they have one shape.
 */
const watched: Partial<PartitionLog> & ThisType<WatchedLog> = {
  get isBehind(): boolean {
    const isBehind = Reflect.get(real, 'isBehind', this) as boolean;
    if (!isBehind) this[WATCH].onAllCached();
    return isBehind;
  },
  appendBatch(bytes, start, length, header) {
    real.appendBatch.call(this, bytes, start, length, header);
    this[WATCH].onBatch(bytes, start, header.leaderEpoch);
  },
  appendMark(mark) {
    real.appendMark.call(this, mark);
    this[WATCH].onMark(mark);
  },
  truncateTo(position) {
    real.truncateTo.call(this, position);
    this[WATCH].onTruncated(position);
  },
  resetTo(position, epochs) {
    try {
      real.resetTo.call(this, position, epochs);
    } finally {
      this[WATCH].onReset(position, epochs);
    }
  },
};
Object.setPrototypeOf(watched, real);

function watch(log: PartitionLog, by: LogWatch): void {
  Object.setPrototypeOf(log, watched);
  (log as WatchedLog)[WATCH] = by;
}

function isSameLog(before: LogWatch, log: PartitionLog): boolean {
  const last = before.links.at(-1);
  return last !== undefined && isSamePosition(last.end, log.logEnd);
}

export type ReadEntry = {
  readonly end: Position;
  readonly epoch: number;
  readonly batch: BatchFacts | null;
  readonly logStartOffset: number;
};

/** Every entry that a log holds, as a follower would be sent it. */
export function readLog(disk: MemoryDisk, log: PartitionLog): ReadEntry[] {
  const entries: ReadEntry[] = [];
  for (let from = log.logStart; comparePositions(from, log.logEnd) < 0; ) {
    const slices = log.slicesBetween(from, log.logEnd, 1 << 20);
    if (slices.length === 0) throw new Violation('log', `nothing behind ${JSON.stringify(from)}`);
    for (const slice of slices) {
      if (slice.kind === 'mark') {
        from = positionAfterMark(slice.mark);
        const { epoch, logStartOffset = -1 } = slice.mark;
        entries.push({ end: from, epoch, batch: null, logStartOffset });
        continue;
      }
      const { fd, filePosition, length } = slice.range;
      const bytes = Buffer.from(slice.range.bytes ?? disk.readFd(fd, filePosition, length));
      for (let at = 0; at < bytes.length; at += bytes.readInt32BE(at + 8) + 12) {
        const batch = factsOf(bytes, at);
        const offset = batch.baseOffset + bytes.readInt32BE(at + 23) + 1;
        const end = { offset, marks: slice.from.marks };
        entries.push({ end, epoch: slice.epoch, batch, logStartOffset: -1 });
      }
      from = slice.to;
    }
  }
  return entries;
}

function factsOf(bytes: Uint8Array, start: number): BatchFacts {
  const header = readBatchHeader(bytes, start);
  const { baseOffset, crc, producerId, producerEpoch, baseSequence } = header;
  return { baseOffset, crc, producerId, producerEpoch, baseSequence };
}

function mix(before: number, value: number): number {
  const hash = Math.imul((before ^ value) >>> 0, 0x85ebca6b);
  return (hash ^ (hash >>> 13)) >>> 0;
}
