/** What a Raft group is told when it starts: who it is, who the others are, how long to wait. */
import { assert } from '../base/assert.js';
import { isSameVoter, type VoterId } from '../base/group.js';
import type { Mutant } from '../base/mutant.js';
import type { EpochEntry, Position } from '../base/position.js';
import type { Prng } from '../base/prng.js';
import type { HardState } from './ready.js';

export type RaftKnobs = {
  /** A leader speaks at least this often. */
  readonly heartbeatTicks: number;
  /** A follower that heard its leader within this time refuses its vote to others. */
  readonly electionTicksMin: number;
  /** Election timeouts lie in [min, max); a leader without a majority for max steps down. */
  readonly electionTicksMax: number;
  /** Ticks between the candidacies of neighbours in voter order after a leader was lost. */
  readonly standTicks: number;
  /** At the start, too, voters stand one after the other in their order and not after a timeout. */
  readonly isEager: boolean;
  /** Appends on their way to one follower. */
  readonly inflightMessagesMax: number;
  /** Bytes on their way to one follower; one batch may go over. */
  readonly inflightBytesMax: number;
  readonly appendBytesMax: number;
  readonly snapshotChunkBytes: number;
  /** Largest state snapshot that is accepted. */
  readonly snapshotBytesMax: number;
  /** Tell followers of a commit at once, not with the next append or heartbeat. */
  readonly isCommitAnnounced: boolean;
};

/** 50 ms ticks: beats every 100 ms, elections after 0.6 to 1.2 s, or ~0.1 s when a link closes. */
export const DEFAULT_RAFT_KNOBS: RaftKnobs = {
  heartbeatTicks: 2,
  electionTicksMin: 12,
  electionTicksMax: 24,
  standTicks: 3,
  isEager: false,
  inflightMessagesMax: 64,
  inflightBytesMax: 4 * 1024 * 1024,
  appendBytesMax: 1024 * 1024,
  snapshotChunkBytes: 256 * 1024,
  snapshotBytesMax: 256 * 1024 * 1024,
  isCommitAnnounced: false,
};

export type RaftMembers = {
  /** In replica order: the first live one stands first after a leader was lost. */
  readonly voters: readonly VoterId[];
  /** Are sent the log, neither vote nor count. */
  readonly learners: readonly VoterId[];
};

export type RaftConfig = {
  readonly self: VoterId;
  readonly members: RaftMembers;
  readonly knobs: RaftKnobs;
  /** Election jitter and nonces; forked by the caller for this group alone. */
  readonly random: Prng;
  /** As recovered; null for a group that never heard of a term. Made durable again at once. */
  readonly hardState: HardState | null;
  /** As recovered; everything below `start` was committed. Synced again before it counts. */
  readonly log: {
    readonly start: Position;
    readonly end: Position;
    readonly epochs: readonly EpochEntry[];
  };
  /** Recovery cut what this replica may have acknowledged (DESIGN.md §4). */
  readonly isForgetful: boolean;
  /** Tests only. */
  readonly mutant?: Mutant | undefined;
};

export function isVoter(members: RaftMembers, id: VoterId): boolean {
  return members.voters.some((voter) => isSameVoter(voter, id));
}

export function isMember(members: RaftMembers, id: VoterId): boolean {
  return isVoter(members, id) || members.learners.some((learner) => isSameVoter(learner, id));
}

export function assertKnobs(knobs: RaftKnobs): void {
  const { heartbeatTicks, electionTicksMin, electionTicksMax } = knobs;
  assert(heartbeatTicks > 0, 'a leader speaks', { heartbeatTicks });
  assert(electionTicksMin > heartbeatTicks, 'several beats fit in an election timeout', {
    electionTicksMin,
    heartbeatTicks,
  });
  assert(electionTicksMax > electionTicksMin, 'election timeouts differ');
  assert(knobs.inflightMessagesMax > 0 && knobs.appendBytesMax > 0, 'something may be sent');
}
