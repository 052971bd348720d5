/**
 * One simulated broker: the production replica, log and write-ahead log on a disk in memory, with
 * a life that can end at any moment. Every event is a turn of its loop; while paused they wait.
 */
import type { Clock } from '#src/base/clock.js';
import type { GroupKey, VoterId } from '#src/base/group.js';
import { comparePositions, formatPosition, ORIGIN, type Position } from '#src/base/position.js';
import type { Prng } from '#src/base/prng.js';
import { DEFAULT_LOG_CONFIG } from '#src/log/log-config.js';
import type { LogRange } from '#src/log/log-types.js';
import { PartitionLog } from '#src/log/partition-log.js';
import { moveAside } from '#src/log/recovery-state.js';
import { Wal } from '#src/log/wal.js';
import type { RaftMessage } from '#src/raft/messages.js';
import type { RaftMutant } from '#src/raft/raft-config.js';
import { GapDetector } from '#src/replication/gap.js';
import { Replica } from '#src/replication/replica.js';
import { type Keep, MemoryDisk } from '../log/memory-disk.js';
import type { Checker, Link, Witness } from './checker.js';
import { LogWatch } from './log-watch.js';
import type { Network, Station } from './network.js';
import type { Plan } from './plan.js';
import { Violation, type World } from './world.js';

export type ProduceEnd = 'acked' | 'refused' | 'unknown';

type Waiter = {
  readonly end: number;
  readonly epoch: number;
  readonly done: (how: ProduceEnd) => void;
};

export type SimNodeOptions = {
  readonly id: VoterId;
  readonly voters: readonly VoterId[];
  readonly group: GroupKey;
  readonly plan: Plan;
  readonly world: World;
  readonly network: Network;
  readonly checker: Checker;
  readonly random: Prng;
  readonly mutant: RaftMutant | undefined;
  readonly others: () => readonly Witness[];
  /** After a message left; armed faults listen. */
  readonly onSent: (node: SimNode, message: RaftMessage) => void;
};

const TICK_MS = 50;
const DIRECTORY = '/data';

export class SimNode implements Station, Witness {
  readonly id: VoterId;
  readonly disk: MemoryDisk;
  life = 0;
  isUp = false;
  /** Factor of what a sync takes above the least. */
  diskSlowness = 1;
  replica: Replica | null = null;
  log: PartitionLog | null = null;
  /** Ended by a disk error, not by a bug: restart it. */
  hasDiskFailed = false;
  readonly #o: SimNodeOptions;
  #wal: Wal | null = null;
  #watch: LogWatch | null = null;
  #durableEnd: Position = ORIGIN;
  #waiters: Waiter[] = [];
  #committed: Position = ORIGIN;
  #ledTerm = -1;
  #isPaused = false;
  #backlog: (() => void)[] = [];
  #gap = new GapDetector(0, 0);
  #tickMs: number;
  #trimTo = 0;

  constructor(options: SimNodeOptions) {
    this.#o = options;
    this.id = options.id;
    // Clocks drift a little apart.
    this.#tickMs = TICK_MS * (0.97 + options.random.float() * 0.06);
    const { plan, world, random } = options;
    this.disk = new MemoryDisk({
      schedule: (run) => {
        const { life } = this;
        // Mostly quick, sometimes very slow; at once when the time of faults is over.
        const spread = random.float() ** 3 * (plan.syncMsMax - plan.syncMsMin);
        const durationMs = plan.syncMsMin + spread * this.diskSlowness;
        world.after(durationMs, () => {
          if (life === this.life) this.turn(run);
        });
      },
    });
    // The node's directory was made by whoever installed the node.
    this.disk.makeDirectory(DIRECTORY);
    this.disk.syncDirectory('/');
  }

  get nodeId(): number {
    return this.id.nodeId;
  }

