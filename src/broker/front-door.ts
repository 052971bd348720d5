/**
 * Where connections arrive. The main thread listens on the ports of the node: sockets of Kafka's
 * and of HTTP's clients go to the shards in turn; a peer's socket is read until its hello names a
 * thread, and goes there with what was read behind it. Main thread.
 */
import { LograftError } from '../base/errors.js';
import type { ConnectionId, SocketLayer } from '../native/sockets.js';
import type { Logger } from '../observability/logger.js';
import { PeerDoor } from '../replication/peer-door.js';
import {
  type Greeting,
  MAIN_SHARD,
  type PeerHello,
  type RefusalReason,
} from '../replication/peer-frame.js';
import type { NodeConfig } from './config.js';
import { TICK_MS } from './knobs.js';

/** How long a peer has to say who it is. */
const HELLO_MS_MAX = 10_000;
/** How often it is said at most that connections can not be accepted. */
const COMPLAINT_TICKS = 1_000 / TICK_MS;

export type FrontDoorOptions = {
  readonly sockets: SocketLayer;
  readonly logger: Logger;
  readonly shards: number;
  /** This node as it is now. */
  readonly self: () => PeerHello;
  readonly clientToShard: (shard: number, fd: number) => void;
  readonly httpToShard: (shard: number, fd: number) => void;
  readonly peerToShard: (
    shard: number,
    fd: number,
    greeting: Greeting,
    leftover: Uint8Array,
  ) => void;
  /** A peer's connection for the main thread itself; it stays in this socket layer. */
  readonly peerToMain: (connId: ConnectionId, greeting: Greeting) => void;
  readonly onPeerRefused: (from: PeerHello, reason: RefusalReason) => void;
};

export class FrontDoor {
  readonly #options: FrontDoorOptions;
  readonly peers: PeerDoor;
  #clientListener = -1;
  #httpListener = -1;
  #peerListener = -1;
  #nextShard = 0;
  #backoffs = 0;
  #ticks = 0;

  constructor(options: FrontDoorOptions) {
    this.#options = options;
    const { sockets, self, onPeerRefused } = options;
    this.peers = new PeerDoor({
      sockets,
      self,
      helloTicksMax: HELLO_MS_MAX / TICK_MS,
      route: (connId, greeting) => this.#route(connId, greeting),
      onRefused: onPeerRefused,
    });
  }

  /** @throws LograftError ADDRESS_IN_USE naming the port and the flag that moves it */
  listenForPeers({ host, peerPort }: NodeConfig): void {
    this.#peerListener = this.#listen(host, peerPort, 'frames', 'peer port');
  }

  /** Clients are only let in when the shards can answer them. */
  listenForClients({ host, kafkaPort }: NodeConfig): void {
    this.#clientListener = this.#listen(host, kafkaPort, 'handoff', 'Kafka port');
  }

  listenForHttp({ host, httpPort }: NodeConfig): void {
    this.#httpListener = this.#listen(host, httpPort, 'handoff', 'HTTP port');
  }

  onAccepted(fd: number, listenerId: number): void {
    const { shards, clientToShard, httpToShard } = this.#options;
    const isHttp = listenerId === this.#httpListener;
    (isHttp ? httpToShard : clientToShard)(this.#nextShard, fd);
    this.#nextShard = (this.#nextShard + 1) % shards;
  }

  tick(): void {
    this.peers.tick();
    this.#ticks += 1;
    if (this.#ticks % COMPLAINT_TICKS === 0) this.#maybeComplain();
  }

  /** Connections then wait in the system's backlog, and nothing else would say why. */
  #maybeComplain(): void {
    const { logger, sockets } = this.#options;
    const { acceptBackoffs } = sockets.counters();
    if (acceptBackoffs > this.#backoffs) {
      const times = acceptBackoffs - this.#backoffs;
      logger.warn({ times }, 'no descriptors or memory to accept connections');
    }
    this.#backoffs = acceptBackoffs;
  }

  /** No new connections; those that are there go on. */
  close(): void {
    const { sockets } = this.#options;
    if (this.#clientListener >= 0) sockets.unlisten(this.#clientListener);
    if (this.#httpListener >= 0) sockets.unlisten(this.#httpListener);
    if (this.#peerListener >= 0) sockets.unlisten(this.#peerListener);
    this.#clientListener = -1;
    this.#httpListener = -1;
    this.#peerListener = -1;
  }

  #listen(host: string, port: number, mode: 'frames' | 'handoff', what: string): number {
    try {
      return this.#options.sockets.listen(host, port, mode).listenerId;
    } catch (error) {
      if (!(error instanceof LograftError)) throw error;
      throw new LograftError(
        error.code,
        `${error.message} (the ${what} of this node)`,
        'stop the process that listens there, or move all ports with --base-port',
        { cause: error },
      );
    }
  }

  #route(connId: ConnectionId, greeting: Greeting): void {
    const { sockets, peerToMain, peerToShard } = this.#options;
    if (greeting.toShard === MAIN_SHARD) {
      peerToMain(connId, greeting);
      return;
    }
    const { fd, leftover } = sockets.detach(connId);
    peerToShard(greeting.toShard, fd, greeting, leftover);
  }
}
