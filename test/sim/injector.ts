/**
 * Makes the faults of a plan happen to nodes, disks, clocks and the wire, takes them back when
 * their time is over, and counts those that really happened. When the faults are over it heals.
 */
import type { VoterId } from '#src/base/group.js';
import type { Prng } from '#src/base/prng.js';
import type { Keep, MemoryDisk } from '../log/memory-disk.js';
import type { Network } from './network.js';
import type { Fault, RottenFile } from './plan-faults.js';
import type { SyncPace } from './sync-pace.js';
import type { World } from './world.js';

type Armed = Extract<Fault, { kind: 'power-after' }>;

const RESTART_MS = 500;
const START_AGAIN_MS = 100;
const OVERTAKE_LOOK_MS = 5;

/** A node that faults can happen to. */
export type Victim = {
  readonly nodeId: number;
  readonly id: VoterId;
  readonly life: number;
  readonly isUp: boolean;
  readonly isPaused: boolean;
  readonly isStranger: boolean;
  /** Bits flipped on its disk. */
  isDamaged: boolean;
  /** A disk error ended something here: it is to be restarted. */
  readonly hasDiskFailed: boolean;
  readonly disk: MemoryDisk;
  readonly syncPace: SyncPace;
  /** False while the disk lets nobody start. */
  start(): boolean;
  crash(keep: Keep, random: Prng): void;
  /** False when the disk did not let it. */
  stopCleanly(): boolean;
  wipe(directoryId: string): void;
  pause(): void;
  resume(): void;
  setClockRate(rate: number): void;
};

export type InjectorOptions = {
  readonly world: World;
  readonly random: Prng;
  readonly network: Network;
  readonly nodes: readonly Victim[];
  /** Some leader is asked to hand over; false when there is none. */
  readonly transfer: () => boolean;
  /** Who leads a group; null: nobody, or there are no such groups here. */
  readonly leaderOf?: (group: number) => number | null;
  /** Another leader of the group has committed more than this node has. */
  readonly isOvertaken?: (nodeId: number, group: number) => boolean;
  /** A node has lost, or may have lost, what it held durably. */
  readonly onSpoilt: (nodeId: number) => void;
  /** Which file of a disk rots; null when there is none that may. */
  readonly rotten?: (disk: MemoryDisk, file: RottenFile) => string | null;
  /** A wiped node comes back under its old directory id: a mutant. */
  readonly keepsIdentity: boolean;
};

export class Injector {
  readonly #o: InjectorOptions;
  #armed: Armed[] = [];
  #isOver = false;
  #wipes = 0;

  constructor(options: InjectorOptions) {
    this.#o = options;
  }

