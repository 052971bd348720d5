/**
 * The control plane of one node, on its main thread: it applies what the metadata group commits,
 * publishes images, forwards operations to the controller (the metadata group's serving leader, be
 * it this node or another) and is the controller when this node leads. Driven from outside: the
 * broker passes in commits, messages, links and ticks; nothing here owns a timer or a socket.
 */
import { assert } from '../base/assert.js';
import type { Clock } from '../base/clock.js';
import { LograftError } from '../base/errors.js';
import type { VoterId } from '../base/group.js';
import type { Mutant } from '../base/mutant.js';
import type { Position } from '../base/position.js';
import {
  LEADER_NONE,
  type LeaderEpoch,
  type NodeId,
  type Offset,
  type TopicId,
} from '../base/units.js';
import type { Logger } from '../observability/logger.js';
import { ActiveController, type Answer } from './active-controller.js';
import { Announcer, type LeaderFact } from './announcer.js';
import type { TopicDecisionContext } from './decide-topics.js';
import type { FullDelta, ImageDelta } from './delta.js';
import type { ClusterImage } from './image.js';
import { LeaderTable } from './leader-table.js';
import { REGISTRATION_TIMEOUT_MS } from './limits.js';
import { Membership, type Registration } from './membership.js';
import type { ControlMessage, HeartbeatMessage, LeaderEntry } from './messages.js';
import { MetadataState } from './metadata-state.js';
import type { ControlOp, ControlResult, RegisterBrokerOp } from './operations.js';
import type { ControlDisk, ControlTransport, MetadataLog, MetadataReplica } from './ports.js';
import { type Fate, Requests } from './requests.js';
import { Settle } from './settle.js';

export type ControlEvents = {
  /** A new image, in order; `delta` is what shards need to follow. */
  onImage(image: ClusterImage, delta: ImageDelta): void;
  /** Leader entries that changed something here: for every shard's LeaderTable. */
  onLeaders(entries: readonly LeaderEntry[]): void;
  /** The controller or this node's registration changed. */
  onState(): void;
  /** The metadata cannot be applied (a newer format, another cluster's): the node must stop. */
  onFailed(error: LograftError): void;
  /** Call `done` when every shard has processed all that was published before. */
  barrier(done: () => void): void;
};

export type ControlSettings = {
  /** `broker.session.timeout.ms`, `broker.heartbeat.interval.ms` */
  readonly sessionTimeoutMs: number;
  readonly heartbeatIntervalMs: number;
  /** `metadata.log.max.record.bytes.between.snapshots` */
  readonly snapshotBytesMax: number;
};

export type ControlPlaneOptions = {
  readonly self: VoterId;
  /** What this process registers as. */
  readonly broker: Omit<RegisterBrokerOp, 'kind' | 'nodeId' | 'directoryId'>;
  /** From `meta.properties`; null in a fresh directory. */
  readonly clusterId: string | null;
  readonly settings: ControlSettings;
  readonly topics: TopicDecisionContext;
  readonly newUuid: () => string;
  readonly clock: Clock;
  readonly transport: ControlTransport;
  readonly disk: ControlDisk;
  /** The metadata log's folder: snapshots lie beside its segments. */
  readonly directory: string;
  readonly events: ControlEvents;
  readonly logger: Logger;
  /** Runs something after what runs now and before anything else: `queueMicrotask`. */
  readonly soon: (run: () => void) => void;
  /** Tests only: a classical mistake. */
  readonly mutant?: Mutant | undefined;
};

export class ControlPlane {
  /** For the metadata group's Replica. */
  readonly snapshots: {
    capture(): { position: Position; bytes: Buffer };
    install(position: Position, bytes: Uint8Array): void;
  };
  readonly leaders = new LeaderTable();

  readonly #options: ControlPlaneOptions;
  readonly #state: MetadataState;
  readonly #requests: Requests;
  readonly #settle: Settle;
  readonly #announcer: Announcer;
  readonly #membership: Membership;
  #replica: MetadataReplica | null = null;
  #log: MetadataLog | null = null;
  #active: { readonly controller: ActiveController; readonly epoch: LeaderEpoch } | null = null;
  #isFailed = false;

