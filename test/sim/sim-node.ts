/**
 * One simulated broker: the production shard, with its partitions, replicas, logs and write-ahead
 * log, on a disk in memory, with a life that can end at any moment. Every event is a turn of its
 * loop; while paused they wait. What the turn led to is judged at its end.
 */
import type { GroupKey, VoterId } from '#src/base/group.js';
import { Prng } from '#src/base/prng.js';
import type { LogRange } from '#src/log/log-types.js';
import { moveAside } from '#src/log/recovery-state.js';
import { Wal } from '#src/log/wal.js';
import { WriteBehind } from '#src/log/write-behind.js';
import type { Partition } from '#src/partition/partition.js';
import { Shard } from '#src/partition/shard.js';
import type { RaftMessage } from '#src/raft/messages.js';
import { GapDetector } from '#src/replication/gap.js';
import type { Keep, MemoryDisk } from '../log/memory-disk.js';
import type { SentBatch } from './batches.js';
import type { Checker } from './checker.js';
import { type Coordination, NodeGroups } from './groups/node-groups.js';
import type { History } from './history.js';
import { Majority } from './majority.js';
import type { SimMutant } from './mutant.js';
import type { Delivery, Network, Station } from './network.js';
import { NodeClock } from './node-clock.js';
import {
  type Answer,
  Requests,
  branchLogger,
  isDiskTrouble,
  newDisk,
  readRanges,
  writeBehind,
} from './node-parts.js';
import { produceAt } from './node-produce.js';
import { NodeTurns } from './node-turns.js';
import { specOf, topicOf } from './node-config.js';
import { ReplicaWatch } from './replica-watch.js';
import type { Plan } from './plan.js';
import { SyncPace } from './sync-pace.js';
import { Violation, type World } from './world.js';

export type SimGroup = {
  readonly index: number;
  readonly key: GroupKey;
  readonly checker: Checker;
  readonly history: History;
};

export type SimNodeOptions = {
  readonly id: VoterId;
  readonly voters: readonly VoterId[];
  readonly groups: readonly SimGroup[];
  readonly plan: Plan;
  readonly world: World;
  readonly network: Network;
  readonly random: Prng;
  readonly mutant: SimMutant | undefined;
  /** Null in a plan without consumer groups. */
  readonly coordination: Coordination | null;
  readonly others: () => readonly SimNode[];
  /** After a message left; armed faults listen. */
  readonly onSent: (node: SimNode, message: RaftMessage) => void;
};

const TICK_MS = 50;
const DIRECTORY = '/data';
const OPEN_AGAIN_MS = 1_000;

export class SimNode implements Station {
  readonly nodeId: number;
  readonly watches: ReplicaWatch[];
  id: VoterId;
  disk: MemoryDisk;
  life = 0;
  isUp = false;
  readonly syncPace: SyncPace;
  /** Bits flipped on the disk, and nobody may have noticed. */
  isDamaged = false;
  isStranger = false;
  readonly #o: SimNodeOptions;
  readonly #clock: NodeClock;
  #shard: Shard | null = null;
  /** The group coordinators of this life. */
  coordinators: NodeGroups | null = null;
  #wal: Wal | null = null;
  #files: WriteBehind | null = null;
  /** How the last life ended, as the next one is told. */
  #lastEnd: 'killed' | 'power' | 'clean' = 'killed';
  #gap = new GapDetector(0, 0);
  #majority: Majority;
  readonly #turns: NodeTurns;
  readonly #requests = new Requests();

