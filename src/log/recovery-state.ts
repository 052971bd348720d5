/**
 * First half of recovery: whose folder is this, and what do checkpoint and write-ahead log say
 * about marks, bounds and promises? Nothing here looks at a batch. Runs once, at open, blocking.
 */
import { LograftError } from '../base/errors.js';
import type { GroupKey } from '../base/group.js';
import type { Offset, TopicId } from '../base/units.js';
import { type Disk, parentOf } from './disk.js';
import { readPartitionTopicId, writePartitionMetadata } from './kafka-files.js';
import type { RecoveryFinding } from './log-types.js';
import { REPLICA_STATE, leftOvers, segmentOffsets, segmentPath } from './names.js';
import {
  type Checkpoint,
  type ReplicaState,
  applyOp,
  newState,
  readCheckpoint,
} from './replica-state.js';
import type { Wal } from './wal.js';
import type { SequencedOp } from './wal-recovery.js';

export type Found = {
  readonly state: ReplicaState;
  /** The folder's checkpoint; null when there is no sound one. */
  readonly checkpoint: Checkpoint | null;
  /** Where the log was truncated since the checkpoint: older batches may have come back there. */
  readonly truncatedAt: readonly Offset[];
  /** The log was reset to here since the checkpoint: older segments may have come back. */
  readonly resetTo: Offset | null;
  /** The marks are lost; the epoch history has to be taken from the batches. */
  readonly isStateLost: boolean;
  /** Nothing at all is left of a replica that existed. */
  readonly isFolderLost: boolean;
  /** Base offsets of the log files. */
  readonly baseOffsets: readonly Offset[];
};

type FindOptions = {
  readonly disk: Disk;
  readonly directory: string;
  readonly topicId: TopicId;
  readonly group: GroupKey;
  readonly wal: Wal;
};

export function findReplica(options: FindOptions, findings: RecoveryFinding[]): Found {
  const { disk, directory, group, wal } = options;
  const isNew = !disk.exists(directory);
  if (isNew) disk.makeDirectory(directory);
  const names = disk.list(directory);
  const baseOffsets = segmentOffsets(names);
  const checkpoint = readCheckpoint(disk, `${directory}/${REPLICA_STATE}`);
  checkOwner(options, checkpoint, baseOffsets, findings);
  removeLeftOvers(disk, directory, findings);
  const opSequence = checkpoint?.state.opSequence ?? 0;
  const ops = wal.ops(group).filter(({ sequence }) => sequence > opSequence);
  const hasLog = hasBatches(disk, directory, baseOffsets);
  // The first operation of a replica has number 1: without a checkpoint it must be there.
  const isWhole = checkpoint !== null || ops[0]?.sequence === 1 || wal.sequence(group) === 0;
  const isDamaged = checkpoint === null && names.includes(REPLICA_STATE);
  const isStateLost = !isWhole || isDamaged;
  const state = isStateLost || checkpoint === null ? newState() : structuredClone(checkpoint.state);
  if (!isStateLost) for (const { op } of ops) applyOp(state, op);
  state.opSequence = Math.max(wal.sequence(group), opSequence);
  wal.raiseSequence(group, state.opSequence);
  return {
    state,
    checkpoint,
    truncatedAt: ops.flatMap(({ op }) => (op.kind === 'truncate' ? [op.to.offset] : [])),
    resetTo: ops.reduce(lastReset, null),
    isStateLost,
    isFolderLost: isStateLost && !hasLog,
    baseOffsets,
  };
}

/**
 * Whose folder this is; null when it does not say. The checkpoint is believed before the file that
 * is there for it, which has no checksum.
 */
export function folderOwner(disk: Disk, directory: string): TopicId | null {
  const checkpoint = readCheckpoint(disk, `${directory}/${REPLICA_STATE}`);
  return checkpoint?.topicId ?? readPartitionTopicId(disk, directory);
}

function lastReset(before: Offset | null, { op }: SequencedOp): Offset | null {
  return op.kind === 'reset' ? op.to.offset : before;
}

/** The name under which a folder that belongs to somebody else is kept. */
export function moveAside(disk: Disk, directory: string): string {
  const owner = folderOwner(disk, directory) ?? 'unknown';
  let target = `${directory}.${owner}-stray`;
  for (let i = 2; disk.exists(target); i++) target = `${directory}.${owner}.${i}-stray`;
  disk.rename(directory, target);
  disk.syncDirectory(parentOf(directory));
  return target;
}

function removeLeftOvers(disk: Disk, directory: string, findings: RecoveryFinding[]): void {
  for (const name of leftOvers(disk.list(directory))) {
    disk.unlink(`${directory}/${name}`);
    findings.push({ kind: 'left-over-file', detail: name });
  }
}

function hasBatches(disk: Disk, directory: string, baseOffsets: readonly Offset[]): boolean {
  return baseOffsets.some((base) => disk.fileSize(segmentPath(directory, base, 'log')) > 0);
}

function checkOwner(
  { disk, directory, topicId }: FindOptions,
  checkpoint: Checkpoint | null,
  baseOffsets: readonly Offset[],
  findings: RecoveryFinding[],
): void {
  const named = readPartitionTopicId(disk, directory);
  const owner = checkpoint?.topicId ?? named;
  const isOurs = owner === topicId;
  // A folder is named on disk before anything in it is acknowledged, so one without a name
  // and with batches is not ours.
  if (!isOurs && (owner !== null || hasBatches(disk, directory, baseOffsets))) {
    throw new LograftError(
      'DIRECTORY_FOREIGN',
      `${directory} belongs to topic ${owner ?? 'unknown'}, expected ${topicId}`,
      'it is moved aside and kept; remove it when nobody misses it',
    );
  }
  if (named === topicId) return;
  if (named !== null) findings.push({ kind: 'name-restored', detail: named });
  writePartitionMetadata(disk, directory, topicId);
}
