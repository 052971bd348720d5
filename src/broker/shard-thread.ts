/**
 * Entry of a shard thread: puts the rooms of the data plane together around one event loop.
 * Promise: one turn of the loop reads every socket, decides in TypeScript, and then writes, syncs
 * and sends once for all of it. What this thread owns is closed here and nowhere else.
 */
import { workerData } from 'node:worker_threads';
import { systemClock } from '../base/clock.js';
import { copyBytes } from '../base/copy-bytes.js';
import type { VoterId } from '../base/group.js';
import { PEER_OUTBOUND_BYTES_MAX } from '../base/limits.js';
import { Prng } from '../base/prng.js';
import type { NodeId } from '../base/units.js';
import { randomUuid } from '../base/uuid.js';
import { HotDoor } from '../gateway/http/hot/hot-door.js';
import { KafkaGateway } from '../gateway/kafka/kafka-gateway.js';
import { GroupHost } from '../groups/group-host.js';
import type { HandlerContext } from '../handlers/context.js';
import { Wal } from '../log/wal.js';
import type { WriteBehind } from '../log/write-behind.js';
import { walDirectory } from '../log/wal-shards.js';
import { fileCounters, readAt } from '../native/files.js';
import { BatchSealer } from '../native/record-cutter.js';
import { type ConnectionId, type SocketHandler, SocketLayer } from '../native/sockets.js';
import { createLogger, type ThreadLogger } from '../observability/logger.js';
import { LoopMeter } from '../observability/loop-meter.js';
import { ShardCounters } from '../observability/shard-counters.js';
import { TurnBatches } from '../handlers/http/turn-batches.js';
import { produceFailure, type ProduceOutcome } from '../partition/access.js';
import { PartitionRouter } from '../partition/router.js';
import { Shard } from '../partition/shard.js';
import { ThreadLink } from '../partition/thread-link.js';
import { DEFAULT_PEER_KNOBS, PeerLinks } from '../replication/peer-links.js';
import { recordChecksum } from './checksum.js';
import { configReader, topicDefaults } from './config-reader.js';
import { GroupRouter } from './group-calls.js';
import { groupSettings, replicationKnobs, TICK_MS } from './knobs.js';
import { LeadershipReporter } from './leadership-reporter.js';
import { LocalReplicas } from './local-replicas.js';
import { shardHandlerContext } from './shard-context.js';
import { ReplicaKeeper } from './replica-keeper.js';
import { ShardView } from './shard-view.js';
import { shardMetricFacts } from './shard-metrics.js';
import { meteredDisk, type MeteredDisk } from './sync-meter.js';
import type {
  FactsCall,
  MainNotices,
  ShardFacts,
  ShardInit,
  ShardNotices,
  ForwardedProduce,
} from './thread-messages.js';
import { TurnLoop } from './turn-loop.js';

/** Ticks between two looks at in-sync sets, idle connections and the like. */
const HOUSEKEEPING_TICKS = 5;

class ShardThread {
  readonly #init: ShardInit;
  readonly #logger: ThreadLogger;
  readonly #main: ThreadLink;
  readonly #metered: MeteredDisk;
  readonly #disk: WriteBehind;
  readonly #counters: ShardCounters;
  readonly #loop: LoopMeter;
  readonly #others: readonly (ThreadLink | null)[];
  readonly #wal: Wal;
  readonly #sockets: SocketLayer;
  readonly #links: PeerLinks;
  readonly #shard: Shard;
  readonly #groups: GroupHost;
  readonly #view: ShardView;
  readonly #keeper: ReplicaKeeper;
  readonly #local: LocalReplicas;
  readonly #gateway: KafkaGateway;
  readonly #batches: TurnBatches;
  readonly #http: HotDoor;
  readonly #router: PartitionRouter;
  readonly #reporter: LeadershipReporter;
  readonly #turn: TurnLoop;
  readonly #ticker: NodeJS.Timeout;
  #ticks = 0;

