/**
 * The composition root: one broker, its main thread and its shards. The main thread listens, runs
 * the metadata group, tells shards what the cluster looks like and everybody who leads what.
 *
 *   starting ──founded──▶ metadata group ──registered, shards follow──▶ running
 *      └──── this disk is not the one that founded ────▶ stranger
 */
import { systemClock } from '../base/clock.js';
import type { VoterId } from '../base/group.js';
import { shardOf } from '../base/hash.js';
import { PEER_OUTBOUND_BYTES_MAX } from '../base/limits.js';
import { Prng } from '../base/prng.js';
import { LEADER_NONE, type NodeId } from '../base/units.js';
import { randomUuid } from '../base/uuid.js';
import type { ControlEvents, ControlPlane } from '../control/control-plane.js';
import { isControlMessage } from '../control/message-check.js';
import type { MetaProperties } from '../control/meta-properties.js';
import { HttpDoor } from '../gateway/http/http-door.js';
import { Wal } from '../log/wal.js';
import type { WriteBehind } from '../log/write-behind.js';
import { settleWals } from '../log/wal-shards.js';
import { type SocketHandler, SocketLayer } from '../native/sockets.js';
import { createLogger, type ThreadLogger } from '../observability/logger.js';
import { LoopMeter } from '../observability/loop-meter.js';
import { ShardCounters } from '../observability/shard-counters.js';
import { isForwardMessage } from '../partition/forward-messages.js';
import type { Forwarding } from '../partition/forwarding.js';
import { type PeerHello, MAIN_SHARD, type RefusalReason } from '../replication/peer-frame.js';
import { DEFAULT_PEER_KNOBS, type PeerAddress, PeerLinks } from '../replication/peer-links.js';
import type { BrokerConfig } from './config.js';
import { type AdminCommand, decide, parseCommand } from './decisions.js';
import { DiskRoom, isDiskRoomMessage } from './disk-room.js';
import { Founding, isFoundingMessage } from './founding.js';
import { FrontDoor } from './front-door.js';
import { Handover, isClosingMessage } from './handover.js';
import { serveHttp } from './http-service.js';
import { joinCluster, takeIdentity } from './identity.js';
import { replicationKnobs, TICK_MS } from './knobs.js';
import { LeaderBalancer } from './leader-balancer.js';
import { MetadataGroup } from './metadata-group.js';
import { type NodeDirectory, openNodeDirectory } from './node-directory.js';
import { type NodeState, nodeStatus } from './node-status.js';
import { ProducerIds } from './producer-ids.js';
import { Readiness } from './readiness.js';
import { type ShardPool, startShards } from './shard-pool.js';
import { meteredDisk, type MeteredDisk } from './sync-meter.js';
import type {
  ControlCall,
  FactsCall,
  MainNotices,
  ShardFacts,
  ShardNotices,
} from './thread-messages.js';
import { TurnLoop } from './turn-loop.js';

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
    // No partition was opened yet: what was closed cleanly still is.
    if (directory.isCleanStop) directory.markClean();
    directory.release();
    throw error;
  }
}

/** One group writes here: terms, votes and marks of the metadata. */
const MAIN_WAL_BYTES = 1 << 20;

class Broker implements RunningBroker {
  readonly #config: BrokerConfig;
  readonly #directory: NodeDirectory;
  readonly #logger: ThreadLogger;
  readonly #metered: MeteredDisk;
  readonly #disk: WriteBehind;
  readonly #counters: ShardCounters;
  readonly #loop: LoopMeter;
  readonly #incarnation = randomUuid();
  readonly #random = new Prng(crypto.getRandomValues(new Uint32Array(1))[0] as number);
  #meta: MetaProperties;
  readonly #sockets: SocketLayer;
  readonly #links: PeerLinks;
  readonly #door: FrontDoor;
  readonly #http: HttpDoor;
  readonly #forwarding: Forwarding;
  readonly #shards: ShardPool;
  readonly #handover: Handover;
  readonly #founding: Founding;
  readonly #producerIds: ProducerIds;
  readonly #balancer: LeaderBalancer;
  readonly #diskRoom: DiskRoom;
  readonly #turn: TurnLoop;
  readonly #readiness: Readiness;
  readonly #wal: Wal;
  readonly #ticker: NodeJS.Timeout;
  #metadata: MetadataGroup | null = null;

