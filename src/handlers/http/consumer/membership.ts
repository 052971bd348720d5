/**
 * A member of a consumer group that lives on this node for a client of the HTTP door: joins, syncs
 * (assigning ranges when it leads), beats, joins again. Its one promise: what it calls its own was
 * assigned to it in the generation it names.
 *
 *     joining ──assigned──▶ beating ──rebalance──▶ joining … ──leave──▶ over
 */
import type { GroupError } from '../../../groups/group-types.js';
import {
  type Assignment,
  assignRanges,
  decodeAssignment,
  decodeSubscription,
  encodeAssignment,
  encodeSubscription,
  readable,
} from '../../../protocol/consumer-protocol.js';
import type { GroupCalls } from '../../context.js';
import type { HttpContext } from '../context.js';
import { Problem } from '../problem.js';
import { askCoordinator, GENERATION_OVER } from './ask-coordinator.js';

/** A node that dies is missed after so long; its instances die with it. */
const SESSION_MS = 10_000;
const REBALANCE_MS = 30_000;
const HEARTBEAT_MS = 1_000;
const TROUBLE_MS = 5_000;
const RETRY_MS = 100;
const REFUSED_MS = 1_000;
/**
 * Ranges first, as Java's clients want them. The others are names under which clients that know no
 * ranges join; whoever leads assigns, and every client takes what it gets.
 */
const ASSIGNORS = ['range', 'roundrobin', 'RoundRobinAssigner'];
const PROTOCOL_TYPE = 'consumer';

/** What the coordinator knows a member by. */
export type Identity = { readonly memberId: string; readonly generationId: number };

export type MembershipOptions = {
  readonly context: HttpContext;
  readonly groupId: string;
  /** For people who look at the group. */
  readonly clientId: string;
  readonly clientHost: string;
  readonly topics: readonly string[];
  /** `isNext`: no generation lies between this one and the last, so nobody else read meanwhile. */
  readonly onAssigned: (assignment: Assignment, isNext: boolean) => void;
  /** The generation ends: the last chance to commit in it. */
  readonly onRevoked: () => Promise<void>;
};

export class Membership {
  readonly #options: MembershipOptions;
  #memberId = '';
  #generationId = -1;
  #isOver = false;
  #wake: () => void = () => {};
  /** Why this member is not let in; null while it is, or may be. */
  failure: Problem | null = null;

  constructor(options: MembershipOptions) {
    this.#options = options;
    void this.#live();
  }

  get identity(): Identity {
    return { memberId: this.#memberId, generationId: this.#generationId };
  }

  /** The group goes on at once instead of after the session's timeout. */
  async leave(): Promise<void> {
    this.#isOver = true;
    this.#wake();
    await this.#sendLeave();
  }

  async #live(): Promise<void> {
    let last = -1;
    while (!this.#isOver) {
      const assignment = await this.#enter();
      if (this.#isOver) break;
      if (assignment === null) {
        await this.#pause(this.failure === null ? RETRY_MS : REFUSED_MS);
        continue;
      }
      this.failure = null;
      this.#options.onAssigned(assignment, this.#generationId === last + 1);
      await this.#beat();
      last = this.#memberId === '' ? -1 : this.#generationId;
      if (!this.#isOver) await this.#options.onRevoked();
    }
    // A join that was under way may have made it a member again.
    await this.#sendLeave();
  }

  /** Joins and syncs once; null when that has to be done again. */
  async #enter(): Promise<Assignment | null> {
    const { groupId, clientId, clientHost, topics } = this.#options;
    const metadata = encodeSubscription(topics);
    const joined = await this.#ask('join', {
      groupId,
      sessionTimeoutMs: SESSION_MS,
      rebalanceTimeoutMs: REBALANCE_MS,
      memberId: this.#memberId,
      groupInstanceId: null,
      protocolType: PROTOCOL_TYPE,
      protocols: ASSIGNORS.map((name) => ({ name, metadata })),
      requireKnownMemberId: true,
      supportSkippingAssignment: false,
      clientId,
      clientHost,
    });
    if (joined === null) return null;
    if (joined.error === 'MEMBER_ID_REQUIRED') {
      this.#memberId = joined.memberId;
      return this.#isOver ? null : this.#enter();
    }
    if (joined.error !== null) return this.#refused(joined.error);
    this.#memberId = joined.memberId;
    this.#generationId = joined.generationId;
    return this.#sync(joined);
  }

  async #sync(joined: GroupCalls['join'][1]): Promise<Assignment | null> {
    const isLeader = joined.leader === joined.memberId;
    const synced = await this.#ask('sync', {
      ...this.#self,
      protocolType: PROTOCOL_TYPE,
      protocolName: joined.protocolName,
      assignments: isLeader ? this.#assign(joined) : [],
    });
    if (synced === null) return null;
    if (synced.error !== null) return this.#refused(synced.error);
    const assignment = readable(() => decodeAssignment(synced.assignment));
    if (assignment === null) {
      const text = 'the leader of the group assigns in a form that this member does not know';
      this.failure = new Problem(409, 'UNKNOWN_ASSIGNMENT', text);
    }
    return assignment;
  }

  #assign({ members }: GroupCalls['join'][1]) {
    const { topics } = this.#options.context.image();
    const subscribers = members.map(({ memberId, metadata }) => ({
      memberId,
      topics: readable(() => decodeSubscription(metadata)) ?? [],
    }));
    const names = new Set(subscribers.flatMap((subscriber) => subscriber.topics));
    const counts = [...names].map(
      (name) => [name, topics.get(name)?.partitions.length ?? 0] as const,
    );
    return [...assignRanges(subscribers, new Map(counts))].map(([memberId, assignment]) => ({
      memberId,
      assignment: encodeAssignment(assignment),
    }));
  }

  #refused(error: GroupError): null {
    if (error === 'UNKNOWN_MEMBER_ID') this.#memberId = '';
    if (!GENERATION_OVER.has(error)) {
      const text = `group ${this.#options.groupId} does not take this consumer: ${error}`;
      this.failure = new Problem(409, error, text);
    }
    return null;
  }

  /** Until the generation ends, or this member does. */
  async #beat(): Promise<void> {
    while (!this.#isOver) {
      await this.#pause(HEARTBEAT_MS);
      if (this.#isOver) return;
      const response = await this.#ask('heartbeat', this.#self);
      const error = response?.error ?? null;
      if (error === 'UNKNOWN_MEMBER_ID') this.#memberId = '';
      // No answer is no news: the session decides.
      if (error !== null) return;
    }
  }

  async #sendLeave(): Promise<void> {
    const memberId = this.#memberId;
    if (memberId === '') return;
    this.#memberId = '';
    const members = [{ memberId, groupInstanceId: null }];
    await this.#ask('leave', { groupId: this.#options.groupId, members });
  }

  get #self() {
    const { groupId } = this.#options;
    return { groupId, ...this.identity, groupInstanceId: null };
  }

  #ask<M extends keyof GroupCalls>(
    method: M,
    request: GroupCalls[M][0],
  ): Promise<GroupCalls[M][1] | null> {
    const { context } = this.#options;
    const isRound = method === 'join' || method === 'sync';
    const answerMs = isRound ? REBALANCE_MS + TROUBLE_MS : TROUBLE_MS;
    const deadlineMs = context.clock.monotonicMs() + TROUBLE_MS;
    return askCoordinator(context, method, request, { answerMs, deadlineMs });
  }

  #pause(ms: number): Promise<void> {
    return new Promise((resolve) => {
      const timer = setTimeout(resolve, ms);
      this.#wake = () => {
        clearTimeout(timer);
        resolve();
      };
    });
  }
}
