/**
 * A shard: the partitions of one thread, their shared write-ahead log and their turn. Promise:
 * everything that arrived in one loop turn travels together, because Raft is drained once, at the
 * turn's end, for exactly the partitions that changed. Nothing here takes a lock. Shard thread.
 */
import { assert } from '../base/assert.js';
import type { Clock } from '../base/clock.js';
import type { GroupKey, VoterId } from '../base/group.js';
import { GroupMap } from '../base/group-map.js';
import type { Prng } from '../base/prng.js';
import type { Mutant } from '../base/mutant.js';
import type { MonotonicMs, NodeId, Offset } from '../base/units.js';
import type { Disk } from '../log/disk.js';
import { FileCache } from '../log/file-cache.js';
import { logConfigOf } from '../log/log-config.js';
import { PartitionLog } from '../log/partition-log.js';
import { DamagedLogError } from '../log/storage-error.js';
import type { Wal } from '../log/wal.js';
import type { Logger } from '../observability/logger.js';
import { ELECTION_REASONS, ShardCounters } from '../observability/shard-counters.js';
import type { RaftMessage } from '../raft/messages.js';
import type { RaftEvent } from '../raft/ready.js';
import {
  type PeerTransport,
  Replica,
  type ReplicaEvent,
  type ReplicationKnobs,
} from '../replication/replica.js';
import type { PartitionFacts } from './access.js';
import { appendRulesOf, minInSyncOf } from './append-rules.js';
import { Partition } from './partition.js';
import { PartitionMeter } from './partition-meter.js';
import { openProducers, saveProducers } from './producer-recovery.js';
import type { ProducerState } from './producer-state.js';
import { Scrubber } from './scrubber.js';

/** What the cluster image says of one partition that lives here; `configs` are those in force. */
export type PartitionSpec = {
  readonly group: GroupKey;
  readonly topic: string;
  readonly isInternal: boolean;
  readonly configs: Readonly<Record<string, string>>;
  readonly voters: readonly VoterId[];
  /** What lies at or behind this offset is damaged: see {@link ShardOptions.onDamaged}. */
  readonly suspectFrom?: Offset | undefined;
};

export type ShardOptions = {
  readonly self: VoterId;
  /** The node's directory: partition folders lie in it. */
  readonly directory: string;
  readonly disk: Disk;
  readonly wal: Wal;
  readonly transport: PeerTransport;
  readonly clock: Clock;
  readonly random: Prng;
  readonly knobs: ReplicationKnobs;
  readonly logger: Logger;
  /** What others read; else it counts for itself. */
  readonly counters?: ShardCounters | undefined;
  readonly isCleanStop: boolean;
  readonly isPageCacheLost: boolean;
  /** log.free.bytes.min */
  readonly freeBytesMin: number;
  /** producer.id.expiration.ms */
  readonly producerExpirationMs: number;
  /** log.retention.check.interval.ms */
  readonly retentionCheckMs: number;
  /** log.scrub.interval.ms */
  readonly scrubIntervalMs: number;
  /** Role, epoch or serving state of a partition changed. */
  readonly onLeadership: (partition: Partition) => void;
  /** Close the replica and open it again with `suspectFrom`: its peers will repair it. */
  readonly onDamaged: (group: GroupKey, from: Offset) => void;
  /** Something wants the turn to end soon although no frame came (a sync, a timer, a port). */
  readonly wantTurn: () => void;
  /** Tests only: a classical mistake. */
  readonly mutant?: Mutant | undefined;
};

const DISK_CHECK_MS = 1_000;
const CHECKPOINT_MS = 30_000;
const PRODUCER_EXPIRY_MS = 60_000;

const QUIET_EVENTS: ReadonlySet<string> = new Set(['pre-vote', 'campaign']);
const LOUD_EVENTS: ReadonlySet<string> = new Set([
  'possible-data-loss',
  'follower-lost-data',
  'append-refused',
  'storage-full',
  'malformed',
]);

