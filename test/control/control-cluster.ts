/**
 * Several control planes joined by an in-memory metadata group and an in-memory network, on a
 * virtual clock: `advance` moves time in small steps. The fake group replicates like the real one
 * as far as a control plane can see: only the leader appends, a majority commits, what was not
 * committed is lost with its leader, a node below the leader's log start gets a snapshot.
 */
import { LograftError } from '#src/base/errors.js';
import { ControlPlane } from '#src/control/control-plane.js';
import { applyDelta } from '#src/control/delta.js';
import { type ClusterImage, EMPTY_IMAGE } from '#src/control/image.js';
import { LeaderTable } from '#src/control/leader-table.js';
import type { ControlMessage } from '#src/control/messages.js';
import type { MetadataReplica } from '#src/control/ports.js';
import { reconcile } from '#src/control/reconcile.js';
import { silentLogger } from '#src/observability/logger.js';
import { decodeFakeBatch, FakeMetadataLog } from './fake-metadata-log.js';
import { decisionContext, directoryOf } from './fixtures.js';
import { MemoryDisk } from './memory-disk.js';

const STEP_MS = 10;
const FOLDER = '/data/__cluster_metadata-0';

export type NodeOptions = {
  readonly clusterId?: string | null;
  readonly snapshotBytesMax?: number;
  /** Partitions elect leaders by themselves: the first live replica announces. */
  readonly hasPartitions?: boolean;
};

/** One node: what survives a restart (disk, log) and the process of the moment. */
export class TestNode {
  readonly nodeId: number;
  readonly cluster: ControlCluster;
  readonly disk = new MemoryDisk();
  readonly log = new FakeMetadataLog();
  /** Replica folders, `topicId:partition` → topic name. */
  readonly folders = new Map<string, string>();
  readonly strays: string[] = [];
  directoryId: string;
  options: NodeOptions;
  control: ControlPlane | null = null;
  /** What a shard of this node would see. */
  shardImage: ClusterImage = EMPTY_IMAGE;
  shardLeaders = new LeaderTable();
  failure: LograftError | null = null;
  highWatermark = 0;
  #starts = 0;

  constructor(cluster: ControlCluster, nodeId: number, options: NodeOptions) {
    this.cluster = cluster;
    this.nodeId = nodeId;
    this.directoryId = directoryOf(nodeId);
    this.options = options;
  }

  get isUp(): boolean {
    return this.control !== null;
  }

  get plane(): ControlPlane {
    if (this.control === null) throw new Error(`node ${this.nodeId} is down`);
    return this.control;
  }

