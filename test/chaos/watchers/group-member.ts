/**
 * One member of a consumer group, by the classic protocol: joins, owns partitions, reads them,
 * commits, and notes everything the coordinator tells it. Each commit carries a token of its own
 * as metadata, so that a position read later names the commit it comes from.
 */
import { ERROR, errorInfo } from '#src/protocol/errors.js';
import { heartbeatApi } from '#src/protocol/messages/heartbeat.js';
import { joinGroupApi } from '#src/protocol/messages/join-group.js';
import { leaveGroupApi } from '#src/protocol/messages/leave-group.js';
import { offsetCommitApi } from '#src/protocol/messages/offset-commit.js';
import { syncGroupApi } from '#src/protocol/messages/sync-group.js';
import type { Api, DecodedFields, EncodableFields, Fields } from '#src/protocol/schema.js';
import {
  type Assignment,
  assignRanges,
  decodeAssignment,
  decodeSubscription,
  encodeAssignment,
  encodeSubscription,
} from '#src/protocol/consumer-protocol.js';
import type { KafkaClient } from '../../support/kafka-client.js';
import { sleep } from '../../support/wait-for.js';
import type { History } from '../history/history.js';
import { tryFetch } from '../reader.js';
import { CoordinatorLink } from './coordinator-link.js';
import { fetchPositions } from './positions.js';

const JOIN_VERSION = 5;
const SYNC_VERSION = 3;
const HEARTBEAT_VERSION = 3;
const COMMIT_VERSION = 7;
const LEAVE_VERSION = 1;
const PROTOCOL = 'range';
const SESSION_MS = 6_000;
const REBALANCE_MS = 8_000;
/** A join waits for the others, and for the sessions of those who died. */
const JOIN_ANSWER_MS = 20_000;
const TURN_MS = 100;
const HEARTBEAT_EVERY_MS = 400;

export type MemberOptions = {
  readonly name: string;
  readonly group: string;
  readonly topic: string;
  readonly partitions: number;
  readonly bootstrap: readonly string[];
  readonly client: KafkaClient;
  readonly history: History;
};

/** Partition and offset. */
type Position = readonly [number, number];

export class GroupMember {
  readonly #options: MemberOptions;
  readonly #link: CoordinatorLink;
  #memberId = '';
  #generation = -1;
  /** Offset to read next, of the partitions that are ours. */
  #offsets = new Map<number, number>();
  #committed = new Map<number, number>();
  #commits = 0;
  #nextBeatMs = 0;
  #isStopped = false;
  #isDead = false;

  constructor(options: MemberOptions) {
    this.#options = options;
    this.#link = new CoordinatorLink(options.bootstrap, options.group);
  }

