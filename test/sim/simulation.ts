/**
 * Runs one seed: makes the plan, lets the faults happen to a cluster under load, heals it, demands
 * progress in bounded time, and reads everything back.
 */
import type { VoterId } from '#src/base/group.js';
import { isSamePosition } from '#src/base/position.js';
import { Prng } from '#src/base/prng.js';
import { crc32c } from '#src/native/crc32c.js';
import type { RaftMutant } from '#src/raft/raft-config.js';
import { encodeBatch } from '#src/records/batch.js';
import type { Keep, MemoryDisk } from '../log/memory-disk.js';
import { Checker, type Witness } from './checker.js';
import { Network } from './network.js';
import { type Fault, makePlan, type Plan } from './plan.js';
import { crcOf, readLog } from './log-watch.js';
import { SimNode } from './sim-node.js';
import { Violation, World } from './world.js';

export type SimResult = {
  readonly seed: number;
  readonly violation: Error | null;
  readonly simulatedMs: number;
  readonly events: number;
  readonly acked: number;
  readonly hash: number;
  readonly faults: Readonly<Record<string, number>>;
  readonly branches: Readonly<Record<string, number>>;
};

export type SimOptions = {
  readonly mutant?: RaftMutant | undefined;
  readonly isTraced?: boolean;
};

const GROUP = { topicId: 'c2ltdWxhdGVkdG9waWNpZA', partition: 0 };
/** L1: acks flow again this long after a majority is connected. */
const PROGRESS_MS = 10_000;
const PROGRESS_ACKS = 3;
/** Every replica has everything this long after the load ended, even one append at a time. */
const SETTLE_MS = 120_000;
const ASK_MS = 90;

function isSound(disk: MemoryDisk): boolean {
  return disk.capacityBytes > 0 && disk.failSync === null;
}

export function simulate(seed: number, options: SimOptions = {}): SimResult {
  const simulation = new Simulation(makePlan(seed), options);
  let violation: Error | null = null;
  try {
    simulation.run();
  } catch (error) {
    violation = error instanceof Error ? error : new Error(String(error));
  }
  const { world, checker } = simulation;
  return {
    seed,
    violation,
    simulatedMs: world.nowMs,
    events: world.events,
    acked: checker.acked,
    hash: world.hash,
    faults: world.faults,
    branches: world.branches,
  };
}

export class Simulation {
  readonly world: World;
  readonly checker: Checker;
  readonly #plan: Plan;
  readonly #network: Network;
  readonly #nodes: SimNode[];
  readonly #random: Prng;
  readonly #load: Prng;
  #armed: (Fault & { kind: 'power-after' })[] = [];
  #isHealed = false;
  #isLoadOver = false;
  #nextBatch = 0;
  #trimmedTo = 0;

