/**
 * The two small text files that Kafka keeps in a partition's folder. They are for people and for
 * Kafka's tools: `leader-epoch-checkpoint` is derived from our own checkpoint and never read back;
 * `partition.metadata` says whose folder this is. Blocking, rare.
 *
 *   leader-epoch-checkpoint: 0 \n number of entries \n (epoch startOffset \n) …
 *   partition.metadata:      version: 0 \n topic_id: <22 characters>
 */
import type { EpochEntry } from '../base/position.js';
import type { Offset, TopicId } from '../base/units.js';
import type { Disk } from './disk.js';
import { EPOCH_CHECKPOINT, PARTITION_METADATA } from './names.js';

const TOPIC_ID_LINE = /^topic_id: *([A-Za-z0-9_-]{22})\s*$/m;
const TEXT_BYTES_MAX = 64 << 10;

/** An epoch without a batch of its own is not listed: Kafka keeps the later of two at an offset. */
function epochCheckpointText(epochs: readonly EpochEntry[], logStart: Offset): string {
  const lines: { epoch: number; startOffset: Offset }[] = [];
  for (const { epoch, start } of epochs) {
    const startOffset = Math.max(start.offset, logStart);
    if (lines.at(-1)?.startOffset === startOffset) lines.pop();
    lines.push({ epoch, startOffset });
  }
  const text = lines.map(({ epoch, startOffset }) => `${epoch} ${startOffset}\n`);
  return `0\n${lines.length}\n${text.join('')}`;
}

/** The file `leader-epoch-checkpoint` of one log. */
export class EpochFile {
  /** False when the file lacks the newest epoch. */
  isCurrent: boolean;
  readonly #disk: Disk;
  readonly #path: string;
  #logStart: Offset | null = null;

  constructor(disk: Disk, directory: string, isCurrent: boolean) {
    this.#disk = disk;
    this.#path = `${directory}/${EPOCH_CHECKPOINT}`;
    this.isCurrent = isCurrent;
  }

  /** True when the file says where the log starts, too. */
  isExact(logStart: Offset): boolean {
    return this.isCurrent && logStart === this.#logStart;
  }

  write(epochs: readonly EpochEntry[], logStart: Offset): void {
    replaceText(this.#disk, this.#path, epochCheckpointText(epochs, logStart), false);
    this.isCurrent = true;
    this.#logStart = logStart;
  }
}

export function writePartitionMetadata(disk: Disk, directory: string, topicId: TopicId): void {
  replaceText(disk, `${directory}/${PARTITION_METADATA}`, `version: 0\ntopic_id: ${topicId}`, true);
}

/** Topic id that a folder says it belongs to; null when it says nothing readable. */
export function readPartitionTopicId(disk: Disk, directory: string): TopicId | null {
  const path = `${directory}/${PARTITION_METADATA}`;
  const size = Math.min(disk.fileSize(path), TEXT_BYTES_MAX);
  if (size <= 0) return null;
  const bytes = Buffer.alloc(size);
  const file = disk.openFile(path, 'read');
  disk.readAt(file, 0, bytes, 0, size);
  disk.close(file);
  return TOPIC_ID_LINE.exec(bytes.toString('utf8'))?.[1] ?? null;
}

/**
 * Replaces a file in one step. With `isSynced` its bytes are on disk before its name is: a power
 * cut leaves the old file or the whole new one. The name itself is the caller's to sync.
 */
function replaceText(disk: Disk, path: string, text: string, isSynced: boolean): void {
  const bytes = Buffer.from(text);
  const file = disk.openFile(`${path}.tmp`, 'create');
  try {
    disk.truncate(file, 0);
    disk.writeAt(file, 0, bytes, 0, bytes.length);
    if (isSynced) disk.syncNow(file);
  } finally {
    disk.close(file);
  }
  disk.rename(`${path}.tmp`, path);
}