  constructor(config: BrokerConfig, directory: NodeDirectory) {
    this.#config = config;
    this.#directory = directory;
    const { nodeId, nodeDir, cluster, node } = config;
    const shards = cluster.settings['num.shards'];
    const knobs = replicationKnobs(cluster.settings);
    this.#logger = createLogger({ node: nodeId }, cluster.settings['log.level']);
    this.#counters = new ShardCounters(cluster.settings['metrics.topics.max']);
    this.#loop = new LoopMeter(this.#counters, TICK_MS, systemClock.monotonicMs());
    this.#metered = meteredDisk(systemClock, this.#counters, this.#logger);
    this.#disk = this.#metered.disk;
    this.#http = new HttpDoor(cluster.settings['max.connections'], this.#logger);
    this.#meta = takeIdentity(this.#disk, config);
    this.#turn = new TurnLoop({
      clock: systemClock,
      gapMs: knobs.raft.electionTicksMin * TICK_MS,
      onGap: () => this.#metadata?.replica.resumedAfterGap(),
      onEnd: () => this.#drain(),
    });
    this.#producerIds = new ProducerIds(nodeId);
    this.#readiness = new Readiness(nodeId, shards, systemClock);
    this.#wal = Wal.open({
      disk: this.#disk,
      directory: `${nodeDir}/wal/main`,
      fileBytes: MAIN_WAL_BYTES,
    });
    this.#sockets = new SocketLayer({
      frameBytesMax: DEFAULT_PEER_KNOBS.frameBytesMax,
      outboundBytesMax: PEER_OUTBOUND_BYTES_MAX,
      handler: this.#socketHandler(),
    });
    this.#links = this.#makeLinks();
    this.#door = this.#makeDoor(shards);
    this.#door.listenForPeers(node);
    this.#door.listenForClients(node);
    this.#door.listenForHttp(node);
    this.#settleWals(shards);
    this.#shards = this.#startShards(shards);
    this.#forwarding = this.#serveHttp();
    this.#diskRoom = new DiskRoom({
      self: nodeId,
      clock: systemClock,
      nodeIds: cluster.voters,
      freeBytesMin: cluster.settings['log.free.bytes.min'],
      freeBytes: () => this.#disk.freeBytes(nodeDir),
      send: (to, message) => this.#links.sendControl(to, message),
      onChange: (low) => this.#tellAll('low-disks', low),
    });
    this.#balancer = new LeaderBalancer({
      self: nodeId,
      clock: systemClock,
      settings: cluster.settings,
      hasRoom: (id) => !this.#diskRoom.isLow(id),
      transfer: (transfer) => this.#tellOwner(transfer),
    });
    this.#handover = new Handover({
      clock: systemClock,
      links: this.#links,
      shards: this.#shards,
      nodeIds: cluster.voters,
    });
    this.#founding = new Founding({
      self: this.#self,
      voterIds: cluster.voters,
      disk: this.#disk,
      directory: nodeDir,
      send: (to, message) => this.#links.sendControl(to, message),
      onDecided: (state) => this.#onFounded(state),
    });
    const peers = this.#peers(shards);
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
    this.#readiness.close(this.#control);
    this.#door.close();
    await this.#http.close();
    await this.#handover.run(this.#metadata);
    clearInterval(this.#ticker);
    await this.#shards.requestAll('close', null);
    this.#metadata?.close();
    this.#links.close();
    this.#sockets.destroy();
    this.#wal.closeCleanly();
    await this.#metered.shutDown();
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
        this.#turn.begin();
        const { peers } = this.#door;
        if (peers.owns(connId)) peers.onFrame(connId, bytes, start, length);
        else this.#links.onFrame(connId, bytes, start, length);
      },
      onTurnEnd: () => this.#turn.end(),
      onOpened: (connId) => {
        if (this.#links.owns(connId)) this.#links.onOpened(connId);
        else this.#door.peers.onOpened(connId);
      },
      onAccepted: (fd, listenerId) => this.#door.onAccepted(fd, listenerId),
      onClosed: (connId, reason) => {
        this.#door.peers.onClosed(connId);
        this.#links.onClosed(connId, reason);
      },
      onDrained: (connId) => this.#links.onDrained(connId),
    };
  }

  #drain(): void {
    this.#metadata?.turn();
    this.#links.flush();
  }

  #tick(): void {
    this.#loop.tick(systemClock.monotonicMs());
    this.#turn.begin();
    this.#links.tick();
    this.#door.tick();
    this.#wal.tick();
    this.#diskRoom.tick();
    this.#forwarding.tick();
    this.#metadata?.tick();
    if (this.#control !== null) {
      this.#balancer.tick(this.#control.image, this.#control.leaders);
      if (this.#readiness.follow(this.#control)) {
        this.#logger.info({ uptimeMs: Math.round(process.uptime() * 1_000) }, 'ready');
      }
      if (this.#readiness.isComplete) this.#directory.settlePageCache();
    }
    this.#turn.end();
  }

  // --- wiring --------------------------------------------------------------------------------

  #makeLinks(): PeerLinks {
    return new PeerLinks({
      self: this.#hello(),
      sockets: this.#sockets,
      random: this.#random.fork(),
      knobs: DEFAULT_PEER_KNOBS,
      wantTurn: () => this.#turn.want(),
      handler: {
        onMessage: (_group, message, bytes, start) => {
          this.#metadata?.replica.receive(message, bytes, start);
        },
        onControl: (from, message) => this.#onControl(from, message),
        onLinkUp: (peer) => {
          this.#logger.info({ peer }, 'peer up');
          this.#founding.onLinkUp(peer);
          this.#diskRoom.onLinkUp(peer);
          this.#metadata?.replica.onLinkUp(peer);
          this.#control?.onLinkUp(peer);
        },
        onLinkDown: (peer, reason) => {
          this.#logger.info({ peer, reason }, 'peer down');
          this.#handover.onLinkDown(peer);
          this.#diskRoom.onLinkDown(peer);
          this.#forwarding.onLinkDown(peer);
          this.#metadata?.replica.onLinkDown(peer);
          this.#control?.onLinkDown(peer);
        },
        onLinkReady: (peer) => this.#metadata?.replica.onLinkUp(peer),
        onRefused: (peer, reason) => this.#onRefused(peer, reason),
      },
    });
  }

  #makeDoor(shards: number): FrontDoor {
    return new FrontDoor({
      sockets: this.#sockets,
      logger: this.#logger,
      shards,
      self: () => this.#hello(),
      clientToShard: (shard, fd) => this.#tellShard(shard, 'client', { fd }),
      httpToShard: (shard, fd) => this.#tellShard(shard, 'http-client', { fd }),
      peerToShard: (shard, fd, greeting, leftover) => {
        this.#tellShard(shard, 'peer', { fd, greeting, leftover });
      },
      peerToMain: (connId, greeting) => this.#links.accept(connId, greeting),
      onPeerRefused: ({ nodeId }, reason) => this.#onRefused(nodeId, reason),
    });
  }

  #peers(shards: number): PeerAddress[] {
    const { cluster, nodeId } = this.#config;
    return cluster.nodes
      .filter(({ id }) => id !== nodeId)
      .map(({ id, advertisedHost, peerPort }) => ({
        nodeId: id,
        host: advertisedHost,
        port: peerPort,
        shards,
      }));
  }

  #serveHttp(): Forwarding {
    return serveHttp({
      config: this.#config,
      door: this.#http,
      incarnation: this.#incarnation,
      shards: this.#shards,
      counters: this.#counters,
      loop: this.#loop,
      control: () => this.#control,
      status: () => this.#status(),
      unready: () => this.#unready(),
      send: (to, message, bytes) => this.#links.sendControl(to, message, bytes),
    });
  }

  /** There will be no link with a peer, by its word or by ours. */
  #onRefused(peer: NodeId, reason: RefusalReason): void {
    this.#logger.warn({ peer, reason }, 'link refused');
    if (reason === 'other-cluster') this.#founding.onOtherCluster(peer);
  }

  #hello(): PeerHello {
    const { directoryId, clusterId, nodeId } = this.#meta;
    const shards = this.#config.cluster.settings['num.shards'];
    const incarnation = this.#incarnation;
    return { clusterId, nodeId, directoryId, incarnation, shard: MAIN_SHARD, shards };
  }

  /** What a former number of shards wrote is moved before any shard looks for it. */
  #settleWals(shards: number): void {
    const { nodeDir, cluster } = this.#config;
    const hasMoved = settleWals({
      disk: this.#disk,
      root: `${nodeDir}/wal`,
      shards,
      ownerOf: ({ topicId, partition }) => shardOf(topicId, partition, shards),
      fileBytes: cluster.settings['log.wal.file.bytes'],
    });
    if (hasMoved) this.#logger.info({ shards }, 'write-ahead logs moved to another shard count');
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
      on('http-client', ({ fd, unread }) => this.#http.adopt(fd, unread));
      on('leadership', (facts) => this.#control?.announceLeaders(facts));
      on('reconciled', ({ shard, offset, unopened }) => {
        this.#control?.setReconciled(this.#readiness.shardFollowed(shard, offset, unopened));
      });
      const serve = (name: string, work: (payload: unknown) => Promise<unknown>): void =>
        link.onRequest(name, work);
      serve('control', (call) => decide(this.#control, systemClock, call as ControlCall));
      serve('producer-id', () => this.#producerIds.next(this.#control));
      serve('status', () => this.#status());
      serve('admin', async (text) => this.#admin(parseCommand(this.#control, text as string)));
    }
    return pool;
  }

  #tellAll<N extends keyof ShardNotices>(name: N, notice: ShardNotices[N]): void {
    this.#shards.notifyAll(name, notice);
  }

  #tellShard<N extends keyof ShardNotices>(shard: number, name: N, notice: ShardNotices[N]): void {
    this.#shards.links[shard]?.notify(name, notice);
  }

  /** Answers with JSON. */
  #admin(command: AdminCommand): string {
    if (command.op === 'transfer-leader') {
      this.#tellOwner(command.transfer);
      return '{}';
    }
    const { level } = command;
    if (level !== null) {
      this.#logger.info({ before: this.#logger.level, level }, 'log level');
      this.#logger.level = level;
      this.#tellAll('log-level', level);
    }
    return JSON.stringify({ level: this.#logger.level });
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
      wantTurn: () => this.#turn.want(),
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
        this.#tellAll('controller', this.#control?.controllerId ?? LEADER_NONE);
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

  #onControl(from: number, message: unknown): void {
    if (isClosingMessage(message)) this.#handover.onClosing(from);
    else if (isDiskRoomMessage(message)) this.#diskRoom.onMessage(from, message);
    else if (isFoundingMessage(message)) this.#founding.onMessage(from, message);
    else if (isForwardMessage(message)) this.#forwarding.onMessage(from, message);
    else if (isControlMessage(message)) this.#control?.onControl(from, message);
    // A newer node may say more than this one understands, and anybody may say nonsense.
    else this.#logger.debug({ from }, 'a control message was ignored');
  }

  async #status(): Promise<string> {
    const shards = (await this.#shards.requestAll(
      'facts',
      'status' satisfies FactsCall,
    )) as ShardFacts[];
    return nodeStatus({
      config: this.#config,
      directoryId: this.#meta.directoryId,
      state: this.#state(),
      isReady: this.#readiness.isReady,
      control: this.#control,
      shards,
    });
  }

  /** Why this node is not ready, in words. */
  #unready(): string[] {
    if (this.#readiness.isReady) return [];
    const state = this.#state();
    if (state === 'stranger') return ['this directory did not found the cluster: a stranger'];
    if (state === 'starting') return ['not registered with the controller yet'];
    return ['partitions of this node have no leader yet, or are not open yet'];
  }

  #state(): NodeState {
    if (this.#founding.state === 'stranger') return 'stranger';
    const registration = this.#control?.registration;
    if (registration === 'stranger') return 'stranger';
    return registration === 'registered' ? 'running' : 'starting';
  }
}