  start(): void {
    const { cluster, nodeId, directoryId } = this;
    this.shardImage = EMPTY_IMAGE;
    this.shardLeaders = new LeaderTable();
    // Not known after a start before a leader says so.
    this.highWatermark = this.log.logStartOffset;
    const control = new ControlPlane({
      self: { nodeId, directoryId },
      broker: {
        incarnation: `run-${nodeId}-${++this.#starts}`,
        kafka: { host: '127.0.0.1', port: 9091 + nodeId },
        peer: { host: '127.0.0.1', port: 9191 + nodeId },
        rack: null,
        shards: 1,
      },
      clusterId: this.options.clusterId ?? null,
      settings: {
        sessionTimeoutMs: 3_000,
        heartbeatIntervalMs: 500,
        snapshotBytesMax: this.options.snapshotBytesMax ?? 20 * 1024 * 1024,
      },
      topics: { ...decisionContext(), newTopicId: () => cluster.newId('topic') },
      newUuid: () => cluster.newId('uuid'),
      clock: cluster.clock,
      transport: { sendControl: (to, message) => cluster.send(nodeId, to, message) },
      disk: this.disk,
      directory: FOLDER,
      events: {
        onImage: (_image, delta) => {
          this.shardImage = applyDelta(this.shardImage, structuredClone(delta));
        },
        onLeaders: (entries) => void this.shardLeaders.merge(structuredClone(entries)),
        onState: () => {},
        onFailed: (error) => {
          this.failure = error;
        },
        barrier: (done) => done(),
      },
      logger: silentLogger,
      soon: queueMicrotask,
    });
    this.shardImage = applyDelta(EMPTY_IMAGE, control.fullDelta());
    this.control = control;
    control.attach(this.#replica(), this.log);
    control.setReady(true);
    for (const other of cluster.nodes) {
      if (!other.isUp || other === this) continue;
      control.onLinkUp(other.nodeId);
      other.plane.onLinkUp(nodeId);
    }
  }

  kill(): void {
    this.control = null;
    for (const other of this.cluster.nodes) other.control?.onLinkDown(this.nodeId);
    if (this.cluster.leaderId === this.nodeId) this.cluster.loseLeader();
  }

  /** Does what reconcile says, on the folders. */
  reconcile(): void {
    const { image, registration } = this.plane;
    const local = [...this.folders].map(([key, topic]) => {
      const [topicId, partition] = key.split(':') as [string, string];
      return { topicId, topic, partition: Number(partition) };
    });
    const self = { nodeId: this.nodeId, directoryId: this.directoryId };
    const isCurrent = registration === 'registered';
    for (const action of reconcile({ image, self, local, isCurrent, topicIds: null })) {
      const key = `${action.topicId}:${action.partition}`;
      if (action.kind === 'create') this.folders.set(key, action.topic);
      if (action.kind === 'delete' || action.kind === 'stray') this.folders.delete(key);
      if (action.kind === 'stray') this.strays.push(key);
    }
    this.plane.setReconciled(image.appliedOffset);
  }

  #replica(): MetadataReplica {
    const { cluster, log, nodeId } = this;
    const node = this;
    return {
      get leaderId() {
        return cluster.leaderKnownTo(nodeId);
      },
      get leaderEpoch() {
        return cluster.epoch;
      },
      get isServing() {
        return cluster.leaderId === nodeId && cluster.isServing;
      },
      get highWatermark() {
        return node.highWatermark;
      },
      get commitPosition() {
        return { offset: node.highWatermark, marks: cluster.epoch };
      },
      get logEnd() {
        return { offset: log.logEndOffset, marks: cluster.epoch };
      },
      append: (bytes, start, length) => {
        if (cluster.leaderId !== nodeId) throw new LograftError('NOT_LEADER', 'not the leader');
        const baseOffset = log.logEndOffset;
        log.append(decodeFakeBatch(bytes.subarray(start, start + length), baseOffset));
        return baseOffset;
      },
      confirmLeadership: (done) => {
        cluster.confirmations.push({ nodeId, epoch: cluster.epoch, done });
      },
    };
  }
}

export class ControlCluster {
  readonly nodes: TestNode[];
  leaderId = -1;
  epoch = 0;
  isServing = false;
  /** Messages on their way. */
  readonly wire: { from: number; to: number; message: ControlMessage }[] = [];
  readonly confirmations: { nodeId: number; epoch: number; done: (ok: boolean) => void }[] = [];
  /** Drops messages for which it returns true. */
  isLost: (from: number, to: number, message: ControlMessage) => boolean = () => false;
  /** Followers do not get entries while false. */
  isReplicating = true;
  snapshotsSent = 0;
  #nowMs = 1_000;
  #ids = 0;

  readonly clock = {
    monotonicMs: () => this.#nowMs,
    wallMs: () => 1_700_000_000_000 + this.#nowMs,
  };

  constructor(count: number, options: NodeOptions = {}) {
    this.nodes = Array.from({ length: count }, (_, i) => new TestNode(this, i + 1, options));
    for (const node of this.nodes) node.start();
  }

  node(nodeId: number): TestNode {
    return this.nodes[nodeId - 1] as TestNode;
  }

  newId(purpose: string): string {
    return `${purpose}-${++this.#ids}`;
  }

  elect(nodeId: number): void {
    this.leaderId = nodeId;
    this.epoch++;
    this.isServing = false;
    for (const node of this.nodes) node.control?.onRole();
  }

  loseLeader(): void {
    this.leaderId = -1;
    this.isServing = false;
    for (const node of this.nodes) node.control?.onRole();
  }

  leaderKnownTo(nodeId: number): number {
    const leader = this.leaderId === -1 ? undefined : this.node(this.leaderId);
    return leader === undefined || !leader.isUp || !this.node(nodeId).isUp ? -1 : this.leaderId;
  }

