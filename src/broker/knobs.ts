/** From settings to the numbers that replication wants. */
import type { GroupSettings } from '../groups/group-types.js';
import { DEFAULT_RAFT_KNOBS } from '../raft/raft-config.js';
import type { ReplicationKnobs } from '../replication/replica.js';
import type { BrokerSettings } from './settings.js';

/** How often shards and the main thread look at the clock. */
export const TICK_MS = 50;

export function replicationKnobs(settings: BrokerSettings): ReplicationKnobs {
  const heartbeatTicks = ticks(settings['raft.heartbeat.interval.ms']);
  const electionTicksMin = Math.max(
    ticks(settings['raft.election.timeout.ms']),
    heartbeatTicks + 1,
  );
  return {
    raft: {
      ...DEFAULT_RAFT_KNOBS,
      isEager: true,
      heartbeatTicks,
      electionTicksMin,
      electionTicksMax: electionTicksMin * 2,
    },
    tickMs: TICK_MS,
    replicaLagMsMax: settings['replica.lag.time.max.ms'],
  };
}

/** Followers hear of a metadata commit at once: every broker waits to know a new topic. */
export function metadataKnobs(settings: BrokerSettings): ReplicationKnobs {
  const knobs = replicationKnobs(settings);
  return { ...knobs, raft: { ...knobs.raft, isCommitAnnounced: true } };
}

function ticks(ms: number): number {
  return Math.max(1, Math.round(ms / TICK_MS));
}

/** What group coordinators read of the settings. */
export function groupSettings(settings: BrokerSettings): GroupSettings {
  return {
    groupMinSessionTimeoutMs: settings['group.min.session.timeout.ms'],
    groupMaxSessionTimeoutMs: settings['group.max.session.timeout.ms'],
    groupInitialRebalanceDelayMs: settings['group.initial.rebalance.delay.ms'],
    groupMaxSize: settings['group.max.size'],
    offsetMetadataMaxBytes: settings['offset.metadata.max.bytes'],
    offsetsRetentionMs: settings['offsets.retention.minutes'] * 60_000,
  };
}