  /** Until {@link leave} or {@link die}. */
  async run(): Promise<void> {
    while (!this.#isStopped) {
      if (this.#generation < 0) await this.#join();
      else await this.#turn();
      await sleep(TURN_MS);
    }
    if (!this.#isDead && this.#memberId !== '') await this.#leave();
    this.#link.end();
  }

  /** Goes politely, as soon as it can. */
  stop(): void {
    this.#isStopped = true;
  }

  /** Stops without a word. */
  die(): void {
    const { group, history } = this.#options;
    this.#isDead = true;
    this.#isStopped = true;
    this.#link.end();
    if (this.#memberId === '') return;
    history.note({ kind: 'died', group, member: this.#memberId, atMs: performance.now() });
  }

  async #join(): Promise<void> {
    const { group, topic, history } = this.#options;
    const op = this.#asked();
    const body = {
      groupId: group,
      sessionTimeoutMs: SESSION_MS,
      rebalanceTimeoutMs: REBALANCE_MS,
      memberId: this.#memberId,
      protocolType: 'consumer',
      protocols: [{ name: PROTOCOL, metadata: encodeSubscription([topic]) }],
    };
    const joined = await this.#ask(joinGroupApi, JOIN_VERSION, body, JOIN_ANSWER_MS);
    if (joined === null || joined.errorCode !== ERROR.NONE) {
      history.note({ kind: 'group-gave-up', op });
      // The first answer only hands out the member id (KIP-394).
      if (joined?.errorCode === ERROR.MEMBER_ID_REQUIRED) this.#memberId = joined.memberId;
      else if (joined !== null) this.#failed(joined.errorCode);
      return;
    }
    const { generationId: generation, leader, memberId, members } = joined;
    this.#memberId = memberId;
    history.note({ kind: 'joined', op, generation, leader });
    await this.#sync(generation, leader === memberId ? this.#assign(members) : new Map());
  }

  #assign(
    members: readonly { readonly memberId: string; readonly metadata: Buffer }[],
  ): ReadonlyMap<string, Assignment> {
    const { topic, partitions } = this.#options;
    const subscribers = members.map(({ memberId, metadata }) => ({
      memberId,
      topics: decodeSubscription(metadata),
    }));
    return assignRanges(subscribers, new Map([[topic, partitions]]));
  }

  async #sync(generation: number, assignments: ReadonlyMap<string, Assignment>): Promise<void> {
    const { group, topic, history } = this.#options;
    const op = this.#asked();
    const body = {
      groupId: group,
      generationId: generation,
      memberId: this.#memberId,
      assignments: [...assignments].map(([memberId, assignment]) => ({
        memberId,
        assignment: encodeAssignment(assignment),
      })),
    };
    const answer = await this.#ask(syncGroupApi, SYNC_VERSION, body, JOIN_ANSWER_MS);
    if (answer === null || answer.errorCode !== ERROR.NONE) {
      history.note({ kind: 'group-gave-up', op });
      if (answer !== null) this.#failed(answer.errorCode);
      return;
    }
    const mine = decodeAssignment(answer.assignment).get(topic) ?? [];
    const partitions = mine.map((partition) => `${topic}:${partition}`);
    const [member, atMs] = [this.#memberId, performance.now()];
    history.note({ kind: 'assigned', op, generation, member, partitions, atMs });
    await this.#begin(generation, mine);
  }

  /** Reads on from the group's positions; without them the next turn joins again. */
  async #begin(generation: number, partitions: readonly number[]): Promise<void> {
    const { group, topic, history } = this.#options;
    const connection = await this.#link.open();
    if (connection === null) return;
    const positions = await fetchPositions(connection, group, topic, partitions, history);
    if (positions === null) {
      this.#link.close();
      return;
    }
    this.#offsets = new Map(partitions.map((p) => [p, Math.max(0, positions.get(p) ?? -1)]));
    this.#committed = new Map(this.#offsets);
    this.#generation = generation;
    if (this.#offsets.size > 0) await this.#actAsZombie(generation - 1);
  }

  /** What a member would do that slept through the rebalance: nothing of it may be taken. */
  async #actAsZombie(generation: number): Promise<void> {
    const { group, history } = this.#options;
    const op = this.#asked();
    const member = this.#memberId;
    const body = { groupId: group, generationId: generation, memberId: member };
    const answer = await this.#ask(heartbeatApi, HEARTBEAT_VERSION, body);
    if (answer?.errorCode === ERROR.NONE) {
      history.note({ kind: 'confirmed', op, generation, member });
    } else history.note({ kind: 'group-gave-up', op });
    await this.#sendCommit(generation, [...this.#offsets].slice(0, 1));
  }

  async #turn(): Promise<void> {
    await this.#beat();
    for (const partition of this.#offsets.keys()) {
      if (this.#isStopped || this.#generation < 0) return;
      await this.#read(partition);
    }
    await this.#commit();
  }

  async #read(partition: number): Promise<void> {
    const { client, group, history, topic } = this.#options;
    const offset = this.#offsets.get(partition) as number;
    const fetched = await tryFetch(client, { topic, partition }, offset, history, {
      maxWaitMs: 0,
      maxBytes: 1 << 16,
    });
    const last = fetched?.batches.at(-1);
    if (last === undefined) return;
    const key = `${topic}:${partition}`;
    const reader = `${this.#options.name} in ${this.#generation}`;
    history.note({ kind: 'seek', reader, partition: key, offset });
    for (const { baseOffset: from, nextOffset: to } of fetched?.batches ?? []) {
      history.note({ kind: 'given', reader, partition: key, from, to });
      history.note({ kind: 'group-read', group, partition: key, from, to });
    }
    this.#offsets.set(partition, last.nextOffset);
  }

  async #beat(): Promise<void> {
    if (performance.now() < this.#nextBeatMs) return;
    this.#nextBeatMs = performance.now() + HEARTBEAT_EVERY_MS;
    const { group, history } = this.#options;
    const op = this.#asked();
    const generation = this.#generation;
    const member = this.#memberId;
    const body = { groupId: group, generationId: generation, memberId: member };
    const answer = await this.#ask(heartbeatApi, HEARTBEAT_VERSION, body);
    if (answer?.errorCode === ERROR.NONE) {
      history.note({ kind: 'confirmed', op, generation, member });
      return;
    }
    history.note({ kind: 'group-gave-up', op });
    if (answer === null) return;
    if (answer.errorCode === ERROR.REBALANCE_IN_PROGRESS) await this.#commit();
    this.#failed(answer.errorCode);
  }

  async #commit(): Promise<void> {
    const moved = [...this.#offsets].filter(([p, offset]) => offset !== this.#committed.get(p));
    if (moved.length === 0 || this.#generation < 0) return;
    const { committed, error } = await this.#sendCommit(this.#generation, moved);
    for (const [partition, offset] of committed) this.#committed.set(partition, offset);
    if (error !== null) this.#failed(error);
  }

  /** Returns what was committed, and the last error. */
  async #sendCommit(generation: number, positions: readonly Position[]) {
    const { group, history, name, topic } = this.#options;
    const commits = positions.map(([partition, offset]) => {
      const op = history.nextOp();
      this.#commits += 1;
      const token = `${name}.${this.#commits}`;
      const where = { group, partition: `${topic}:${partition}` };
      history.note({ kind: 'commit', op, ...where, offset, token, generation });
      return { op, partition, offset, token };
    });
    const partitions = commits.map(({ partition, offset, token }) => ({
      partitionIndex: partition,
      committedOffset: offset,
      committedMetadata: token,
    }));
    const body = {
      groupId: group,
      generationIdOrMemberEpoch: generation,
      memberId: this.#memberId,
      topics: [{ name: topic, partitions }],
    };
    const answer = await this.#ask(offsetCommitApi, COMMIT_VERSION, body);
    const found = answer?.topics[0]?.partitions ?? [];
    const committed: Position[] = [];
    let error: number | null = null;
    for (const { op, partition, offset } of commits) {
      const code = found.find(({ partitionIndex }) => partitionIndex === partition)?.errorCode;
      const outcome = code === undefined ? 'indefinite' : errorInfo(code).outcome;
      if (outcome === 'none') {
        history.note({ kind: 'committed', op });
        committed.push([partition, offset]);
        continue;
      }
      history.note({ kind: outcome === 'definite' ? 'commit-refused' : 'commit-unknown', op });
      error = code ?? error;
    }
    return { committed, error };
  }

  async #leave(): Promise<void> {
    const body = { groupId: this.#options.group, memberId: this.#memberId, members: [] };
    await this.#ask(leaveGroupApi, LEAVE_VERSION, body);
  }

  /** Whatever is wrong with the generation, the next turn joins again. */
  #failed(code: number): void {
    const { name } = errorInfo(code);
    if (name === 'UNKNOWN_MEMBER_ID') this.#memberId = '';
    const isOver = ['UNKNOWN_MEMBER_ID', 'ILLEGAL_GENERATION', 'REBALANCE_IN_PROGRESS'].includes(
      name,
    );
    if (isOver) this.#generation = -1;
    else this.#link.close();
  }

  #asked(): number {
    const { group, history } = this.#options;
    const op = history.nextOp();
    history.note({ kind: 'group-asked', op, group });
    return op;
  }

  #ask<Q extends Fields, S extends Fields>(
    api: Api<Q, S>,
    version: number,
    body: EncodableFields<Q>,
    timeoutMs?: number,
  ): Promise<DecodedFields<S> | null> {
    return this.#link.ask(api, version, body, timeoutMs);
  }
}
