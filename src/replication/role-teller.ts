/** Tells a replica's owner of changes in who leads, once each. Shard thread. */
import { LEADER_NONE, type LeaderEpoch, type NodeId } from '../base/units.js';
import type { RaftRole } from '../raft/ready.js';
import type { ReplicaEvents } from './replica-ports.js';

export class RoleTeller {
  readonly #events: ReplicaEvents;
  #role: RaftRole;
  #leaderId: NodeId = LEADER_NONE;
  #leaderEpoch: LeaderEpoch;
  #isServing = false;

  constructor(events: ReplicaEvents, role: RaftRole, leaderEpoch: LeaderEpoch) {
    this.#events = events;
    this.#role = role;
    this.#leaderEpoch = leaderEpoch;
  }

  tell(role: RaftRole, leaderId: NodeId, leaderEpoch: LeaderEpoch, isServing: boolean): void {
    const isSame =
      role === this.#role &&
      leaderId === this.#leaderId &&
      leaderEpoch === this.#leaderEpoch &&
      isServing === this.#isServing;
    if (isSame) return;
    this.#role = role;
    this.#leaderId = leaderId;
    this.#leaderEpoch = leaderEpoch;
    this.#isServing = isServing;
    this.#events.onRole();
  }
}
