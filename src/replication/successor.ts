/**
 * Who should lead next when nobody in particular was named: the voter that would lose least, but
 * not twice in a row one that did not take over. Pure. Shard thread.
 */
import { comparePositions } from '../base/position.js';
import type { NodeId } from '../base/units.js';
import type { FollowerStatus, RaftEvent } from '../raft/ready.js';
import type { ReplicaEvent } from './replica-ports.js';

export class Successors {
  /** The last one that was asked and did not lead in time. */
  #reluctant: NodeId | null = null;

  /** After a transfer that came to nothing: a disk may be full there, or a thread stopped. */
  note(event: RaftEvent | ReplicaEvent): void {
    if (event.kind === 'transfer-abandoned') this.#reluctant = event.to.nodeId;
  }

  best(followers: readonly FollowerStatus[], mayLead: (nodeId: NodeId) => boolean): NodeId | null {
    const isWilling = (nodeId: NodeId): boolean => nodeId !== this.#reluctant && mayLead(nodeId);
    return bestFollower(followers, isWilling) ?? bestFollower(followers, mayLead);
  }
}

function bestFollower(
  followers: readonly FollowerStatus[],
  mayLead: (nodeId: NodeId) => boolean,
): NodeId | null {
  let best: FollowerStatus | null = null;
  for (const follower of followers) {
    if (!follower.isHeard || !mayLead(follower.id.nodeId)) continue;
    if (!follower.isVoter || follower.isForgetful || follower.state !== 'replicate') continue;
    if (best === null || comparePositions(follower.match, best.match) > 0) best = follower;
  }
  return best?.id.nodeId ?? null;
}
