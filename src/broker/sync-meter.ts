/**
 * The disk of a thread: it counts how long its syncs take, and says so of a slow one; a stall that
 * holds up many files is one line. Slow writes do not hold up the thread. Any thread that owns a
 * disk.
 */
import type { Clock } from '../base/clock.js';
import { SLOW_SYNC_MS } from '../base/limits.js';
import { NodeDisk } from '../log/node-disk.js';
import { WriteBehind } from '../log/write-behind.js';
import type { Logger } from '../observability/logger.js';
import type { ShardCounters } from '../observability/shard-counters.js';

const SLOW_WRITES_NOTE_MS = 30_000;

export type MeteredDisk = {
  /** What the thread writes to. */
  readonly disk: WriteBehind;
  /** How often its threads made a file durable. */
  readonly syncCount: () => number;
  /** Finishes what is under way and ends the threads. */
  readonly shutDown: () => Promise<void>;
};

export function meteredDisk(clock: Clock, counters: ShardCounters, logger: Logger): MeteredDisk {
  const note = slowSyncNote(clock, logger);
  const onSync = (ms: number): void => {
    counters.observe('syncs', 0, ms);
    if (ms > SLOW_SYNC_MS) note(ms);
  };
  const node = new NodeDisk({ clock, onSync });
  const disk = new WriteBehind({ disk: node, clock, onSlow: slowWritesNote(clock, logger) });
  const shutDown = (): Promise<void> => {
    disk.finish();
    return node.shutDown();
  };
  return { disk, syncCount: () => node.syncCount, shutDown };
}

/** Says nothing of a sync that began before the last line: it waited for the same disk. */
export function slowSyncNote(clock: Clock, logger: Logger): (ms: number) => void {
  let toldMs = Number.NEGATIVE_INFINITY;
  return (ms) => {
    const nowMs = clock.monotonicMs();
    if (nowMs - ms < toldMs) return;
    toldMs = nowMs;
    logger.warn({ ms: Math.round(ms), slowMs: SLOW_SYNC_MS }, 'slow sync');
  };
}

/** A disk that is slow now and then is worth a line now and then. */
export function slowWritesNote(clock: Clock, logger: Logger): (isSlow: boolean) => void {
  let toldMs = Number.NEGATIVE_INFINITY;
  let isTold = false;
  return (isSlow) => {
    if (isSlow) {
      const nowMs = clock.monotonicMs();
      if (nowMs - toldMs < SLOW_WRITES_NOTE_MS) return;
      toldMs = nowMs;
      logger.warn({}, 'slow writes: they wait in memory');
    } else if (isTold) logger.info({}, 'writes are fast again');
    isTold = isSlow;
  };
}
