/**
 * One life of a group member, as a client library drives it: it joins, assigns when it leads,
 * syncs, asks for the positions of what it owns, heartbeats, commits, and does what errors tell it
 * to. It believes what it was told last; the judge at the brokers knows better.
 */
import type { Prng } from '#src/base/prng.js';
import type { GroupError, JoinResponse } from '#src/groups/group-types.js';
import { Violation, type World } from '../world.js';
import type { GroupClient } from './group-client.js';
import type { GroupJudge } from './group-judge.js';
import type { MemberPlan } from './group-plan.js';
import type { GroupCall, GroupCalls } from './node-groups.js';
import {
  decodeAssignment,
  encodeAssignment,
  encodeSubscription,
  instanceIdOf,
  TOPIC_READ,
} from './wire.js';

export type MemberOptions = {
  /** Its place in the plan. */
  readonly index: number;
  readonly plan: MemberPlan;
  readonly groupId: string;
  readonly partitions: number;
  readonly world: World;
  readonly random: Prng;
  readonly client: GroupClient;
  readonly judge: GroupJudge;
  readonly requestMs: number;
  /** How long the coordinator may let the first members of a group wait for others. */
  readonly initialDelayMs: number;
  readonly retryMs: number;
  readonly onCommitted: () => void;
  /** Another life has taken its place. */
  readonly onFenced: () => void;
};

/** Errors that a member with sound requests never hears. */
const NEVER: ReadonlySet<GroupError> = new Set([
  'INVALID_GROUP_ID',
  'INVALID_REQUEST',
  'INVALID_SESSION_TIMEOUT',
  'INCONSISTENT_GROUP_PROTOCOL',
  'GROUP_MAX_SIZE_REACHED',
  'MESSAGE_TOO_LARGE',
  'OFFSET_METADATA_TOO_LARGE',
  'INVALID_COMMIT_OFFSET_SIZE',
]);

type Before = {
  readonly generation: number;
  readonly positions: ReadonlyMap<number, number> | null;
};

export class Member {
  readonly #o: MemberOptions;
  readonly #instanceId: string | null;
  #memberId = '';
  #generation = -1;
  /** Null while it holds no assignment. */
  #owned: readonly number[] | null = null;
  /** Next offset of each owned partition; null before the coordinator has told. */
  #positions: Map<number, number> | null = null;
  /** What it was about to commit when its last round ended. */
  #before: Before = { generation: -1, positions: null };
  #subscription = 0;
  /** Changes with every join: answers to earlier calls are of no interest. */
  #round = 0;
  /** In a row that led to nothing. */
  #tries = 0;
  #isHeartbeating = false;
  #commits = 0;
  #isDead = false;
  #isPaused = false;
  #backlog: (() => void)[] = [];

  constructor(options: MemberOptions) {
    this.#o = options;
    this.#instanceId = options.plan.isStatic ? instanceIdOf(options.index) : null;
  }

  get isAlive(): boolean {
    return !this.#isDead;
  }

  get generation(): number {
    return this.#generation;
  }

  /** What it owns and knows the positions of. */
  get ready(): readonly number[] {
    return this.#owned !== null && this.#positions !== null ? this.#owned : [];
  }

  start(): void {
    this.#join();
  }

  /** Ends without a word. */
  crash(): void {
    this.#isDead = true;
    this.#backlog = [];
  }