  #controllerId: NodeId = LEADER_NONE;

  /** Reads the newest snapshot of the metadata folder. */
  constructor(options: ControlPlaneOptions) {
    const { self, clock, transport, events, newUuid } = options;
    const { disk, directory, logger, settings, mutant } = options;
    const { snapshotBytesMax } = settings;
    const sendControl = (to: NodeId, message: ControlMessage): boolean =>
      transport.sendControl(to, message);
    this.#options = options;
    this.#state = new MetadataState({ disk, directory, snapshotBytesMax, logger, mutant });
    this.#requests = new Requests({
      clock,
      newRequestId: newUuid,
      controllerId: () => this.controllerId,
      send: (to, requestId, op) => this.#sendRequest(to, requestId, op),
    });
    this.#settle = new Settle({
      self: self.nodeId,
      clock,
      image: () => this.image,
      table: this.leaders,
      send: sendControl,
      barrier: (done) => events.barrier(done),
    });
    this.#announcer = new Announcer({ self: self.nodeId, send: sendControl });
    this.#membership = new Membership({
      self,
      broker: options.broker,
      heartbeatIntervalMs: settings.heartbeatIntervalMs,
      clock,
      controllerId: () => this.controllerId,
      appliedOffset: () => this.image.appliedOffset,
      register: (op, done) => this.ask(op, REGISTRATION_TIMEOUT_MS, done),
      sendHeartbeat: (to, message) => this.#sendHeartbeat(to, message),
      onState: () => events.onState(),
      logger,
    });
    this.snapshots = {
      capture: () => this.#state.capture(),
      install: (position, bytes) => this.#install(position, bytes),
    };
  }

  /**
   * Joins the metadata group's replica and log; the replica's events lead to {@link onCommitted}
   * and {@link onRole} from now on.
   * @throws LograftError CORRUPT when log and snapshots leave a gap
   */
  attach(replica: MetadataReplica, log: MetadataLog): void {
    assert(this.#replica === null, 'a control plane has one replica');
    this.#state.attach(log);
    this.#replica = replica;
    this.#log = log;
    this.onCommitted();
  }

  get image(): ClusterImage {
    return this.#state.image;
  }

  /** The whole image for a shard that starts now; entries of `leaders` go with it. */
  fullDelta(): FullDelta {
    return this.#state.fullDelta();
  }

  /** Leader of the metadata group as far as known here; -1 for nobody. */
  get controllerId(): NodeId {
    return this.#replica?.leaderId ?? LEADER_NONE;
  }

  get registration(): Registration {
    return this.#membership.registration;
  }

  /**
   * Has the controller decide and commit an operation. Resolves with its per-topic outcomes;
   * rejects with LograftError TIMED_OUT when the outcome is unknown.
   */
  request<K extends ControlOp['kind']>(
    op: Extract<ControlOp, { readonly kind: K }>,
    timeoutMs: number,
  ): Promise<ControlResult<K>> {
    return new Promise((resolve, reject) => {
      this.ask<K>(op, timeoutMs, (fate) => {
        if (fate instanceof LograftError) reject(fate);
        else resolve(fate);
      });
    });
  }

  /** As {@link request}; `done` is called once. */
  ask<K extends ControlOp['kind']>(
    op: Extract<ControlOp, { readonly kind: K }>,
    timeoutMs: number,
    done: (fate: ControlResult<K> | LograftError) => void,
  ): void {
    this.#requests.ask(op, timeoutMs, done as (fate: Fate) => void);
  }

  /**
   * Resolves true once every live broker (and each of its shards) has applied `offset` and knows a
   * serving leader of every partition of `topicIds`; false at the timeout.
   */
  awaitEverywhere(
    offset: Offset,
    topicIds: readonly TopicId[],
    timeoutMs: number,
  ): Promise<boolean> {
    return new Promise((resolve) => this.whenEverywhere(offset, topicIds, timeoutMs, resolve));
  }

  /** As {@link awaitEverywhere}; `done` is called once. */
  whenEverywhere(
    offset: Offset,
    topicIds: readonly TopicId[],
    timeoutMs: number,
    done: (isEverywhere: boolean) => void,
  ): void {
    this.#settle.everywhere(offset, topicIds, timeoutMs, done);
  }

  /** The metadata group's high watermark may have moved. */
  onCommitted(): void {
    const replica = this.#replica;
    if (replica === null || this.#isFailed) return;
    try {
      for (;;) {
        const delta = this.#state.applyNext(replica.highWatermark);
        if (delta === null) break;
        this.#publish(delta);
      }
    } catch (error) {
      this.#fail(error);
      return;
    }
    this.#state.settleAt(replica.commitPosition, replica.leaderEpoch);
    this.onRole();
    this.#active?.controller.onApplied(this.image.appliedOffset);
  }

  /** The metadata group's role, leader or serving state may have changed. */
  onRole(): void {
    this.#followRole();
    this.#followController();
  }

  onControl(from: NodeId, message: ControlMessage): void {
    switch (message.kind) {
      case 'request':
        this.#onRequest(from, message.requestId, message.op);
        return;
      case 'response':
        this.#requests.onAnswer(from, message.requestId, message.answer);
        return;
      case 'heartbeat':
        this.#active?.controller.heard(message);
        return;
      case 'leaders':
        this.#mergeLeaders(message.entries);
        return;
      case 'settle':
        this.#settle.onSettle(from, message);
        return;
      case 'settled':
        this.#settle.onSettled(from, message.id);
        return;
      default:
        // A newer node may say more than this one understands.
        return;
    }
  }

  onLinkUp(nodeId: NodeId): void {
    this.#announcer.onLinkUp(nodeId);
    if (nodeId === this.controllerId) this.#membership.heartbeatSoon();
  }

  onLinkDown(nodeId: NodeId): void {
    this.#announcer.onLinkDown(nodeId);
    this.#settle.onLinkDown(nodeId);
  }

  /** Call every 50 ms or so. */
  tick(): void {
    if (this.#isFailed) return;
    const nowMs = this.#options.clock.monotonicMs();
    this.onRole();
    this.#active?.controller.tick();
    this.#membership.tick(nowMs);
    this.#requests.tick();
    this.#settle.tick();
    this.#announcer.tick(nowMs);
  }

  /** False while starting and while shutting down: the controller then fences this broker. */
  setReady(isReady: boolean): void {
    this.#membership.setReady(isReady);
  }

  /** Deletions committed below `offset` are done on this node's disk. */
  setReconciled(offset: Offset): void {
    this.#membership.setReconciled(offset);
  }

  /** Leadership facts of this node's own partitions, as its shards tell them. */
  announceLeaders(facts: readonly LeaderFact[]): void {
    this.#mergeLeaders(this.#announcer.announce(facts));
    this.#announcer.flush();
  }

  close(): void {
    this.#active?.controller.close(LEADER_NONE);
    this.#active = null;
    this.#requests.close();
    this.#settle.close();
  }

  /** Throws on to the replica, which must not reset its log to a snapshot that was not taken. */
  #install(position: Position, bytes: Uint8Array): void {
    try {
      const delta = this.#state.install(position, bytes);
      if (delta !== null) this.#publish(delta);
    } catch (error) {
      this.#fail(error);
      throw error;
    }
  }

  #publish(delta: ImageDelta): void {
    const { image } = this;
    this.#checkClusterId(image);
    if (delta.kind === 'full') this.leaders.removeDeleted(image);
    else this.#forgetLeadersOf(delta.records);
    this.#membership.onImage(image);
    this.#options.events.onImage(image, delta);
    this.#settle.onProgress();
  }

  #forgetLeadersOf(records: Extract<ImageDelta, { kind: 'records' }>['records']): void {
    for (const record of records) {
      if (record.kind !== 'delete-topic') continue;
      this.leaders.removeTopic(record.topicId);
      this.#announcer.removeTopic(record.topicId);
    }
  }

  #checkClusterId({ clusterId }: ClusterImage): void {
    const own = this.#options.clusterId;
    if (clusterId === null || own === null || clusterId === own) return;
    throw new LograftError(
      'DIRECTORY_FOREIGN',
      `this node's directory belongs to cluster ${own}, its peers to cluster ${clusterId}`,
      'check the data directory and the peer addresses in cluster.yml',
    );
  }

  /** Becomes the controller, or stops being it. */
  #followRole(): void {
    const replica = this.#replica;
    const log = this.#log;
    if (replica === null || log === null) return;
    const { clock, topics, settings, clusterId, newUuid, logger, mutant, soon } = this.#options;
    const isHasty = mutant === 'controller-decides-before-applied';
    const isServing = isHasty ? this.controllerId === this.#options.self.nodeId : replica.isServing;
    // Decisions rest on the newest image, so nothing that was appended before may still be open.
    const hasAll = isHasty || this.image.appliedOffset === replica.logEnd.offset;
    const epoch = replica.leaderEpoch;
    if (this.#active !== null && (!isServing || this.#active.epoch !== epoch)) {
      const { controller } = this.#active;
      this.#active = null;
      controller.close(replica.leaderId);
    }
    if (this.#active !== null || !isServing || !hasAll) return;
    const controller = new ActiveController({
      image: this.image,
      replica,
      log,
      clock,
      context: topics,
      sessionTimeoutMs: settings.sessionTimeoutMs,
      newClusterId: () => clusterId ?? newUuid(),
      logger,
      mutant,
    });
    this.#active = { controller, epoch };
    logger.info(
      { leaderEpoch: epoch, offset: this.image.appliedOffset },
      'this node is controller',
    );
    soon(() => this.#begin(controller));
  }

  /**
   * Appends come after the turn that made this node the controller, as with every local request and
   * heartbeat: the replica may be in the middle of telling what it committed.
   */
  #begin(controller: ActiveController): void {
    if (this.#active?.controller !== controller) return;
    controller.start();
    this.#membership.heartbeatSoon();
    this.#requests.retryNow();
  }

  #followController(): void {
    const { controllerId } = this;
    if (controllerId === this.#controllerId) return;
    this.#controllerId = controllerId;
    this.#membership.heartbeatSoon();
    this.#requests.tick();
    this.#options.events.onState();
  }

  #sendHeartbeat(to: NodeId, message: HeartbeatMessage): boolean {
    if (to !== this.#options.self.nodeId) return this.#options.transport.sendControl(to, message);
    this.#options.soon(() => this.#active?.controller.heard(message));
    return this.#active !== null;
  }

  #sendRequest(to: NodeId, requestId: string, op: ControlOp): void {
    const { self, transport, soon } = this.#options;
    if (to === self.nodeId) soon(() => this.#onRequest(to, requestId, op));
    else transport.sendControl(to, { kind: 'request', requestId, op });
  }

  #onRequest(from: NodeId, requestId: string, op: ControlOp): void {
    const { self, transport } = this.#options;
    const answer = (answer: Answer): void => {
      if (from === self.nodeId) this.#requests.onAnswer(from, requestId, answer);
      else transport.sendControl(from, { kind: 'response', requestId, answer });
    };
    if (this.#active !== null) this.#active.controller.handle(requestId, op, answer);
    else answer({ kind: 'not-controller', leaderId: this.controllerId });
  }

  #mergeLeaders(entries: readonly LeaderEntry[]): void {
    const { deletedTopics } = this.image;
    const changed = this.leaders.merge(entries.filter((e) => !deletedTopics.has(e.topicId)));
    if (changed.length === 0) return;
    this.#options.events.onLeaders(changed);
    this.#settle.onProgress();
  }

  #fail(error: unknown): void {
    if (!(error instanceof LograftError)) throw error;
    this.#isFailed = true;
    this.close();
    this.#options.events.onFailed(error);
  }
}
