/**
 * Tells the main thread which partitions of this shard lead, in which epoch and with whom in sync;
 * it tells every node. Changes of leadership go at once, changes of the in-sync set with the next
 * look. Shard thread.
 */
import { groupText } from '../base/group.js';
import type { NodeId } from '../base/units.js';
import type { LeaderFact } from '../control/announcer.js';
import type { Partition } from '../partition/partition.js';
import { LEADER_NONE } from '../base/units.js';

type Told = { readonly leaderEpoch: number; readonly inSync: string };

export class LeadershipReporter {
  readonly #send: (facts: readonly LeaderFact[]) => void;
  readonly #told = new Map<string, Told>();
  #changed: LeaderFact[] = [];

  constructor(send: (facts: readonly LeaderFact[]) => void) {
    this.#send = send;
  }

  /** Notes what became of one partition; leaves with {@link flush}. */
  note(partition: Partition): void {
    const { group, replica, failure } = partition;
    const key = groupText(group);
    const told = this.#told.get(key);
    if (failure === null && replica.isServing) {
      const inSync = replica.inSync();
      const leaderEpoch = replica.leaderEpoch;
      if (told?.leaderEpoch === leaderEpoch && told.inSync === inSync.join()) return;
      this.#told.set(key, { leaderEpoch, inSync: inSync.join() });
      this.#push(partition, replica.leaderId, leaderEpoch, inSync);
    } else if (told !== undefined && (failure !== null || replica.role !== 'leader')) {
      this.#told.delete(key);
      this.#push(partition, LEADER_NONE, told.leaderEpoch, []);
    }
  }

  flush(): void {
    if (this.#changed.length === 0) return;
    const changed = this.#changed;
    this.#changed = [];
    this.#send(changed);
  }

  #push(
    { group }: Partition,
    leaderId: NodeId,
    leaderEpoch: number,
    inSync: readonly NodeId[],
  ): void {
    this.#changed.push({ ...group, leaderId, leaderEpoch, inSync });
  }
}
