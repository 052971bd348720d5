/** A coordinator on a fake partition with a fake clock, and members that speak to it. */
import * as assert from 'uvu/assert';
import { GroupCoordinator } from '#src/groups/coordinator.js';
import type {
  GroupError,
  GroupSettings,
  JoinResponse,
  LeaveResponse,
  OffsetCommitResponse,
  OffsetFetchResponse,
  SyncResponse,
} from '#src/groups/group-types.js';
import type { CoordinatorKnobs } from '#src/groups/limits.js';
import { FakePartition } from './fake-group-log.js';

export const GROUP = 'readers';
const TICK_MS = 500;

/** An answer that may still be on its way. */
export type Answer<T> = { value: T | null };

export type JoinOptions = {
  groupId?: string;
  instanceId?: string | null;
  protocols?: readonly (readonly [name: string, metadata: string])[];
  protocolType?: string;
  sessionMs?: number;
  rebalanceMs?: number;
  requireKnownMemberId?: boolean;
  canSkip?: boolean;
  clientId?: string;
};

export class GroupBench {
  readonly partition = new FakePartition();
  settings: GroupSettings = {
    groupMinSessionTimeoutMs: 6_000,
    groupMaxSessionTimeoutMs: 1_800_000,
    groupInitialRebalanceDelayMs: 0,
    groupMaxSize: 100,
    offsetMetadataMaxBytes: 100,
    offsetsRetentionMs: 86_400_000,
  };
  coordinator: GroupCoordinator;
  readonly #knobs: Partial<CoordinatorKnobs>;
  #monotonicMs = 5_000;
  /** Sees every answer to a join the moment it is given. */
  onJoined: ((response: JoinResponse) => void) | null = null;
  wallMs = 1_700_000_000_000;
  #ids = 0;
  #epoch = 0;

  constructor(knobs: Partial<CoordinatorKnobs> = {}) {
    this.#knobs = knobs;
    this.coordinator = this.newLeader();
    this.load();
  }

