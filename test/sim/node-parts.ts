/** Small parts of a simulated node: its log lines, its clients' requests, what its disk refuses. */
import type { LogRange } from '#src/log/log-types.js';
import type { Logger } from '#src/observability/logger.js';
import type { ProduceOutcome } from '#src/partition/access.js';
import type { MemoryDisk } from '../log/memory-disk.js';
import type { World } from './world.js';

/** How a request ended; null: the process ended before. */
export type Answer = (outcome: ProduceOutcome | null) => void;

/** A request of a client that waits at a node. */
export type Request = { answer: Answer | null };

/** Requests that wait at a node; each is answered once. */
export class Requests {
  readonly #waiting = new Set<Request>();

  add(answer: Answer): Request {
    const request: Request = { answer };
    this.#waiting.add(request);
    return request;
  }

  finish(request: Request, outcome: ProduceOutcome | null): void {
    this.#waiting.delete(request);
    request.answer?.(outcome);
    request.answer = null;
  }

  /** The process ended: the connections are gone. */
  drop(): void {
    for (const request of [...this.#waiting]) this.finish(request, null);
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
