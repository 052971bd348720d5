/**
 * One member of a classic consumer group: joins, syncs (assigning ranges when it leads), beats,
 * commits, leaves. Its one promise: it commits as the generation it joined in and no other; the
 * caller learns of the end of its generation through `isRebalancing` and joins again.
 */
import { ERROR, type ErrorName } from '../../protocol/errors.js';
import { heartbeatApi } from '../../protocol/messages/heartbeat.js';
import { joinGroupApi } from '../../protocol/messages/join-group.js';
import { leaveGroupApi } from '../../protocol/messages/leave-group.js';
import { offsetCommitApi } from '../../protocol/messages/offset-commit.js';
import { offsetFetchApi } from '../../protocol/messages/offset-fetch.js';
import { syncGroupApi } from '../../protocol/messages/sync-group.js';
import type { Api, DecodedFields, EncodableFields, Fields } from '../../protocol/schema.js';
import type { Address } from '../options.js';
import { type KafkaClient, retrying } from './client.js';
import {
  assignRanges,
  decodeAssignment,
  decodeSubscription,
  encodeAssignment,
  encodeSubscription,
} from '../../protocol/consumer-protocol.js';
import { isRetriable, KafkaError, throwIfError } from './errors.js';

const SESSION_TIMEOUT_MS = 10_000;
const REBALANCE_TIMEOUT_MS = 30_000;
const HEARTBEAT_EVERY_MS = 1_000;
const TROUBLE_MS_MAX = 30_000;
/** A join is answered when all members have come, at the latest after the rebalance timeout. */
const JOIN_REQUEST_MS = REBALANCE_TIMEOUT_MS + 10_000;
const ASSIGNOR = 'range';

/** The group goes on without this generation, or without this member. */
const GENERATION_OVER: ReadonlySet<string> = new Set<ErrorName>([
  'REBALANCE_IN_PROGRESS',
  'ILLEGAL_GENERATION',
  'UNKNOWN_MEMBER_ID',
]);

type JoinResponse = DecodedFields<typeof joinGroupApi.response.fields>;

export class GroupMember {
  readonly #client: KafkaClient;
  readonly #group: string;
  readonly #topic: string;
  #coordinator: Address | null = null;
  #memberId = '';
  #generationId = -1;
  #beat: NodeJS.Timeout | null = null;
  /** The generation is over: stop reading, commit nothing more, join again. */
  isRebalancing = false;
  onRebalance: () => void = () => undefined;

  constructor(client: KafkaClient, group: string, topic: string) {
    this.#client = client;
    this.#group = group;
    this.#topic = topic;
  }