  inject(fault: Fault): void {
    if (this.#isOver) return;
    const { nodes } = this.#o;
    switch (fault.kind) {
      case 'kill':
        return this.#crash(this.#node(fault.node), 'all', fault.downMs);
      case 'power':
        return this.#crash(this.#node(fault.node), fault.keep, fault.downMs);
      case 'kill-all':
        for (const node of nodes) this.#crash(node, 'all', fault.downMs);
        return;
      case 'power-all':
        for (const node of nodes) this.#crash(node, fault.keep, fault.downMs);
        return;
      case 'power-after':
        this.#armed.push(fault);
        return;
      case 'kill-in-write': {
        const { disk } = this.#node(fault.node);
        disk.killInWrite = this.#o.random.fork();
        disk.writesUntilKill = fault.writes;
        return;
      }
      case 'restart-cleanly':
        return this.#restartCleanly(this.#node(fault.node), fault.downMs);
      case 'wipe':
        return this.#wipe(this.#node(fault.node), fault.downMs);
      case 'rot':
        return this.#rot(fault);
      case 'transfer':
        if (this.#o.transfer()) this.#o.world.fault('transfer');
        return;
      default:
        return this.#injectForAWhile(fault);
    }
  }

  /** Armed faults: the power goes while what was said is not yet on the disk. */
  onSent(node: Victim, type: string): void {
    if (this.#armed.length === 0) return;
    const { nodeId } = node;
    const index = this.#armed.findIndex((f) => f.node === nodeId && f.message === type);
    const fault = this.#armed[index];
    if (fault === undefined) return;
    this.#armed.splice(index, 1);
    this.#o.world.after(0, () => this.#crash(node, fault.keep, fault.downMs));
  }

  /** As an operator does: who was stopped by his disk, or died in a write, is started again. */
  lookAfter(): void {
    for (const node of this.#o.nodes) {
      // What a failed sync left in the page cache is not on disk; a restart must not believe it.
      if (node.hasDiskFailed) this.#crash(node, 'all', RESTART_MS);
    }
  }

  /** The faults are over for these nodes; the others are cut off from them. */
  heal(lucky: readonly Victim[]): void {
    const { world, network, nodes } = this.#o;
    this.#isOver = true;
    this.#armed = [];
    world.note(`heal ${lucky.map((node) => node.nodeId).join(' ')}`);
    network.calm();
    for (const node of nodes) {
      if (lucky.includes(node)) this.#mend(node);
      else {
        for (const other of lucky) {
          network.cut(node.nodeId, other.nodeId);
          network.cut(other.nodeId, node.nodeId);
        }
      }
    }
  }

  #mend(node: Victim): void {
    node.syncPace.quicken();
    node.setClockRate(1);
    mendDisk(node.disk);
    node.disk.killInWrite = null;
    node.resume();
    if (!node.isUp) node.start();
  }

  #injectForAWhile(fault: Extract<Fault, { forMs: number }>): void {
    const { world, network } = this.#o;
    if (fault.kind === 'overtake') return this.#overtake(fault);
    world.fault(fault.kind);
    switch (fault.kind) {
      case 'cut':
        network.cut(fault.to, fault.from);
        network.cut(fault.from, fault.to);
        break;
      case 'cut-one-way':
        network.cut(fault.from, fault.to);
        break;
      case 'isolate':
        this.#isolate(fault.node);
        break;
      case 'bridge':
        this.#cutHalves(fault.node);
        break;
      case 'slow-net':
        network.slowDown(fault.factor);
        break;
      default:
        return this.#spoilNode(fault);
    }
    world.after(fault.forMs, () => {
      if (!this.#isOver) network.heal();
    });
  }

  /** It comes back while it still believes that it leads. */
  #overtake({ group, forMs }: Extract<Fault, { kind: 'overtake' }>): void {
    const { world, network, leaderOf, isOvertaken } = this.#o;
    const leader = leaderOf?.(group) ?? null;
    if (leader === null) return;
    world.fault('overtake');
    this.#isolate(leader);
    const endMs = world.nowMs + forMs;
    const look = (): void => {
      if (this.#isOver) return;
      const isOvertakenNow = isOvertaken?.(leader, group) ?? false;
      if (isOvertakenNow) world.branch('leader-overtaken');
      if (isOvertakenNow || world.nowMs >= endMs) network.heal();
      else world.after(OVERTAKE_LOOK_MS, look);
    };
    world.after(OVERTAKE_LOOK_MS, look);
  }

  #isolate(nodeId: number): void {
    const { network, nodes } = this.#o;
    for (const node of nodes) {
      network.cut(nodeId, node.nodeId);
      network.cut(node.nodeId, nodeId);
    }
  }

  #spoilNode(fault: Extract<Fault, { forMs: number }>): void {
    const { world, nodes } = this.#o;
    const of = 'node' in fault ? fault.node : 0;
    const hit = of === 0 ? nodes : [this.#node(of)];
    for (const node of hit) {
      const { disk } = node;
      if (fault.kind === 'pause') node.pause();
      if (fault.kind === 'slow-disk') node.syncPace.slowness = fault.factor;
      if (fault.kind === 'slow-writes') {
        disk.hasStalled = true;
        node.syncPace.slowness = fault.factor;
      }
      if (fault.kind === 'slow-clock') node.setClockRate(fault.rate);
      if (fault.kind === 'full-disk') disk.capacityBytes = 0;
      if (fault.kind === 'failing-disk') disk.failSync = /./;
      if (fault.kind === 'unreadable-disk') disk.failRead = new RegExp(fault.files);
      world.after(fault.forMs, () => {
        if (fault.kind === 'pause') node.resume();
        if (this.#isOver) return;
        node.syncPace.slowness = 1;
        if (fault.kind === 'slow-clock') node.setClockRate(1);
        mendDisk(disk);
      });
    }
  }

  /** Nodes below and nodes above `bridge` hear each other no more. */
  #cutHalves(bridge: number): void {
    const { nodes, network } = this.#o;
    const others = nodes.map((node) => node.nodeId).filter((id) => id !== bridge);
    const half = others.length >> 1;
    for (const [i, a] of others.entries()) {
      for (const [j, b] of others.entries()) if (i < half !== j < half) network.cut(a, b);
    }
  }

  #crash(node: Victim, keep: Keep, downMs: number): void {
    if (!node.isUp) return;
    const { world, random } = this.#o;
    world.fault(keep === 'all' ? 'kill' : 'power');
    if (keep === 'all' && node.disk.counters.failedSyncs > 0)
      world.branch('kill-after-failed-sync');
    node.disk.counters.failedSyncs = 0;
    node.crash(keep, random);
    this.#startLater(node, downMs);
  }

