/**
 * Runs one plan: lets the faults happen to a cluster under load, heals a majority of it and demands
 * progress in bounded time, heals the rest, and reads everything back.
 */
import type { VoterId } from '#src/base/group.js';
import { isSamePosition } from '#src/base/position.js';
import { Prng } from '#src/base/prng.js';
import { Batches } from './batches.js';
import { Checker } from './checker.js';
import { readBack } from './final-read.js';
import { History } from './history.js';
import type { Coordination } from './groups/node-groups.js';
import { SimGroups } from './groups/sim-groups.js';
import { Injector } from './injector.js';
import type { SimMutant } from './mutant.js';
import { Network } from './network.js';
import { OFFSETS_TOPIC_ID, TOPIC_ID } from './node-config.js';
import type { Plan } from './plan.js';
import type { LogOperation } from './plan-load.js';
import { SimProducer } from './producer.js';
import { SimReader } from './reader.js';
import { resultOf, type SimResult } from './sim-result.js';
import { type SimGroup, SimNode } from './sim-node.js';
import { Violation, World } from './world.js';

export type SimOptions = { readonly mutant?: SimMutant | undefined; readonly isTraced?: boolean };

/** L1: acks flow again this long after a majority is connected. */
const PROGRESS_MS = 10_000;
const PROGRESS_ACKS = 3;
const PROGRESS_PRODUCE_MS = 60;
/** Every replica has everything this long after the load ended, even one append at a time. */
const SETTLE_MS = 120_000;
const LOOK_MS = 180;

export function simulate(plan: Plan, options: SimOptions = {}): SimResult {
  return resultOf(plan.seed, new Simulation(plan, options));
}

/** The broken invariant; what no checker threw is named after its kind. */
export function invariantOf(error: Error): string {
  return error instanceof Violation ? error.invariant : error.name;
}

class Simulation {
  readonly world: World;
  readonly #plan: Plan;
  readonly #nodes: SimNode[];
  readonly #groups: SimGroup[];
  /** The last Raft group is that of their coordinators; null in a plan without them. */
  readonly #consumers: SimGroups | null;
  readonly #producers: SimProducer[][];
  readonly #readers: SimReader[];
  readonly #injector: Injector;
  readonly #random: Prng;
  #isLoadOver = false;
  #healed: readonly SimNode[] = [];

