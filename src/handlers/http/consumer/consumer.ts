/**
 * A consumer instance: what it subscribes to or has assigned itself, where it is in each partition,
 * and what of that the group has stored. Its promises: requests for it are worked on one after the
 * other; a position moves only over records that were given out; what is committed without being
 * asked for was given out before the latest request, so that no record is lost with a client.
 */
import { HTTP_CONSUMER_PARTITIONS_MAX, HTTP_CONSUMER_REQUESTS_MAX } from '../../../base/limits.js';
import type { MonotonicMs } from '../../../base/units.js';
import type { Assignment } from '../../../protocol/consumer-protocol.js';
import type { HttpContext } from '../context.js';
import { badRequest, Problem } from '../problem.js';
import { askOffset } from '../leader-reads.js';
import type { EmbeddedFormat } from '../rest-produce.js';
import { partitionOf, topicNamed } from '../topics.js';
import { consumedText } from './consumed.js';
import {
  type Committed,
  commitOffsets,
  committedOffsets,
  NO_MEMBER,
  positionsOf,
} from './group-offsets.js';
import { Membership } from './membership.js';
import {
  mustExist,
  type Owned,
  ownedKey,
  type OwnedMap,
  ownedOf,
  type TopicPartition,
  type TopicPartitionOffset,
} from './owned.js';
import {
  bytesOf,
  findPositions,
  findRecords,
  type Found,
  type Reset,
  watchNews,
} from './reader.js';

export type ConsumerOptions = {
  readonly groupId: string;
  readonly instanceId: string;
  readonly clientHost: string;
  readonly format: EmbeddedFormat;
  readonly reset: Reset;
  readonly isAutoCommit: boolean;
  /** How long a read without a timeout of its own waits. */
  readonly waitMs: number;
};

const AUTO_COMMIT_MS = 5_000;
/** What did not come in time is looked for again no sooner than after this. */
const PAUSE_MS = 20;
/** How long a request that needs an assignment waits for the group. */
const ASSIGNMENT_MS = 15_000;
const NOTHING: OwnedMap = new Map();

export class Consumer {
  readonly options: ConsumerOptions;
  readonly #context: HttpContext;
  readonly #over = new AbortController();
  #membership: Membership | null = null;
  #topics: readonly string[] = [];
  #isAssigned = false;
  /** Null while the group has not said yet. */
  #owned: OwnedMap | null = null;
  /** What was owned before the rebalance that goes on. */
  #former: OwnedMap = NOTHING;
  #wakers = new Set<() => void>();
  #committedAtMs: MonotonicMs;
  #queue: Promise<unknown> = Promise.resolve();
  #waiting = 0;
  usedAtMs: MonotonicMs;

  constructor(context: HttpContext, options: ConsumerOptions) {
    this.#context = context;
    this.options = options;
    this.usedAtMs = context.clock.monotonicMs();
    this.#committedAtMs = this.usedAtMs;
  }

