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

const TOPIC_ID_LINE = /^topic_id: *(\S+)\s*$/m;
const TEXT_BYTES_MAX = 64 << 10;

/** An epoch without a batch of its own is not listed: Kafka keeps the later of two at an offset. */
export function epochCheckpointText(epochs: readonly EpochEntry[], logStart: Offset): string {
  const lines: { epoch: number; startOffset: Offset }[] = [];
  for (const { epoch, start } of epochs) {
    const startOffset = Math.max(start.offset, logStart);
    if (lines.at(-1)?.startOffset === startOffset) lines.pop();
    lines.push({ epoch, startOffset });
  }
  const text = lines.map(({ epoch, startOffset }) => `${epoch} ${startOffset}\n`);
  return `0\n${lines.length}\n${text.join('')}`;
}

export function writeEpochCheckpoint(
  disk: Disk,
  directory: string,
  epochs: readonly EpochEntry[],
  logStart: Offset,
): void {
  replaceText(disk, `${directory}/${EPOCH_CHECKPOINT}`, epochCheckpointText(epochs, logStart));
}

export function writePartitionMetadata(disk: Disk, directory: string, topicId: TopicId): void {
  replaceText(disk, `${directory}/${PARTITION_METADATA}`, `version: 0\ntopic_id: ${topicId}`);
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

/** Replaces a file in one step; not durable by itself. */
function replaceText(disk: Disk, path: string, text: string): void {
  const bytes = Buffer.from(text);
  const file = disk.openFile(`${path}.tmp`, 'create');
  try {
    disk.truncate(file, 0);
    disk.writeAt(file, 0, bytes, 0, bytes.length);
  } finally {
    disk.close(file);
  }
  disk.rename(`${path}.tmp`, path);
}