  constructor(options: SimNodeOptions) {
    const { id, random, world } = options;
    this.#o = options;
    this.id = id;
    this.nodeId = id.nodeId;
    this.#clock = new NodeClock(world, random);
    const { syncMsMin, syncMsMax } = options.plan;
    this.syncPace = new SyncPace({ world, random, syncMsMin, syncMsMax });
    const { seed, turnMsMax } = options.plan;
    this.#turns = new NodeTurns({
      world,
      random: new Prng(seed ^ (id.nodeId << 8)),
      turnMsMax,
      onBegin: () => this.#lookForGap(),
      onEnd: () => this.#endTurn(),
      survives: () => this.#survives(),
    });
    this.disk = newDisk(this, DIRECTORY);
    this.watches = options.groups.map((group) => new ReplicaWatch(this, group, options));
    this.#majority = new Majority(options.voters.length, options.plan.raft);
  }

  /** A disk error, not a bug, ended something here: the node is to be restarted. */
  get hasDiskFailed(): boolean {
    return this.isUp && (this.#wal?.failure != null || this.watches.some((w) => w.hasDiskFailed));
  }

  partition(group: number): Partition | null {
    return this.watches[group]?.partition ?? null;
  }

  isLeading(group: number): boolean {
    return this.isUp && this.partition(group)?.replica.role === 'leader';
  }

  isServing(group: number): boolean {
    return this.isUp && !this.isPaused && (this.partition(group)?.replica.isServing ?? false);
  }

  /** False while the disk lets nobody start. No write may wait: it would be told of too early. */
  start(): boolean {
    const { plan, world, network, random, mutant, coordination } = this.#o;
    this.disk.mistake = mutant?.onDisk ?? null;
    const files = writeBehind(this.disk, this.#clock, world, mutant);
    let wal: Wal;
    try {
      const options = { directory: `${DIRECTORY}/wal`, fileBytes: plan.log.walBytes };
      wal = Wal.open({ disk: files, ...options });
      files.finish();
    } catch (error) {
      if (!isDiskTrouble(error)) throw error;
      world.branch('cannot-start');
      this.disk.crash('all', random);
      return false;
    }
    this.life++;
    this.isUp = true;
    [this.#wal, this.#files] = [wal, files];
    const nowMs = this.#clock.monotonicMs();
    this.#gap = new GapDetector(plan.raft.electionTicksMin * TICK_MS, nowMs);
    this.#majority = new Majority(this.#o.voters.length, plan.raft);
    this.#shard = this.#makeShard(wal, files);
    if (coordination !== null) {
      this.coordinators = new NodeGroups(coordination, this, this.#clock, mutant?.inSource);
    }
    this.#lastEnd = 'killed';
    for (const watch of this.watches) this.#open(watch, undefined);
    network.join(this);
    this.#tickLater();
    this.turn(nothing);
    return true;
  }

  #makeShard(wal: Wal, disk: WriteBehind): Shard {
    const { plan, random, mutant } = this.#o;
    return new Shard({
      self: this.id,
      directory: DIRECTORY,
      disk,
      wal,
      transport: {
        send: (_to, group, message, ranges) => this.#send(group, message, ranges),
      },
      clock: this.#clock,
      random: random.fork(),
      knobs: { raft: plan.raft, tickMs: TICK_MS, replicaLagMsMax: 10_000 },
      logger: branchLogger(this.#o.world, this.nodeId),
      isCleanStop: this.#lastEnd === 'clean',
      isPageCacheLost: this.#lastEnd === 'power',
      freeBytesMin: 1,
      producerExpirationMs: Number.MAX_SAFE_INTEGER,
      retentionCheckMs: plan.log.retentionCheckMs,
      scrubIntervalMs: plan.log.scrubIntervalMs,
      onLeadership: (partition) => this.coordinators?.leadershipChanged(partition),
      onDamaged: (group, from) => this.#reopen(group, from),
      wantTurn: nothing,
      mutant: mutant?.inSource,
    });
  }

  /** As the broker does: a foreign folder is moved aside, what cannot be opened is tried again. */
  #open(watch: ReplicaWatch, suspectFrom: number | undefined): void {
    const { plan, world, voters } = this.#o;
    const shard = this.#shard;
    if (shard === null) return;
    const { key } = watch.group;
    const spec = { ...specOf(plan, key, voters), suspectFrom };
    try {
      const partition = shard.open(spec);
      watch.opened(partition);
      this.coordinators?.opened(partition);
    } catch (error) {
      if (!isDiskTrouble(error)) throw error;
      if ((error as { code?: string }).code === 'DIRECTORY_FOREIGN') {
        world.branch('moved-aside');
        moveAside(this.#files as WriteBehind, shard.folderOf(topicOf(key), key.partition));
        return this.#open(watch, suspectFrom);
      }
      world.branch('open-failed');
      const { life } = this;
      world.after(OPEN_AGAIN_MS, () => {
        if (life === this.life) this.turn(() => this.#open(watch, suspectFrom));
      });
    }
  }

  #reopen(group: GroupKey, from: number): void {
    const watch = this.watches[group.partition];
    if (watch === undefined) return;
    this.#o.world.branch('damage-found');
    this.#shard?.close(group);
    watch.closed();
    this.#open(watch, from);
  }

  /** The process ends; `keep` says what of the disk's unsynced work survives. */
  crash(keep: Keep, random: Prng): void {
    if (!this.isUp) return;
    this.#o.world.note(`crash ${this.nodeId} ${keep}`);
    if (this.#files?.isBehind === true) this.#o.world.branch('killed-behind');
    this.#end();
    this.#lastEnd = keep === 'all' ? 'killed' : 'power';
    this.disk.crash(keep, random);
  }

  /** False when the disk did not let it. */
  stopCleanly(): boolean {
    if (!this.isUp) return false;
    let isClean = true;
    try {
      this.#shard?.closeAll();
      this.#wal?.closeCleanly();
      this.#files?.finish();
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

  /** A new disk, under the name that the founders gave or under another one. */
  wipe(directoryId: string): void {
    for (const watch of this.watches) watch.spoil(true);
    this.isStranger ||= directoryId !== this.id.directoryId;
    this.id = { nodeId: this.nodeId, directoryId };
    this.disk = newDisk(this, DIRECTORY);
    this.isDamaged = false;
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
    this.#clock.setRate(rate);
  }

  onMessages(list: readonly Delivery[]): void {
    if (list.length > 1) this.#o.world.branch('several-in-a-frame');
    this.turn(() => {
      // The first ones may be too much for it.
      for (const each of list) if (this.isUp) this.#receive(each);
    });
  }

  #receive({ group, message, payload }: Delivery): void {
    this.#majority.heard(message.from.nodeId);
    const watch = this.watches[group.partition] as ReplicaWatch;
    const before = watch.term;
    this.#shard?.receive(group, message, payload, 0);
    const isUnchanged = message.type !== 'pre-vote' || watch.term === before;
    if (!isUnchanged) throw new Violation('R14', `a pre-vote changes the term of ${this.nodeId}`);
  }

  onLink(nodeId: number, isUp: boolean): void {
    this.turn(() => (isUp ? this.#shard?.linkUp(nodeId) : this.#shard?.linkDown(nodeId)));
  }

  /** Bits flipped here, and the scrub has not been everywhere since, or waits for a repair. */
  mayBeRotten(group: number): boolean {
    const scrub = this.partition(group)?.log.scrub;
    return this.isDamaged && (scrub === undefined || !scrub.isDone || scrub.finding !== null);
  }

  /** A client's request in a turn of its own; `answer` is called once. */
  request<T>(work: (finish: Answer<T>) => void, answer: Answer<T>): void {
    if (!this.isUp) return answer(null);
    const finish = this.#requests.add(answer);
    this.turn(() => work(finish));
  }

  produce(group: number, batch: SentBatch, timeoutMs: number, answer: Answer): void {
    produceAt(this, this.#o.groups[group] as SimGroup, batch, timeoutMs, answer);
  }

  /** See {@link NodeTurns.tell}. */
  tell(how: () => void): void {
    this.#turns.tell(how);
  }

  /** An event in a turn of the loop: the clock first, then the event; see {@link NodeTurns}. */
  turn(run: () => void): void {
    if (this.isUp) this.#turns.run(run);
  }

  #lookForGap(): void {
    if (!this.#gap.look(this.#clock.monotonicMs())) return;
    this.#o.world.branch('gap');
    this.#shard?.resumedAfterGap();
  }

  #endTurn(): void {
    this.#shard?.turn();
    if (!this.disk.isDead) for (const watch of this.watches) watch.look();
  }

  /** A process that was killed in the middle of a write of this turn never said any of it. */
  #survives(): boolean {
    const { world, random } = this.#o;
    if (!this.disk.isDead) return this.isUp;
    world.fault('killed-in-write');
    this.crash('all', random);
    return false;
  }

  #end(): void {
    this.isUp = false;
    this.life++;
    this.#turns.drop();
    for (const watch of this.watches) watch.closed();
    this.#shard = null;
    this.coordinators = null;
    this.#wal = null;
    this.#files = null;
    this.#requests.drop();
    this.#o.network.leave(this.nodeId);
  }

  #tickLater(): void {
    const { life } = this;
    this.#o.world.after(TICK_MS / this.#clock.rate, () => {
      if (life !== this.life) return;
      if (!this.isPaused) this.#tick();
      this.#tickLater();
    });
  }

  #tick(): void {
    this.turn(() => {
      this.#shard?.tick();
      this.coordinators?.tick();
      this.#majority.tick();
    });
    for (const watch of this.watches) {
      if (this.isUp && !this.#majority.mayLead(watch)) {
        throw new Violation('R14', `node ${this.nodeId} leads on without a majority`);
      }
    }
  }

  #send(group: GroupKey, message: RaftMessage, ranges: readonly LogRange[]): boolean {
    // A dead process says nothing.
    if (this.disk.isDead) return true;
    const { network, groups } = this.#o;
    const payload = readRanges(this.disk, ranges, this.#o.world);
    if (payload === null) return false;
    if (message.type === 'voted' && message.isGranted) {
      const { checker } = groups[group.partition] as SimGroup;
      if (this.isStranger) throw new Violation('R12', `stranger ${this.nodeId} votes`);
      checker.onVote(this.nodeId, message.term, message.to.nodeId);
    }
    const isSent = network.send(group, message, payload);
    this.#o.onSent(this, message);
    return isSent;
  }
}

function nothing(): void {
  // Nobody needs to hear of it.
}
