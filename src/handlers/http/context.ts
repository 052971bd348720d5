/**
 * What the HTTP door may see of the broker: the part of the Kafka handlers' context that it needs,
 * with partitions at their leaders, wherever those are. Main thread.
 */
import type { GroupKey } from '../../base/group.js';
import type { PartitionAccess } from '../../partition/access.js';
import type { Checksum } from '../../records/batch.js';
import type { HandlerContext } from '../context.js';

export type HttpContext = Pick<
  HandlerContext,
  'nodeId' | 'clock' | 'image' | 'isCurrent' | 'leaders' | 'control' | 'status'
> & {
  /** Of lograft. */
  readonly version: string;
  /** The partition as its leader serves it; one that nobody leads answers NOT_LEADER. */
  leader(group: GroupKey): PartitionAccess;
  /** Why this node does not serve yet; empty when it does. */
  unready(): readonly string[];
  /** The payload of a compressed batch, off this thread. */
  decompress(codec: number, payload: Uint8Array): Promise<Uint8Array>;
  readonly checksum: Checksum;
};
