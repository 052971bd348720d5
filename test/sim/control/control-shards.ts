/** The shard threads of one simulated process, and which of them a partition belongs to. */
import type { GroupKey } from '#src/base/group.js';
import { shardOf } from '#src/base/hash.js';
import type { ShardView } from '#src/broker/shard-view.js';
import type { PartitionFacts } from '#src/partition/access.js';
import type { Partition } from '#src/partition/partition.js';
import type { ControlShard } from './control-shard.js';

export class ControlShards {
  readonly all: readonly ControlShard[];

  constructor(all: readonly ControlShard[]) {
    this.all = all;
  }

  /** What a client's connection sees of the cluster: it is on some shard. */
  get view(): ShardView {
    return (this.all[0] as ControlShard).view;
  }

  get hasDiskFailed(): boolean {
    return this.all.some(({ wal, hasDiskFailed }) => wal.failure !== null || hasDiskFailed);
  }

  /** Every shard follows the image up to here. */
  get appliedOffset(): number {
    return Math.min(...this.all.map(({ view }) => view.image.appliedOffset));
  }

  owner({ topicId, partition }: GroupKey): ControlShard {
    return this.all[shardOf(topicId, partition, this.all.length)] as ControlShard;
  }

  find(group: GroupKey): Partition | undefined {
    return this.owner(group).shard.find(group);
  }

  /** Replicas that could not be opened. */
  failures(): PartitionFacts[] {
    return this.all.flatMap(({ keeper }) => keeper.failures());
  }

  turn(): void {
    for (const shard of this.all) shard.turn();
  }
}
