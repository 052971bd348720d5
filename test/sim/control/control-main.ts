/**
 * What a broker does on its main thread, put together as `src/broker` does it, on a simulated disk,
 * clock and network: founding, the metadata group, the control plane, readiness and balance.
 */
import type { Clock } from '#src/base/clock.js';
import { METADATA_GROUP, METADATA_TOPIC, type VoterId } from '#src/base/group.js';
import type { Mutant } from '#src/base/mutant.js';
import type { Prng } from '#src/base/prng.js';
import { Founding, type FoundingMessage, isFoundingMessage } from '#src/broker/founding.js';
import { LeaderBalancer } from '#src/broker/leader-balancer.js';
import { metadataLog } from '#src/broker/metadata-log.js';
import { Readiness } from '#src/broker/readiness.js';
import { defaultSettings } from '#src/broker/settings.js';
import { type ControlEvents, ControlPlane } from '#src/control/control-plane.js';
import type { ImageDelta } from '#src/control/delta.js';
import { isControlMessage } from '#src/control/message-check.js';
import type { ControlMessage } from '#src/control/messages.js';
import { writeMetaProperties } from '#src/control/meta-properties.js';
import type { Disk } from '#src/log/disk.js';
import { logConfigOf } from '#src/log/log-config.js';
import { PartitionLog } from '#src/log/partition-log.js';
import { Wal } from '#src/log/wal.js';
import type { Logger } from '#src/observability/logger.js';
import type { RaftMessage } from '#src/raft/messages.js';
import { type PeerTransport, Replica } from '#src/replication/replica.js';
import { Violation } from '../world.js';
import type { ControlHistory } from './control-history.js';
import type { ControlPlan } from './control-plan.js';
import { TICK_MS, TOPIC_DEFAULTS } from './control-config.js';

export type MainOptions = {
  readonly plan: ControlPlan;
  readonly self: VoterId;
  readonly voterIds: readonly number[];
  readonly directory: string;
  readonly shards: number;
  readonly disk: Disk;
  readonly clock: Clock;
  readonly random: Prng;
  readonly logger: Logger;
  readonly history: ControlHistory;
  readonly branch: (name: string) => void;
  readonly mutant: Mutant | undefined;
  readonly clusterId: string | null;
  readonly isPageCacheLost: boolean;
  readonly peers: PeerTransport;
  readonly newUuid: () => string;
  readonly soon: (run: () => void) => void;
  readonly sendControl: (to: number, message: ControlMessage | FoundingMessage) => boolean;
  readonly isLinked: (nodeId: number) => boolean;
  /** To the shards. */
  readonly onImage: (delta: ImageDelta, isCurrent: boolean) => void;
  readonly onLeaders: ControlEvents['onLeaders'];
  readonly barrier: ControlEvents['barrier'];
  readonly transfer: (group: { topicId: string; partition: number; to: number }) => void;
  /** The process must end. */
  readonly onFailed: (error: Error) => void;
};

type Metadata = {
  readonly log: PartitionLog;
  readonly replica: Replica;
  readonly control: ControlPlane;
};

export class ControlMain {
  readonly wal: Wal;
  readonly readiness: Readiness;
  readonly #o: MainOptions;
  readonly #founding: Founding;
  readonly #balancer: LeaderBalancer;
  #clusterId: string | null;
  #metadata: Metadata | null = null;