  leave(): void {
    if (this.#isDead || this.#isPaused) return this.crash();
    const { groupId, requestMs, client } = this.#o;
    const members = [{ memberId: this.#memberId, groupInstanceId: this.#instanceId }];
    if (this.#memberId !== '') client.call('leave', { groupId, members }, requestMs, nothing);
    this.crash();
  }

  pause(): void {
    this.#isPaused = true;
  }

  /** It goes on where it stood: with what it was about to commit. */
  resume(): void {
    if (!this.#isPaused) return;
    this.#isPaused = false;
    this.commit(1);
    for (const run of this.#backlog.splice(0)) this.#turn(run);
  }

  resubscribe(): void {
    this.#turn(() => {
      this.#subscription++;
      if (this.#owned !== null) this.#join();
    });
  }

  /** Reads on in everything it owns and commits how far it came. */
  commit(records: number): void {
    this.#turn(() => {
      const { judge, groupId } = this.#o;
      const positions = this.#positions ?? [];
      for (const [partitionIndex, from] of positions) {
        judge.reads(groupId, partitionIndex, from, from + records);
        this.#positions?.set(partitionIndex, from + records);
      }
      this.#commit(this.#generation, this.#positions);
    });
  }

  /** What it had read in the generation before, which it may not commit any more. */
  commitLate(): void {
    this.#turn(() => {
      if (this.#generation > this.#before.generation) {
        this.#commit(this.#before.generation, this.#before.positions);
      }
    });
  }

  #commit(generationId: number, positions: ReadonlyMap<number, number> | null): void {
    if (positions === null || positions.size === 0) return;
    const { index, world, requestMs, onCommitted } = this.#o;
    const name = `${index}/${world.nowMs}/${++this.#commits}`;
    const partitions = Array.from(positions, ([partitionIndex, committedOffset]) => {
      const committedMetadata = `${name}/${partitionIndex}`;
      return { partitionIndex, committedOffset, committedLeaderEpoch: -1, committedMetadata };
    });
    const topics = [{ name: TOPIC_READ, partitions }];
    const request = { ...this.#identity(), generationId, retentionTimeMs: -1, topics };
    this.#call('commitOffsets', request, requestMs, (response) => {
      const error = response?.topics[0]?.partitions[0]?.error ?? null;
      if (response === null) return;
      world.branch(`group-commit-${error ?? 'acked'}`);
      if (error === null) onCommitted();
      else if (generationId === this.#generation) this.#onError(error);
    });
  }

  /** Asks again for the positions of all partitions, its own and others'. */
  fetch(): void {
    this.#turn(() => {
      const all = Array.from({ length: this.#o.partitions }, (_, i) => i);
      this.#fetch(all, nothing);
    });
  }

  // --- the loop ------------------------------------------------------------------------------