  constructor(plan: Plan, options: SimOptions) {
    this.#plan = plan;
    this.world = new World(options.isTraced);
    // One seed, one stream a purpose: a fault more does not change the load.
    const random = new Prng(plan.seed ^ 0x5eed);
    this.#random = random.fork();
    this.#load = random.fork();
    this.#network = new Network(this.world, random.fork(), plan.network);
    this.checker = new Checker(this.world, plan.nodes, GROUP);
    const voters: VoterId[] = [];
    for (let i = 1; i <= plan.nodes; i++) voters.push({ nodeId: i, directoryId: `directory-${i}` });
    this.#nodes = voters.map(
      (id) =>
        new SimNode({
          id,
          voters,
          group: GROUP,
          plan,
          world: this.world,
          network: this.#network,
          checker: this.checker,
          random: random.fork(),
          mutant: options.mutant,
          others: (): readonly Witness[] => this.#nodes,
          onSent: (node, message) => this.#onSent(node, message.type),
        }),
    );
  }

  run(): void {
    const { world } = this;
    const plan = this.#plan;
    for (const node of this.#nodes) world.at(0, () => node.start(false, false));
    for (const { atMs, fault } of plan.faults) world.at(atMs, () => this.#inject(fault));
    this.#produceLater();
    this.#askLater();
    world.runUntil(plan.faultsUntilMs);
    this.#heal();
    const target = this.checker.acked + PROGRESS_ACKS;
    const deadlineMs = world.nowMs + PROGRESS_MS;
    world.runUntil(deadlineMs, () => this.checker.acked >= target);
    if (this.checker.acked < target) throw new Violation('L1', this.#describe());
    this.#isLoadOver = true;
    world.runUntil(world.nowMs + SETTLE_MS, () => this.#hasSettled);
    this.#readBack();
  }

  get #hasSettled(): boolean {
    const [first] = this.#nodes;
    return this.#nodes.every(({ replica }) => {
      const end = first?.replica?.logEnd;
      if (replica === null || end === undefined) return false;
      return isSamePosition(replica.commitPosition, end) && isSamePosition(replica.logEnd, end);
    });
  }

  #heal(): void {
    this.#isHealed = true;
    this.#armed = [];
    this.world.note('heal');
    this.#network.calm();
    for (const node of this.#nodes) {
      node.diskSlowness = 0;
      node.disk.capacityBytes = Number.MAX_SAFE_INTEGER;
      node.disk.failSync = null;
      node.resume();
      if (!node.isUp) node.start(false, false);
    }
  }

  #inject(fault: Fault): void {
    if (this.#isHealed) return;
    const { world } = this;
    switch (fault.kind) {
      case 'kill':
        return this.#crash(this.#node(fault.node), 'all', fault.downMs);
      case 'power':
        return this.#crash(this.#node(fault.node), fault.keep, fault.downMs);
      case 'kill-all':
        for (const node of this.#nodes) this.#crash(node, 'all', fault.downMs);
        return;
      case 'power-all':
        for (const node of this.#nodes) this.#crash(node, fault.keep, fault.downMs);
        return;
      case 'power-after':
        this.#armed.push(fault);
        return;
      case 'restart-cleanly':
        return this.#restartCleanly(this.#node(fault.node), fault.downMs);
      case 'transfer':
        world.fault('transfer');
        this.#nodes.find((node) => node.isLeading)?.transfer();
        return;
      case 'trim':
        return this.#trim();
      default:
        return this.#injectForAWhile(fault);
    }
  }

  #injectForAWhile(fault: Extract<Fault, { forMs: number }>): void {
    const { world } = this;
    world.fault(fault.kind);
    switch (fault.kind) {
      case 'pause': {
        const node = this.#node(fault.node);
        node.pause();
        world.after(fault.forMs, () => node.resume());
        return;
      }
      case 'cut':
        this.#network.cut(fault.to, fault.from);
        this.#network.cut(fault.from, fault.to);
        break;
      case 'cut-one-way':
        this.#network.cut(fault.from, fault.to);
        break;
      case 'isolate':
        for (const node of this.#nodes) {
          this.#network.cut(fault.node, node.nodeId);
          this.#network.cut(node.nodeId, fault.node);
        }
        break;
      case 'slow-net':
        this.#network.slowDown(fault.factor);
        break;
      case 'slow-disk': {
        const node = this.#node(fault.node);
        node.diskSlowness = fault.factor;
        world.after(fault.forMs, () => {
          if (!this.#isHealed) node.diskSlowness = 1;
        });
        return;
      }
      case 'failing-disk': {
        const { disk } = this.#node(fault.node);
        disk.failSync = /./;
        world.after(fault.forMs, () => {
          disk.failSync = null;
        });
        return;
      }
      case 'full-disk': {
        const { disk } = this.#node(fault.node);
        disk.capacityBytes = 0;
        world.after(fault.forMs, () => {
          disk.capacityBytes = Number.MAX_SAFE_INTEGER;
        });
        return;
      }
    }
    world.after(fault.forMs, () => this.#network.heal());
  }

  #crash(node: SimNode, keep: Keep, downMs: number): void {
    if (!node.isUp) return;
    this.world.fault(keep === 'all' ? 'kill' : 'power');
    node.crash(keep, this.#random);
    this.#startLater(node, keep !== 'all', false, downMs);
  }

  #restartCleanly(node: SimNode, downMs: number): void {
    // A full disk or a failed one leaves no clean stop.
    if (!node.isUp || node.isPaused || node.hasDiskFailed || !isSound(node.disk)) return;
    this.world.fault('clean-restart');
    node.stopCleanly();
    this.#startLater(node, false, true, downMs);
  }

  #startLater(node: SimNode, isPageCacheLost: boolean, isClean: boolean, downMs: number): void {
    const { life } = node;
    const start = (): void => {
      if (node.isUp || node.life !== life) return;
      // A write-ahead log cannot be made on a full disk: as an operator would, wait.
      if (!isSound(node.disk)) this.world.after(100, start);
      else node.start(isPageCacheLost, isClean);
    };
    this.world.after(this.#random.int(1, downMs + 1), start);
  }

  #trim(): void {
    const leader = this.#nodes.find((node) => node.isServing);
    const highWatermark = leader?.replica?.highWatermark ?? 0;
    if (leader === undefined || highWatermark < 2) return;
    this.world.fault('trim');
    const offset = this.#random.int(1, highWatermark + 1);
    this.#trimmedTo = Math.max(this.#trimmedTo, offset);
    leader.proposeTrim(offset);
  }

  /** Armed faults: the power goes while what was said is not yet on the disk. */
  #onSent(node: SimNode, type: string): void {
    const index = this.#armed.findIndex(
      (fault) => fault.node === node.nodeId && fault.message === type,
    );
    const fault = this.#armed[index];
    if (fault === undefined) return;
    this.#armed.splice(index, 1);
    this.world.after(0, () => this.#crash(node, fault.keep, fault.downMs));
  }

  #produceLater(): void {
    const { produceMs, recordsMax } = this.#plan;
    this.world.after(this.#load.float() * 2 * produceMs, () => {
      const records = this.#load.int(1, recordsMax + 1);
      const leaders = this.#nodes.filter((node) => node.isLeading);
      const node = this.#load.pick(leaders.length > 0 ? leaders : this.#nodes);
      if (node.isUp && !this.#isLoadOver) this.#produce(node, records);
      this.#produceLater();
    });
  }

  #produce(node: SimNode, records: number): void {
    const value = Buffer.from(`batch ${this.#nextBatch++}`);
    const inputs = Array.from({ length: records }, () => ({ key: null, value, timestamp: 0 }));
    const batch = encodeBatch({ records: inputs }, crc32c);
    node.produce(batch, records, (how, offset) => {
      this.world.branch(`produce-${how}`);
      if (how === 'acked') this.checker.onAck(offset, records, crcOf(batch, 0));
    });
  }

  #askLater(): void {
    this.world.after(this.#load.float() * 2 * ASK_MS, () => {
      const serving = this.#nodes.filter((node) => node.isServing);
      if (serving.length > 0) this.#load.pick(serving).askLatest();
      for (const node of this.#nodes) this.#maybeReplaceDisk(node);
      this.#askLater();
    });
  }

  #maybeReplaceDisk(node: SimNode): void {
    if (node.isUp && node.hasDiskFailed) this.#crash(node, 'none', 500);
  }

  /** Every replica, read to its end, holds every acknowledged batch. */
  #readBack(): void {
    for (const node of this.#nodes) {
      const { log, replica } = node;
      if (log === null || replica === null)
        throw new Violation('L3', `node ${node.nodeId} is down`);
      const crcs = new Map<number, number>();
      for (const entry of readLog(node.disk, log)) {
        if (entry.isBatch) crcs.set(entry.baseOffset, entry.content);
      }
      this.checker.onFinalRead(node.nodeId, replica.highWatermark, log.logStartOffset, crcs);
    }
  }

  #describe(): string {
    const nodes = this.#nodes.map((node) => {
      const { replica } = node;
      if (replica === null) return `${node.nodeId} down`;
      const flag = replica.isForgetful ? ' forgetful' : '';
      const { role, leaderEpoch, failure } = replica;
      return `${node.nodeId} ${role} t${leaderEpoch}${flag} ${failure ?? ''}`;
    });
    return `no progress within ${PROGRESS_MS} ms: ${nodes.join('; ')}`;
  }

  #node(nodeId: number): SimNode {
    return this.#nodes[nodeId - 1] as SimNode;
  }
}