  /** Joins (again) and returns the partitions that are this member's now. */
  async join(): Promise<readonly number[]> {
    this.#stopBeating();
    const deadline = performance.now() + TROUBLE_MS_MAX + REBALANCE_TIMEOUT_MS;
    const isWorthRetrying = (error: unknown) => isRetriable(error) || this.#hasEnded(error);
    const partitions = await retrying(deadline, () => this.#joinOnce(), isWorthRetrying);
    this.isRebalancing = false;
    this.#beat = setInterval(() => {
      this.#heartbeat().catch(() => undefined);
    }, HEARTBEAT_EVERY_MS);
    return partitions;
  }

  /** Partition → committed offset, for those that have one. */
  async committed(partitions: readonly number[]): Promise<Map<number, number>> {
    const topics = [{ name: this.#topic, partitionIndexes: partitions }];
    const body = await this.#ask(offsetFetchApi, {
      groupId: this.#group,
      topics,
      groups: [{ groupId: this.#group, topics }],
    });
    const answer = body.groups[0] ?? body;
    throwIfError(answer.errorCode, `offsets of group ${this.#group}`);
    const found = new Map<number, number>();
    for (const partition of answer.topics[0]?.partitions ?? []) {
      throwIfError(partition.errorCode, `${this.#topic}-${partition.partitionIndex}`);
      if (partition.committedOffset < 0) continue;
      found.set(partition.partitionIndex, partition.committedOffset);
    }
    return found;
  }

  /**
   * Stores positions. While a rebalance gathers its members this still works; once it is through
   * the broker refuses the old generation: somebody else reads on from the last commit.
   */
  async commit(positions: ReadonlyMap<number, number>): Promise<void> {
    if (this.#memberId === '' || positions.size === 0) return;
    try {
      await this.#commitOnce(positions);
    } catch (error) {
      if (!this.#hasEnded(error)) throw error;
      this.#startRebalance();
    }
  }

  async leave(): Promise<void> {
    this.#stopBeating();
    if (this.#memberId === '') return;
    const memberId = this.#memberId;
    await this.#ask(leaveGroupApi, { groupId: this.#group, memberId, members: [{ memberId }] });
  }

  async #joinOnce(): Promise<readonly number[]> {
    const joined = await this.#sendJoin();
    this.#memberId = joined.memberId;
    this.#generationId = joined.generationId;
    const isLeader = joined.leader === joined.memberId;
    const assignments = isLeader ? await this.#assign(joined) : [];
    const body = await this.#ask(
      syncGroupApi,
      {
        groupId: this.#group,
        generationId: this.#generationId,
        memberId: this.#memberId,
        protocolType: 'consumer',
        protocolName: ASSIGNOR,
        assignments,
      },
      JOIN_REQUEST_MS,
    );
    throwIfError(body.errorCode, `sync with group ${this.#group}`);
    return decodeAssignment(body.assignment).get(this.#topic) ?? [];
  }

  /** The first answer only hands out the member id (KIP-394); the second one counts. */
  async #sendJoin(): Promise<JoinResponse> {
    for (;;) {
      const body = await this.#ask(
        joinGroupApi,
        {
          groupId: this.#group,
          sessionTimeoutMs: SESSION_TIMEOUT_MS,
          rebalanceTimeoutMs: REBALANCE_TIMEOUT_MS,
          memberId: this.#memberId,
          protocolType: 'consumer',
          protocols: [{ name: ASSIGNOR, metadata: encodeSubscription([this.#topic]) }],
        },
        JOIN_REQUEST_MS,
      );
      if (body.errorCode !== ERROR.MEMBER_ID_REQUIRED) {
        throwIfError(body.errorCode, `join group ${this.#group}`);
        return body;
      }
      this.#memberId = body.memberId;
    }
  }

  async #assign(joined: JoinResponse) {
    const subscribers = joined.members.map(({ memberId, metadata }) => ({
      memberId,
      topics: decodeSubscription(metadata),
    }));
    const topics = [...new Set(subscribers.flatMap((s) => s.topics))];
    const counts = new Map<string, number>();
    for (const topic of topics) {
      counts.set(topic, (await this.#client.topic(topic)).partitions.length);
    }
    return [...assignRanges(subscribers, counts)].map(([memberId, assignment]) => ({
      memberId,
      assignment: encodeAssignment(assignment),
    }));
  }

  async #commitOnce(positions: ReadonlyMap<number, number>): Promise<void> {
    const body = await this.#ask(offsetCommitApi, {
      groupId: this.#group,
      generationIdOrMemberEpoch: this.#generationId,
      memberId: this.#memberId,
      topics: [
        {
          name: this.#topic,
          partitions: [...positions].map(([partitionIndex, committedOffset]) => ({
            partitionIndex,
            committedOffset,
            committedMetadata: '',
          })),
        },
      ],
    });
    for (const partition of body.topics[0]?.partitions ?? []) {
      throwIfError(partition.errorCode, `commit ${this.#topic}-${partition.partitionIndex}`);
    }
  }

  async #heartbeat(): Promise<void> {
    if (this.isRebalancing) return;
    try {
      const body = await this.#ask(heartbeatApi, {
        groupId: this.#group,
        generationId: this.#generationId,
        memberId: this.#memberId,
      });
      throwIfError(body.errorCode, `heartbeat to group ${this.#group}`);
    } catch (error) {
      // Other troubles are tried again at the next beat; the session decides.
      if (this.#hasEnded(error)) this.#startRebalance();
    }
  }

  #startRebalance(): void {
    if (this.isRebalancing) return;
    this.isRebalancing = true;
    this.onRebalance();
  }

  /** Also forgets the member id when the group has forgotten it. */
  #hasEnded(error: unknown): boolean {
    if (!(error instanceof KafkaError) || !GENERATION_OVER.has(error.info.name)) return false;
    if (error.info.name === 'UNKNOWN_MEMBER_ID') this.#memberId = '';
    return true;
  }

  #stopBeating(): void {
    if (this.#beat !== null) clearInterval(this.#beat);
    this.#beat = null;
  }

  /** Asks the coordinator, looking for it again whenever it is not where it was. */
  async #ask<Q extends Fields, S extends Fields>(
    api: Api<Q, S>,
    request: EncodableFields<Q>,
    timeoutMs?: number,
  ): Promise<DecodedFields<S>> {
    return retrying(performance.now() + TROUBLE_MS_MAX, async (number) => {
      if (number > 0 || this.#coordinator === null) {
        this.#coordinator = await this.#client.coordinatorOf(this.#group);
      }
      const connection = await this.#client.toAddress(this.#coordinator);
      const body = await connection.request(api, request, timeoutMs);
      throwIfMoved(body, this.#group);
      return body;
    });
  }
}

/** Throws the retriable errors of a coordinator wherever in the response they stand. */
function throwIfMoved(body: unknown, group: string): void {
  const seen: unknown[] = [body];
  for (let value = seen.pop(); value !== undefined; value = seen.pop()) {
    if (Array.isArray(value)) seen.push(...value);
    else if (typeof value === 'object' && value !== null && !Buffer.isBuffer(value)) {
      const { errorCode } = value as { errorCode?: number };
      const error = new KafkaError(errorCode ?? 0, `coordinator of group ${group}`);
      if (error.info.code !== ERROR.NONE && error.info.isRetriable) throw error;
      seen.push(...Object.values(value));
    }
  }
}