  /** Another node takes over, with nothing but the log. It still has to load. */
  newLeader(): GroupCoordinator {
    this.#epoch += 1;
    this.coordinator = new GroupCoordinator({
      log: this.partition.elect(),
      clock: { monotonicMs: () => this.#monotonicMs, wallMs: () => this.wallMs },
      settings: () => this.settings,
      newId: () => `id${this.#ids++}`,
      knobs: this.#knobs,
    });
    this.coordinator.onLeader(this.#epoch);
    return this.coordinator;
  }

  load(): number {
    let steps = 1;
    while (!this.coordinator.loadSome()) steps += 1;
    return steps;
  }

  /** The leader dies; the next one loads. Waiters of the old one hear nothing here. */
  failover(keepsUncommitted = false): void {
    this.partition.crash(keepsUncommitted);
    this.newLeader();
    this.load();
  }

  pass(ms: number): void {
    for (let left = ms; left > 0; left -= TICK_MS) {
      const step = Math.min(left, TICK_MS);
      this.#monotonicMs += step;
      this.wallMs += step;
      this.coordinator.tick(this.#monotonicMs);
    }
  }

  /** The whole process stands still, then goes on. */
  freeze(ms: number): void {
    this.#monotonicMs += ms;
    this.wallMs += ms;
    this.coordinator.tick(this.#monotonicMs);
  }

  join(memberId: string, options: JoinOptions = {}): Answer<JoinResponse> {
    const { sessionMs = 10_000, rebalanceMs = 30_000, protocols = [['range', 'm']] } = options;
    const answer: Answer<JoinResponse> = { value: null };
    this.coordinator.join(
      {
        groupId: options.groupId ?? GROUP,
        sessionTimeoutMs: sessionMs,
        rebalanceTimeoutMs: rebalanceMs,
        memberId,
        groupInstanceId: options.instanceId ?? null,
        protocolType: options.protocolType ?? 'consumer',
        protocols: protocols.map(([name, metadata]) => ({ name, metadata: Buffer.from(metadata) })),
        requireKnownMemberId: options.requireKnownMemberId ?? false,
        supportSkippingAssignment: options.canSkip ?? false,
        clientId: options.clientId ?? 'c',
        clientHost: '/127.0.0.1',
      },
      (response) => {
        once(answer)(response);
        this.onJoined?.(response);
      },
    );
    return answer;
  }

  sync(
    memberId: string,
    generationId: number,
    assignments: Readonly<Record<string, string>> = {},
    instanceId: string | null = null,
  ): Answer<SyncResponse> {
    const answer: Answer<SyncResponse> = { value: null };
    this.coordinator.sync(
      {
        groupId: GROUP,
        generationId,
        memberId,
        groupInstanceId: instanceId,
        protocolType: null,
        protocolName: null,
        assignments: Object.entries(assignments).map(([id, assignment]) => ({
          memberId: id,
          assignment: Buffer.from(assignment),
        })),
      },
      once(answer),
    );
    return answer;
  }

  heartbeat(
    memberId: string,
    generationId: number,
    instanceId: string | null = null,
  ): GroupError | null {
    let error: GroupError | null | undefined;
    const request = { groupId: GROUP, generationId, memberId, groupInstanceId: instanceId };
    this.coordinator.heartbeat(request, (response) => {
      error = response.error;
    });
    assert.not.equal(error, undefined);
    return error ?? null;
  }

  leave(
    ...members: readonly (readonly [memberId: string, instanceId: string | null])[]
  ): LeaveResponse {
    const answer: Answer<LeaveResponse> = { value: null };
    this.coordinator.leave(
      {
        groupId: GROUP,
        members: members.map(([memberId, groupInstanceId]) => ({ memberId, groupInstanceId })),
      },
      once(answer),
    );
    return mustBe(answer);
  }

  commit(
    offset: number,
    as: {
      memberId?: string;
      generationId?: number;
      metadata?: string;
      partition?: number;
      groupId?: string;
    } = {},
  ): Answer<OffsetCommitResponse> {
    const answer: Answer<OffsetCommitResponse> = { value: null };
    this.coordinator.commitOffsets(
      {
        groupId: as.groupId ?? GROUP,
        generationId: as.generationId ?? -1,
        memberId: as.memberId ?? '',
        groupInstanceId: null,
        retentionTimeMs: -1,
        topics: [
          {
            name: 't',
            partitions: [
              {
                partitionIndex: as.partition ?? 0,
                committedOffset: offset,
                committedLeaderEpoch: 3,
                committedMetadata: as.metadata ?? null,
              },
            ],
          },
        ],
      },
      once(answer),
    );
    return answer;
  }

  /** The committed offset of partition `partition`, or the error. */
  committed(partition = 0, groupId = GROUP): number | GroupError {
    const answer: Answer<OffsetFetchResponse> = { value: null };
    const topics = [{ name: 't', partitionIndexes: [partition] }];
    this.coordinator.fetchOffsets({ groupId, topics }, once(answer));
    const { error, topics: found } = mustBe(answer);
    return error ?? found[0]?.partitions[0]?.committedOffset ?? -1;
  }

  state(groupId = GROUP): string {
    let state = '';
    this.coordinator.describe({ groupId }, (group) => {
      state = group.groupState;
    });
    return state;
  }

  /** A stable group of `count` members: ids in the order of joining, the first leads. */
  stable(count: number, options: JoinOptions = {}): { ids: string[]; generation: number } {
    const firstIds = Array.from({ length: count }, () => {
      const answer = this.join('', { ...options, requireKnownMemberId: true });
      return mustBe(answer).memberId;
    });
    let joins = firstIds.map((id) => this.join(id, options));
    // With no delay the first is alone in its generation; a second round has everybody.
    while (joins.some(({ value }) => value === null)) {
      for (let i = 0; i < count; i++) {
        if (joins[i]?.value !== null) joins[i] = this.join(firstIds[i] as string, options);
      }
    }
    joins = joins.map((join) => join);
    const generation = Math.max(...joins.map((join) => mustBe(join).generationId));
    const leader = mustBe(
      joins.find((join) => mustBe(join).generationId === generation) as Answer<JoinResponse>,
    ).leader;
    const followers = firstIds.filter((id) => id !== leader).map((id) => this.sync(id, generation));
    const assignments = Object.fromEntries(firstIds.map((id) => [id, `of ${id}`]));
    const first = this.sync(leader, generation, assignments);
    for (const answer of [first, ...followers]) assert.is(mustBe(answer).error, null);
    assert.is(this.state(), 'Stable');
    return { ids: [leader, ...firstIds.filter((id) => id !== leader)], generation };
  }
}

export function mustBe<T>(answer: Answer<T>): T {
  assert.not.equal(answer.value, null, 'the answer is there');
  return answer.value as T;
}

/** Fails the test when an answer is given twice. */
function once<T>(answer: Answer<T>): (value: T) => void {
  return (value) => {
    assert.is(answer.value, null, 'answered once');
    answer.value = value;
  };
}

export function commitError(answer: Answer<OffsetCommitResponse>): GroupError | null {
  return mustBe(answer).topics[0]?.partitions[0]?.error ?? null;
}
