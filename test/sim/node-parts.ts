/** Small parts of a simulated node: its log lines, its clients' requests, what its disk refuses. */
import type { LogRange } from '#src/log/log-types.js';
import type { Logger } from '#src/observability/logger.js';
import type { ProduceOutcome } from '#src/partition/access.js';
import type { MemoryDisk } from '../log/memory-disk.js';
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

const NO_BYTES = Buffer.alloc(0);

/** What a socket would send; null when the disk cannot be read: the link breaks. */
export function readRanges(
  disk: MemoryDisk,
  ranges: readonly LogRange[],
  world: World,
): Buffer | null {
  if (ranges.length === 0) return NO_BYTES;
  try {
    const parts = ranges.map((r) => disk.readFd(r.fd, r.filePosition, r.length));
    return parts.length === 1 ? (parts[0] as Buffer) : Buffer.concat(parts);
  } catch (error) {
    if (!isDiskTrouble(error)) throw error;
    world.branch('send-unreadable');
    return null;
  }
}