  /** Runs `work` when those before it are done. Throws Problem 429. */
  async inTurn<T>(work: () => Promise<T>): Promise<T> {
    if (this.#waiting >= HTTP_CONSUMER_REQUESTS_MAX) {
      const text = `${this.#waiting} requests wait for this consumer already`;
      throw new Problem(429, 'TOO_MANY_REQUESTS', text);
    }
    this.#waiting += 1;
    const before = this.#queue;
    const done = (async () => {
      await before;
      return work();
    })();
    this.#queue = done.catch(() => {
      // Its own caller hears of it.
    });
    try {
      return await done;
    } finally {
      this.#waiting -= 1;
      this.usedAtMs = this.#context.clock.monotonicMs();
    }
  }

  get isBusy(): boolean {
    return this.#waiting > 0;
  }

  get subscription(): readonly string[] {
    return this.#topics;
  }

  get assignments(): TopicPartition[] {
    return [...(this.#owned ?? NOTHING).values()].map(({ topic, partition }) => ({
      topic,
      partition,
    }));
  }

  async subscribe(topics: readonly string[]): Promise<void> {
    if (this.#isAssigned) throw conflict('it has assigned itself partitions');
    if (topics.length === 0) throw badRequest('a subscription names at least one topic');
    if (topics.length > HTTP_CONSUMER_PARTITIONS_MAX) throw tooMany('topics');
    for (const topic of topics) topicNamed(this.#context, topic);
    await this.unsubscribe();
    if (this.#over.signal.aborted) return;
    this.#topics = [...new Set(topics)];
    const { groupId, instanceId: clientId, clientHost } = this.options;
    this.#membership = new Membership({
      context: this.#context,
      groupId,
      clientId,
      clientHost,
      topics: this.#topics,
      onAssigned: (assignment, isNext) => this.#onAssigned(assignment, isNext),
      onRevoked: () => this.#onRevoked(),
    });
  }

  async unsubscribe(): Promise<void> {
    await this.#maybeCommit();
    const membership = this.#membership;
    this.#membership = null;
    this.#topics = [];
    this.#isAssigned = false;
    this.#setOwned(null);
    this.#former = NOTHING;
    await membership?.leave();
  }

  async assign(partitions: readonly TopicPartition[]): Promise<void> {
    if (this.#topics.length > 0) throw conflict('it subscribes to topics');
    if (partitions.length > HTTP_CONSUMER_PARTITIONS_MAX) throw tooMany('partitions');
    mustExist(this.#context, partitions);
    this.#isAssigned = true;
    this.#setOwned(ownedOf(this.#context, partitions, this.#owned ?? NOTHING));
  }

  /** Elements of a JSON array. `gone`: the client does not wait any more. Throws Problem. */
  async records(
    { waitMs, bytesMax }: { waitMs: number; bytesMax: number },
    gone: AbortSignal,
  ): Promise<string[]> {
    const { clock } = this.#context;
    const { groupId, reset } = this.options;
    const deadlineMs = clock.monotonicMs() + waitMs;
    this.#markProcessed();
    if (clock.monotonicMs() - this.#committedAtMs >= AUTO_COMMIT_MS) {
      await this.#maybeCommit();
    }
    for (;;) {
      this.#mustRead();
      const owned = this.#owned ?? NOTHING;
      await findPositions(this.#context, groupId, owned, reset);
      const found = await findRecords(this.#context, owned, { reset, bytesMax }, gone);
      // What was read for partitions that have gone to another member is the other one's, and
      // what nobody waits for any more was not given out.
      const isMine = owned === this.#owned && !gone.aborted;
      const taken = isMine ? this.#take(found, bytesMax) : [];
      const isOver = gone.aborted || this.#over.signal.aborted;
      if (taken.length > 0 || isOver || clock.monotonicMs() >= deadlineMs) return taken;
      await this.#news(owned, deadlineMs, gone);
    }
  }

  /** Stores positions; null for those of all records that were given out. Throws Problem. */
  async commit(offsets: readonly TopicPartitionOffset[] | null): Promise<void> {
    if (offsets !== null) mustExist(this.#context, offsets);
    const all = offsets ?? positionsOf((this.#owned ?? NOTHING).values(), 'position');
    await commitOffsets(this.#context, this.options.groupId, this.#identity, all);
    this.#committedAtMs = this.#context.clock.monotonicMs();
  }

  /** Of the named partitions, or of all that are assigned. */
  async committed(partitions: readonly TopicPartition[] | null): Promise<Committed[]> {
    if (partitions !== null) mustExist(this.#context, partitions);
    const wanted = partitions ?? (await this.#assigned());
    return [...(await committedOffsets(this.#context, this.options.groupId, wanted)).values()];
  }

  async seek(offsets: readonly TopicPartitionOffset[]): Promise<void> {
    const assigned = await this.#assigned();
    const places = offsets.map((one) => ({ owned: ownedAmong(assigned, one), offset: one.offset }));
    for (const { owned, offset } of places) owned.position = offset;
  }

  async seekTo(kind: 'earliest' | 'latest', partitions: readonly TopicPartition[]): Promise<void> {
    const offsets: TopicPartitionOffset[] = [];
    for (const { topic, partition } of partitions) {
      const group = partitionOf(topicNamed(this.#context, topic), partition);
      const { offset } = await askOffset(this.#context, group, { kind });
      offsets.push({ topic, partition, offset });
    }
    await this.seek(offsets);
  }

  /** `isAsked`: the client says that it is done, so all that it was given is. */
  async close(isAsked: boolean): Promise<void> {
    this.#over.abort();
    this.#wake();
    if (isAsked) this.#markProcessed();
    await this.unsubscribe();
  }

  get #identity() {
    return this.#membership?.identity ?? NO_MEMBER;
  }

  #mustRead(): void {
    if (this.#membership === null && !this.#isAssigned) {
      throw new Problem(409, 'NOT_SUBSCRIBED', 'subscribe to topics or assign partitions first');
    }
    if (this.#membership?.failure) throw this.#membership.failure;
  }

  /** Advances positions over what fits into one answer. Throws Problem only when nothing does. */
  #take(found: readonly Found[], bytesMax: number): string[] {
    const texts: string[] = [];
    let bytes = 0;
    for (const { owned, records, nextOffset } of found) {
      for (const record of records) {
        if (texts.length > 0 && bytes + bytesOf(record) > bytesMax) return texts;
        try {
          texts.push(consumedText(this.options.format, owned, record));
        } catch (error) {
          if (texts.length === 0) throw error;
          return texts;
        }
        bytes += bytesOf(record);
        owned.position = record.offset + 1;
      }
      owned.position = nextOffset;
    }
    return texts;
  }

  /** Until there may be records, the assignment changes, or nobody waits any more. */
  #news(owned: OwnedMap, deadlineMs: MonotonicMs, gone: AbortSignal): Promise<void> {
    return new Promise((resolve) => {
      let isNews = false;
      const end = (): void => {
        clearTimeout(timer);
        this.#wakers.delete(wake);
        gone.removeEventListener('abort', end);
        watch.cancel();
        resolve();
      };
      const wake = (): void => {
        if (isNews) return;
        isNews = true;
        // A leader that is just leaving wakes at once, each time.
        setTimeout(end, PAUSE_MS);
      };
      this.#wakers.add(wake);
      gone.addEventListener('abort', end);
      const watch = watchNews(this.#context, owned, wake);
      const leftMs = Math.max(0, deadlineMs - this.#context.clock.monotonicMs());
      const timer = setTimeout(end, Math.min(leftMs, watch.withinMs));
    });
  }

  #onAssigned(assignment: Assignment, isNext: boolean): void {
    const partitions = [...assignment].flatMap(([topic, numbers]) =>
      numbers.map((partition) => ({ topic, partition })),
    );
    this.#setOwned(ownedOf(this.#context, partitions, isNext ? this.#former : NOTHING));
  }

  async #onRevoked(): Promise<void> {
    const owned = this.#owned ?? NOTHING;
    await this.#maybeCommit();
    this.#former = owned;
    this.#setOwned(null);
  }

  #setOwned(owned: OwnedMap | null): void {
    this.#owned = owned;
    this.#wake();
  }

  #wake(): void {
    for (const wake of this.#wakers) wake();
  }

  /** The client has come back: it is done with all that it was given. */
  #markProcessed(): void {
    for (const one of (this.#owned ?? NOTHING).values()) one.processed = one.position;
  }

  async #maybeCommit(): Promise<void> {
    const offsets = positionsOf((this.#owned ?? NOTHING).values(), 'processed');
    if (!this.options.isAutoCommit || offsets.length === 0) return;
    this.#committedAtMs = this.#context.clock.monotonicMs();
    try {
      await commitOffsets(this.#context, this.options.groupId, this.#identity, offsets);
    } catch (error) {
      // Nobody asked for it: the records are read once more, by this member or by another one.
      if (!(error instanceof Problem)) throw error;
    }
  }

  /** What is assigned, waiting for the group's word. Throws Problem. */
  async #assigned(): Promise<readonly Owned[]> {
    const deadlineMs = this.#context.clock.monotonicMs() + ASSIGNMENT_MS;
    const gone = this.#over.signal;
    for (;;) {
      this.#mustRead();
      if (this.#owned !== null) return [...this.#owned.values()];
      if (gone.aborted || this.#context.clock.monotonicMs() >= deadlineMs) {
        throw new Problem(503, 'REBALANCING', 'the group has not assigned partitions yet');
      }
      await this.#news(NOTHING, deadlineMs, gone);
    }
  }
}

function ownedAmong(assigned: readonly Owned[], wanted: TopicPartition): Owned {
  const key = ownedKey(wanted);
  const found = assigned.find((one) => ownedKey(one) === key);
  if (found !== undefined) return found;
  const text = `${wanted.topic}-${wanted.partition} is not assigned to this consumer`;
  throw new Problem(409, 'NOT_ASSIGNED', text);
}

function conflict(why: string): Problem {
  return new Problem(409, 'SUBSCRIPTION_CONFLICT', `this consumer cannot do both: ${why}`);
}

function tooMany(what: string): Problem {
  return badRequest(`more than ${HTTP_CONSUMER_PARTITIONS_MAX} ${what}`);
}
