/**
 * Which write-ahead log holds which group is a run-time choice: after `num.shards` changed, every
 * group's words are moved to the log of the shard that owns it now. Promise: a crash at any moment
 * leaves each group's words whole in at least one log, and the next start finishes the move. Runs
 * once, on the main thread, before any shard opens its log.
 *
 *   <root>/shard-0/ … <root>/shard-<n-1>/     the logs
 *   <root>/shard-count                        n; there only while every group is where it belongs
 */
import type { GroupKey } from '../base/group.js';
import { readWhole, writeAtomically } from '../base/small-file.js';
import { type Disk, makeDurableDirectory } from './disk.js';
import { Wal } from './wal.js';

export type WalShards = {
  readonly disk: Disk;
  /** Folder of the logs; made when absent. */
  readonly root: string;
  readonly shards: number;
  /** Index of the shard that owns a group. */
  readonly ownerOf: (group: GroupKey) => number;
  readonly fileBytes?: number;
};

const SHARD_COUNT = 'shard-count';
const SHARD_NAME = /^shard-(\d+)$/;

/** Folder of a shard's write-ahead log. */
export function walDirectory(root: string, shard: number): string {
  return `${root}/shard-${shard}`;
}

/** Moves groups to their shards' logs if the number of shards has changed. True when it had. */
export function settleWals(options: WalShards): boolean {
  const { disk, root, shards } = options;
  const before = readShardCount(disk, root);
  if (before === shards) return false;
  makeDurableDirectory(disk, root);
  // A move that was broken off must be taken up again, even by a start with the former count.
  disk.unlink(`${root}/${SHARD_COUNT}`);
  disk.syncDirectory(root);
  const present = shardsPresent(disk, root);
  if (present.length > 0) moveGroups(options, present);
  // A log whose shard is gone has nothing to say any more; kept, it would be believed one day.
  for (const shard of present) if (shard >= shards) disk.removeTree(walDirectory(root, shard));
  disk.syncDirectory(root);
  writeAtomically(disk, root, SHARD_COUNT, Buffer.from(`${shards}\n`));
  return before !== null;
}

function moveGroups(options: WalShards, present: readonly number[]): void {
  const { disk, root, ownerOf, fileBytes } = options;
  const wals = new Map<number, Wal>();
  const open = (shard: number): Wal => {
    const known = wals.get(shard);
    if (known !== undefined) return known;
    const size = fileBytes === undefined ? {} : { fileBytes };
    const wal = Wal.open({ disk, directory: walDirectory(root, shard), ...size });
    wals.set(shard, wal);
    return wal;
  };
  try {
    const moves = present.flatMap((shard) =>
      open(shard)
        .groups()
        .map((group) => ({ group, shard, owner: ownerOf(group) }))
        .filter(({ owner }) => owner !== shard),
    );
    for (const { group, shard, owner } of moves) open(owner).adopt(group, open(shard));
    // The copies are durable before the first original goes.
    for (const wal of wals.values()) wal.flushNow();
    for (const { group, shard } of moves) open(shard).remove(group);
    for (const wal of wals.values()) wal.closeCleanly();
  } finally {
    for (const wal of wals.values()) wal.closeAbruptly();
  }
}

function readShardCount(disk: Disk, root: string): number | null {
  const path = `${root}/${SHARD_COUNT}`;
  if (!disk.exists(path)) return null;
  const count = Number(readWhole(disk, path).toString().trim());
  return Number.isSafeInteger(count) && count > 0 ? count : null;
}

function shardsPresent(disk: Disk, root: string): number[] {
  return disk.list(root).flatMap((name) => {
    const match = SHARD_NAME.exec(name);
    return match === null ? [] : [Number(match[1])];
  });
}
