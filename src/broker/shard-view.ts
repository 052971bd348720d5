/**
 * What one shard knows of the cluster, and how its partitions follow it: the image says which
 * replicas belong here, and this file opens, reconfigures, deletes or sets them aside. Promise:
 * nothing is made or removed but by a committed record. Shard thread.
 */
import type { VoterId } from '../base/group.js';
import { shardOf } from '../base/hash.js';
import { LEADER_NONE, type NodeId, type TopicId } from '../base/units.js';
import { applyDelta, type ImageDelta, touchedTopics } from '../control/delta.js';
import { type ClusterImage, EMPTY_IMAGE, type TopicImage } from '../control/image.js';
import { LeaderTable } from '../control/leader-table.js';
import { type LocalReplica, reconcile } from '../control/reconcile.js';
import { effectiveConfigs, type TopicDefaults } from '../control/topic-config.js';
import type { Wal } from '../log/wal.js';
import type { Logger } from '../observability/logger.js';
import type { Shard } from '../partition/shard.js';
import type { LocalReplicas } from './local-replicas.js';
import type { ShardNotices } from './thread-messages.js';

export type ShardViewOptions = {
  readonly index: number;
  readonly shards: number;
  readonly self: VoterId;
  readonly shard: Shard;
  readonly wal: Wal;
  readonly local: LocalReplicas;
  readonly defaults: TopicDefaults;
  readonly logger: Logger;
  readonly onTopicsDeleted: (names: ReadonlySet<string>) => void;
};

export class ShardView {
  readonly leaders = new LeaderTable();
  controllerId: NodeId = LEADER_NONE;
  readonly #options: ShardViewOptions;
  #image: ClusterImage = EMPTY_IMAGE;
  #isCurrent = false;

  constructor(options: ShardViewOptions) {
    this.#options = options;
  }

  get image(): ClusterImage {
    return this.#image;
  }

  follow({ delta, isCurrent }: ShardNotices['image']): void {
    const before = this.#image;
    this.#image = applyDelta(before, delta);
    const touched = touchedTopics(delta);
    // An image that has just become current also settles what had to wait for it.
    const isAll = touched === 'everything' || isCurrent !== this.#isCurrent;
    this.#isCurrent = isCurrent;
    this.#forgetDeleted(before, delta);
    this.#reconcile(isAll ? null : touched);
  }

  #forgetDeleted(before: ClusterImage, delta: ImageDelta): void {
    if (delta.kind === 'full') {
      this.leaders.removeDeleted(this.#image);
      return;
    }
    const names = new Set<string>();
    for (const record of delta.records) {
      if (record.kind !== 'delete-topic') continue;
      this.leaders.removeTopic(record.topicId);
      const name = before.topicsById.get(record.topicId)?.name;
      if (name !== undefined) names.add(name);
    }
    if (names.size > 0) this.#options.onTopicsDeleted(names);
  }

  #reconcile(topicIds: ReadonlySet<TopicId> | null): void {
    const { self, local } = this.#options;
    const actions = reconcile({
      image: this.#image,
      self,
      local: local.all,
      isCurrent: this.#isCurrent,
      topicIds,
    });
    for (const action of actions) {
      if (action.kind === 'create' && !this.#isMine(action)) continue;
      if (action.kind === 'delete') this.#delete(action);
      else if (action.kind === 'stray') this.#setAside(action);
      else if (action.kind === 'create') local.add(action);
    }
    const topics =
      topicIds === null
        ? [...this.#image.topicsById.values()]
        : [...topicIds].map((topicId) => this.#image.topicsById.get(topicId));
    for (const topic of topics) if (topic !== undefined) this.#followTopic(topic);
  }

  /** Opens what has its place on disk and is not open, and applies new configs to the rest. */
  #followTopic(topic: TopicImage): void {
    const { shard, local, defaults } = this.#options;
    let configs: Record<string, string> | null = null;
    for (const { partition, replicas } of topic.partitions) {
      const group = { topicId: topic.topicId, partition };
      if (!this.#isMine(group) || !local.has(group)) continue;
      configs ??= effectiveConfigs(topic.configs, defaults);
      if (shard.find(group) !== undefined) {
        shard.reconfigure(group, configs);
        continue;
      }
      const { name, isInternal } = topic;
      shard.open({ group, topic: name, isInternal, configs, voters: replicas });
    }
  }

  #delete(replica: LocalReplica): void {
    const { shard, wal, local, logger } = this.#options;
    shard.close(replica);
    local.remove(replica);
    wal.remove(replica);
    logger.info({ ...replica }, 'replica of a deleted topic removed');
  }

  #setAside(replica: LocalReplica): void {
    const { shard, wal, local } = this.#options;
    shard.close(replica);
    local.moveStray(replica);
    wal.remove(replica);
  }

  #isMine({ topicId, partition }: { topicId: TopicId; partition: number }): boolean {
    const { index, shards } = this.#options;
    return shardOf(topicId, partition, shards) === index;
  }
}
