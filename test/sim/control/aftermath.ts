/**
 * The end of a run of the control profile: what must come back in bounded time once the faults are
 * over, and what must be there then.
 */
import type { VoterId } from '#src/base/group.js';
import { isSameVoter } from '#src/base/group.js';
import type { Prng } from '#src/base/prng.js';
import { leaderSeenByClients } from '#src/control/leader-table.js';
import type { PartitionImage, TopicImage } from '#src/control/image.js';
import { LograftError } from '#src/base/errors.js';
import { folderOwner } from '#src/log/recovery-state.js';
import { Violation, type World } from '../world.js';
import type { AdminClients, Fate } from './admin-clients.js';
import type { ControlHistory } from './control-history.js';
import type { ControlNode } from './control-node.js';
import type { TopicClients } from './topic-clients.js';

export type AftermathOptions = {
  readonly world: World;
  readonly nodes: readonly ControlNode[];
  readonly random: Prng;
  readonly history: ControlHistory;
  readonly admins: AdminClients;
  readonly topics: TopicClients;
  readonly isMajorityHealed: boolean;
  readonly heal: (lucky: readonly ControlNode[]) => void;
};

/** L1: the controller decides again this long after a majority is connected. */
const DECIDE_MS = 10_000;
/** Every broker is back and every partition is led. */
const SETTLE_MS = 30_000;
/** Tombstones go when everybody has removed what they stand for. */
const FORGET_MS = 30_000;

export class Aftermath {
  readonly #o: AftermathOptions;
  #created = 0;

  constructor(options: AftermathOptions) {
    this.#o = options;
  }

  run(): void {
    const { nodes, isMajorityHealed, heal, world } = this.#o;
    if (isMajorityHealed) {
      const lucky = this.#luckyNodes();
      heal(lucky);
      this.#demandDecision(lucky);
      if (lucky.length < nodes.length) world.branch('minority-healed-later');
    }
    heal(nodes);
    if (!this.#demandDecision(this.#members)) return;
    this.#until(SETTLE_MS, () => this.#unsettled());
    this.#demandRecords();
    this.#until(FORGET_MS, () => this.#unforgotten());
    this.#until(SETTLE_MS, () => this.#unsettled());
    this.#readAll();
  }

  /** A majority that lost nothing, drawn at random. */
  #luckyNodes(): readonly ControlNode[] {
    const { nodes, random } = this.#o;
    const sound = [...this.#members];
    for (let i = sound.length - 1; i > 0; i--) {
      const j = random.int(0, i + 1);
      [sound[i], sound[j]] = [sound[j] as ControlNode, sound[i] as ControlNode];
    }
    return sound.slice(0, (nodes.length >> 1) + 1);
  }

  get #members(): readonly ControlNode[] {
    return this.#o.nodes.filter((node) => !node.isStranger);
  }

