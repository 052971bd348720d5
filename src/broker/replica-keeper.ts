/**
 * Makes the replicas on this shard's disk what the image wants: opens, reconfigures, deletes, sets
 * aside. Promises: nothing is made or removed but by a committed record; topics are worked on in
 * the order of the records that touched them, in slices, so that thousands of them do not stop the
 * shard; a replica that cannot be opened is tried again and hinders no other. Shard thread.
 */
import type { Clock } from '../base/clock.js';
import { LograftError } from '../base/errors.js';
import { type GroupKey, groupText, type VoterId } from '../base/group.js';
import { shardOf } from '../base/hash.js';
import { LEADER_NONE, type MonotonicMs, type Offset, type TopicId } from '../base/units.js';
import type { ClusterImage, TopicImage } from '../control/image.js';
import { type LocalReplica, reconcile } from '../control/reconcile.js';
import { effectiveConfigs, type TopicDefaults } from '../control/topic-config.js';
import type { Wal } from '../log/wal.js';
import type { Logger } from '../observability/logger.js';
import type { PartitionFacts } from '../partition/access.js';
import type { PartitionSpec, Shard } from '../partition/shard.js';
import type { LocalReplicas } from './local-replicas.js';

/** What the image says now. `isCurrent`: it holds this process's own registration. */
export type Wish = { readonly image: ClusterImage; readonly isCurrent: boolean };

export type ReplicaKeeperOptions = {
  readonly index: number;
  readonly shards: number;
  readonly self: VoterId;
  readonly clock: Clock;
  readonly shard: Shard;
  readonly wal: Wal;
  readonly local: LocalReplicas;
  readonly defaults: TopicDefaults;
  readonly logger: Logger;
  readonly wish: () => Wish;
  /** Runs something when the loop has been to its sockets: `setImmediate`. */
  readonly later: (run: () => void) => void;
  /** Everything that was to be done is done, but for what could not be opened. */
  readonly onSettled: () => void;
};

/** A replica that could not be opened. */
type Failure = {
  readonly spec: PartitionSpec;
  readonly message: string;
  readonly sinceMs: MonotonicMs;
  /** Its folder is there, but says that it belongs to somebody else, or nothing. */
  readonly isForeign: boolean;
};

/** How long the shard may be kept from its sockets. */
const SLICE_MS = 10;
const RETRY_MS = 1_000;
/** A former owner of the folder, on another shard, has this long to give it up. */
const FOREIGN_MS_MAX = 5_000;

export class ReplicaKeeper {
  readonly #options: ReplicaKeeperOptions;
  readonly #queue = new Set<TopicId>();
  readonly #failures = new Map<string, Failure>();
  /** Replicas to be opened without belief from an offset on. */
  readonly #suspects = new Map<string, Offset>();
  #steps: Iterator<void> | null = null;
  #isScheduled = false;
  #retryAtMs: MonotonicMs = 0;

  constructor(options: ReplicaKeeperOptions) {
    this.#options = options;
  }

  /** Topics that a record touched, in the order of the records. */
  look(topicIds: Iterable<TopicId>): void {
    for (const topicId of topicIds) this.#queue.add(topicId);
    if (!this.#isScheduled) this.#workSlice();
  }

  /** All topics; those that are only on disk first, for a new topic may want the folder's name. */
  lookAtAll(): void {
    const { local, wish } = this.#options;
    const { image, isCurrent } = wish();
    if (isCurrent) this.#forgetGone(image);
    const { topicsById } = image;
    const gone = [...local.topicIds()].filter((topicId) => !topicsById.has(topicId));
    this.look([...gone, ...topicsById.keys()]);
  }

  /** Damage was found in a replica's batch at `from`: it is closed, and opened without belief. */
  reopen(group: GroupKey, from: Offset): void {
    this.#suspects.set(groupText(group), from);
    this.#options.shard.close(group);
    this.look([group.topicId]);
  }

  /** Now and then. */
  tick(nowMs: MonotonicMs): void {
    if (this.#failures.size === 0 || nowMs < this.#retryAtMs) return;
    this.#retryAtMs = nowMs + RETRY_MS;
    this.look([...this.#failures.values()].map(({ spec }) => spec.group.topicId));
  }

  /** Replicas that could not be opened, as status shows them. */
  failures(): PartitionFacts[] {
    return [...this.#failures.values()].map(({ spec, message }) => ({
      group: spec.group,
      topic: spec.topic,
      role: 'failed',
      leaderId: LEADER_NONE,
      leaderEpoch: -1,
      isServing: false,
      inSync: [],
      logStartOffset: -1,
      highWatermark: -1,
      logEndOffset: -1,
      logBytes: 0,
      openProduces: 0,
      openPolls: 0,
      failure: message,
    }));
  }

  #workSlice(): void {
    const { clock, later, onSettled } = this.#options;
    const endMs = clock.monotonicMs() + SLICE_MS;
    while (this.#takeStep()) {
      if (clock.monotonicMs() < endMs) continue;
      this.#isScheduled = true;
      later(() => {
        this.#isScheduled = false;
        this.#workSlice();
      });
      return;
    }
    onSettled();
  }

  /** False when there is nothing left to do. */
  #takeStep(): boolean {
    if (this.#steps === null) {
      const [topicId] = this.#queue;
      if (topicId === undefined) return false;
      this.#queue.delete(topicId);
      this.#steps = this.#follow(topicId);
    }
    if (this.#steps.next().done === true) this.#steps = null;
    return true;
  }

  /**
   * A record that comes between two steps puts its topic into the queue again: what is left to do
   * for an older one is given up, or a large topic would be made to its end after its deletion.
   */
  *#follow(topicId: TopicId): Generator<void> {
    const topicNow = () => this.#options.wish().image.topicsById.get(topicId);
    const topic = topicNow();
    for (const _ of this.#makeTrue(topicId, topic)) {
      yield;
      if (topicNow() !== topic) return;
    }
  }

