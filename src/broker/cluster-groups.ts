/**
 * Group coordinators as the main thread sees them, on whichever shard of whichever node they are:
 * a call goes over the peer link that forwards calls to partitions, for a coordinator is the leader
 * of a partition. (Speaking Kafka to that node's port instead would need an account there.) An
 * answer of null says: nobody coordinates, or nobody knows what became of it. Main thread.
 */
import { type GroupKey, OFFSETS_TOPIC } from '../base/group.js';
import { LEADER_NONE, type NodeId } from '../base/units.js';
import type { ClusterImage } from '../control/image.js';
import type { LeaderTable } from '../control/leader-table.js';
import { isGroupRequest, isGroupResponse } from '../groups/call-checks.js';
import { coordinatorOf } from '../groups/coordinator-of.js';
import type { ListGroupsRequest, ListGroupsResponse } from '../groups/group-types.js';
import type { GroupCalls } from '../handlers/context.js';
import type { Forwarding } from '../partition/forwarding.js';
import type { PartitionRouter } from '../partition/router.js';
import type { ThreadLink } from '../partition/thread-link.js';
import { listOver, withBuffers } from './group-calls.js';

export type ClusterGroupsOptions = {
  readonly nodeId: NodeId;
  readonly image: () => ClusterImage;
  readonly leaders: () => LeaderTable;
  readonly router: PartitionRouter;
  readonly shards: readonly ThreadLink[];
  /** Asked for late: each of the two knows the other. */
  readonly forwarding: () => Forwarding;
};

type Done = (response: unknown) => void;

const LIST_MS = 5_000;
const ALL_GROUPS: ListGroupsRequest = { statesFilter: [] };

export class ClusterGroups {
  readonly #options: ClusterGroupsOptions;

  constructor(options: ClusterGroupsOptions) {
    this.#options = options;
  }

  call<M extends keyof GroupCalls>(
    method: M,
    groupId: string,
    request: GroupCalls[M][0],
    timeoutMs: number,
  ): Promise<GroupCalls[M][1] | null> {
    const group = coordinatorOf(this.#options.image().topics, groupId);
    if (group === null) return Promise.resolve(null);
    return this.#ask(group, method, request, timeoutMs) as Promise<GroupCalls[M][1] | null>;
  }

  /** Groups of all coordinators; null when one of them does not answer. */
  async list(): Promise<ListGroupsResponse['groups'] | null> {
    const topic = this.#options.image().topics.get(OFFSETS_TOPIC);
    if (topic === undefined) return [];
    // One partition for each node that leads any.
    const places = new Map<NodeId, GroupKey>();
    for (const { partition } of topic.partitions) {
      const group = { topicId: topic.topicId, partition };
      places.set(this.#leaderOf(group), group);
    }
    const answers = await Promise.all(
      [...places.values()].map((group) => this.#ask(group, 'list', ALL_GROUPS, LIST_MS)),
    );
    const lists = answers as (ListGroupsResponse | null)[];
    if (lists.some((list) => list === null || list.error !== null)) return null;
    return lists.flatMap((list) => list?.groups ?? []);
  }

  /** A call of another node, for a coordinator of this one. */
  serve(group: GroupKey, method: string, request: unknown, done: Done): void {
    if (!isGroupRequest(method, request)) done(null);
    else if (method === 'list') {
      listOver(this.#options.shards, [], request as ListGroupsRequest, done);
    } else this.#callHere(group, method, request, done);
  }

  #ask(group: GroupKey, method: string, request: unknown, timeoutMs: number): Promise<unknown> {
    const { nodeId, forwarding } = this.#options;
    const leader = this.#leaderOf(group);
    return new Promise((resolve) => {
      if (leader === LEADER_NONE) resolve(null);
      else if (leader === nodeId) this.serve(group, method, request, resolve);
      else {
        const ask = { kind: 'group', method, request } as const;
        const times = { timeoutMs, bytes: bytesIn(request) };
        forwarding().call(leader, group, ask, times, (response) => {
          resolve(isGroupResponse(method, response) ? withBuffers(response) : null);
        });
      }
    });
  }

  #leaderOf({ topicId, partition }: GroupKey): NodeId {
    return this.#options.leaders().leaderOf(topicId, partition);
  }

  #callHere(group: GroupKey, method: string, request: unknown, done: Done): void {
    const { router, shards } = this.#options;
    const call = { method, group, request };
    shards[router.ownerOf(group)]?.call('group', call, [], (error, response) => {
      done(error === null ? withBuffers(response) : null);
    });
  }
}

/** About what a value takes on a link: its bytes and texts. */
export function bytesIn(value: unknown): number {
  if (typeof value === 'string' || value instanceof Uint8Array) return value.length;
  if (typeof value !== 'object' || value === null) return 8;
  return Object.values(value).reduce((sum: number, inner) => sum + bytesIn(inner), 8);
}