  constructor(plan: Plan, { mutant, isTraced }: SimOptions) {
    const world = new World(isTraced);
    this.#plan = plan;
    this.world = world;
    // One seed, one stream a purpose: a fault more does not change the load.
    const random = new Prng(plan.seed ^ 0x5eed);
    this.#random = random.fork();
    const network = new Network(world, random.fork(), plan.network);
    const sent = new Batches();
    this.#groups = Array.from({ length: plan.groups }, (_, index) => {
      const checker = new Checker(world, plan.nodes, `group ${index}`, sent);
      const key = { topicId: TOPIC_ID, partition: index };
      return { index, key, checker, history: new History(checker, world) };
    });
    this.#consumers = this.#makeConsumers();
    const logs = [...this.#groups];
    if (this.#consumers !== null) this.#groups.push(this.#coordinatorGroup(this.#consumers));
    const groups = this.#groups;
    const voters: VoterId[] = [];
    for (let i = 1; i <= plan.nodes; i++) voters.push({ nodeId: i, directoryId: `directory-${i}` });
    const onSent = (node: SimNode, { type }: { type: string }): void =>
      this.#injector.onSent(node, type);
    this.#nodes = voters.map((id) => {
      const others = (): readonly SimNode[] => this.#nodes;
      const coordination = this.#coordination;
      const shared = { voters, groups, plan, world, network, mutant, coordination, others, onSent };
      return new SimNode({ ...shared, id, random: random.fork() });
    });
    const keepsIdentity = mutant?.keepsIdentity ?? false;
    const nodes = this.#nodes;
    const hooks = {
      keepsIdentity,
      transfer: () => this.#transfer(),
      leaderOf: (group: number) => nodes.find((node) => node.isLeading(group))?.nodeId ?? null,
      isOvertaken: (nodeId: number, group: number) => this.#isOvertaken(nodeId, group),
      onSpoilt: (nodeId: number) => {
        for (const watch of nodes[nodeId - 1]?.watches ?? []) watch.spoil(false);
      },
    };
    this.#injector = new Injector({ world, random: random.fork(), network, nodes, ...hooks });
    this.#readers = logs.map((group) => new SimReader(group, world));
    this.#producers = logs.map((group) => this.#makeProducers(group, sent, random));
  }

  #makeProducers(group: SimGroup, sent: Batches, random: Prng): SimProducer[] {
    const { world } = this;
    const { clients } = this.#plan;
    const find = (): SimNode => this.#findLeader(group.index);
    return Array.from({ length: clients.producers }, (_, i) => {
      const producerId = 1_000 + group.index * 100 + i;
      const knobs = { ...clients, ...clients.patience?.[i] };
      const shared = { group: group.index, producerId, knobs, world, sent, find };
      return new SimProducer({ ...shared, random: random.fork(), checker: group.checker });
    });
  }

  #makeConsumers(): SimGroups | null {
    const plan = this.#plan;
    const { coordinator = null } = plan;
    if (coordinator === null) return null;
    const find = (): SimNode => this.#findLeader(plan.groups);
    const claimants = (): SimNode[] => this.#nodes.filter((node) => node.isLeading(plan.groups));
    return new SimGroups({ plan, coordinator, world: this.world, find, claimants });
  }

  #coordinatorGroup({ batches }: SimGroups): SimGroup {
    const { nodes, groups: index } = this.#plan;
    const checker = new Checker(this.world, nodes, 'coordinators', batches);
    const key = { topicId: OFFSETS_TOPIC_ID, partition: index };
    return { index, key, checker, history: new History(checker, this.world) };
  }

  get #coordination(): Coordination | null {
    const { coordinator = null } = this.#plan;
    const key = this.#groups.at(-1)?.key;
    if (this.#consumers === null || coordinator === null || key === undefined) return null;
    const { judge, batches, observer } = this.#consumers;
    return { plan: coordinator, key, judge, batches, observer, world: this.world };
  }

  get acked(): number {
    return this.#groups.reduce((sum, { history }) => sum + history.acked, 0);
  }

  run(): void {
    const { world } = this;
    const plan = this.#plan;
    for (const node of this.#nodes) world.at(0, () => node.start());
    this.#consumers?.start();
    this.#faultLater(0);
    this.#operateLater(0);
    this.#lookLater();
    world.runUntil(plan.faultsUntilMs);
    const lucky = this.#luckyNodes();
    this.#heal(lucky);
    const hasProgress = this.#demandProgress();
    if (lucky.length < this.#nodes.length) {
      world.branch('minority-healed-later');
      this.#heal(this.#nodes);
    }
    // Too many that are unsure of what they held need all voters; without a wiped one all are here.
    if (!hasProgress && !this.#demandProgress()) return;
    this.#isLoadOver = true;
    this.#consumers?.end();
    world.runUntil(world.nowMs + SETTLE_MS, () => this.#hasSettled);
    if (!this.#hasSettled) throw new Violation('L3', this.#describe());
    for (const group of this.#groups) readBack(group, this.#voters, this.#random);
  }

  #heal(lucky: readonly SimNode[]): void {
    this.#healed = lucky;
    for (const producer of this.#producers.flat()) producer.hurry();
    this.#injector.heal(lucky);
  }

  /** A majority that lost nothing, drawn at random; all when only a majority is to be healed. */
  #luckyNodes(): readonly SimNode[] {
    const nodes = this.#nodes;
    if (!this.#plan.isMajorityHealed) return nodes;
    const sound = nodes.filter((node) => !node.isStranger && !node.isDamaged);
    const wanted = (nodes.length >> 1) + 1;
    for (let i = sound.length - 1; i > 0; i--) {
      const j = this.#random.int(0, i + 1);
      [sound[i], sound[j]] = [sound[j] as SimNode, sound[i] as SimNode];
    }
    return sound.slice(0, wanted);
  }

  /** False when more than f replicas have lost, or may have lost, what they held. */
  #demandProgress(): boolean {
    const { world } = this;
    const plan = this.#plan;
    for (const { index, history } of this.#groups) {
      if (index === plan.groups) continue;
      const target = history.acked + PROGRESS_ACKS;
      const submit = (): void => {
        if (history.acked >= target) return;
        this.#producers[index]?.[0]?.submit(1, 8);
        world.after(PROGRESS_PRODUCE_MS, submit);
      };
      submit();
      world.runUntil(world.nowMs + PROGRESS_MS, () => history.acked >= target);
      if (history.acked >= target) continue;
      const isTooMany = this.#isTooManyForgotten(index);
      if (!isTooMany) throw new Violation('L1', this.#describe());
      world.branch('too-many-forgot');
      return false;
    }
    const mayHaveNone = (): boolean => this.#isTooManyForgotten(plan.groups);
    return this.#consumers?.demandProgress(mayHaveNone, () => this.#describe()) ?? true;
  }

  /** A power cut leaves some unsure of what they held: without a sure majority all must come. */
  #isTooManyForgotten(group: number): boolean {
    const isSure = (node: SimNode): boolean =>
      !node.isStranger && node.partition(group)?.replica.isForgetful === false;
    const isComplete = this.#voters.length === this.#nodes.length;
    const isAllHere = isComplete && this.#healed.length === this.#nodes.length;
    return !isAllHere && this.#healed.filter(isSure).length <= this.#nodes.length >> 1;
  }

  get #voters(): readonly SimNode[] {
    return this.#nodes.filter((node) => !node.isStranger);
  }

  /** Also judged: what a turn that is still open has committed, the checker hears at its end. */
  get #hasSettled(): boolean {
    return this.#groups.every(({ index, checker }) => {
      const end = this.#voters[0]?.partition(index)?.replica.logEnd;
      if (end === undefined || !isSamePosition(checker.committedEnd, end)) return false;
      return this.#voters.every((node) => {
        const { replica, log } = node.partition(index) ?? {};
        if (replica === undefined || log === undefined) return false;
        if (!log.scrub.isDone || log.scrub.finding !== null) return false;
        return isSamePosition(replica.commitPosition, end) && isSamePosition(replica.logEnd, end);
      });
    });
  }

  #faultLater(index: number): void {
    const timed = this.#plan.faults[index];
    if (timed === undefined) return;
    this.world.at(timed.atMs, () => {
      this.#injector.inject(timed.fault);
      this.#faultLater(index + 1);
    });
  }

  #operateLater(index: number): void {
    const timed = this.#plan.operations[index];
    if (timed === undefined) return;
    this.world.at(timed.atMs, () => {
      const { operation } = timed;
      if (operation.kind === 'member') this.#consumers?.operate(operation);
      else if (!this.#isLoadOver) this.#operate(operation);
      this.#operateLater(index + 1);
    });
  }

  #operate(operation: LogOperation): void {
    const { group } = operation;
    switch (operation.kind) {
      case 'produce': {
        const { producer, records, bytes } = operation;
        this.#producers[group]?.[producer]?.submit(records, bytes);
        return;
      }
      case 'bump':
        this.#producers[group]?.[operation.producer]?.bump();
        return;
      case 'ask':
        this.#readers[group]?.ask(this.#findLeader(group), operation.at);
        return;
      case 'fetch':
        this.#readers[group]?.fetch(this.#findLeader(group), operation.bytes, operation.at);
        return;
      case 'trim':
        return this.#trim(group, operation.to);
    }
  }

  #trim(group: number, part: number): void {
    const node = this.#findLeader(group);
    node.turn(() => {
      const partition = node.partition(group);
      if (partition === null) return;
      const { highWatermark } = partition.replica;
      const offset = Math.ceil(part * highWatermark);
      if (offset <= partition.log.logStartOffset) return;
      if (partition.replica.proposeLogStart(offset)) this.world.branch('trim-proposed');
    });
  }

  /** Of the partitions, and of the group coordinators. */
  #transfer(): boolean {
    const groups = this.#consumers === null ? [0] : [0, this.#plan.groups];
    const leaders = groups.map((group) => this.#nodes.find((node) => node.isLeading(group)));
    for (const [i, leader] of leaders.entries()) {
      leader?.turn(() => leader.partition(groups[i] as number)?.replica.transferLeadership());
    }
    return leaders.some((leader) => leader !== undefined);
  }

  #isOvertaken(nodeId: number, group: number): boolean {
    const own = this.#nodes[nodeId - 1]?.partition(group)?.replica;
    // Somebody is to be waiting for it.
    if (own?.role !== 'leader' || own.highWatermark === own.logEnd.offset) return false;
    return this.#nodes.some((node) => {
      const other = node.partition(group)?.replica;
      const isLater = other?.role === 'leader' && other.leaderEpoch > own.leaderEpoch;
      return isLater && other.highWatermark >= own.logEnd.offset;
    });
  }

  /** Mostly the newest leader; sometimes one of long ago, or nobody. */
  #findLeader(group: number): SimNode {
    let found: SimNode | null = null;
    let term = -1;
    for (const node of this.#nodes) {
      if (!node.isLeading(group)) continue;
      const { leaderEpoch = -1 } = node.partition(group)?.replica ?? {};
      const isNewer = leaderEpoch > term;
      if (isNewer || this.#random.chance(0.2)) found = node;
      term = Math.max(term, leaderEpoch);
    }
    return found === null || this.#random.chance(0.03) ? this.#random.pick(this.#nodes) : found;
  }

  #lookLater(): void {
    this.world.after(LOOK_MS, () => {
      this.#injector.lookAfter();
      this.#lookLater();
    });
  }

  #describe(): string {
    const nodes = this.#nodes.map((node) => {
      const states = node.watches.map(({ partition }) => {
        if (partition === null) return 'closed';
        const { replica } = partition;
        const flag = replica.isForgetful ? ' forgetful' : '';
        const { offset, marks } = replica.logEnd;
        const what = `${replica.role} t${replica.leaderEpoch}${flag} ends ${offset}+${marks}`;
        return replica.failure === null ? what : `${what} ${replica.failure.message}`;
      });
      return `${node.nodeId} ${node.isUp ? states.join(', ') : 'down'}`;
    });
    return nodes.join('; ');
  }
}
