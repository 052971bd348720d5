/**
 * Brings calls of group members to the coordinator that leads their group on this broker, be it on
 * this shard or on another one. Shard thread.
 */
import type { GroupKey } from '../base/group.js';
import type { ClusterImage } from '../control/image.js';
import { coordinatorOf } from '../groups/coordinator-of.js';
import { type GroupHost, joinLists } from '../groups/group-host.js';
import type { ListGroupsRequest, ListGroupsResponse } from '../groups/group-types.js';
import type { CallGroup, GroupCalls } from '../handlers/context.js';
import { gather } from '../handlers/gather.js';
import type { ThreadLink } from '../partition/thread-link.js';

export type GroupRouterOptions = {
  readonly host: GroupHost;
  readonly image: () => ClusterImage;
  readonly ownerOf: (group: GroupKey) => number;
  /** Links to the other shards by index; null at this shard's own place. */
  readonly links: readonly (ThreadLink | null)[];
  /** A thread without coordinators that asks those of this shard: the main thread. */
  readonly asker: ThreadLink;
};

type RemoteCall = {
  readonly method: keyof GroupCalls;
  readonly group: GroupKey;
  readonly request: unknown;
};

export class GroupRouter {
  readonly #options: GroupRouterOptions;

  constructor(options: GroupRouterOptions) {
    this.#options = options;
    for (const link of [...options.links, options.asker]) {
      link?.onCall('group', (payload, answer) => {
        const { method, group, request } = payload as RemoteCall;
        this.#callLocal(method, group, withBuffers(request), answer);
      });
      link?.onCall('list-groups', (payload, answer) => {
        answer(options.host.list(payload as ListGroupsRequest));
      });
    }
  }

  readonly call: CallGroup = (method, groupId, request, done) => {
    const group = coordinatorOf(this.#options.image().topics, groupId);
    if (group === null) {
      done(null);
      return;
    }
    const link = this.#options.links[this.#options.ownerOf(group)];
    if (link === null || link === undefined) {
      this.#callLocal(method, group, request, done as (response: unknown) => void);
      return;
    }
    const call: RemoteCall = { method, group, request };
    link.call('group', call, [], (error, response) => {
      done(error === null ? (withBuffers(response) as GroupCalls[typeof method][1]) : null);
    });
  };

  /** Groups of all shards; an error of one of them is the answer. */
  list(request: ListGroupsRequest, done: (response: ListGroupsResponse) => void): void {
    const { host, links } = this.#options;
    const others = links.filter((link) => link !== null);
    listOver(others, [host.list(request)], request, done);
  }

  #callLocal(
    method: keyof GroupCalls,
    group: GroupKey,
    request: unknown,
    done: (response: unknown) => void,
  ): void {
    const coordinator = this.#options.host.find(group);
    if (coordinator === undefined) {
      done(null);
      return;
    }
    // Each method takes and gives exactly what `GroupCalls` says of it.
    const call = coordinator[method].bind(coordinator) as (
      request: unknown,
      done: (response: unknown) => void,
    ) => void;
    call(request, done);
  }
}

/** Groups of all shards at the end of `links`, and those that are known; an error is the answer. */
export function listOver(
  links: readonly ThreadLink[],
  known: readonly ListGroupsResponse[],
  request: ListGroupsRequest,
  done: (response: ListGroupsResponse) => void,
): void {
  const none: ListGroupsResponse = { error: 'COORDINATOR_NOT_AVAILABLE', groups: [] };
  const ask = (link: ThreadLink, answer: (list: ListGroupsResponse) => void): void => {
    link.call('list-groups', request, [], (error, response) => {
      answer(error === null ? (response as ListGroupsResponse) : none);
    });
  };
  gather(links, ask, (lists) => done(joinLists([...known, ...lists])));
}

/** Structured clone turns Buffers into plain Uint8Arrays; coordinators and codecs want Buffers. */
export function withBuffers(value: unknown): unknown {
  if (value instanceof Uint8Array) return Buffer.from(value.buffer, value.byteOffset, value.length);
  if (Array.isArray(value)) return value.map(withBuffers);
  if (value === null || typeof value !== 'object') return value;
  return Object.fromEntries(Object.entries(value).map(([key, inner]) => [key, withBuffers(inner)]));
}