export class Shard {
  readonly #options: ShardOptions;
  readonly #counters: ShardCounters;
  readonly #partitions = new GroupMap<Partition>();
  /** Open files of all logs of this shard, bounded together. */
  readonly #files: FileCache;
  readonly #scrubber: Scrubber;
  #dirty: Partition[] = [];
  readonly #isDirty = new Set<Partition>();
  #isDiskFull = false;
  #lowDisks: ReadonlySet<NodeId> = new Set();
  #nextDiskCheckMs: MonotonicMs = 0;
  #nextRetentionMs: MonotonicMs;
  #nextCheckpointMs: MonotonicMs;
  #nextExpiryMs: MonotonicMs;

  constructor(options: ShardOptions) {
    this.#options = options;
    this.#counters = options.counters ?? new ShardCounters(0);
    this.#files = new FileCache(options.disk, options.clock);
    this.#scrubber = new Scrubber(options);
    const nowMs = options.clock.monotonicMs();
    this.#nextRetentionMs = nowMs + options.retentionCheckMs;
    this.#nextCheckpointMs = nowMs + CHECKPOINT_MS;
    this.#nextExpiryMs = nowMs + PRODUCER_EXPIRY_MS;
  }

  get partitions(): IterableIterator<Partition> {
    return this.#partitions.values();
  }

  find(group: GroupKey): Partition | undefined {
    return this.#partitions.get(group);
  }

  folderOf(topic: string, partition: number): string {
    return `${this.#options.directory}/${topic}-${partition}`;
  }