  /** Runs until nothing is missing; what is missing then is named. */
  #until(boundMs: number, missing: () => string | null): void {
    const left = this.#waitFor(boundMs, missing);
    if (left !== null) throw new Violation('L1', left);
  }

  #waitFor(boundMs: number, missing: () => string | null): string | null {
    const { world } = this.#o;
    const endMs = world.nowMs + boundMs;
    // Looking costs more than an event.
    while (world.nowMs < endMs && missing() !== null) world.runUntil(world.nowMs + 50);
    return missing();
  }

  /**
   * A new topic is made, asked for at any of these nodes. False when more than f of the metadata
   * group's replicas have lost, or may have lost, what they held.
   */
  #demandDecision(among: readonly ControlNode[]): boolean {
    const { admins, random, history, world } = this.#o;
    const name = `after-${this.#created++}`;
    const topic = { name, partitions: 2, replicationFactor: 1, assignments: null, configs: {} };
    const op = { kind: 'createTopics', topics: [topic], isValidateOnly: false } as const;
    let isAsking = false;
    const done = (fate: Fate | null): void => {
      isAsking = false;
      const isThere = fate !== null && !(fate instanceof LograftError);
      if (isThere && !history.image.topics.has(name)) world.branch('created-in-vain');
    };
    const left = this.#waitFor(DECIDE_MS, () => {
      if (history.image.topics.has(name)) return null;
      if (!isAsking) {
        isAsking = true;
        admins.ask(random.pick(among), op, name, done);
      }
      return `no topic is made: ${this.#describe()}`;
    });
    if (left === null) return true;
    if (!this.#isTooManyForgotten(among)) throw new Violation('L1', left);
    world.branch('too-many-forgot');
    return false;
  }

  /** A power cut leaves some unsure of what they held: without a sure majority all must come. */
  #isTooManyForgotten(among: readonly ControlNode[]): boolean {
    const { length } = this.#o.nodes;
    const sure = among.filter(({ main }) => main?.replica?.isForgetful === false);
    return among.length < length && sure.length <= length >> 1;
  }

  /** What is missing of a whole cluster; null when nothing is. */
  #unsettled(): string | null {
    const { history } = this.#o;
    const { image } = history;
    for (const node of this.#members) {
      const { control, shards } = node;
      if (!node.isUp || control === null || shards === null) return `node ${node.nodeId} is down`;
      if (control.registration !== 'registered') return `node ${node.nodeId} is not registered`;
      const { appliedOffset } = control.image;
      if (appliedOffset !== image.appliedOffset || shards.appliedOffset !== appliedOffset) {
        return `node ${node.nodeId} is at ${appliedOffset} of ${image.appliedOffset}`;
      }
      const broker = image.brokers.get(node.nodeId);
      if (broker === undefined || broker.isFenced) return `node ${node.nodeId} is fenced`;
      const [failure] = shards.failures();
      if (failure !== undefined) return `${node.nodeId} ${failure.topic}: ${failure.failure}`;
      const left = this.#leftOver(node);
      if (left !== null) return `node ${node.nodeId} still has ${left}`;
    }
    for (const topic of image.topics.values()) {
      const missing = this.#unled(topic);
      if (missing !== null) return missing;
    }
    return null;
  }

  /** A folder of a deleted topic (M3). */
  #leftOver({ disk }: ControlNode): string | null {
    const { history } = this.#o;
    for (const name of disk.list('/data')) {
      if (/-delete$/.test(name)) continue;
      const owner = /-\d+$/.test(name) ? folderOwner(disk, `/data/${name}`) : null;
      if (owner !== null && history.isDeleted(owner)) return name;
    }
    return null;
  }

  /** Every node knows the leader of every partition that can have one. */
  #unled({ topicId, name, partitions }: TopicImage): string | null {
    for (const { partition, replicas } of partitions) {
      if (!this.#canLead(topicId, { partition, replicas })) continue;
      const leaders = new Set(
        this.#members.map(({ control }) =>
          control === null
            ? -1
            : leaderSeenByClients(control.image, control.leaders, topicId, partition),
        ),
      );
      const [leader = -1] = leaders;
      const { shards } = this.#o.nodes[leader - 1] ?? {};
      const isServing = shards?.find({ topicId, partition })?.replica.isServing === true;
      if (leaders.size !== 1 || !isServing) {
        return `${name}-${partition} is led by ${[...leaders].join(', ')}`;
      }
    }
    return null;
  }

  #canLead(topicId: string, { partition, replicas }: PartitionImage): boolean {
    const here = replicas.flatMap((voter) => this.#holderOf(voter) ?? []);
    const sure = here.filter(({ shards }) => {
      return shards?.find({ topicId, partition })?.replica.isForgetful !== true;
    });
    return here.length === replicas.length || sure.length * 2 > replicas.length;
  }

  #holderOf(voter: VoterId): ControlNode | undefined {
    return this.#o.nodes.find((node) => isSameVoter(node.id, voter));
  }

  /** A record goes into each partition that can have a leader. */
  #demandRecords(): void {
    const { history, topics } = this.#o;
    for (const { name, topicId, partitions } of history.image.topics.values()) {
      for (const wish of partitions) {
        if (!this.#canLead(topicId, wish)) continue;
        const { partition } = wish;
        let isAcked = false;
        let isAsking = false;
        this.#until(DECIDE_MS, () => {
          // What was asked for long ago may still be done now.
          if (isAcked || history.isDeleted(topicId)) return null;
          const leader = this.#members.find((node) => {
            return node.shards?.find({ topicId, partition })?.replica.isServing;
          });
          if (leader !== undefined && !isAsking) {
            isAsking = true;
            topics.produce(leader, name, partition, (isDone) => {
              isAsking = false;
              isAcked ||= isDone;
            });
          }
          return `${name}-${partition} takes no record`;
        });
      }
    }
  }

  #unforgotten(): string | null {
    const { history, world } = this.#o;
    const { deletedTopics } = history.image;
    if (deletedTopics.size === 0) return null;
    // Whoever lost its disk never says that it has removed anything.
    if (this.#members.length < this.#o.nodes.length) {
      world.branch('tombstones-kept');
      return null;
    }
    return `${deletedTopics.size} tombstones are left: ${this.#describe()}`;
  }

  #readAll(): void {
    const { history, topics } = this.#o;
    for (const node of this.#members)
      if (node.control) history.checkImage(node.nodeId, node.control.image);
    for (const { topicId, partitions } of history.image.topics.values()) {
      for (const { partition, replicas } of partitions) {
        if (!this.#canLead(topicId, { partition, replicas })) continue;
        const leader = this.#members.find((node) => {
          return node.shards?.find({ topicId, partition })?.replica.isServing;
        });
        if (leader === undefined)
          throw new Violation('L1', `${topicId}:${partition} has no leader`);
        topics.readBack(leader, { topicId, partition });
      }
    }
  }

  #describe(): string {
    const nodes = this.#o.nodes.map(({ nodeId, isUp, isStranger, control, main }) => {
      if (!isUp) return `${nodeId} down`;
      if (isStranger) return `${nodeId} stranger`;
      const { replica } = main ?? {};
      const flag = replica?.isForgetful ? ' forgetful' : '';
      const raft = `${replica?.role} t${replica?.leaderEpoch}${flag}, led by ${replica?.leaderId}`;
      return `${nodeId} ${raft} at ${control?.image.appliedOffset}, ${control?.registration}`;
    });
    return nodes.join('; ');
  }
}
