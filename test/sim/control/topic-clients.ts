/**
 * Producers of a control plan: single batches to topics by name, as a client that asks any node for
 * the leader. What each partition accepted and acknowledged is remembered, and read back at the
 * end: nothing acknowledged is lost while its topic lives, and no topic shows what another was
 * given.
 */
import { type GroupKey, groupText } from '#src/base/group.js';
import type { Prng } from '#src/base/prng.js';
import { leaderSeenByClients } from '#src/control/leader-table.js';
import { crc32c } from '#src/native/crc32c.js';
import type { ProduceOutcome } from '#src/partition/access.js';
import { encodeBatch } from '#src/records/batch.js';
import { readLog } from '../log-watch.js';
import { Violation, type World } from '../world.js';
import { nameOf } from './admin-clients.js';
import type { AdminOperation } from './admin-load.js';
import type { ControlNode } from './control-node.js';

export type TopicClientsOptions = {
  readonly world: World;
  readonly random: Prng;
  readonly nodes: readonly ControlNode[];
  readonly timeoutMs: number;
};

type Acked = { readonly key: string; readonly producerId: number; readonly offset: number };

const FIRST_PRODUCER_ID = 1_000_000;
const BASE_TIME = 1_700_000_000_000;

export class TopicClients {
  acked = 0;
  readonly #o: TopicClientsOptions;
  #nextProducerId = FIRST_PRODUCER_ID;
  /** By producer id: the one partition that took its only batch. */
  readonly #takenBy = new Map<number, string>();
  readonly #acked = new Map<string, Acked[]>();

  constructor(options: TopicClientsOptions) {
    this.#o = options;
  }

  run({ node: nodeId, name, at }: Extract<AdminOperation, { kind: 'produce' }>): void {
    const asked = this.#o.nodes[nodeId - 1];
    const view = asked?.isUp ? asked.shards?.view : undefined;
    const topic = view?.image.topics.get(nameOf(name));
    if (view === undefined || topic === undefined) return;
    const partition = Math.floor(at * topic.partitions.length);
    const { topicId } = topic;
    const leaderId = leaderSeenByClients(view.image, view.leaders, topicId, partition);
    const leader = this.#o.nodes[leaderId - 1];
    if (leader === undefined) this.#o.world.branch('produce-no-leader');
    else this.produce(leader, topic.name, partition);
  }

  produce(
    leader: ControlNode,
    name: string,
    partition: number,
    done: (isAcked: boolean) => void = () => undefined,
  ): void {
    const { world, timeoutMs } = this.#o;
    const producerId = this.#nextProducerId++;
    const timestamp = BASE_TIME + Math.floor(world.nowMs);
    const records = [{ value: Buffer.from(name), timestamp }];
    const batch = { records, producerId, producerEpoch: 0, baseSequence: 0 };
    const bytes = encodeBatch(batch, crc32c);
    let group: GroupKey | null = null;
    leader.serve<ProduceOutcome | null>(
      (answer) => {
        const topic = leader.shards?.view.image.topics.get(name);
        group = topic === undefined ? null : { topicId: topic.topicId, partition };
        const found = group === null ? undefined : leader.shards?.find(group);
        if (group === null || found === undefined) return answer(null);
        this.#takenBy.set(producerId, groupText(group));
        found.produce(bytes, 0, bytes.length, { acks: -1, timeoutMs }, answer);
      },
      (outcome) => {
        world.branch(`produce ${outcome === null ? 'unanswered' : (outcome.error ?? 'acked')}`);
        const isAcked = outcome !== null && outcome.error === null;
        if (isAcked && group !== null)
          this.#onAck(groupText(group), producerId, outcome.baseOffset);
        done(isAcked);
      },
    );
  }

  #onAck(key: string, producerId: number, offset: number): void {
    this.acked++;
    const acked = this.#acked.get(key) ?? [];
    acked.push({ key, producerId, offset });
    this.#acked.set(key, acked);
  }

  /** One replica of a partition that has everything. */
  readBack(node: ControlNode, group: GroupKey): void {
    const partition = node.shards?.find(group);
    const key = groupText(group);
    if (partition === undefined) throw new Violation('L1', `${node.nodeId} has no ${key}`);
    const found = new Map<number, number>();
    for (const { batch } of readLog(node.disk, partition.log)) {
      if (batch === null) continue;
      found.set(batch.producerId, batch.baseOffset);
      const takenBy = this.#takenBy.get(batch.producerId);
      if (takenBy === key) continue;
      throw new Violation('M3', `${key} holds a batch of ${takenBy ?? 'nobody'}`);
    }
    for (const { producerId, offset } of this.#acked.get(key) ?? []) {
      if (found.get(producerId) === offset) continue;
      throw new Violation('K1', `node ${node.nodeId} lost ${offset} of ${key}`);
    }
  }
}
