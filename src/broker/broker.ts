/**
 * The composition root: one broker, its main thread and its shards. The main thread listens, runs
 * the metadata group, tells shards what the cluster looks like and everybody who leads what.
 *
 *   starting ──founded──▶ metadata group ──registered, shards follow──▶ running
 *      └──── this disk is not the one that founded ────▶ stranger
 */
import { systemClock } from '../base/clock.js';
import { LograftError } from '../base/errors.js';
import type { VoterId } from '../base/group.js';
import { PEER_OUTBOUND_BYTES_MAX, SHUTDOWN_TRANSFER_MS } from '../base/limits.js';
import { Prng } from '../base/prng.js';
import { randomUuid } from '../base/uuid.js';
import type { ControlEvents, ControlPlane } from '../control/control-plane.js';
import type { ControlMessage } from '../control/messages.js';
import type { MetaProperties } from '../control/meta-properties.js';
import { NodeDisk } from '../log/node-disk.js';
import { Wal } from '../log/wal.js';
import { type SocketHandler, SocketLayer } from '../native/sockets.js';
import { createLogger, type Logger } from '../observability/logger.js';
import { GapDetector } from '../replication/gap.js';
import { type PeerHello, MAIN_SHARD } from '../replication/peer-frame.js';
import { DEFAULT_PEER_KNOBS, PeerLinks } from '../replication/peer-links.js';
import type { BrokerConfig } from './config.js';
import { Founding, type FoundingMessage } from './founding.js';
import { FrontDoor } from './front-door.js';
import { joinCluster, takeIdentity } from './identity.js';
import { replicationKnobs, TICK_MS } from './knobs.js';
import { LeaderBalancer } from './leader-balancer.js';
import { MetadataGroup } from './metadata-group.js';
import { type NodeDirectory, openNodeDirectory } from './node-directory.js';
import { type NodeState, nodeStatus } from './node-status.js';
import { ProducerIds } from './producer-ids.js';
import { type ShardPool, startShards } from './shard-pool.js';
import type { ControlCall, MainNotices, ShardFacts, ShardNotices } from './thread-messages.js';

export type RunningBroker = {
  /** Hands leaders over, closes every log cleanly and ends the threads. */
  close(): Promise<void>;
};

/**
 * Starts a broker on its directory and ports; resolves when it listens. It becomes ready by itself.
 * @throws LograftError DIRECTORY_LOCKED, DIRECTORY_FOREIGN, ADDRESS_IN_USE, STORAGE_FAILED
 */
export async function startBroker(config: BrokerConfig): Promise<RunningBroker> {
  const directory = openNodeDirectory(config.nodeDir);
  try {
    return new Broker(config, directory);
  } catch (error) {
    directory.release();
    throw error;
  }
}

/** A start is over after this long even when some partition found no leader yet. */
const LEADERS_WAIT_MS = 5_000;
const TRANSFER_POLL_MS = 50;

class Broker implements RunningBroker {
  readonly #config: BrokerConfig;
  readonly #directory: NodeDirectory;
  readonly #logger: Logger;
  readonly #disk = new NodeDisk();
  readonly #incarnation = randomUuid();
  readonly #random = new Prng(crypto.getRandomValues(new Uint32Array(1))[0] as number);
  #meta: MetaProperties;
  readonly #sockets: SocketLayer;
  readonly #links: PeerLinks;
  readonly #door: FrontDoor;
  readonly #shards: ShardPool;
  readonly #founding: Founding;
  readonly #producerIds: ProducerIds;
  readonly #balancer: LeaderBalancer;
  readonly #gap: GapDetector;
  readonly #wal: Wal;
  readonly #ticker: NodeJS.Timeout;
  #metadata: MetadataGroup | null = null;
  #isTurnWanted = false;
  #isInTurn = false;
  /** By shard: the image offset up to which its folders follow. */
  readonly #reconciled: number[];
  #registeredAtMs = Number.POSITIVE_INFINITY;
  #isReady = false;