  get durableEnd(): Position {
    if (this.log === null || this.#watch === null) return this.#durableEnd;
    return this.#o.plan.durability === 'cached' ? this.log.logEnd : this.#watch.durableEnd;
  }

  /** Also while the node is down: what its disk held when it went. */
  get links(): readonly Link[] {
    return this.#watch?.links ?? [];
  }

  get isLeading(): boolean {
    return this.isUp && this.replica?.role === 'leader';
  }

  get isServing(): boolean {
    return this.isUp && !this.#isPaused && (this.replica?.isServing ?? false);
  }

  start(isPageCacheLost: boolean, isCleanStop: boolean): void {
    const { plan, group, world, checker, random } = this.#o;
    this.life++;
    this.isUp = true;
    this.hasDiskFailed = false;
    const { disk } = this;
    const clock = { monotonicMs: () => world.nowMs, wallMs: () => world.nowMs };
    const wal = Wal.open({ disk, directory: `${DIRECTORY}/wal`, fileBytes: plan.walBytes });
    const log = this.#openLog(wal, clock, isPageCacheLost, isCleanStop);
    for (const finding of log.findings) world.branch(`recovery ${finding.kind}`);
    if (log.isForgetful) world.branch('forgetful');
    this.#wal = wal;
    this.log = log;
    this.#watch = new LogWatch(this.nodeId, this.disk, log, checker, this.#durableEnd);
    this.#committed = log.logStart;
    this.#gap = new GapDetector(plan.raft.electionTicksMin * TICK_MS, world.nowMs);
    this.replica = new Replica({
      group,
      self: this.id,
      voters: this.#o.voters,
      log,
      wal,
      transport: { send: (_to, _group, message, ranges) => this.#send(message, ranges) },
      clock,
      random: random.fork(),
      knobs: { raft: plan.raft, tickMs: TICK_MS, replicaLagMsMax: 10_000 },
      durability: () => plan.durability,
      events: this.#events(),
      mutant: this.#o.mutant,
    });
    const from = formatPosition(log.logStart);
    world.note(`start ${this.nodeId} with ${from}..${formatPosition(log.logEnd)}`);
    this.#o.network.join(this);
    this.#tickLater();
    this.turn(() => undefined);
  }

  /** As the broker does, a folder that seems to be another topic's is moved aside. */
  #openLog(wal: Wal, clock: Clock, isPageCacheLost: boolean, isCleanStop: boolean): PartitionLog {
    const { plan, group, world } = this.#o;
    const { disk } = this;
    const directory = `${DIRECTORY}/sim-0`;
    const { durability, segmentBytes } = plan;
    const config = { ...DEFAULT_LOG_CONFIG, durability, segmentBytes, indexIntervalBytes: 64 };
    const options = { disk, directory, ...group, config, wal, clock };
    try {
      return PartitionLog.open({ ...options, isCleanStop, isPageCacheLost });
    } catch (error) {
      if ((error as { code?: string }).code !== 'DIRECTORY_FOREIGN') throw error;
      world.branch('moved-aside');
      moveAside(disk, directory);
      return PartitionLog.open({ ...options, isCleanStop, isPageCacheLost });
    }
  }

  /** The process ends; `keep` says what of the disk's unsynced work survives. */
  crash(keep: Keep, random: Prng): void {
    if (!this.isUp) return;
    this.#o.world.note(`crash ${this.nodeId} ${keep}`);
    this.#durableEnd = this.durableEnd;
    this.#end();
    this.disk.crash(keep, random);
  }

  stopCleanly(): void {
    if (!this.isUp) return;
    this.replica?.close();
    this.log?.closeCleanly();
    this.#wal?.closeCleanly();
    this.#durableEnd = this.durableEnd;
    this.#end();
    // A clean end leaves nothing to chance: everything was synced.
    this.disk.crash('all', this.#o.random);
  }

  pause(): void {
    this.#isPaused = true;
  }

  resume(): void {
    if (!this.#isPaused) return;
    this.#isPaused = false;
    const { life } = this;
    for (const run of this.#backlog.splice(0)) if (life === this.life) this.turn(run);
  }

  get isPaused(): boolean {
    return this.#isPaused;
  }

  onMessage(message: RaftMessage, payload: Buffer): void {
    this.turn(() => this.replica?.receive(message, payload, 0));
  }

  onLinkUp(nodeId: number): void {
    this.turn(() => this.replica?.onLinkUp(nodeId));
  }

  onLinkDown(nodeId: number): void {
    this.turn(() => this.replica?.onLinkDown(nodeId));
  }

  /** Appends a batch and says later how it ended; at once when it was refused. */
  produce(batch: Buffer, records: number, done: (how: ProduceEnd, offset: number) => void): void {
    this.turn(() => {
      const { replica } = this;
      if (replica === null || !replica.mayAppend) return done('refused', -1);
      let offset: number;
      try {
        offset = replica.append(batch, 0, batch.length);
      } catch {
        this.#o.world.branch('append-refused');
        return done('refused', -1);
      }
      const epoch = replica.leaderEpoch;
      this.#waiters.push({ end: offset + records, epoch, done: (how) => done(how, offset) });
    });
  }

  /** ListOffsets(latest) with a leadership check that began after the question (R13). */
  askLatest(): void {
    this.turn(() => {
      const { replica } = this;
      if (replica === null || !replica.isServing) return;
      const before = this.#o.checker.ackedEnd;
      const { leaderEpoch } = replica;
      replica.confirmLeadership((isConfirmed) => {
        if (!isConfirmed || !replica.isServing || replica.leaderEpoch !== leaderEpoch) return;
        this.#o.world.branch('latest-confirmed');
        this.#o.checker.onLatest(this.nodeId, before, replica.highWatermark);
      });
    });
  }

  proposeTrim(offset: number): void {
    this.turn(() => {
      const { replica } = this;
      if (replica === null || offset > replica.highWatermark) return;
      if (replica.proposeLogStart(offset)) this.#o.world.branch('trim-proposed');
    });
  }

  transfer(): void {
    this.turn(() => {
      if (this.replica?.transferLeadership() === true) this.#o.world.branch('transfer-begun');
    });
  }

  /** One turn of the loop: the clock first, then the event, then everything it caused. */
  turn(run: () => void): void {
    if (!this.isUp) return;
    if (this.#isPaused) {
      this.#backlog.push(run);
      return;
    }
    const { replica } = this;
    if (this.#gap.look(this.#o.world.nowMs)) {
      this.#o.world.branch('gap');
      replica?.resumedAfterGap();
    }
    run();
    for (let i = 0; i < 100 && replica?.isDirty === true; i++) {
      replica.drain();
      this.#afterDrain(replica);
    }
    if (replica !== null) this.#afterDrain(replica);
  }

  #afterDrain(replica: Replica): void {
    const { checker } = this.#o;
    if (replica.failure !== null || this.log === null) return;
    const isLeader = replica.role === 'leader';
    const term = replica.leaderEpoch;
    if (isLeader && this.#ledTerm !== term) {
      checker.onLeader(this, term);
      this.#ledTerm = term;
    } else if (!isLeader) this.#ledTerm = -1;
    const commit = replica.commitPosition;
    if (comparePositions(commit, this.#committed) > 0) {
      const from = this.#committed;
      this.#committed = commit;
      checker.onCommit(this, from, commit, term, isLeader, this.#o.others());
    }
    this.#settle(replica, isLeader);
    this.#moveLogStart(this.log);
  }

  #moveLogStart(log: PartitionLog): void {
    if (this.#trimTo <= log.logStartOffset) return;
    try {
      log.setLogStart(this.#trimTo);
    } catch (error) {
      // The disk is full: the next turn tries again.
      if ((error as { code?: string }).code !== 'STORAGE_FULL') throw error;
    }
  }

  #settle(replica: Replica, isLeader: boolean): void {
    const waiters = this.#waiters;
    if (waiters.length === 0) return;
    this.#waiters = [];
    for (const waiter of waiters) {
      if (!isLeader || waiter.epoch !== replica.leaderEpoch) waiter.done('unknown');
      else if (waiter.end <= replica.highWatermark) waiter.done('acked');
      else this.#waiters.push(waiter);
    }
  }

  #end(): void {
    this.isUp = false;
    this.life++;
    this.replica?.close();
    this.replica = null;
    this.log = null;
    this.#wal = null;
    this.#isPaused = false;
    this.#backlog = [];
    this.#trimTo = 0;
    this.#ledTerm = -1;
    for (const waiter of this.#waiters.splice(0)) waiter.done('unknown');
    this.#o.network.leave(this.nodeId);
  }

  #tickLater(): void {
    const { life } = this;
    this.#o.world.after(this.#tickMs, () => {
      if (life !== this.life) return;
      this.turn(() => {
        this.#wal?.tick();
        this.replica?.tick();
      });
      this.#tickLater();
    });
  }

  #send(message: RaftMessage, ranges: readonly LogRange[]): boolean {
    const parts = ranges.map((range) =>
      this.disk.readFd(range.fd, range.filePosition, range.length),
    );
    const { checker, network } = this.#o;
    if (message.type === 'voted' && message.isGranted) {
      checker.onVote(this.nodeId, message.term, message.to.nodeId);
    }
    const isSent = network.send(message, Buffer.concat(parts));
    this.#o.onSent(this, message);
    return isSent;
  }

  #events() {
    const { world } = this.#o;
    return {
      onRole: () => undefined,
      onCommitted: () => undefined,
      onAppended: () => undefined,
      onTruncated: () => world.branch('truncated'),
      onReset: () => world.branch('reset'),
      onMarkCommitted: (mark: { kind: string; logStartOffset?: number }) => {
        if (mark.kind === 'log-start')
          this.#trimTo = Math.max(this.#trimTo, mark.logStartOffset ?? 0);
      },
      onDirty: () => undefined,
      onEvent: (event: { kind: string }) => {
        world.branch(event.kind);
        world.note(`${this.nodeId} ${event.kind}`);
      },
      onFailed: (error: Error) => this.#onFailed(error),
    };
  }

  #onFailed(error: Error): void {
    if (error instanceof Violation) throw error;
    const { code } = error as { code?: string };
    if (code !== 'STORAGE_FAILED')
      throw new Violation('assert', `node ${this.nodeId}: ${error.stack}`);
    this.#o.world.branch('disk-failed');
    this.hasDiskFailed = true;
  }
}
