/**
 * Finds a partition wherever it lives in this broker: on this shard (a plain call) or on another
 * one (one hop with transferred buffers). Promise: the caller cannot tell the difference but for
 * the time. Shard thread; both ends of the hop are in this file.
 */
import { copyBytes } from '../base/copy-bytes.js';
import type { GroupKey } from '../base/group.js';
import { shardOf } from '../base/hash.js';
import { CLIENT_OUTBOUND_BYTES_MAX } from '../base/limits.js';
import type { LeaderEpoch, Offset } from '../base/units.js';
import {
  absentPartition,
  type EpochEndAnswer,
  type Extent,
  type ExtentRequest,
  extentFailure,
  type FetchOutcome,
  type FetchRequest,
  fetchFailure,
  noEpochEnd,
  noOffset,
  type OffsetAnswer,
  type OffsetQuestion,
  type PartitionAccess,
  type ProduceOptions,
  type ProduceOutcome,
  produceFailure,
} from './access.js';
import type { Partition } from './partition.js';
import { readBytes, type ReadRange } from './range-bytes.js';
import { readErrorOf } from './storage-code.js';
import type { ThreadLink } from './thread-link.js';

export type RouterOptions = {
  /** Links to the shards of this broker by index; null at this shard's own place. */
  readonly links: readonly (ThreadLink | null)[];
  /** A thread without partitions that asks for those of this shard: the main thread. */
  readonly asker?: ThreadLink;
  readonly local: (group: GroupKey) => Partition | undefined;
  readonly readRange: ReadRange;
};

/** Where a shard's index would stand. */
const ASKER = -1;

export class PartitionRouter {
  readonly #options: RouterOptions;
  /** Long polls that other shards hold here, by link and id, so that they can be cancelled. */
  readonly #held = new Map<string, () => void>();
  readonly #polls = new OpenPolls();