  #restartCleanly(node: Victim, downMs: number): void {
    if (!this.#isStoppable(node)) return;
    const isClean = node.stopCleanly();
    this.#o.world.fault(isClean ? 'clean-restart' : 'unclean-restart');
    this.#startLater(node, downMs);
  }

  /** A full disk or a failed one leaves no clean stop. */
  #isStoppable(node: Victim): boolean {
    return node.isUp && !node.isPaused && !node.hasDiskFailed && isSound(node.disk);
  }

  #wipe(node: Victim, downMs: number): void {
    if (!node.isUp) return;
    node.crash('none', this.#o.random);
    this.#o.world.fault('wipe');
    const directoryId = `wiped-${node.nodeId}-${++this.#wipes}`;
    node.wipe(this.#o.keepsIdentity ? node.id.directoryId : directoryId);
    this.#startLater(node, downMs);
  }

  #rot({ node: nodeId, isClean, file, downMs }: Extract<Fault, { kind: 'rot' }>): void {
    const node = this.#node(nodeId);
    const { random, world } = this.#o;
    if (!this.#isStoppable(node) || node.isStranger) return;
    const wasClean = isClean && node.stopCleanly();
    if (!wasClean) node.crash('all', random);
    const path = this.#victim(node, file);
    if (path !== null) {
      node.disk.flipBit(path, random.int(0, node.disk.fileSize(path)), random.int(0, 8));
      world.fault(wasClean ? `rot-${file}-unseen` : `rot-${file}`);
      node.isDamaged = true;
      this.#o.onSpoilt(node.nodeId);
    }
    this.#startLater(node, downMs);
  }

  /** Some file of a partition that holds something. */
  #victim({ disk }: Victim, file: RottenFile): string | null {
    if (this.#o.rotten !== undefined) return this.#o.rotten(disk, file);
    const ending = file === 'log' ? /\.log$/ : /index$/;
    const paths = disk
      .list('/data')
      .filter((name) => /^(sim|__consumer_offsets)-\d$/.test(name))
      .flatMap((name) => disk.list(`/data/${name}`).map((each) => `/data/${name}/${each}`))
      .filter((path) => ending.test(path) && disk.fileSize(path) > 0);
    return paths.length === 0 ? null : this.#o.random.pick(paths);
  }

  #startLater(node: Victim, downMs: number): void {
    const { life } = node;
    const start = (): void => {
      if (node.isUp || node.life !== life) return;
      // On a full disk, or one that cannot be read, nothing starts: as an operator would, wait.
      const isStarted = isSound(node.disk) && node.start();
      if (!isStarted) this.#o.world.after(START_AGAIN_MS, start);
    };
    this.#o.world.after(this.#o.random.int(1, downMs + 1), start);
  }

  #node(nodeId: number): Victim {
    return this.#o.nodes[nodeId - 1] as Victim;
  }
}

function isSound(disk: MemoryDisk): boolean {
  return disk.capacityBytes > 0 && disk.failSync === null;
}

function mendDisk(disk: MemoryDisk): void {
  disk.capacityBytes = Number.MAX_SAFE_INTEGER;
  disk.failSync = null;
  disk.failRead = null;
  disk.hasStalled = false;
}
