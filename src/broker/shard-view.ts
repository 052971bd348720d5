/**
 * What one shard knows of the cluster: the image, who leads what, who is controller. Promise: the
 * image is the main thread's, a moment later, and whatever a record touched is looked at by the
 * keeper of the replicas and by the groups. Shard thread.
 */
import { LEADER_NONE, type NodeId } from '../base/units.js';
import { applyDelta, type ImageDelta, touchedTopics } from '../control/delta.js';
import { type ClusterImage, EMPTY_IMAGE } from '../control/image.js';
import { LeaderTable } from '../control/leader-table.js';
import type { ReplicaKeeper } from './replica-keeper.js';
import type { ShardNotices } from './thread-messages.js';

export type ShardViewOptions = {
  readonly keeper: ReplicaKeeper;
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

  /** The image holds this process's own registration, so it is newer than any folder here. */
  get isCurrent(): boolean {
    return this.#isCurrent;
  }

  follow({ delta, isCurrent }: ShardNotices['image']): void {
    const { keeper, onTopicsDeleted } = this.#options;
    const before = this.#image;
    const wasCurrent = this.#isCurrent;
    this.#image = applyDelta(before, delta);
    this.#isCurrent = isCurrent;
    const names = this.#forgetDeleted(before, delta);
    if (names.size > 0) onTopicsDeleted(names);
    const touched = touchedTopics(delta);
    // An image that has just become current also settles what had to wait for it.
    if (touched === 'everything' || isCurrent !== wasCurrent) keeper.lookAtAll();
    else keeper.look(touched);
  }

  /** Names of topics that are gone, be it that another one has the name now. */
  #forgetDeleted({ topicsById }: ClusterImage, delta: ImageDelta): ReadonlySet<string> {
    const names = new Set<string>();
    if (delta.kind === 'full') {
      this.leaders.removeDeleted(this.#image);
      for (const { topicId, name } of topicsById.values()) {
        if (!this.#image.topicsById.has(topicId)) names.add(name);
      }
      return names;
    }
    for (const record of delta.records) {
      if (record.kind !== 'delete-topic') continue;
      this.leaders.removeTopic(record.topicId);
      const name = topicsById.get(record.topicId)?.name;
      if (name !== undefined) names.add(name);
    }
    return names;
  }
}