  constructor(options: RouterOptions) {
    this.#options = options;
    options.links.forEach((link, index) => {
      if (link === null) return;
      link.onNotice('wake', (payload) => this.#polls.wake(payload as number));
      this.#serve(link, index);
    });
    if (options.asker !== undefined) this.#serve(options.asker, ASKER);
  }

  /** Index of the shard that owns a partition of this broker. */
  ownerOf(group: GroupKey): number {
    return shardOf(group.topicId, group.partition, this.#options.links.length);
  }

  access(group: GroupKey): PartitionAccess {
    const owner = this.ownerOf(group);
    const link = this.#options.links[owner];
    if (link === null || link === undefined) return this.#options.local(group) ?? absentPartition;
    return new RemotePartition(link, group, this.#polls);
  }

  // --- the owner's end of the hop ------------------------------------------------------------

  #serve(link: ThreadLink, index: number): void {
    const find = (group: GroupKey): PartitionAccess =>
      this.#options.local(group) ?? absentPartition;
    link.onCall('produce', (payload, answer) => {
      const { group, bytes, options } = payload as ProduceCall;
      find(group).produce(bytes, 0, bytes.length, options, answer);
    });
    link.onCall('fetch', (payload, answer) => {
      const { group, request } = payload as FetchCall;
      find(group).fetch(request, (outcome) => this.#answerFetch(outcome, answer));
    });
    link.onCall('extent', (payload, answer) => {
      const { group, request } = payload as ExtentCall;
      find(group).extent(request, answer);
    });
    link.onCall('offset', (payload, answer) => {
      const { group, question, currentLeaderEpoch } = payload as OffsetCall;
      find(group).offsetFor(question, currentLeaderEpoch, answer);
    });
    link.onCall('epoch-end', (payload, answer) => {
      const { group, leaderEpoch, currentLeaderEpoch } = payload as EpochEndCall;
      find(group).epochEnd(leaderEpoch, currentLeaderEpoch, answer);
    });
    link.onNotice('poll', (payload) => {
      const { group, offset, id } = payload as PollNotice;
      const key = `${index}:${id}`;
      let isOver = false;
      const cancel = find(group).onAdvance(offset, () => {
        isOver = true;
        this.#held.delete(key);
        link.notify('wake', id);
      });
      // Woken already, within the call: there is nothing to cancel.
      if (!isOver) this.#held.set(key, cancel);
    });
    link.onNotice('cancel-poll', (payload) => {
      const key = `${index}:${payload as number}`;
      this.#held.get(key)?.();
      this.#held.delete(key);
    });
  }

  /** A file range means nothing to another shard's send queue: it gets the bytes themselves. */
  #answerFetch(
    outcome: FetchOutcome,
    answer: (result: unknown, transfer?: readonly ArrayBuffer[]) => void,
  ): void {
    if (outcome.data === null || outcome.data.kind === 'bytes') {
      answer(outcome);
      return;
    }
    const { nextOffset } = outcome.data.range;
    let bytes: Uint8Array<ArrayBuffer>;
    try {
      bytes = readBytes(outcome.data.range, this.#options.readRange);
    } catch (error) {
      answer(fetchFailure(readErrorOf(error)));
      return;
    }
    answer({ ...outcome, data: { kind: 'bytes', bytes, nextOffset } }, [bytes.buffer]);
  }
}

type ProduceCall = { group: GroupKey; bytes: Uint8Array; options: ProduceOptions };
type FetchCall = { group: GroupKey; request: FetchRequest };
type ExtentCall = { group: GroupKey; request: ExtentRequest };
type OffsetCall = {
  group: GroupKey;
  question: OffsetQuestion;
  currentLeaderEpoch: LeaderEpoch | -1;
};
type EpochEndCall = {
  group: GroupKey;
  leaderEpoch: LeaderEpoch;
  currentLeaderEpoch: LeaderEpoch | -1;
};
type PollNotice = { group: GroupKey; offset: Offset; id: number };

/** Long polls that this shard holds at others. */
class OpenPolls {
  readonly #wakes = new Map<number, () => void>();
  #nextId = 1;

  add(wake: () => void): number {
    const id = this.#nextId++;
    this.#wakes.set(id, wake);
    return id;
  }

  remove(id: number): boolean {
    return this.#wakes.delete(id);
  }

  wake(id: number): void {
    const wake = this.#wakes.get(id);
    this.#wakes.delete(id);
    wake?.();
  }
}

class RemotePartition implements PartitionAccess {
  readonly #link: ThreadLink;
  readonly #group: GroupKey;
  readonly #polls: OpenPolls;

  constructor(link: ThreadLink, group: GroupKey, polls: OpenPolls) {
    this.#link = link;
    this.#group = group;
    this.#polls = polls;
  }

  produce(
    bytes: Uint8Array,
    start: number,
    length: number,
    options: ProduceOptions,
    done: (outcome: ProduceOutcome) => void,
  ): void {
    // The frame's memory is reused after this turn: the other shard gets a copy of its own.
    const copy = copyBytes(bytes, start, start + length);
    const call: ProduceCall = { group: this.#group, bytes: copy, options };
    this.#link.call('produce', call, [copy.buffer], (error, result) => {
      // The other shard may have appended before it ended: indefinite.
      done(
        error === null ? (result as ProduceOutcome) : produceFailure('TIMED_OUT', error.message),
      );
    });
  }

  fetch(request: FetchRequest, done: (outcome: FetchOutcome) => void): void {
    // What hops lies in memory until the client has taken it; a file range would not.
    const maxBytes = Math.min(request.maxBytes, CLIENT_OUTBOUND_BYTES_MAX);
    const call: FetchCall = { group: this.#group, request: { ...request, maxBytes } };
    this.#link.call('fetch', call, [], (error, result) => {
      done(error === null ? (result as FetchOutcome) : fetchFailure('NOT_LEADER'));
    });
  }

  extent(request: ExtentRequest, done: (extent: Extent) => void): void {
    const call: ExtentCall = { group: this.#group, request };
    this.#link.call('extent', call, [], (error, result) => {
      done(error === null ? (result as Extent) : extentFailure('NOT_LEADER'));
    });
  }

  onAdvance(offset: Offset, wake: () => void): () => void {
    const id = this.#polls.add(wake);
    this.#link.notify('poll', { group: this.#group, offset, id } satisfies PollNotice);
    return () => {
      if (this.#polls.remove(id)) this.#link.notify('cancel-poll', id);
    };
  }

  offsetFor(
    question: OffsetQuestion,
    currentLeaderEpoch: LeaderEpoch | -1,
    done: (answer: OffsetAnswer) => void,
  ): void {
    const call: OffsetCall = { group: this.#group, question, currentLeaderEpoch };
    this.#link.call('offset', call, [], (error, result) => {
      done(error === null ? (result as OffsetAnswer) : noOffset);
    });
  }

  epochEnd(
    leaderEpoch: LeaderEpoch,
    currentLeaderEpoch: LeaderEpoch | -1,
    done: (answer: EpochEndAnswer) => void,
  ): void {
    const call: EpochEndCall = { group: this.#group, leaderEpoch, currentLeaderEpoch };
    this.#link.call('epoch-end', call, [], (error, result) => {
      done(error === null ? (result as EpochEndAnswer) : noEpochEnd);
    });
  }
}