  *#makeTrue(topicId: TopicId, topic: TopicImage | undefined): Generator<void> {
    const { self, local, wish } = this.#options;
    const { image, isCurrent } = wish();
    const known = local.ofTopic(topicId);
    const topicIds = new Set([topicId]);
    for (const action of reconcile({ image, self, local: known, isCurrent, topicIds })) {
      if (action.kind === 'delete') this.#delete(action);
      else if (action.kind === 'stray') this.#setAside(action);
      else if (action.kind === 'create' && this.#isMine(action)) local.add(action);
      else continue;
      yield;
    }
    if (topic !== undefined) yield* this.#openAll(topic);
  }

  /** Opens what has its place on disk and is not open, and applies new configs to the rest. */
  *#openAll(topic: TopicImage): Generator<void> {
    const { shard, local, defaults } = this.#options;
    const { topicId, name, isInternal, partitions } = topic;
    const configs = effectiveConfigs(topic.configs, defaults);
    for (const { partition, replicas } of partitions) {
      const group = { topicId, partition };
      if (!this.#isMine(group) || !local.has(group)) continue;
      if (shard.find(group) === undefined) {
        this.#open({ group, topic: name, isInternal, configs, voters: replicas });
      } else shard.reconfigure(group, configs);
      yield;
    }
  }

  #open(spec: PartitionSpec): void {
    const key = groupText(spec.group);
    const before = this.#failures.get(key);
    try {
      if (before !== undefined) this.#maybeClearPlace(before);
      this.#options.shard.open({ ...spec, suspectFrom: this.#suspects.get(key) });
      this.#suspects.delete(key);
      this.#failures.delete(key);
    } catch (error) {
      const { message } = error as Error;
      const { topic, group } = spec;
      if (before?.message !== message) {
        this.#options.logger.error({ topic, ...group, error: message }, 'replica cannot be opened');
      }
      const sinceMs = before?.sinceMs ?? this.#options.clock.monotonicMs();
      const isForeign = error instanceof LograftError && error.code === 'DIRECTORY_FOREIGN';
      this.#failures.set(key, { spec, message, sinceMs, isForeign });
    }
  }

  /** Nobody came for a folder that stands in the way: it is kept under another name. */
  #maybeClearPlace({ spec, sinceMs, isForeign }: Failure): void {
    const { clock, local } = this.#options;
    if (!isForeign || clock.monotonicMs() - sinceMs < FOREIGN_MS_MAX) return;
    local.clearPlaceOf({ ...spec.group, topic: spec.topic });
  }

  #delete(replica: LocalReplica): void {
    const { shard, wal, local, logger } = this.#options;
    this.#failures.delete(groupText(replica));
    shard.close(replica);
    local.remove(replica);
    wal.remove(replica);
    logger.info({ ...replica }, 'replica of a deleted topic removed');
  }

  #setAside(replica: LocalReplica): void {
    const { shard, wal, local } = this.#options;
    this.#failures.delete(groupText(replica));
    shard.close(replica);
    local.moveStray(replica);
    wal.remove(replica);
  }

  /** A crash between a folder's removal and the write-ahead log's word of it leaves that word. */
  #forgetGone({ topicsById }: ClusterImage): void {
    const { local, wal } = this.#options;
    for (const group of wal.groups()) {
      if (topicsById.has(group.topicId) || local.has(group)) continue;
      wal.remove(group);
    }
  }

  #isMine({ topicId, partition }: GroupKey): boolean {
    const { index, shards } = this.#options;
    return shardOf(topicId, partition, shards) === index;
  }
}