  /** Opens a replica of this node, making its folder when there is none. */
  open(spec: PartitionSpec): Partition {
    assert(!this.#partitions.has(spec.group), 'a partition is opened once', spec.group);
    const { disk, wal, clock, self } = this.#options;
    const { group, topic } = spec;
    const { log, producers } = this.#openLog(spec);
    // Raft's words reach the partition that is made from this very replica.
    const later: { partition: Partition | null } = { partition: null };
    const told = (): Partition => {
      assert(later.partition !== null, 'Raft speaks after the partition was made');
      return later.partition;
    };
    const replica = new Replica({
      group,
      self,
      voters: spec.voters,
      log,
      wal,
      transport: this.#options.transport,
      clock,
      random: this.#options.random.fork(),
      knobs: this.#options.knobs,
      hasRoom: (nodeId) => !this.#lowDisks.has(nodeId),
      durability: () => log.config.durability,
      mutant: this.#options.mutant,
      events: {
        onRole: () => this.#roleChanged(told()),
        onCommitted: (highWatermark) => told().committed(highWatermark),
        onSynced: () => told().synced(),
        onAppended: (bytes, start, length, baseOffset) => {
          told().appended(bytes, start, length, baseOffset);
        },
        onTruncated: (to) => told().truncated(to),
        onReset: () => told().producers.reset(),
        onMarkCommitted: (mark) => told().markCommitted(mark),
        onFailed: (error) => this.#failed(told(), error),
        onDamaged: (offset) => this.#scrubber.found(told(), { kind: 'bad-header', offset }),
        onDirty: () => this.#markDirty(later.partition),
        onEvent: (event) => this.#note(topic, group, event),
      },
    });
    const partition = new Partition({
      group,
      topic,
      isInternal: spec.isInternal,
      disk,
      log,
      replica,
      producers,
      clock,
      meter: new PartitionMeter(this.#counters, group.topicId, clock),
      rules: appendRulesOf(spec.configs),
      minInSync: minInSyncOf(spec.configs),
      isDiskFull: () => this.#isDiskFull,
      mutant: this.#options.mutant,
    });
    later.partition = partition;
    this.#partitions.set(group, partition);
    this.#scrubber.add(partition);
    this.#markDirty(partition);
    return partition;
  }

  /** Damage that shows when a log is opened is left to the peers to repair, as the scrub's is. */
  #openLog(spec: PartitionSpec): { log: PartitionLog; producers: ProducerState } {
    const { disk, wal, clock, logger, isCleanStop, isPageCacheLost } = this.#options;
    const { group, topic, suspectFrom } = spec;
    const log = PartitionLog.open({
      disk,
      wal,
      clock,
      directory: this.folderOf(topic, group.partition),
      topicId: group.topicId,
      partition: group.partition,
      config: logConfigOf(topic, spec.configs),
      isCleanStop,
      isPageCacheLost,
      suspectFrom,
      files: this.#files,
      mutant: this.#options.mutant,
    });
    for (const finding of log.findings) {
      if (finding.kind !== 'clean-stop')
        logger.warn({ topic, ...group, ...finding }, 'log recovered');
    }
    const expirationMs = this.#options.producerExpirationMs;
    try {
      const { mutant } = this.#options;
      return { log, producers: openProducers(disk, log, { expirationMs, isCleanStop, mutant }) };
    } catch (error) {
      log.closeAbruptly();
      const isKnown = suspectFrom !== undefined;
      if (isKnown || !(error instanceof DamagedLogError)) throw error;
      const { offset } = error;
      logger.error({ topic, ...group, offset }, 'damaged bytes in the log');
      return this.#openLog({ ...spec, suspectFrom: offset });
    }
  }

  /** New topic configs in force. */
  reconfigure(group: GroupKey, configs: Readonly<Record<string, string>>): void {
    const partition = this.find(group);
    if (partition === undefined) return;
    partition.setRules(appendRulesOf(configs), minInSyncOf(configs));
    partition.log.setConfig(logConfigOf(partition.topic, configs));
  }

  /** Closes a replica whose folder is about to be deleted or moved; its files are left alone. */
  close(group: GroupKey): void {
    const partition = this.find(group);
    if (partition === undefined) return;
    this.#partitions.delete(group);
    this.#scrubber.remove(partition);
    partition.failed('the partition was deleted');
    partition.replica.close();
    partition.log.closeAbruptly();
    this.#options.onLeadership(partition);
  }

  // --- what comes in -------------------------------------------------------------------------

  /** A message from a link; its payload begins at `start` and is good for the call only. */
  receive(group: GroupKey, message: RaftMessage, bytes: Uint8Array, start: number): void {
    // A replica that the image has not named yet: Raft says it again.
    this.find(group)?.replica.receive(message, bytes, start);
  }

  linkUp(nodeId: NodeId): void {
    for (const { replica } of this.#partitions.values()) replica.onLinkUp(nodeId);
  }

  linkDown(nodeId: NodeId): void {
    for (const { replica } of this.#partitions.values()) replica.onLinkDown(nodeId);
  }

  /** The process stood still for longer than an election: lead nothing until a quorum confirms. */
  resumedAfterGap(): void {
    for (const { replica } of this.#partitions.values()) replica.resumedAfterGap();
  }

  /** Nodes whose disk has no room now: they are handed no leader, and this one keeps none. */
  setLowDisks(nodeIds: Iterable<NodeId>): void {
    this.#lowDisks = new Set(nodeIds);
    // Produce is refused by the same turn that hands over.
    this.#nextDiskCheckMs = Number.NEGATIVE_INFINITY;
  }

  /** Ends a turn: whatever changed is written, synced and sent, all of it together. */
  turn(): void {
    while (this.#dirty.length > 0) {
      const dirty = this.#dirty;
      this.#dirty = [];
      this.#isDirty.clear();
      for (const { replica } of dirty) replica.drain();
    }
  }

  /** Every TICK_MS. */
  tick(): void {
    const nowMs = this.#options.clock.monotonicMs();
    this.#options.wal.tick();
    for (const partition of this.#partitions.values()) {
      if (partition.failure === null) partition.replica.tick();
      partition.expire(nowMs);
    }
    this.#scrubber.tick();
    if (nowMs >= this.#nextDiskCheckMs) this.#checkDisk(nowMs);
    if (nowMs >= this.#nextRetentionMs) this.#retain(nowMs);
    if (nowMs >= this.#nextCheckpointMs) this.#checkpoint(nowMs);
    if (nowMs >= this.#nextExpiryMs) this.#expireProducers(nowMs);
    this.turn();
  }

  facts(): PartitionFacts[] {
    return [...this.#partitions.values()].map((partition) => partition.facts());
  }

  /**
   * The node is about to close: its replicas lead no more than they must, and hand over to nodes in
   * `successors`. Returns how many still lead and could move.
   */
  retire(successors: ReadonlySet<NodeId>): number {
    let leading = 0;
    for (const { replica } of this.#partitions.values()) {
      replica.retire();
      if (replica.role !== 'leader') continue;
      replica.transferLeadership(undefined, (nodeId) => successors.has(nodeId));
      leading += replica.followerProgress().some(({ id }) => successors.has(id.nodeId)) ? 1 : 0;
    }
    this.turn();
    return leading;
  }

  /** Closes every log so that the next start need not scan it. */
  closeAll(): void {
    for (const partition of this.#partitions.values()) {
      partition.failed('the broker is closing');
      partition.replica.close();
      saveProducers(this.#options.disk, partition.log, partition.producers);
      partition.log.closeCleanly();
    }
    this.#partitions.clear();
    this.#dirty = [];
  }

  // --- within --------------------------------------------------------------------------------

  #markDirty(partition: Partition | null): void {
    // A replica is born dirty, before its partition is made: `open` says it again.
    if (partition === null || this.#isDirty.has(partition)) return;
    this.#isDirty.add(partition);
    this.#dirty.push(partition);
    this.#options.wantTurn();
  }

  #roleChanged(partition: Partition): void {
    partition.roleChanged();
    this.#options.onLeadership(partition);
  }

  #note(topic: string, group: GroupKey, event: RaftEvent | ReplicaEvent): void {
    const { logger } = this.#options;
    if (event.kind === 'leader') {
      this.#counters.add('elections', ELECTION_REASONS.indexOf(event.reason));
    }
    const fields = { topic, partition: group.partition, ...event };
    if (QUIET_EVENTS.has(event.kind)) logger.debug(fields, 'raft');
    else if (LOUD_EVENTS.has(event.kind)) logger.error(fields, 'raft');
    else logger.info(fields, 'raft');
  }

  #failed(partition: Partition, error: Error): void {
    const { topic, group } = partition;
    this.#options.logger.error({ topic, ...group, error: error.message }, 'partition stopped');
    partition.failed(error.message);
    this.#options.onLeadership(partition);
  }

  #checkDisk(nowMs: MonotonicMs): void {
    const { disk, directory, freeBytesMin, logger } = this.#options;
    this.#nextDiskCheckMs = nowMs + DISK_CHECK_MS;
    const freeBytes = disk.freeBytes(directory);
    const isFull = freeBytes < freeBytesMin;
    if (isFull) this.#handOver();
    if (isFull === this.#isDiskFull) return;
    this.#isDiskFull = isFull;
    if (isFull) logger.error({ freeBytes, freeBytesMin }, 'disk almost full: produce is refused');
    else {
      logger.info({ freeBytes, freeBytesMin }, 'disk has room again: produce is taken');
      for (const { replica } of this.#partitions.values()) replica.roomAgain();
    }
  }

  /** Who must refuse produce leads nothing that somebody with room could lead. */
  #handOver(): void {
    const mayLead = (nodeId: NodeId): boolean => !this.#lowDisks.has(nodeId);
    for (const { replica, failure } of this.#partitions.values()) {
      if (failure === null) replica.transferLeadership(undefined, mayLead);
    }
  }

  #retain(nowMs: MonotonicMs): void {
    this.#nextRetentionMs = nowMs + this.#options.retentionCheckMs;
    const wallMs = this.#options.clock.wallMs();
    for (const { replica, log, failure } of this.#partitions.values()) {
      if (!replica.isServing || failure !== null) continue;
      const isBlind = this.#options.mutant === 'retention-above-watermark';
      const below = isBlind ? log.logEnd.offset : replica.highWatermark;
      const offset = log.applyRetention(wallMs, below);
      if (offset !== null) replica.proposeLogStart(offset);
    }
  }

  #checkpoint(nowMs: MonotonicMs): void {
    this.#nextCheckpointMs = nowMs + CHECKPOINT_MS;
    for (const { log, failure } of this.#partitions.values())
      if (failure === null) log.checkpoint();
  }

  #expireProducers(nowMs: MonotonicMs): void {
    this.#nextExpiryMs = nowMs + PRODUCER_EXPIRY_MS;
    const wallMs = this.#options.clock.wallMs();
    for (const { producers } of this.#partitions.values()) producers.expire(wallMs);
  }
}