  constructor(init: ShardInit) {
    this.#init = init;
    const { config, index } = init;
    const { nodeId, nodeDir, cluster } = config;
    const { settings } = cluster;
    const shards = settings['num.shards'];
    const self: VoterId = { nodeId, directoryId: init.directoryId };
    const knobs = replicationKnobs(settings);
    this.#logger = createLogger({ node: nodeId, shard: index }, settings['log.level']);
    this.#counters = new ShardCounters(settings['metrics.topics.max'], init.counters);
    this.#loop = new LoopMeter(this.#counters, TICK_MS, systemClock.monotonicMs());
    this.#metered = meteredDisk(systemClock, this.#counters, this.#logger);
    this.#disk = this.#metered.disk;
    this.#main = new ThreadLink(init.main);
    const others = init.shards.map((port) => (port === null ? null : new ThreadLink(port)));
    this.#others = others;
    this.#turn = new TurnLoop({
      clock: systemClock,
      gapMs: knobs.raft.electionTicksMin * TICK_MS,
      onGap: () => this.#onGap(),
      onEnd: () => this.#drain(),
    });
    this.#sockets = new SocketLayer({
      frameBytesMax: settings['socket.request.max.bytes'],
      outboundBytesMax: PEER_OUTBOUND_BYTES_MAX,
      handler: this.#socketHandler(),
    });
    this.#links = this.#makeLinks(shards);
    this.#wal = Wal.open({
      disk: this.#disk,
      directory: walDirectory(`${nodeDir}/wal`, index),
      fileBytes: settings['log.wal.file.bytes'],
    });
    this.#reporter = new LeadershipReporter((facts) => this.#tell('leadership', facts));
    this.#groups = new GroupHost({
      clock: systemClock,
      settings: groupSettings(settings),
      newId: randomUuid,
      readRange,
      crc: recordChecksum,
      logger: this.#logger,
      later: setImmediate,
    });
    this.#shard = this.#makeShard(self);
    this.#local = new LocalReplicas(this.#disk, nodeDir, this.#logger);
    this.#local.scan(index, shards);
    this.#keeper = new ReplicaKeeper({
      index,
      shards,
      self,
      clock: systemClock,
      shard: this.#shard,
      wal: this.#wal,
      local: this.#local,
      defaults: topicDefaults(cluster),
      logger: this.#logger,
      wish: () => this.#view,
      later: setImmediate,
      onSettled: () => this.#tellReconciled(),
    });
    this.#view = new ShardView({
      keeper: this.#keeper,
      onTopicsDeleted: (names) => {
        this.#groups.topicsDeleted(names);
        this.#counters.retain((topicId) => this.#view.image.topicsById.has(topicId));
      },
    });
    this.#router = this.#makeRouter(others);
    const handlers = this.#makeContext(others);
    this.#gateway = this.#makeGateway(handlers);
    this.#batches = this.#makeBatches();
    this.#http = this.#makeHttp(handlers);
    this.#listenToMain();
    this.#ticker = setInterval(() => this.#tick(), TICK_MS);
  }

  // --- the turn ------------------------------------------------------------------------------

  #socketHandler(): SocketHandler {
    return {
      onFrame: (connId, bytes, start, length) => {
        this.#turn.begin();
        if (this.#gateway.owns(connId)) this.#gateway.onFrame(connId, bytes, start, length);
        else if (this.#http.owns(connId)) this.#http.onBytes(connId, bytes, start, length);
        else this.#links.onFrame(connId, bytes, start, length);
      },
      onTurnEnd: () => this.#turn.end(),
      onOpened: (connId) => this.#links.onOpened(connId),
      onAccepted: () => {},
      onClosed: (connId, reason) => this.#onClosed(connId, reason),
      onReadEnded: (connId) => this.#http.onReadEnded(connId),
      onDrained: (connId) => {
        if (this.#http.owns(connId)) this.#http.onDrained(connId);
        else this.#links.onDrained(connId);
      },
    };
  }

  #onClosed(connId: ConnectionId, reason: string): void {
    if (this.#gateway.owns(connId)) this.#gateway.onClosed(connId, reason);
    else if (this.#http.owns(connId)) this.#http.onClosed(connId);
    else this.#links.onClosed(connId, reason);
  }

  #onGap(): void {
    this.#logger.warn({}, 'the process stood still: leading nothing until a quorum confirms');
    this.#shard.resumedAfterGap();
  }

  #drain(): void {
    this.#batches.flush();
    this.#shard.turn();
    this.#links.flush();
    this.#reporter.flush();
  }

  #tick(): void {
    this.#loop.tick(systemClock.monotonicMs());
    this.#turn.begin();
    this.#ticks++;
    this.#links.tick();
    this.#shard.tick();
    if (this.#ticks % HOUSEKEEPING_TICKS === 0) this.#keepHouse();
    this.#turn.end();
  }

  #keepHouse(): void {
    const nowMs = systemClock.monotonicMs();
    this.#groups.tick(nowMs);
    this.#keeper.tick(nowMs);
    for (const partition of this.#shard.partitions) this.#reporter.note(partition);
    this.#gateway.closeIdle();
    this.#http.keepHouse();
  }

  // --- wiring --------------------------------------------------------------------------------

  #makeShard(self: VoterId): Shard {
    const { config, isCleanStop, isPageCacheLost } = this.#init;
    const { settings } = config.cluster;
    return new Shard({
      self,
      directory: config.nodeDir,
      disk: this.#disk,
      wal: this.#wal,
      transport: this.#links,
      clock: systemClock,
      random: new Prng(randomSeed()),
      knobs: replicationKnobs(settings),
      logger: this.#logger,
      counters: this.#counters,
      isCleanStop,
      isPageCacheLost,
      freeBytesMin: settings['log.free.bytes.min'],
      producerExpirationMs: settings['producer.id.expiration.ms'],
      retentionCheckMs: settings['log.retention.check.interval.ms'],
      scrubIntervalMs: settings['log.scrub.interval.ms'],
      onLeadership: (partition) => {
        this.#reporter.note(partition);
        this.#groups.leadershipChanged(partition);
      },
      onDamaged: (group, from) => this.#keeper.reopen(group, from),
      wantTurn: () => this.#turn.want(),
    });
  }

  #makeLinks(shards: number): PeerLinks {
    const { clusterId, directoryId, incarnation, index, config } = this.#init;
    const { nodeId } = config;
    return new PeerLinks({
      self: { clusterId, nodeId, directoryId, incarnation, shard: index, shards },
      sockets: this.#sockets,
      random: new Prng(randomSeed()),
      knobs: DEFAULT_PEER_KNOBS,
      wantTurn: () => this.#turn.want(),
      handler: {
        onMessage: (group, message, bytes, start) => {
          this.#shard.receive(group, message, bytes, start);
        },
        onLinkUp: (peer) => {
          this.#logger.info({ peer }, 'link up');
          this.#shard.linkUp(peer);
        },
        onLinkDown: (peer, reason) => {
          this.#logger.info({ peer, reason }, 'link down');
          this.#shard.linkDown(peer);
        },
        onLinkReady: (peer) => this.#shard.linkUp(peer),
        onRefused: (peer, reason) => this.#logger.warn({ peer, reason }, 'link refused'),
      },
    });
  }

  #makeGateway(context: HandlerContext): KafkaGateway {
    const { settings } = this.#init.config.cluster;
    return new KafkaGateway({
      sockets: this.#sockets,
      context,
      logger: this.#logger,
      counters: this.#counters,
      requestBytesMax: settings['socket.request.max.bytes'],
      sendBufferBytes: settings['socket.send.buffer.bytes'],
      frameMsMax: settings['socket.frame.timeout.ms'],
      connectionsMax: Math.ceil(settings['max.connections'] / settings['num.shards']),
      idleMsMax: settings['connections.max.idle.ms'],
    });
  }

  #makeBatches(): TurnBatches {
    const sealer = new BatchSealer();
    return new TurnBatches({
      partition: (group) => this.#router.access(group),
      checksum: recordChecksum,
      seal: (blocks, records) => sealer.seal(blocks, records),
      elsewhere: (group, bytes, options, done) => {
        const call = { group, bytes: copyBytes(bytes), options } satisfies ForwardedProduce;
        this.#main.call('produce-elsewhere', call, [call.bytes.buffer], (error, outcome) => {
          if (error === null) done(outcome as ProduceOutcome);
          else done(produceFailure('TIMED_OUT', error.message));
        });
      },
    });
  }

  #makeHttp(context: HandlerContext): HotDoor {
    const { config, index } = this.#init;
    const { settings } = config.cluster;
    return new HotDoor({
      sockets: this.#sockets,
      context,
      batches: this.#batches,
      logger: this.#logger,
      counters: this.#counters,
      sendBufferBytes: settings['socket.send.buffer.bytes'],
      connectionsMax: Math.ceil(settings['max.connections'] / settings['num.shards']),
      isHere: (group) => this.#router.ownerOf(group) === index,
      handOver: (fd, unread) => this.#tell('http-client', { fd, unread }),
    });
  }

  #makeRouter(others: readonly (ThreadLink | null)[]): PartitionRouter {
    return new PartitionRouter({
      links: others,
      asker: this.#main,
      local: (group) => {
        // Requests also come from timers and from other shards, outside of a socket's turn.
        this.#turn.look();
        return this.#shard.find(group);
      },
      readRange,
    });
  }

  #makeContext(others: readonly (ThreadLink | null)[]): HandlerContext {
    const { config } = this.#init;
    const router = this.#router;
    const groups = new GroupRouter({
      host: this.#groups,
      image: () => this.#view.image,
      ownerOf: (group) => router.ownerOf(group),
      links: others,
      asker: this.#main,
    });
    const { host, kafkaPort } = config.node;
    return shardHandlerContext({
      config,
      main: this.#main,
      view: this.#view,
      router,
      groups,
      counters: this.#counters,
      configs: configReader(config.cluster, `${host}:${kafkaPort}`),
    });
  }

  #listenToMain(): void {
    this.#on('image', (notice) => this.#view.follow(notice));
    this.#on('leaders', (entries) => this.#view.leaders.merge(entries));
    this.#on('controller', (nodeId) => {
      this.#view.controllerId = nodeId;
    });
    this.#on('low-disks', (nodeIds) => this.#shard.setLowDisks(nodeIds));
    this.#on('cluster-id', (clusterId) => this.#links.setClusterId(clusterId));
    this.#on('peers', (peers) => this.#links.setPeers(peers));
    this.#on('client', ({ fd }) => this.#gateway.adopt(fd));
    this.#on('http-client', ({ fd }) => this.#http.adopt(fd));
    this.#on('peer', ({ fd, greeting, leftover }) => this.#links.adopt(fd, greeting, leftover));
    this.#on('log-level', (level) => {
      this.#logger.level = level;
    });
    this.#on('transfer', ({ topicId, partition, to }) => {
      this.#shard.find({ topicId, partition })?.replica.transferLeadership(to);
    });
    this.#main.onCall('barrier', (_payload, answer) => answer(null));
    this.#main.onCall('facts', (use, answer) => answer(this.#facts(use as FactsCall)));
    this.#main.onCall('retire', (successors, answer) => {
      answer(this.#shard.retire(new Set(successors as NodeId[])));
    });
    this.#main.onCall('close', (_payload, answer) => {
      void this.#close().then(() => answer(null));
    });
  }

  #on<N extends keyof ShardNotices>(name: N, handler: (notice: ShardNotices[N]) => void): void {
    this.#main.onNotice(name, (payload) => handler(payload as ShardNotices[N]));
  }

  #tell<N extends keyof MainNotices>(name: N, notice: MainNotices[N]): void {
    this.#main.notify(name, notice);
  }

  #tellReconciled(): void {
    const { appliedOffset } = this.#view.image;
    const unopened = this.#keeper.failures().length;
    this.#tell('reconciled', { shard: this.#init.index, offset: appliedOffset, unopened });
  }

  #facts(use: FactsCall): ShardFacts {
    const sockets = this.#sockets.counters();
    const syncCount = this.#metered.syncCount();
    const clients = this.#gateway.connectionCount;
    const counters = { ...sockets, ...fileCounters(), syncCount, clients };
    const strays = this.#init.index === 0 ? this.#local.strays() : [];
    const partitions = [...this.#shard.facts(), ...this.#keeper.failures()];
    const metrics =
      use === 'metrics'
        ? shardMetricFacts({
            counters: this.#counters,
            loop: this.#loop,
            groups: this.#groups,
            kafka: this.#gateway,
            http: this.#http,
            links: this.#others,
            groupsMax: this.#init.config.cluster.settings['metrics.groups.max'],
          })
        : null;
    return { partitions, strays, counters, metrics };
  }

  /** Closes logs and files so that the next start finds everything in order. */
  async #close(): Promise<void> {
    clearInterval(this.#ticker);
    this.#gateway.pauseAll();
    this.#http.pauseAll();
    this.#links.close();
    this.#shard.closeAll();
    this.#wal.closeCleanly();
    await this.#metered.shutDown();
    this.#sockets.destroy();
  }
}

function readRange(fd: number, filePosition: number, length: number): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(length);
  readAt(fd, filePosition, bytes, 0, length);
  return bytes;
}

function randomSeed(): number {
  return crypto.getRandomValues(new Uint32Array(1))[0] as number;
}

new ShardThread(workerData as ShardInit);