  constructor(config: BrokerConfig, directory: NodeDirectory) {
    this.#config = config;
    this.#directory = directory;
    const { nodeId, nodeDir, cluster, node } = config;
    const shards = cluster.settings['num.shards'];
    const knobs = replicationKnobs(cluster.settings);
    this.#logger = createLogger({ node: nodeId });
    this.#meta = takeIdentity(this.#disk, config);
    this.#gap = new GapDetector(knobs.raft.electionTicksMin * TICK_MS, systemClock.monotonicMs());
    this.#producerIds = new ProducerIds(nodeId);
    this.#reconciled = new Array<number>(shards).fill(0);
    this.#wal = Wal.open({ disk: this.#disk, directory: `${nodeDir}/wal/main` });
    this.#sockets = new SocketLayer({
      frameBytesMax: DEFAULT_PEER_KNOBS.frameBytesMax,
      outboundBytesMax: PEER_OUTBOUND_BYTES_MAX,
      handler: this.#socketHandler(),
    });
    this.#links = this.#makeLinks();
    this.#door = this.#makeDoor(shards);
    this.#door.listenForPeers(node);
    this.#door.listenForClients(node);
    this.#shards = this.#startShards(shards);
    this.#balancer = new LeaderBalancer({
      self: nodeId,
      clock: systemClock,
      settings: cluster.settings,
      transfer: (transfer) => this.#tellOwner(transfer),
    });
    this.#founding = new Founding({
      self: this.#self,
      voterIds: cluster.voters,
      disk: this.#disk,
      directory: nodeDir,
      send: (to, message) => this.#links.sendControl(to, message),
      onDecided: (state) => this.#onFounded(state),
    });
    const peers = cluster.nodes
      .filter(({ id }) => id !== nodeId)
      .map(({ id, advertisedHost, peerPort }) => ({
        nodeId: id,
        host: advertisedHost,
        port: peerPort,
        shards,
      }));
    this.#links.setPeers(peers);
    this.#tellAll('peers', peers);
    this.#founding.start();
    this.#ticker = setInterval(() => this.#tick(), TICK_MS);
    this.#logger.info(
      { directoryId: this.#meta.directoryId, kafkaPort: node.kafkaPort, peerPort: node.peerPort },
      'listening',
    );
  }

  async close(): Promise<void> {
    this.#logger.info({}, 'closing');
    this.#metadata?.control.setReady(false);
    this.#isReady = false;
    this.#door.close();
    await this.#handOver();
    clearInterval(this.#ticker);
    await this.#shards.requestAll('close', null);
    this.#metadata?.close();
    this.#links.close();
    this.#sockets.destroy();
    this.#wal.closeCleanly();
    await this.#disk.shutDown();
    this.#directory.markClean();
    await this.#shards.close();
    this.#directory.release();
    this.#logger.info({}, 'closed');
  }

  get #self(): VoterId {
    return { nodeId: this.#config.nodeId, directoryId: this.#meta.directoryId };
  }

  get #control(): ControlPlane | null {
    return this.#metadata?.control ?? null;
  }

  // --- the turn ------------------------------------------------------------------------------

  #socketHandler(): SocketHandler {
    return {
      onFrame: (connId, bytes, start, length) => {
        this.#beginTurn();
        const { peers } = this.#door;
        if (peers.owns(connId)) peers.onFrame(connId, bytes, start, length);
        else this.#links.onFrame(connId, bytes, start, length);
      },
      onTurnEnd: () => this.#endTurn(),
      onOpened: (connId) => {
        if (this.#links.owns(connId)) this.#links.onOpened(connId);
        else this.#door.peers.onOpened(connId);
      },
      onAccepted: (fd) => this.#door.onAccepted(fd),
      onClosed: (connId, reason) => {
        this.#door.peers.onClosed(connId);
        this.#links.onClosed(connId, reason);
      },
      onDrained: (connId) => this.#links.onDrained(connId),
    };
  }

  #beginTurn(): void {
    if (this.#isInTurn) return;
    this.#isInTurn = true;
    if (this.#gap.look(systemClock.monotonicMs())) this.#metadata?.replica.resumedAfterGap();
  }

  #endTurn(): void {
    this.#isInTurn = false;
    this.#metadata?.turn();
    this.#links.flush();
  }

  #wantTurn(): void {
    if (this.#isTurnWanted || this.#isInTurn) return;
    this.#isTurnWanted = true;
    setImmediate(() => {
      this.#isTurnWanted = false;
      this.#endTurn();
    });
  }

  #tick(): void {
    this.#beginTurn();
    this.#links.tick();
    this.#door.peers.tick();
    this.#wal.tick();
    this.#metadata?.tick();
    if (this.#control !== null) {
      this.#balancer.tick(this.#control.image, this.#control.leaders);
      this.#followReadiness(this.#control);
    }
    this.#endTurn();
  }

  // --- wiring --------------------------------------------------------------------------------

  #makeLinks(): PeerLinks {
    return new PeerLinks({
      self: this.#hello(),
      sockets: this.#sockets,
      random: this.#random.fork(),
      knobs: DEFAULT_PEER_KNOBS,
      handler: {
        onMessage: (_group, message, bytes, start) => {
          this.#metadata?.replica.receive(message, bytes, start);
        },
        onControl: (from, message) => this.#onControl(from, message),
        onLinkUp: (peer) => {
          this.#logger.info({ peer }, 'peer up');
          this.#founding.onLinkUp(peer);
          this.#metadata?.replica.onLinkUp(peer);
          this.#control?.onLinkUp(peer);
        },
        onLinkDown: (peer, reason) => {
          this.#logger.info({ peer, reason }, 'peer down');
          this.#metadata?.replica.onLinkDown(peer);
          this.#control?.onLinkDown(peer);
        },
        onLinkReady: (peer) => this.#metadata?.replica.onLinkUp(peer),
        onRefused: (peer, reason) => this.#logger.warn({ peer, reason }, 'peer refused the link'),
      },
    });
  }

  #makeDoor(shards: number): FrontDoor {
    return new FrontDoor({
      sockets: this.#sockets,
      shards,
      self: () => this.#hello(),
      clientToShard: (shard, fd) => this.#tellShard(shard, 'client', { fd }),
      peerToShard: (shard, fd, greeting, leftover) => {
        this.#tellShard(shard, 'peer', { fd, greeting, leftover });
      },
      peerToMain: (connId, greeting) => this.#links.accept(connId, greeting),
    });
  }

  #hello(): PeerHello {
    const { directoryId, clusterId, nodeId } = this.#meta;
    const shards = this.#config.cluster.settings['num.shards'];
    const incarnation = this.#incarnation;
    return { clusterId, nodeId, directoryId, incarnation, shard: MAIN_SHARD, shards };
  }

  #startShards(count: number): ShardPool {
    const { clusterId, directoryId } = this.#meta;
    const { isCleanStop, isPageCacheLost } = this.#directory;
    const common = {
      config: this.#config,
      clusterId,
      directoryId,
      incarnation: this.#incarnation,
      isCleanStop,
      isPageCacheLost,
    };
    const pool = startShards(count, common, (error) => {
      // Its partitions would be silent: the process ends, the others elect new leaders.
      throw error;
    });
    for (const link of pool.links) {
      const on = <N extends keyof MainNotices>(name: N, take: (n: MainNotices[N]) => void): void =>
        link.onNotice(name, (payload) => take(payload as MainNotices[N]));
      on('leadership', (facts) => this.#control?.announceLeaders(facts));
      on('reconciled', ({ shard, offset }) => this.#onReconciled(shard, offset));
      const serve = (name: string, work: (payload: unknown) => Promise<unknown>): void =>
        link.onRequest(name, work);
      serve('control', (payload) => this.#decide(payload as ControlCall));
      serve('producer-id', () => this.#producerIds.next(this.#control));
      serve('status', () => this.#status());
      serve('admin', (payload) => this.#admin(payload as string));
    }
    return pool;
  }

  #tellAll<N extends keyof ShardNotices>(name: N, notice: ShardNotices[N]): void {
    this.#shards.notifyAll(name, notice);
  }

  #tellShard<N extends keyof ShardNotices>(shard: number, name: N, notice: ShardNotices[N]): void {
    this.#shards.links[shard]?.notify(name, notice);
  }

  /** Only the shard that owns the partition knows it; the others pass it by. */
  #tellOwner(transfer: ShardNotices['transfer']): void {
    this.#tellAll('transfer', transfer);
  }

  // --- the metadata group --------------------------------------------------------------------

  #onFounded(state: 'founded' | 'stranger'): void {
    if (state === 'stranger') {
      const { directoryId } = this.#meta;
      this.#logger.error({ directoryId }, 'this directory did not found the cluster: a stranger');
      return;
    }
    this.#metadata = new MetadataGroup({
      config: this.#config,
      directory: this.#directory,
      self: this.#self,
      incarnation: this.#incarnation,
      clusterId: this.#meta.clusterId,
      voters: this.#founding.voters,
      disk: this.#disk,
      wal: this.#wal,
      transport: this.#links,
      random: this.#random.fork(),
      logger: this.#logger,
      events: this.#controlEvents(),
      wantTurn: () => this.#wantTurn(),
      onFailed: (error) => {
        throw error;
      },
    });
    this.#tellAll('image', { delta: this.#metadata.control.fullDelta(), isCurrent: false });
    this.#metadata.start(this.#disk);
    for (const { nodeId } of this.#founding.voters) {
      if (this.#links.isUp(nodeId)) this.#control?.onLinkUp(nodeId);
    }
  }

  #controlEvents(): ControlEvents {
    return {
      onImage: (image, delta) => {
        if (image.clusterId !== null && this.#meta.clusterId === null) this.#join(image.clusterId);
        const isCurrent = this.#control?.registration === 'registered';
        this.#balancer.onImage(image);
        this.#tellAll('image', { delta, isCurrent });
      },
      onLeaders: (entries) => this.#tellAll('leaders', entries),
      onState: () => {
        this.#tellAll('controller', this.#control?.controllerId ?? -1);
        this.#noteRegistration();
      },
      onFailed: (error) => {
        throw error;
      },
      barrier: (done) => {
        void this.#shards.requestAll('barrier', null).then(done);
      },
    };
  }

  #join(clusterId: string): void {
    this.#meta = joinCluster(this.#disk, this.#config, this.#meta, clusterId);
    this.#links.setClusterId(clusterId);
    this.#tellAll('cluster-id', clusterId);
    this.#logger.info({ clusterId }, 'cluster id');
  }

  #noteRegistration(): void {
    const isRegistered = this.#control?.registration === 'registered';
    if (!isRegistered) this.#registeredAtMs = Number.POSITIVE_INFINITY;
    else if (this.#registeredAtMs === Number.POSITIVE_INFINITY) {
      this.#registeredAtMs = systemClock.monotonicMs();
    }
  }

  #onControl(from: number, message: unknown): void {
    const { kind } = message as { kind?: unknown };
    if (kind === 'founding') this.#founding.onMessage(from, message as FoundingMessage);
    else this.#control?.onControl(from, message as ControlMessage);
  }

  #onReconciled(shard: number, offset: number): void {
    this.#reconciled[shard] = offset;
    const slowest = Math.min(...this.#reconciled);
    this.#control?.setReconciled(slowest);
  }

  /** Ready: registered, every shard has followed the image that says so, and leaders are found. */
  #followReadiness(control: ControlPlane): void {
    const { image } = control;
    const broker = image.brokers.get(this.#config.nodeId);
    if (control.registration !== 'registered' || broker === undefined) {
      this.#isReady = false;
      return;
    }
    const hasFollowed = Math.min(...this.#reconciled) > broker.registeredAt;
    if (hasFollowed && !this.#isAnnounced) {
      this.#isAnnounced = true;
      control.setReady(true);
    }
    if (this.#isReady || broker.isFenced || !hasFollowed) return;
    const waitedMs = systemClock.monotonicMs() - this.#registeredAtMs;
    this.#isReady = waitedMs > LEADERS_WAIT_MS || this.#hasLeaders(control);
    if (this.#isReady) this.#logger.info({ uptimeMs: Math.round(process.uptime() * 1_000) }, 'ready');
  }

  #isAnnounced = false;

  #hasLeaders({ image, leaders }: ControlPlane): boolean {
    for (const { topicId, partitions } of image.topics.values()) {
      for (const { partition, replicas } of partitions) {
        const isHere = replicas.some(({ nodeId }) => nodeId === this.#config.nodeId);
        if (isHere && (leaders.get(topicId, partition)?.leaderId ?? -1) === -1) return false;
      }
    }
    return true;
  }

  // --- what shards ask -----------------------------------------------------------------------

  async #decide({ operation, timeoutMs }: ControlCall): Promise<unknown> {
    const control = this.#control;
    if (control === null) throw new LograftError('TIMED_OUT', 'this node is starting');
    const deadlineMs = systemClock.monotonicMs() + timeoutMs;
    const result = await control.request(operation, timeoutMs);
    const isDryRun = 'isValidateOnly' in operation && operation.isValidateOnly;
    if (!isDryRun) {
      // When the client hears of it every broker should know it, with leaders (trap 11).
      const leftMs = Math.max(0, deadlineMs - systemClock.monotonicMs());
      const touched = control.image.appliedOffset >= result.offset ? newTopics(result.value) : [];
      await control.awaitEverywhere(result.offset, touched, leftMs);
    }
    return result;
  }

  async #status(): Promise<string> {
    const shards = (await this.#shards.requestAll('facts', null)) as ShardFacts[];
    return nodeStatus({
      config: this.#config,
      directoryId: this.#meta.directoryId,
      state: this.#state(),
      isReady: this.#isReady,
      control: this.#control,
      shards,
    });
  }

  #state(): NodeState {
    if (this.#founding.state === 'stranger') return 'stranger';
    const registration = this.#control?.registration;
    if (registration === 'stranger') return 'stranger';
    return registration === 'registered' ? 'running' : 'starting';
  }

  async #admin(text: string): Promise<string> {
    const command = JSON.parse(text) as { op?: string; topic?: string; partition?: number; to?: number };
    const topic = this.#control?.image.topics.get(command.topic ?? '');
    const { partition, to } = command;
    if (command.op !== 'transfer-leader' || topic === undefined) {
      throw new LograftError('INVALID_REQUEST', `unknown admin command ${text}`);
    }
    if (partition === undefined || to === undefined) {
      throw new LograftError('INVALID_REQUEST', 'transfer-leader needs a partition and a node');
    }
    this.#tellOwner({ topicId: topic.topicId, partition, to });
    return '{}';
  }

  // --- closing -------------------------------------------------------------------------------

  /** Leaders move to other nodes, so that clients are served on; bounded, and skipped when alone. */
  async #handOver(): Promise<void> {
    if (!this.#config.cluster.nodes.some(({ id }) => this.#links.isUp(id))) return;
    this.#metadata?.replica.transferLeadership();
    const deadlineMs = systemClock.monotonicMs() + SHUTDOWN_TRANSFER_MS;
    while (systemClock.monotonicMs() < deadlineMs) {
      await this.#shards.requestAll('transfer-all', null);
      const facts = (await this.#shards.requestAll('facts', null)) as ShardFacts[];
      const leads = facts.some(({ partitions }) => partitions.some(({ role }) => role === 'leader'));
      if (!leads) return;
      await new Promise((resolve) => setTimeout(resolve, TRANSFER_POLL_MS));
    }
  }
}

/** Ids of topics whose leaders a client will ask for next. */
function newTopics(value: unknown): string[] {
  if (!Array.isArray(value)) return [];
  return value
    .map((outcome: { error?: unknown; topicId?: unknown; partitions?: unknown }) =>
      outcome.error === null && 'partitions' in outcome ? outcome.topicId : null,
    )
    .filter((topicId) => typeof topicId === 'string');
}
