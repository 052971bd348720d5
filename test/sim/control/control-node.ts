/**
 * One simulated broker with its control plane: a main thread and shard threads of production code
 * on one disk in memory, words between them that take their time, and a life that can end at any
 * moment. Every event is a turn of a loop; what the turn wants to run soon runs at its end.
 */
import type { GroupKey, VoterId } from '#src/base/group.js';
import { METADATA_GROUP } from '#src/base/group.js';
import { isPlainMsgpack } from '#src/base/plain-msgpack.js';
import { Prng } from '#src/base/prng.js';
import type { FoundingMessage } from '#src/broker/founding.js';
import type { ControlPlane } from '#src/control/control-plane.js';
import type { ControlMessage } from '#src/control/messages.js';
import type { LogRange } from '#src/log/log-types.js';
import type { RaftMessage } from '#src/raft/messages.js';
import { GapDetector } from '#src/replication/gap.js';
import { Packr } from 'msgpackr';
import type { Keep, MemoryDisk } from '../../log/memory-disk.js';
import type { Victim } from '../injector.js';
import type { SimMutant } from '../mutant.js';
import type { Delivery, Network, Station } from '../network.js';
import { NodeClock } from '../node-clock.js';
import { isDiskTrouble, newDisk, readRanges } from '../node-parts.js';
import { NodeTurns } from '../node-turns.js';
import { SyncPace } from '../sync-pace.js';
import { Violation, type World } from '../world.js';
import { TICK_MS } from './control-config.js';
import type { ControlHistory } from './control-history.js';
import type { ControlMain } from './control-main.js';
import type { ControlPlan } from './control-plan.js';
import { DIRECTORY, makeProcess, type Process } from './control-process.js';
import type { ControlShards } from './control-shards.js';

export type ControlNodeOptions = {
  readonly id: VoterId;
  readonly voterIds: readonly number[];
  readonly plan: ControlPlan;
  readonly world: World;
  readonly network: Network;
  readonly random: Prng;
  readonly history: ControlHistory;
  readonly mutant: SimMutant | undefined;
  readonly onSent: (node: ControlNode, type: string) => void;
};

const packr = new Packr({ useRecords: false });

export class ControlNode implements Station, Victim {
  readonly nodeId: number;
  id: VoterId;
  disk: MemoryDisk;
  life = 0;
  isUp = false;
  isStranger = false;
  isDamaged = false;
  /** Rises with each link that this process loses. */
  linksLost = 0;
  readonly syncPace: SyncPace;
  readonly clock: NodeClock;
  readonly #o: ControlNodeOptions;
  #process: Process | null = null;
  #shardCount: number;
  #lastEnd: 'killed' | 'power' | 'clean' = 'killed';
  #gap = new GapDetector(0, 0);
  #soon: (() => void)[] = [];
  readonly #links = new Set<number>();
  /** Answers that clients wait for; null when the process ends before. */
  readonly #waiting = new Set<() => void>();
  readonly #turns: NodeTurns;
  /** The process must end, by a disk error. */
  #failure: Error | null = null;

