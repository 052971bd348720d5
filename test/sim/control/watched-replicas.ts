/**
 * The folders of a node's replicas under the eyes of a judge: nothing goes from a disk, or out of
 * its place, but by a committed deletion (M3).
 */
import type { VoterId } from '#src/base/group.js';
import { LocalReplicas } from '#src/broker/local-replicas.js';
import type { LocalReplica } from '#src/control/reconcile.js';
import type { Disk } from '#src/log/disk.js';
import { folderOwner } from '#src/log/recovery-state.js';
import type { Logger } from '#src/observability/logger.js';
import { Violation } from '../world.js';
import type { ControlHistory } from './control-history.js';

export type WatchedReplicasOptions = {
  readonly disk: Disk;
  readonly directory: string;
  readonly logger: Logger;
  readonly self: VoterId;
  readonly history: ControlHistory;
  readonly deletesOrphans: boolean;
};

export class WatchedReplicas extends LocalReplicas {
  readonly #o: WatchedReplicasOptions;

  constructor(options: WatchedReplicasOptions) {
    super(options.disk, options.directory, options.logger);
    this.#o = options;
  }

  override remove(replica: LocalReplica): void {
    this.#mustBeDeleted(replica, 'removes');
    super.remove(replica);
  }

  override moveStray(replica: LocalReplica): void {
    if (this.#o.deletesOrphans) return this.remove(replica);
    // Nothing else than replicas of topics that exist, or whose deletion is remembered, is there.
    throw this.#violation(replica, 'sets aside');
  }

  override clearPlaceOf(replica: LocalReplica): void {
    const { disk, directory } = this.#o;
    const topicId = folderOwner(disk, `${directory}/${replica.topic}-${replica.partition}`);
    if (topicId !== null) this.#mustBeDeleted({ ...replica, topicId }, 'makes room of');
    super.clearPlaceOf(replica);
  }

  #mustBeDeleted(replica: LocalReplica, verb: string): void {
    if (!this.#o.history.isDeleted(replica.topicId)) throw this.#violation(replica, verb);
  }

  #violation({ topic, topicId, partition }: LocalReplica, verb: string): Violation {
    const { nodeId } = this.#o.self;
    return new Violation('M3', `node ${nodeId} ${verb} ${topic}-${partition} of ${topicId}`);
  }
}
