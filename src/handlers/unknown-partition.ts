/** What a partition that the image does not name is to a client. */
import type { PartitionError } from '../partition/access.js';
import type { HandlerContext } from './context.js';

/**
 * A broker that has just started knows nothing yet: "unknown" would be definite for its client, so
 * it says "ask another one" until its image is the cluster's.
 */
export function unknownPartition(context: HandlerContext): PartitionError {
  return context.isCurrent() ? 'UNKNOWN_PARTITION' : 'NOT_LEADER';
}