  send(from: number, to: number, message: ControlMessage): boolean {
    if (!this.node(to).isUp || !this.node(from).isUp) return false;
    if (!this.isLost(from, to, message)) {
      this.wire.push({ from, to, message: structuredClone(message) });
    }
    return true;
  }

  /** Runs until `isDone` or for `ms`; lets promises settle in between. */
  async advance(ms: number, isDone: () => boolean = () => false): Promise<void> {
    const untilMs = this.#nowMs + ms;
    while (this.#nowMs < untilMs && !isDone()) {
      this.#nowMs += STEP_MS;
      this.#deliver();
      this.#replicate();
      for (const node of this.nodes) {
        node.control?.tick();
        node.disk.settle();
        if (node.isUp && node.failure === null) node.reconcile();
      }
      this.#leadPartitions();
      await new Promise((resolve) => setImmediate(resolve));
    }
  }

  /** Advances until the promise is settled (at most `ms`) and returns its value. */
  async until<T>(promise: Promise<T>, ms = 60_000): Promise<T> {
    let isSettled = false;
    const settle = (): void => {
      isSettled = true;
    };
    promise.then(settle, settle);
    await this.advance(ms, () => isSettled);
    return promise;
  }

  /** Time passes for the clock only, as for a process that is stopped. */
  jump(ms: number): void {
    this.#nowMs += ms;
  }

  #deliver(): void {
    for (const { from, to, message } of this.wire.splice(0)) {
      this.node(to).control?.onControl(from, message);
    }
  }

  #replicate(): void {
    const leader = this.leaderId === -1 ? undefined : this.node(this.leaderId);
    const isMajority = this.nodes.filter((n) => n.isUp).length * 2 > this.nodes.length;
    for (const { nodeId, epoch, done } of this.confirmations.splice(0)) {
      done(isMajority && nodeId === this.leaderId && epoch === this.epoch);
    }
    if (leader === undefined || !leader.isUp || !isMajority || !this.isReplicating) return;
    const end = leader.log.logEndOffset;
    for (const node of this.nodes) {
      if (!node.isUp || node.failure !== null) continue;
      if (node !== leader) this.#catchUp(node, leader);
      node.highWatermark = Math.max(node.highWatermark, end);
    }
    // An epoch start of the leader's own is committed with everything below it.
    this.isServing = true;
    for (const node of this.nodes) if (node.failure === null) node.control?.onCommitted();
  }

  #catchUp(node: TestNode, leader: TestNode): void {
    // Batches are shared objects, so log matching is identity: what the leader has not goes.
    const kept = new Set(leader.log.batches);
    const stranded = node.log.batches.find(
      (batch) => batch.baseOffset >= leader.log.logStartOffset && !kept.has(batch),
    );
    if (stranded !== undefined) node.log.truncateTo(stranded.baseOffset);
    if (node.log.logEndOffset < leader.log.logStartOffset) {
      const { position, bytes } = leader.plane.snapshots.capture();
      node.plane.snapshots.install(position, bytes);
      node.log.resetTo(position.offset);
      this.snapshotsSent++;
    }
    const from = node.log.logEndOffset;
    for (const batch of leader.log.batches) if (batch.baseOffset >= from) node.log.append(batch);
  }

  /** The first live replica of each partition leads it, and says so when that changes. */
  #leadPartitions(): void {
    for (const node of this.nodes) {
      if (!node.isUp || node.options.hasPartitions !== true || node.failure !== null) continue;
      const { image, leaders } = node.plane;
      for (const topic of image.topicsById.values()) {
        for (const { partition, replicas } of topic.partitions) {
          const first = replicas.find(({ nodeId }) => this.node(nodeId).isUp);
          if (first?.nodeId !== node.nodeId) continue;
          const { topicId } = topic;
          if (!node.folders.has(`${topicId}:${partition}`)) continue;
          const known = leaders.get(topicId, partition);
          if (known?.leaderId === node.nodeId) continue;
          const leaderEpoch = (known?.leaderEpoch ?? 0) + 1;
          const inSync = replicas.map(({ nodeId }) => nodeId);
          node.plane.announceLeaders([
            { topicId, partition, leaderId: node.nodeId, leaderEpoch, inSync },
          ]);
        }
      }
    }
  }
}
