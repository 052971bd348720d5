/** What a replica's log is opened with. */
import type { Mutant } from '../base/mutant.js';
import type { Clock } from '../base/clock.js';
import type { Offset, TopicId } from '../base/units.js';
import type { Decompress } from '../records/records.js';
import type { Disk } from './disk.js';
import type { FileCache } from './file-cache.js';
import type { LogConfig } from './log-config.js';
import type { Wal } from './wal.js';

export type PartitionLogOptions = {
  readonly disk: Disk;
  /** The partition's own folder, `<dataDir>/<topic>-<partition>`; made when absent. */
  readonly directory: string;
  readonly topicId: TopicId;
  readonly partition: number;
  readonly config: LogConfig;
  readonly wal: Wal;
  readonly clock: Clock;
  /** The broker ended in good order last time: nothing is scanned. */
  readonly isCleanStop: boolean;
  /** Another boot or mount than last time: what was not synced may be gone. */
  readonly isPageCacheLost: boolean;
  /** A scrub found damage in the batch at this offset: from there on nothing is believed. */
  readonly suspectFrom?: Offset | undefined;
  /** Tests only. */
  readonly mutant?: Mutant | undefined;
  /** Shared by the logs of a shard, so that the bound on open files is theirs together. */
  readonly files?: FileCache;
  /** For searches by time in compressed batches; without it they answer with whole batches. */
  readonly decompress?: Decompress;
};