  #join(): void {
    const { plan, groupId, index, requestMs, initialDelayMs, world } = this.#o;
    const { sessionMs, rebalanceMs } = plan;
    const waitMs = requestMs + rebalanceMs + initialDelayMs;
    this.#giveUp();
    const metadata = encodeSubscription(this.#subscription);
    const request = {
      groupId,
      sessionTimeoutMs: sessionMs,
      rebalanceTimeoutMs: rebalanceMs,
      memberId: this.#memberId,
      groupInstanceId: this.#instanceId,
      protocolType: 'consumer',
      protocols: [{ name: 'range', metadata }],
      requireKnownMemberId: plan.requireKnownMemberId,
      supportSkippingAssignment: plan.canSkip,
      clientId: `client-${index}`,
      clientHost: '/127.0.0.1',
    };
    // The answer waits for the others, who may use up the whole round.
    this.#call('join', request, waitMs, (response) => {
      if (response === null) return this.#joinLater();
      world.trace(
        () => `member ${index} hears ${response.error ?? response.generationId} for its join`,
      );
      world.branch(`group-join-${response.error ?? 'answered'}`);
      if (response.error === 'MEMBER_ID_REQUIRED') {
        this.#memberId = response.memberId;
        this.#join();
      } else if (response.error !== null) this.#onError(response.error);
      else this.#joined(response);
    });
  }

  #joined(response: JoinResponse): void {
    const { memberId, generationId, members, leader, skipAssignment } = response;
    this.#memberId = memberId;
    this.#generation = generationId;
    const isLeader = leader === memberId && !skipAssignment;
    if (skipAssignment) this.#o.world.branch('group-assignment-skipped');
    this.#sync(isLeader ? this.#assign(members.map((each) => each.memberId)) : []);
  }

  /** Whoever leads deals the partitions out, each time from another member on. */
  #assign(memberIds: readonly string[]) {
    const sorted = [...memberIds].sort();
    const owned = sorted.map((): number[] => []);
    for (let partition = 0; partition < this.#o.partitions; partition++) {
      owned[(partition + this.#generation) % sorted.length]?.push(partition);
    }
    return sorted.map((memberId, i) => {
      return { memberId, assignment: encodeAssignment(owned[i] as number[]) };
    });
  }

  #sync(assignments: GroupCalls['sync'][0]['assignments']): void {
    const { plan, requestMs, world } = this.#o;
    const named = { protocolType: 'consumer', protocolName: 'range' };
    const request = { ...this.#identity(), ...named, assignments };
    this.#call('sync', request, requestMs + plan.rebalanceMs, (response) => {
      if (response === null) {
        // Some clients ask again, most join anew.
        if (this.#o.random.chance(0.3)) this.#afterPause(() => this.#sync(assignments));
        else this.#joinLater();
        return;
      }
      world.branch(`group-sync-${response.error ?? 'answered'}`);
      if (response.error !== null) return this.#onError(response.error);
      this.#owned = decodeAssignment(response.assignment);
      world.trace(() => `${this.#memberId} owns ${this.#owned} in ${this.#generation}`);
      this.#learnPositions();
      this.#heartbeatLater();
    });
  }

  #learnPositions(): void {
    const owned = this.#owned ?? [];
    this.#fetch(owned, (positions) => {
      if (positions !== null) {
        this.#positions = positions;
        this.#tries = 0;
      } else this.#afterPause(() => this.#learnPositions());
    });
  }

  #fetch(
    partitionIndexes: readonly number[],
    done: (positions: Map<number, number> | null) => void,
  ): void {
    const { groupId, requestMs, world } = this.#o;
    const topics = [{ name: TOPIC_READ, partitionIndexes }];
    this.#call('fetchOffsets', { groupId, topics }, requestMs, (response) => {
      if (response !== null) world.branch(`group-fetch-${response.error ?? 'answered'}`);
      if (response === null || response.error !== null) return done(null);
      const told = response.topics[0]?.partitions ?? [];
      done(new Map(told.map((each) => [each.partitionIndex, Math.max(each.committedOffset, 0)])));
    });
  }

  #heartbeatLater(): void {
    if (this.#isHeartbeating) return;
    this.#isHeartbeating = true;
    this.#o.world.after(this.#o.plan.heartbeatMs, () => {
      this.#isHeartbeating = false;
      if (this.#isDead || this.#owned === null) return;
      this.#turn(() => this.#heartbeat());
      this.#heartbeatLater();
    });
  }

  #heartbeat(): void {
    if (this.#owned === null) return;
    this.#call('heartbeat', this.#identity(), this.#o.requestMs, (response) => {
      const error = response?.error ?? null;
      if (error === null) return;
      this.#o.world.branch(`group-heartbeat-${error}`);
      // What it has read so far goes first, as clients do before they give their partitions up.
      if (error === 'REBALANCE_IN_PROGRESS' && this.#o.random.chance(0.5)) this.commit(1);
      this.#onError(error);
    });
  }

  #onError(error: GroupError): void {
    const { world, onFenced } = this.#o;
    if (NEVER.has(error)) throw new Violation('G-refusal', `a sound request hears ${error}`);
    switch (error) {
      case 'FENCED_INSTANCE_ID':
        world.branch('group-member-fenced');
        this.crash();
        return onFenced();
      case 'UNKNOWN_MEMBER_ID':
        this.#memberId = '';
        return this.#joinLater();
      case 'ILLEGAL_GENERATION':
      case 'REBALANCE_IN_PROGRESS':
        return this.#join();
      default:
        // The coordinator is elsewhere, or not ready. Who has an assignment keeps it.
        if (this.#owned === null) this.#joinLater();
    }
  }

  #joinLater(): void {
    this.#giveUp();
    this.#afterPause(() => this.#join());
  }

  /** A new round begins: nothing belongs to it until it is told. */
  #giveUp(): void {
    if (this.#positions !== null) {
      this.#before = { generation: this.#generation, positions: this.#positions };
    }
    this.#round++;
    this.#owned = null;
    this.#positions = null;
  }

  // --- inside --------------------------------------------------------------------------------

  #identity() {
    return {
      groupId: this.#o.groupId,
      generationId: this.#generation,
      memberId: this.#memberId,
      groupInstanceId: this.#instanceId,
    };
  }

  /** The answer counts only while the round is the same. */
  #call<C extends GroupCall>(
    call: C,
    request: GroupCalls[C][0],
    timeoutMs: number,
    done: (response: GroupCalls[C][1] | null) => void,
  ): void {
    const round = this.#round;
    this.#o.client.call(call, request, timeoutMs, (response) => {
      this.#turn(() => {
        if (round === this.#round) done(response);
      });
    });
  }

  /** Waits twice as long each time in a row, as clients do, up to the time between heartbeats. */
  #afterPause(run: () => void): void {
    const { retryMs, plan } = this.#o;
    const delayMs = Math.max(retryMs, Math.min(plan.heartbeatMs, retryMs * 2 ** this.#tries++));
    const round = this.#round;
    this.#o.world.after(delayMs, () => {
      this.#turn(() => {
        if (round === this.#round) run();
      });
    });
  }

  #turn(run: () => void): void {
    if (this.#isDead) return;
    if (this.#isPaused) this.#backlog.push(run);
    else run();
  }
}

function nothing(): void {
  // The answer changes nothing.
}
