/**
 * Turns the core's sync tokens into syncs of the log: one runs while the next one gathers, and a
 * newer token replaces an older one that has not started. With `durability=cached` a token of
 * batches alone is done as soon as it is wanted, unless they are not even in the page cache. Shard
 * thread.
 */
import type { Mutant } from '../base/mutant.js';
import type { PartitionLog } from '../log/partition-log.js';
import type { SyncToken } from '../raft/ready.js';

export type SyncPumpOptions = {
  readonly log: PartitionLog;
  readonly durability: () => 'synced' | 'cached';
  /** Told inside {@link SyncPump.start}: the token counts already. */
  readonly onSynced: (token: SyncToken) => void;
  /** A sync ended; the token is null when it had counted before. */
  readonly onDone: (error: Error | null, token: SyncToken | null) => void;
  /** Tests only. */
  readonly mutant?: Mutant | undefined;
};

/** Syncs in flight of one replica: one runs, one gathers. */
const SYNCS_MAX = 2;

export class SyncPump {
  readonly #options: SyncPumpOptions;
  #wanted: SyncToken | null = null;
  #running = 0;

  constructor(options: SyncPumpOptions) {
    this.#options = options;
  }

  want(token: SyncToken): void {
    this.#wanted = token;
  }

  /** Starts what is wanted, if anything may start; true when the core may have news. */
  start(): boolean {
    const token = this.#wanted;
    if (token === null) return false;
    const { log, durability, onSynced, onDone, mutant } = this.#options;
    const isInCache = !log.isBehind || mutant === 'memory-counts-as-cached';
    const isCached = !token.needsWal && durability() === 'cached' && isInCache;
    if (isCached) {
      // In the page cache is good enough: nobody waits, but the log still notes what was promised.
      this.#wanted = null;
      onSynced(token);
      if (this.#running > 0) return true;
    }
    if (this.#running >= SYNCS_MAX) return false;
    this.#wanted = null;
    this.#running++;
    log.syncTo((error) => {
      this.#running--;
      onDone(error, isCached ? null : token);
    });
    return true;
  }
}
