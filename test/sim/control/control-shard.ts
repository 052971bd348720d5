/**
 * What a broker does on a shard thread, put together as `src/broker` does it: the production shard,
 * its view of the image and the keeper that opens, reconfigures and removes its replicas.
 */
import type { Clock } from '#src/base/clock.js';
import { type GroupKey, groupText, type VoterId } from '#src/base/group.js';
import type { Mutant } from '#src/base/mutant.js';
import type { Prng } from '#src/base/prng.js';
import { LeadershipReporter } from '#src/broker/leadership-reporter.js';
import { ReplicaKeeper } from '#src/broker/replica-keeper.js';
import { ShardView } from '#src/broker/shard-view.js';
import type { LeaderFact } from '#src/control/announcer.js';
import type { Disk } from '#src/log/disk.js';
import { Wal } from '#src/log/wal.js';
import { walDirectory } from '#src/log/wal-shards.js';
import type { Logger } from '#src/observability/logger.js';
import type { Partition } from '#src/partition/partition.js';
import { Shard } from '#src/partition/shard.js';
import type { PeerTransport } from '#src/replication/replica.js';
import { isDiskTrouble } from '../node-parts.js';
import { Violation } from '../world.js';
import { TICK_MS, TOPIC_DEFAULTS } from './control-config.js';
import type { ControlHistory } from './control-history.js';
import type { ControlPlan } from './control-plan.js';
import { WatchedReplicas } from './watched-replicas.js';

export type ShardPartOptions = {
  readonly index: number;
  /** Of the node. */
  readonly shards: number;
  readonly plan: ControlPlan;
  readonly self: VoterId;
  readonly directory: string;
  readonly disk: Disk;
  readonly clock: Clock;
  readonly random: Prng;
  readonly logger: Logger;
  readonly history: ControlHistory;
  readonly branch: (name: string) => void;
  readonly mutant: Mutant | undefined;
  /** What an image does not know, however old it is, is removed: a mutant. */
  readonly deletesOrphans: boolean;
  readonly isCleanStop: boolean;
  readonly isPageCacheLost: boolean;
  readonly peers: PeerTransport;
  readonly later: (run: () => void) => void;
  /** To the main thread. */
  readonly onLeadership: (facts: readonly LeaderFact[]) => void;
  readonly onReconciled: (offset: number, unopened: number) => void;
};

const HOUSEKEEPING_TICKS = 5;
const SCRUB_INTERVAL_MS = 600_000;

export class ControlShard {
  readonly wal: Wal;
  readonly shard: Shard;
  readonly view: ShardView;
  readonly keeper: ReplicaKeeper;
  readonly local: WatchedReplicas;
  /** Some replica was ended by a disk error. */
  hasDiskFailed = false;
  readonly #o: ShardPartOptions;
  readonly #reporter: LeadershipReporter;
  readonly #serving = new Map<string, number>();
  #ticks = 0;

  constructor(options: ShardPartOptions) {
    const { plan, self, disk, directory, clock, logger, history, index, shards } = options;
    this.#o = options;
    this.wal = Wal.open({
      disk,
      directory: walDirectory(`${directory}/wal`, index),
      fileBytes: plan.control.walBytes,
    });
    this.#reporter = new LeadershipReporter(options.onLeadership);
    this.shard = this.#makeShard();
    const { deletesOrphans } = options;
    this.local = new WatchedReplicas({ disk, directory, logger, self, history, deletesOrphans });
    this.local.scan(index, shards);
    this.keeper = new ReplicaKeeper({
      index,
      shards,
      self,
      clock: plan.control.isKeeperSlow ? hurried(clock) : clock,
      shard: this.shard,
      wal: this.wal,
      local: this.local,
      defaults: TOPIC_DEFAULTS,
      logger,
      wish: () => (deletesOrphans ? { image: this.view.image, isCurrent: true } : this.view),
      later: options.later,
      onSettled: () => {
        const { appliedOffset } = this.view.image;
        options.onReconciled(appliedOffset, this.keeper.failures().length);
      },
    });
    this.view = new ShardView({ keeper: this.keeper, onTopicsDeleted: () => undefined });
  }

  turn(): void {
    this.shard.turn();
    this.#reporter.flush();
  }

  tick(): void {
    this.#ticks++;
    this.shard.tick();
    if (this.#ticks % HOUSEKEEPING_TICKS !== 0) return;
    this.keeper.tick(this.#o.clock.monotonicMs());
    for (const partition of this.shard.partitions) this.#reporter.note(partition);
  }

  closeCleanly(): void {
    this.shard.closeAll();
    this.wal.closeCleanly();
  }

  #makeShard(): Shard {
    const { plan, self, disk, directory, clock, random, logger, peers, mutant } = this.#o;
    const { isCleanStop, isPageCacheLost } = this.#o;
    return new Shard({
      self,
      directory,
      disk,
      wal: this.wal,
      transport: peers,
      clock,
      random,
      knobs: { raft: plan.raft, tickMs: TICK_MS, replicaLagMsMax: 10_000 },
      logger,
      isCleanStop,
      isPageCacheLost,
      freeBytesMin: 1,
      producerExpirationMs: Number.MAX_SAFE_INTEGER,
      retentionCheckMs: 60_000,
      scrubIntervalMs: SCRUB_INTERVAL_MS,
      onLeadership: (partition) => this.#onLeadership(partition),
      onDamaged: (group, from) => this.keeper.reopen(group, from),
      wantTurn: () => undefined,
      mutant,
    });
  }

  #onLeadership(partition: Partition): void {
    this.#reporter.note(partition);
    const { group, replica } = partition;
    if (replica.failure !== null) return this.#onFailure(group, replica.failure);
    const { leaderEpoch } = replica;
    const key = groupText(group);
    if (!replica.isServing || this.#serving.get(key) === leaderEpoch) return;
    this.#serving.set(key, leaderEpoch);
    this.#o.history.onServing(this.#o.self.nodeId, group, leaderEpoch);
  }

  #onFailure({ topicId, partition }: GroupKey, error: Error): void {
    if (error instanceof Violation) throw error;
    if (!isDiskTrouble(error)) {
      const { nodeId } = this.#o.self;
      throw new Violation('assert', `node ${nodeId} ${topicId}:${partition}: ${error.stack}`);
    }
    this.#o.branch('replica-ended-by-disk');
    this.hasDiskFailed = true;
  }
}

/** Time runs away while the keeper works: it lets the loop go round after every other step. */
function hurried(clock: Clock): Clock {
  let extraMs = 0;
  return {
    monotonicMs: () => {
      extraMs += 6;
      return clock.monotonicMs() + extraMs;
    },
    wallMs: () => clock.wallMs(),
  };
}
