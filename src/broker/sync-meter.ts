/**
 * A disk that counts how long its syncs take, and says so of a slow one: a stall that holds up many
 * files is one line. Any thread that owns a disk.
 */
import type { Clock } from '../base/clock.js';
import { SLOW_SYNC_MS } from '../base/limits.js';
import { NodeDisk } from '../log/node-disk.js';
import type { Logger } from '../observability/logger.js';
import type { ShardCounters } from '../observability/shard-counters.js';

export function meteredDisk(clock: Clock, counters: ShardCounters, logger: Logger): NodeDisk {
  const note = slowSyncNote(clock, logger);
  const onSync = (ms: number): void => {
    counters.observe('syncs', 0, ms);
    if (ms > SLOW_SYNC_MS) note(ms);
  };
  return new NodeDisk({ clock, onSync });
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
