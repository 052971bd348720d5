/** Term and vote at start: what the write-ahead log remembers, or a safe reading of its silence. */
import type { HardState } from '../raft/ready.js';
import type { ReplicaOptions } from './replica-ports.js';

/**
 * Term and vote as the write-ahead log has them. When it lost them (a finding of recovery), nothing
 * may be voted in the newest epoch of the log again.
 */
export function recoveredHardState(options: ReplicaOptions): HardState | null {
  const { wal, group, log, self } = options;
  const stored = wal.hardState(group);
  const lastEpoch = log.epochs.at(-1)?.epoch ?? -1;
  if (stored !== null && stored.term >= lastEpoch) return stored;
  return lastEpoch === -1 ? stored : { term: lastEpoch, votedFor: self };
}
