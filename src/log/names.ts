/** Names inside a partition's folder: Kafka's own, and our checkpoint beside them. Pure. */
import type { Offset } from '../base/units.js';

export const EPOCH_CHECKPOINT = 'leader-epoch-checkpoint';
export const PARTITION_METADATA = 'partition.metadata';
export const REPLICA_STATE = 'replica-state';

const OFFSET_DIGITS = 20;
const LOG_NAME = /^(\d{20})\.log$/;
const INDEX_NAME = /^(\d{20})\.(index|timeindex)$/;
const LEFT_OVER_NAME = /\.(tmp|swap|cleaned|deleted)$/;

/** `00000000000000000042` */
function offsetName(offset: Offset): string {
  return String(offset).padStart(OFFSET_DIGITS, '0');
}

export function segmentPath(directory: string, baseOffset: Offset, suffix: string): string {
  return `${directory}/${offsetName(baseOffset)}.${suffix}`;
}

/** Base offsets of the log files among these names, rising. */
export function segmentOffsets(names: readonly string[]): Offset[] {
  const offsets: Offset[] = [];
  for (const name of names) {
    const match = LOG_NAME.exec(name);
    if (match !== null) offsets.push(Number(match[1]));
  }
  return offsets.sort((a, b) => a - b);
}

/** Files that a crash left behind: half-written ones, and indexes without their log. */
export function leftOvers(names: readonly string[]): string[] {
  const present = new Set(names);
  return names.filter((name) => {
    const index = INDEX_NAME.exec(name);
    return LEFT_OVER_NAME.test(name) || (index !== null && !present.has(`${index[1]}.log`));
  });
}