  constructor(options: MainOptions) {
    const { plan, self, disk, directory, clock, voterIds, shards } = options;
    this.#o = options;
    this.#clusterId = options.clusterId;
    this.wal = Wal.open({
      disk,
      directory: `${directory}/wal/main`,
      fileBytes: plan.control.walBytes,
    });
    this.readiness = new Readiness(self.nodeId, shards, clock);
    this.#balancer = new LeaderBalancer({
      self: self.nodeId,
      clock,
      settings: { ...defaultSettings(), 'auto.leader.rebalance.enable': plan.control.isBalanced },
      hasRoom: () => true,
      transfer: options.transfer,
    });
    this.#founding = new Founding({
      self,
      voterIds,
      disk,
      directory,
      send: (to, message) => options.sendControl(to, message),
      onDecided: (state) => this.#onFounded(state),
    });
  }

  get control(): ControlPlane | null {
    return this.#metadata?.control ?? null;
  }

  get replica(): Replica | null {
    return this.#metadata?.replica ?? null;
  }

  get isStranger(): boolean {
    return this.#founding.state === 'stranger' || this.control?.registration === 'stranger';
  }

  start(): void {
    this.#founding.start();
  }

  /** The end of a turn. */
  turn(): void {
    const replica = this.#metadata?.replica;
    while (replica?.isDirty) replica.drain();
  }

  resumedAfterGap(): void {
    this.#metadata?.replica.resumedAfterGap();
  }

  tick(): void {
    this.wal.tick();
    if (this.#metadata === null) return;
    const { replica, control } = this.#metadata;
    replica.tick();
    control.tick();
    this.#balancer.tick(control.image, control.leaders);
    this.readiness.follow(control);
  }

  onRaft(message: RaftMessage, payload: Buffer): void {
    this.#metadata?.replica.receive(message, payload, 0);
  }

  onControl(from: number, message: unknown): void {
    if (isFoundingMessage(message)) this.#founding.onMessage(from, message);
    else if (isControlMessage(message)) this.control?.onControl(from, message);
    else throw new Violation('wire', `not a message: ${JSON.stringify(message)}`);
  }

  onLink(peer: number, isUp: boolean): void {
    if (isUp) {
      this.#founding.onLinkUp(peer);
      this.#metadata?.replica.onLinkUp(peer);
      this.control?.onLinkUp(peer);
    } else {
      this.#metadata?.replica.onLinkDown(peer);
      this.control?.onLinkDown(peer);
    }
  }

  closeCleanly(): void {
    if (this.#metadata !== null) {
      const { control, replica, log } = this.#metadata;
      control.close();
      replica.close();
      log.closeCleanly();
    }
    this.wal.closeCleanly();
  }

  #onFounded(state: 'founded' | 'stranger'): void {
    if (state === 'stranger') return;
    const metadata = this.#makeMetadata(this.#founding.voters);
    const { control, replica, log } = metadata;
    const { history, self, disk, isLinked } = this.#o;
    this.#metadata = metadata;
    history.onFounded(self.nodeId);
    if (control.image.appliedOffset > 0) this.#o.branch('snapshot-read');
    history.checkImage(self.nodeId, control.image);
    this.#o.onImage(control.fullDelta(), false);
    control.attach(replica, metadataLog(disk, log));
    for (const { nodeId } of this.#founding.voters) if (isLinked(nodeId)) control.onLinkUp(nodeId);
  }

  #makeMetadata(voters: readonly VoterId[]): Metadata {
    const { plan, self, disk, clock, random, logger, mutant, peers, isPageCacheLost } = this.#o;
    const { snapshotBytesMax } = plan.control;
    const folder = `${this.#o.directory}/${METADATA_TOPIC}-${METADATA_GROUP.partition}`;
    const segmentBytes = Math.min(16 << 20, snapshotBytesMax);
    const log = PartitionLog.open({
      disk,
      wal: this.wal,
      clock,
      directory: folder,
      ...METADATA_GROUP,
      config: logConfigOf(METADATA_TOPIC, { 'segment.bytes': String(segmentBytes) }),
      isCleanStop: false,
      isPageCacheLost,
      mutant,
    });
    for (const finding of log.findings) logger.warn({ ...finding }, 'metadata log recovered');
    const control = this.#makeControl(folder);
    const replica = new Replica({
      group: METADATA_GROUP,
      self,
      voters,
      log,
      wal: this.wal,
      transport: peers,
      clock,
      random: random.fork(),
      knobs: {
        raft: { ...plan.raft, isCommitAnnounced: true },
        tickMs: TICK_MS,
        replicaLagMsMax: 10_000,
      },
      durability: () => 'synced',
      snapshots: control.snapshots,
      mutant,
      events: {
        onRole: () => control.onRole(),
        onCommitted: () => control.onCommitted(),
        onAppended: () => undefined,
        onTruncated: () => undefined,
        onReset: () => undefined,
        onMarkCommitted: () => control.onCommitted(),
        onFailed: this.#o.onFailed,
        onDirty: () => undefined,
        onEvent: (event) => logger.info({ ...event }, 'metadata raft'),
      },
    });
    return { log, replica, control };
  }

  #makeControl(directory: string): ControlPlane {
    const { plan, self, disk, clock, logger, mutant, newUuid, soon, shards } = this.#o;
    const { sessionTimeoutMs, heartbeatIntervalMs, snapshotBytesMax } = plan.control;
    const { nodeId } = self;
    return new ControlPlane({
      self,
      broker: {
        incarnation: newUuid(),
        kafka: { host: 'localhost', port: 9_000 + nodeId },
        peer: { host: 'localhost', port: 9_100 + nodeId },
        rack: null,
        shards,
      },
      clusterId: this.#clusterId,
      settings: { sessionTimeoutMs, heartbeatIntervalMs, snapshotBytesMax },
      topics: {
        partitionsDefault: 1,
        replicationFactorDefault: 3,
        topicDefaults: TOPIC_DEFAULTS,
        newTopicId: newUuid,
      },
      newUuid,
      clock,
      transport: { sendControl: (to, message) => this.#o.sendControl(to, message) },
      disk,
      directory,
      events: {
        onImage: (image, delta) => {
          this.#o.history.onImage(nodeId, image, delta);
          if (image.clusterId !== null) this.#join(image.clusterId);
          this.#balancer.onImage(image);
          this.#o.onImage(delta, this.control?.registration === 'registered');
        },
        onLeaders: this.#o.onLeaders,
        onState: () => undefined,
        onFailed: this.#o.onFailed,
        barrier: this.#o.barrier,
      },
      logger,
      soon,
      mutant,
    });
  }

  #join(clusterId: string): void {
    if (this.#clusterId === clusterId) return;
    const { disk, directory, self } = this.#o;
    this.#clusterId = clusterId;
    writeMetaProperties(disk, directory, { ...self, clusterId });
  }
}
