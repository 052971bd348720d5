/** Who should lead next when nobody in particular was named. Pure. */
import { comparePositions } from '../base/position.js';
import type { NodeId } from '../base/units.js';
import type { FollowerStatus } from '../raft/ready.js';

/** The voter that would lose least by leading. */
export function bestFollower(
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
