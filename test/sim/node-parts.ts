/** Small parts of a simulated node: its log lines, its clients' requests, what its disk refuses. */
import type { Clock } from '#src/base/clock.js';
import type { LogRange } from '#src/log/log-types.js';
import { WriteBehind } from '#src/log/write-behind.js';
import type { Logger } from '#src/observability/logger.js';
import type { ProduceOutcome } from '#src/partition/access.js';
import { MemoryDisk } from '../log/memory-disk.js';
import type { SimMutant } from './mutant.js';
import type { SyncPace } from './sync-pace.js';
import type { World } from './world.js';

/** How a request ended; null: the process ended before. */
export type Answer<T = ProduceOutcome> = (outcome: T | null) => void;

/** Requests of clients that wait at a node; each is answered once. */
export class Requests {
  readonly #waiting = new Set<() => void>();

  /** Returns how to answer it. */
  add<T>(answer: Answer<T>): Answer<T> {
    const finish: Answer<T> = (outcome) => {
      if (this.#waiting.delete(lose)) answer(outcome);
    };
    const lose = (): void => finish(null);
    this.#waiting.add(lose);
    return finish;
  }

  /** The process ended: the connections are gone. */
  drop(): void {
    for (const lose of [...this.#waiting]) lose();
  }
}

/** The shard's log lines are its branches: what Raft and recovery tell people. */
export function branchLogger(world: World, nodeId: number): Logger {
  const note = (fields: object, message: string): void => {
    const { kind } = fields as { kind?: string };
    const name = message === 'log recovered' ? `recovery ${kind}` : (kind ?? message);
    world.branch(name);
    if (world.isTraced) world.note(`${nodeId} ${name} ${JSON.stringify(fields)}`);
  };
  const logger = { debug: note, info: note, warn: note, error: note };
  return { ...logger, child: () => branchLogger(world, nodeId) };
}

const DISK_TROUBLE = new Set([
  'STORAGE_FULL',
  'STORAGE_FAILED',
  'DIRECTORY_FOREIGN',
  'ENOSPC',
  'EIO',
  'EKILLED',
]);

/** True for what a disk does, false for a bug. */
export function isDiskTrouble(error: unknown): boolean {
  const { code } = error as { code?: string };
  return code !== undefined && DISK_TROUBLE.has(code);
}

type DiskOwner = {
  readonly life: number;
  readonly disk: MemoryDisk;
  readonly syncPace: SyncPace;
  turn(run: () => void): void;
};

/** An empty disk, whose threads end their work as turns of the life that asked for it. */
export function newDisk(owner: DiskOwner, root: string): MemoryDisk {
  const disk: MemoryDisk = new MemoryDisk({
    root,
    schedule: (run) => {
      const { life } = owner;
      owner.syncPace.schedule(() => {
        if (life === owner.life && disk === owner.disk) owner.turn(run);
      });
    },
  });
  return disk;
}

/** What stands between a process and its disk. */
export function writeBehind(
  disk: MemoryDisk,
  clock: Clock,
  world: World,
  mutant: SimMutant | undefined,
): WriteBehind {
  const onSlow = (isSlow: boolean): void => world.branch(isSlow ? 'writes-behind' : 'writes-calm');
  return new WriteBehind({ disk, clock, onSlow, mutant: mutant?.inSource });
}

const NO_BYTES = Buffer.alloc(0);

/** What a socket would send; null when the disk cannot be read: the link breaks. */
export function readRanges(
  disk: MemoryDisk,
  ranges: readonly LogRange[],
  world: World,
): Buffer | null {
  if (ranges.length === 0) return NO_BYTES;
  try {
    const parts = ranges.map((range) => {
      if (range.bytes === null) return disk.readFd(range.fd, range.filePosition, range.length);
      world.branch('sent-from-memory');
      return Buffer.from(range.bytes);
    });
    return parts.length === 1 ? (parts[0] as Buffer) : Buffer.concat(parts);
  } catch (error) {
    if (!isDiskTrouble(error)) throw error;
    world.branch('send-unreadable');
    return null;
  }
}
