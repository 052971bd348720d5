/**
 * What the HTTP door may see of the broker: the part of the Kafka handlers' context that it needs,
 * with partitions at their leaders, wherever those are. Main thread.
 */
import type { GroupKey } from '../../base/group.js';
import type { PartitionAccess } from '../../partition/access.js';
import type { Checksum } from '../../records/batch.js';
import type { ListGroupsResponse } from '../../groups/group-types.js';
import type { GroupCalls, HandlerContext } from '../context.js';

export type HttpContext = Pick<
  HandlerContext,
  | 'nodeId'
  | 'controllerId'
  | 'configs'
  | 'clock'
  | 'settings'
  | 'image'
  | 'isCurrent'
  | 'leaders'
  | 'control'
  | 'status'
  | 'sent'
> & {
  /** Of lograft. */
  readonly version: string;
  /** Of this node, as clients reach it: http://host:port */
  readonly baseUri: string;
  newId(): string;
  /** The partition as its leader serves it; one that nobody leads answers NOT_LEADER. */
  leader(group: GroupKey): PartitionAccess;
  /** Why this node does not serve yet; empty when it does. */
  unready(): readonly string[];
  /** This node's numbers in Prometheus' text format. */
  metrics(): Promise<string>;
  /** The payload of a compressed batch, off this thread. */
  decompress(codec: number, payload: Uint8Array): Promise<Uint8Array>;
  readonly checksum: Checksum;
  /** Asks the coordinator of a group, wherever it is; null when nobody answers. */
  callGroup<M extends keyof GroupCalls>(
    method: M,
    groupId: string,
    request: GroupCalls[M][0],
    timeoutMs: number,
  ): Promise<GroupCalls[M][1] | null>;
  /** Groups of all coordinators; null when one of them does not answer. */
  listGroups(): Promise<ListGroupsResponse['groups'] | null>;
};
