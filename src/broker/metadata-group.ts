/**
 * The metadata group of one node: its log, its replica and the control plane on top, driven by the
 * main thread's turns. Promise: nothing is drained but in a turn, and the control plane hears of
 * commits and roles right after it.
 */
import { systemClock } from '../base/clock.js';
import { METADATA_GROUP, METADATA_TOPIC, type VoterId } from '../base/group.js';
import type { Prng } from '../base/prng.js';
import { randomUuid } from '../base/uuid.js';
import { ControlPlane, type ControlEvents } from '../control/control-plane.js';
import type { ControlTransport } from '../control/ports.js';
import type { Disk } from '../log/disk.js';
import { logConfigOf } from '../log/log-config.js';
import { PartitionLog } from '../log/partition-log.js';
import type { Wal } from '../log/wal.js';
import type { Logger } from '../observability/logger.js';
import { Replica, type PeerTransport } from '../replication/replica.js';
import type { BrokerConfig } from './config.js';
import { topicDefaults } from './config-reader.js';
import { metadataKnobs } from './knobs.js';
import { metadataLog } from './metadata-log.js';
import { MetadataReserve } from './metadata-reserve.js';
import type { NodeDirectory } from './node-directory.js';

const SEGMENT_BYTES_MAX = 16 << 20;

export type MetadataGroupOptions = {
  readonly config: BrokerConfig;
  readonly directory: NodeDirectory;
  readonly self: VoterId;
  readonly incarnation: string;
  readonly clusterId: string | null;
  readonly voters: readonly VoterId[];
  readonly disk: Disk;
  readonly wal: Wal;
  readonly transport: PeerTransport & ControlTransport;
  readonly random: Prng;
  readonly logger: Logger;
  readonly events: ControlEvents;
  readonly wantTurn: () => void;
  readonly onFailed: (error: Error) => void;
};

export class MetadataGroup {
  readonly control: ControlPlane;
  readonly replica: Replica;
  readonly log: PartitionLog;
  readonly #reserve: MetadataReserve;

  constructor(options: MetadataGroupOptions) {
    const { config, directory, self, disk, wal, transport, voters, events } = options;
    const { settings } = config.cluster;
    const snapshotBytesMax = settings['metadata.log.max.record.bytes.between.snapshots'];
    // Whole segments go when a snapshot replaces them, so none may be larger than what it covers.
    const segmentBytes = Math.min(SEGMENT_BYTES_MAX, snapshotBytesMax);
    const folder = `${config.nodeDir}/${METADATA_TOPIC}-${METADATA_GROUP.partition}`;
    this.log = PartitionLog.open({
      disk,
      wal,
      clock: systemClock,
      directory: folder,
      ...METADATA_GROUP,
      config: logConfigOf(METADATA_TOPIC, { 'segment.bytes': String(segmentBytes) }),
      // Always looked through: it is short, and nobody may decide on damaged metadata.
      isCleanStop: false,
      isPageCacheLost: directory.isPageCacheLost,
    });
    for (const finding of this.log.findings) {
      options.logger.warn({ ...finding }, 'metadata log recovered');
    }
    this.#reserve = new MetadataReserve(disk, folder);
    this.control = new ControlPlane({
      self,
      broker: brokerFacts(options),
      clusterId: options.clusterId,
      settings: {
        sessionTimeoutMs: settings['broker.session.timeout.ms'],
        heartbeatIntervalMs: settings['broker.heartbeat.interval.ms'],
        snapshotBytesMax,
      },
      topics: {
        partitionsDefault: settings['num.partitions'],
        replicationFactorDefault: settings['default.replication.factor'],
        topicDefaults: topicDefaults(config.cluster),
        newTopicId: randomUuid,
      },
      newUuid: randomUuid,
      clock: systemClock,
      transport,
      disk,
      directory: folder,
      events,
      logger: options.logger,
      soon: queueMicrotask,
    });
    this.replica = new Replica({
      group: METADATA_GROUP,
      self,
      voters,
      log: this.log,
      wal,
      transport,
      clock: systemClock,
      random: options.random,
      knobs: metadataKnobs(settings),
      durability: () => 'synced',
      snapshots: this.control.snapshots,
      events: {
        onRole: () => this.control.onRole(),
        onCommitted: () => this.control.onCommitted(),
        onAppended: () => {},
        onTruncated: () => {},
        onReset: () => {},
        onMarkCommitted: () => this.control.onCommitted(),
        onFailed: options.onFailed,
        onDirty: options.wantTurn,
        onEvent: (event) => options.logger.info({ ...event }, 'metadata raft'),
      },
    });
    options.wantTurn();
  }

  /** Joins replica and control plane; images and roles are told from now on. */
  start(disk: Disk): void {
    this.control.attach(this.replica, metadataLog(disk, this.log));
  }

  turn(): void {
    while (this.replica.isDirty) this.replica.drain();
  }

  tick(): void {
    this.replica.tick();
    this.control.tick();
    this.#reserve.tick();
  }

  close(): void {
    this.control.close();
    this.replica.close();
    this.log.closeCleanly();
  }
}

function brokerFacts({ config, incarnation }: MetadataGroupOptions) {
  const { node, cluster } = config;
  const { advertisedHost, advertisedPort, peerPort, rack } = node;
  return {
    incarnation,
    kafka: { host: advertisedHost, port: advertisedPort },
    peer: { host: advertisedHost, port: peerPort },
    rack,
    shards: cluster.settings['num.shards'],
  };
}
