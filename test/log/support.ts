/** What the tests of the log room share: batches of a known size and a log on a disk of memory. */
import type { Clock } from '#src/base/clock.js';
import type { EpochEntry } from '#src/base/position.js';
import { DEFAULT_LOG_CONFIG, type LogConfig } from '#src/log/log-config.js';
import { PartitionLog } from '#src/log/partition-log.js';
import { Wal } from '#src/log/wal.js';
import { crc32c } from '#src/native/crc32c.js';
import { encodeBatch, readBatchHeader } from '#src/records/batch.js';
import type { Disk } from '#src/log/disk.js';

export const TOPIC_ID = 'abcdefghijklmnopqrstuv';
export const DIRECTORY = '/data/orders-0';
export const GROUP = { topicId: TOPIC_ID, partition: 0 };

/** A clock that a test moves by hand. */
export class HandClock implements Clock {
  nowMs = 1_000_000;
  monotonicMs(): number {
    return this.nowMs;
  }
  wallMs(): number {
    return this.nowMs;
  }
}

export type BatchShape = {
  readonly baseOffset: number;
  readonly leaderEpoch: number;
  readonly records?: number;
  readonly valueBytes?: number;
  readonly timestamp?: number;
  /** Distinguishes batches of the same place and shape. */
  readonly tag?: string;
};

export function makeBatch(shape: BatchShape): Buffer {
  const { records = 1, valueBytes = 10, timestamp = shape.baseOffset, tag = 'v' } = shape;
  const value = Buffer.alloc(valueBytes, `${tag}-${shape.leaderEpoch}-${shape.baseOffset};`);
  return encodeBatch(
    {
      records: Array.from({ length: records }, (_, i) => ({ value, timestamp: timestamp + i })),
      baseOffset: shape.baseOffset,
      leaderEpoch: shape.leaderEpoch,
    },
    crc32c,
  );
}

export type OpenOptions = {
  readonly isCleanStop?: boolean;
  readonly isPageCacheLost?: boolean;
  readonly config?: Partial<LogConfig>;
  readonly topicId?: string;
  readonly clock?: Clock;
  readonly suspectFrom?: number | undefined;
};

/** A replica and its write-ahead log on one disk, opened again and again by a test. */
export class Bench {
  readonly disk: Disk;
  readonly directory: string;
  wal!: Wal;
  log!: PartitionLog;
  #walBytes: number;

  constructor(disk: Disk, directory = DIRECTORY, walBytes = 64 << 10) {
    this.disk = disk;
    this.directory = directory;
    this.#walBytes = walBytes;
  }

  open(options: OpenOptions = {}): this {
    const root = this.directory.slice(0, this.directory.lastIndexOf('/'));
    this.wal = Wal.open({ disk: this.disk, directory: `${root}/wal`, fileBytes: this.#walBytes });
    this.log = PartitionLog.open({
      disk: this.disk,
      directory: this.directory,
      topicId: options.topicId ?? TOPIC_ID,
      partition: 0,
      config: { ...DEFAULT_LOG_CONFIG, ...options.config },
      wal: this.wal,
      clock: options.clock ?? new HandClock(),
      isCleanStop: options.isCleanStop ?? false,
      isPageCacheLost: options.isPageCacheLost ?? false,
      suspectFrom: options.suspectFrom,
    });
    return this;
  }

  /** Ends like a process that closes in good order. */
  closeCleanly(): void {
    this.log.closeCleanly();
    this.wal.closeCleanly();
  }

  startEpoch(epoch: number): void {
    this.log.appendMark({ kind: 'epoch-start', epoch, at: this.log.logEnd });
  }

  /** Appends one batch in the newest epoch. Returns its bytes. */
  append(shape: Partial<BatchShape> = {}): Buffer {
    const { log } = this;
    const leaderEpoch = (log.epochs.at(-1) as EpochEntry).epoch;
    const bytes = makeBatch({ baseOffset: log.logEnd.offset, leaderEpoch, ...shape });
    log.appendBatch(bytes, 0, bytes.length, readBatchHeader(bytes, 0));
    return bytes;
  }

  kinds(): string[] {
    return this.log.findings.map(({ kind }) => kind);
  }
}