  constructor(options: ControlNodeOptions) {
    const { id, random, world, plan } = options;
    this.#o = options;
    this.id = id;
    this.nodeId = id.nodeId;
    this.clock = new NodeClock(world, random);
    const { syncMsMin, syncMsMax } = plan;
    this.#shardCount = plan.control.shards;
    this.syncPace = new SyncPace({ world, random, syncMsMin, syncMsMax });
    this.#turns = new NodeTurns({
      world,
      random: new Prng(plan.seed ^ (id.nodeId << 8)),
      turnMsMax: plan.turnMsMax,
      onBegin: () => this.#guard(() => this.#lookForGap()),
      onEnd: () => this.#guard(() => this.#endTurn()),
      survives: () => this.#survives(),
    });
    this.disk = newDisk(this, DIRECTORY);
  }

  get hasDiskFailed(): boolean {
    if (!this.isUp || this.#process === null) return false;
    const { main, shards } = this.#process;
    return main.wal.failure !== null || shards.hasDiskFailed;
  }

  get main(): ControlMain | null {
    return this.#process?.main ?? null;
  }

  get shards(): ControlShards | null {
    return this.#process?.shards ?? null;
  }

  get control(): ControlPlane | null {
    return this.#process?.main.control ?? null;
  }

  start(): boolean {
    const { world, network, plan, mutant } = this.#o;
    this.disk.mistake = mutant?.onDisk ?? null;
    this.life++;
    try {
      this.#process = this.#makeProcess();
    } catch (error) {
      if (!isDiskTrouble(error) && !this.disk.isDead) throw error;
      world.branch('cannot-start');
      world.trace(() => `${this.nodeId} cannot start: ${(error as Error).stack}`);
      this.disk.crash('all', this.#o.random);
      return false;
    }
    this.isUp = true;
    this.#lastEnd = 'killed';
    this.#gap = new GapDetector(plan.raft.electionTicksMin * TICK_MS, this.clock.monotonicMs());
    network.join(this);
    this.#tickLater();
    this.turn(() => this.#process?.main.start());
    return this.isUp;
  }

  #makeProcess(): Process {
    const { plan, history, random, mutant, voterIds, world } = this.#o;
    const { disk, clock, id: self, life } = this;
    const shared = { plan, history, random, mutant, voterIds, world, disk, clock, self };
    if (random.chance(plan.control.reshape)) this.#shardCount = random.int(1, 4);
    return makeProcess({
      ...shared,
      shardCount: this.#shardCount,
      lastEnd: this.#lastEnd,
      peers: { send: this.#send.bind(this) },
      sendControl: (to, message) => this.#sendControl(to, message),
      isLinked: (nodeId) => this.#links.has(nodeId),
      schedule: (delayMs, run) => {
        world.after(delayMs, () => {
          if (life === this.life) this.turn(run);
        });
      },
      soon: (run) => this.#soon.push(run),
      onFailed: (error) => {
        this.#failure ??= error;
      },
    });
  }

  crash(keep: Keep, random: Prng): void {
    if (!this.isUp) return;
    this.#o.world.note(`crash ${this.nodeId} ${keep}`);
    this.#end();
    this.#lastEnd = keep === 'all' ? 'killed' : 'power';
    this.disk.crash(keep, random);
  }

  stopCleanly(): boolean {
    if (!this.isUp || this.#process === null) return false;
    const { main, shards, files } = this.#process;
    let isClean = true;
    try {
      for (const shard of shards.all) shard.closeCleanly();
      main.closeCleanly();
      files.finish();
    } catch (error) {
      if (!isDiskTrouble(error)) throw error;
      isClean = false;
    }
    isClean &&= !this.disk.isDead;
    this.#end();
    this.#lastEnd = isClean ? 'clean' : 'killed';
    this.disk.crash('all', this.#o.random);
    return isClean;
  }

  wipe(directoryId: string): void {
    // Before all have written down who founds the cluster, it has nothing to lose.
    if (!this.#o.history.isFounded(this.#o.voterIds.length)) return;
    const id = directoryId.padEnd(22, '_');
    this.#o.world.branch('wiped');
    this.isStranger ||= id !== this.id.directoryId;
    this.id = { nodeId: this.nodeId, directoryId: id };
    this.disk = newDisk(this, DIRECTORY);
  }

  get isPaused(): boolean {
    return this.#turns.isPaused;
  }

  pause(): void {
    this.#turns.isPaused = this.isUp;
  }

  resume(): void {
    if (this.isPaused) this.#turns.resume(() => this.#tick());
  }

  setClockRate(rate: number): void {
    this.clock.setRate(rate);
  }

  onMessages(list: readonly Delivery[]): void {
    this.turn(() => {
      for (const { group, message, payload } of list) {
        if (group.topicId === METADATA_GROUP.topicId) this.main?.onRaft(message, payload);
        else this.shards?.owner(group).shard.receive(group, message, payload, 0);
      }
    });
  }

  onControl(from: number, bytes: Buffer): void {
    this.turn(() => {
      if (!isPlainMsgpack(bytes, 0, bytes.length)) throw new Violation('wire', 'not plain msgpack');
      this.main?.onControl(from, packr.unpack(bytes));
    });
  }

  onLink(nodeId: number, isUp: boolean): void {
    this.turn(() => {
      if (isUp) this.#links.add(nodeId);
      else if (this.#links.delete(nodeId)) this.linksLost++;
      this.main?.onLink(nodeId, isUp);
      for (const { shard } of this.shards?.all ?? []) {
        if (isUp) shard.linkUp(nodeId);
        else shard.linkDown(nodeId);
      }
    });
  }

  isLinked(nodeId: number): boolean {
    return this.#links.has(nodeId);
  }

  /**
   * A client's request: `work` runs in a turn and calls `answer` once, or the process ends before:
   * then it is answered null.
   */
  serve<T>(work: (answer: (value: T) => void) => void, answer: (value: T | null) => void): void {
    if (!this.isUp) return answer(null);
    const drop = (): void => answer(null);
    this.#waiting.add(drop);
    this.turn(() => {
      // Heard when the turn is over; unheard when the process died in it.
      work((value) => {
        this.#turns.tell(() => {
          if (this.#waiting.delete(drop)) answer(value);
        });
      });
    });
  }

  turn(run: () => void): void {
    if (this.isUp) this.#turns.run(() => this.#guard(run));
  }

  /** What the disk does ends the process when the work is over; a bug ends the run. */
  #guard(work: () => void): void {
    try {
      work();
    } catch (error) {
      if (!isDiskTrouble(error) && !this.disk.isDead) throw error;
      this.#failure ??= error as Error;
    }
  }

  #survives(): boolean {
    if (!this.isUp) return false;
    if (this.disk.isDead) this.#die('killed-in-write');
    else if (this.#failure !== null) this.#dieOf(this.#failure);
    return this.isUp;
  }

  #lookForGap(): void {
    if (!this.#gap.look(this.clock.monotonicMs())) return;
    const { main, shards } = this.#process as Process;
    this.#o.world.branch('gap');
    main.resumedAfterGap();
    for (const { shard } of shards.all) shard.resumedAfterGap();
  }

  #endTurn(): void {
    const { main, shards } = this.#process as Process;
    main.turn();
    shards.turn();
    while (this.#soon.length > 0 && this.#failure === null && !this.disk.isDead) {
      (this.#soon.shift() as () => void)();
      main.turn();
    }
  }

  /** What ends the process, as an exception that nobody catches does; somebody starts it again. */
  #dieOf(error: Error): void {
    const isOfDisk = isDiskTrouble(error);
    if (!isOfDisk) throw error instanceof Violation ? error : asViolation(this.nodeId, error);
    this.#die('ended-by-disk');
  }

  #die(how: string): void {
    const { world, random } = this.#o;
    world.fault(how);
    this.crash('all', random);
    const { life } = this;
    world.after(random.int(20, 400), () => this.#startAgain(life));
  }

  #startAgain(life: number): void {
    if (this.isUp || life !== this.life) return;
    const { world } = this.#o;
    const isSound = this.disk.capacityBytes > 0 && this.disk.failSync === null;
    if (isSound && this.start()) return;
    const now = this.life;
    world.after(100, () => this.#startAgain(now));
  }

  #end(): void {
    this.isUp = false;
    this.life++;
    this.#process = null;
    this.#turns.drop();
    this.#soon = [];
    this.#links.clear();
    this.#failure = null;
    this.#o.network.leave(this.nodeId);
    for (const drop of [...this.#waiting]) if (this.#waiting.delete(drop)) drop();
  }

  #tickLater(): void {
    const { life } = this;
    this.#o.world.after(TICK_MS / this.clock.rate, () => {
      if (life !== this.life) return;
      if (!this.isPaused) this.#tick();
      this.#tickLater();
    });
  }

  #tick(): void {
    this.turn(() => this.main?.tick());
    for (const shard of this.shards?.all ?? []) this.turn(() => shard.tick());
  }

  #send(_to: number, group: GroupKey, message: RaftMessage, ranges: readonly LogRange[]): boolean {
    // A dead process says nothing.
    if (this.disk.isDead) return true;
    const payload = readRanges(this.disk, ranges, this.#o.world);
    if (payload === null) return false;
    const isSent = this.#o.network.send(group, message, payload);
    this.#o.onSent(this, message.type);
    return isSent;
  }

  #sendControl(to: number, message: ControlMessage | FoundingMessage): boolean {
    if (this.disk.isDead) return true;
    if (!this.#links.has(to)) return false;
    const { random, plan, world } = this.#o;
    // A link whose buffer is full takes nothing now; the first words on a link always find room.
    const mayRefuse = message.kind !== 'founding' && world.nowMs < plan.faultsUntilMs;
    if (mayRefuse && random.chance(plan.control.refusal)) {
      world.count('refused-message');
      return false;
    }
    return this.#o.network.sendControl(this.nodeId, to, packr.pack(message));
  }
}

function asViolation(nodeId: number, error: Error): Violation {
  return new Violation('assert', `node ${nodeId}: ${error.stack}`);
}
