/**
 * All links of one thread. One promise: between this shard and a shard of another node stands at
 * most one link, the node with the larger id dials it again and again, and nothing that an older
 * connection of a peer said is heard after a newer one was welcomed. A closed socket is told at
 * once: that is how a killed leader is noticed. Owner's thread.
 */
import { assert } from '../base/assert.js';
import { type GroupKey, METADATA_GROUP } from '../base/group.js';
import { shardStride, shardOf } from '../base/hash.js';
import { PEER_FRAME_BYTES_MAX } from '../base/limits.js';
import type { Prng } from '../base/prng.js';
import type { NodeId } from '../base/units.js';
import type { LogRange } from '../log/log-types.js';
import type { ConnectionId, SocketLayer } from '../native/sockets.js';
import type { RaftMessage } from '../raft/messages.js';
import {
  decodeFrame,
  encodeGreeting,
  encodeRefusal,
  encodeWelcome,
  FRAME_REFUSAL,
  FRAME_TURN,
  FRAME_WELCOME,
  type Greeting,
  isOtherCluster,
  MAIN_SHARD,
  type PeerHello,
  refusalOf,
  type RefusalReason,
  toHello,
  toRefusal,
} from './peer-frame.js';
import { type LinkState, linkKey, PeerLink } from './peer-link.js';
import { readTurn, type Turn } from './peer-turn.js';
import type { PeerTransport } from './replica-ports.js';

/** Another node: where it listens for peers, and how many shards it has. */
export type PeerAddress = {
  readonly nodeId: NodeId;
  /** A numeric address. */
  readonly host: string;
  readonly port: number;
  readonly shards: number;
};

export type PeerKnobs = {
  /** Bytes that may wait on a link before batches are refused; at most half the layer's bound. */
  readonly outboundBytesMax: number;
  readonly frameBytesMax: number;
  /** Pauses between dials grow from one tick to this many. */
  readonly redialTicksMax: number;
  /** An idle link says so this often; one that is silent for three times as long is closed. */
  readonly beatTicks: number;
  /** A dialed link that is not welcomed within this is closed, and dialed again. */
  readonly greetTicksMax: number;
};

/**
 * With 50 ms ticks: dials again within 0.5 s, closes a silent link after 1.8 s, a dial after 1 s.
 * Short, because a connection over a cut recovers only when TCP sends again, and it waits twice as
 * long each time: a cut of 6 s would keep two nodes apart for 12 s.
 */
export const DEFAULT_PEER_KNOBS: PeerKnobs = {
  outboundBytesMax: 4 * 1024 * 1024,
  frameBytesMax: PEER_FRAME_BYTES_MAX,
  redialTicksMax: 10,
  beatTicks: 12,
  greetTicksMax: 20,
};

export type PeerLinksHandler = {
  /** `bytes` are good for the call only; the payload of an append begins at `start`. */
  onMessage(group: GroupKey, message: RaftMessage, bytes: Uint8Array, start: number): void;
  onControl?(from: NodeId, message: unknown): void;
  onLinkUp(nodeId: NodeId, peer: PeerHello): void;
  onLinkDown(nodeId: NodeId, reason: string): void;
  /** A link that refused bytes takes them again. */
  onLinkReady(nodeId: NodeId): void;
  /** The other node will not have this link (another cluster, another node at that address …). */
  onRefused?(nodeId: NodeId, reason: RefusalReason): void;
};

export type PeerLinksOptions = {
  readonly self: PeerHello;
  readonly sockets: SocketLayer;
  readonly random: Prng;
  readonly knobs: PeerKnobs;
  readonly handler: PeerLinksHandler;
  /** A message waits for the end of a turn, and nobody may have begun one. */
  readonly wantTurn: () => void;
};

export type LinkStatus = {
  readonly nodeId: NodeId;
  readonly shard: number;
  readonly state: LinkState;
  readonly refusal: RefusalReason | null;
  readonly peer: PeerHello | null;
};

export class PeerLinks implements PeerTransport {
  readonly #options: PeerLinksOptions;
  #self: PeerHello;
  readonly #peers = new Map<NodeId, PeerAddress>();
  readonly #links = new Map<string, PeerLink>();
  readonly #byConnection = new Map<ConnectionId, PeerLink>();
  #isClosed = false;

  constructor(options: PeerLinksOptions) {
    this.#options = options;
    this.#self = options.self;
  }

  /** The cluster got its id, or this node adopted it: from now on other clusters are refused. */
  setClusterId(clusterId: string): void {
    this.#self = { ...this.#self, clusterId };
    for (const link of this.#links.values()) {
      if (link.peer === null || !isOtherCluster(link.peer.clusterId, clusterId)) continue;
      link.refusal = 'other-cluster';
      this.#drop(link, 'another cluster');
    }
  }

  /** Whom to keep links with; links to others are closed. */
  setPeers(peers: readonly PeerAddress[]): void {
    this.#peers.clear();
    for (const peer of peers) {
      if (peer.nodeId !== this.#self.nodeId) this.#peers.set(peer.nodeId, peer);
    }
    for (const peer of this.#peers.values()) this.#ensureLinks(peer);
    for (const link of this.#links.values()) {
      if (this.#peers.has(link.nodeId)) continue;
      this.#drop(link, 'no longer a peer');
      this.#links.delete(link.key);
    }
  }

  send(to: NodeId, group: GroupKey, message: RaftMessage, ranges: readonly LogRange[]): boolean {
    const link = this.#linkFor(to, group);
    if (link === undefined || link.peer === null) return false;
    // Another directory than the one that votes: a stranger gets nothing.
    if (link.peer.directoryId !== message.to.directoryId) return false;
    const { sockets, knobs } = this.#options;
    return link.queueRaft(sockets, knobs.outboundBytesMax, group, message, ranges);
  }

  /**
   * Any plain value; false when the link is down or over its bound. `bytes`: about how many the
   * message takes where it is not small.
   */
  sendControl(to: NodeId, message: unknown, bytes = 0): boolean {
    const { sockets, knobs, wantTurn } = this.#options;
    const main = this.#links.get(linkKey(to, MAIN_SHARD));
    const isQueued = main?.queueControl(sockets, knobs.outboundBytesMax, message, bytes) ?? false;
    // A call of another thread comes outside of a turn: it is not to wait for a tick.
    if (isQueued) wantTurn();
    return isQueued;
  }

  isUp(nodeId: NodeId): boolean {
    for (const link of this.#links.values()) {
      if (link.nodeId === nodeId && link.state === 'up') return true;
    }
    return false;
  }

  status(): LinkStatus[] {
    return [...this.#links.values()].map((link) => {
      const { nodeId, shard, state, refusal, peer } = link;
      return { nodeId, shard, state, refusal, peer };
    });
  }

  /** Ends a turn: one frame per link. Call it before anything closes files again. */
  flush(): void {
    for (const link of this.#byConnection.values()) link.flush(this.#options.sockets);
  }

  /** Whether an event of the socket layer is one of these links'. */
  owns(connId: ConnectionId): boolean {
    return this.#byConnection.has(connId);
  }

  /** A greeted connection from another thread of this process (or of this one, see below). */
  adopt(fd: number, greeting: Greeting, leftover?: Uint8Array): void {
    this.accept(this.#options.sockets.adopt(fd, leftover), greeting);
  }

  /** A connection of this layer whose hello was read: welcomes or refuses it. */
  accept(connId: ConnectionId, greeting: Greeting): void {
    const { sockets, knobs } = this.#options;
    const reason = this.#isClosed ? 'closing' : this.#refusalOf(greeting);
    if (reason !== null) {
      sockets.write(connId, encodeRefusal({ reason, shards: this.#self.shards }));
      sockets.close(connId);
      return;
    }
    const link = this.#link(greeting.nodeId, greeting.shard);
    this.#drop(link, 'a newer connection');
    sockets.setFrameBytesMax(connId, knobs.frameBytesMax);
    sockets.write(connId, encodeWelcome(this.#self));
    link.connId = connId;
    this.#byConnection.set(connId, link);
    this.#welcome(link, greeting);
  }

  onOpened(connId: ConnectionId): void {
    const link = this.#byConnection.get(connId);
    if (link === undefined) return;
    assert(link.state === 'connecting', 'a dialed connection opens once', { state: link.state });
    const { sockets, knobs } = this.#options;
    link.state = 'greeting';
    sockets.setFrameBytesMax(connId, knobs.frameBytesMax);
    const toward = { toNode: link.nodeId, toShard: link.shard };
    sockets.write(connId, encodeGreeting({ ...this.#self, ...toward }));
  }

  onFrame(connId: ConnectionId, bytes: Uint8Array, start: number, length: number): void {
    const link = this.#byConnection.get(connId);
    if (link === undefined) return;
    link.silentTicks = 0;
    const frame = decodeFrame(bytes, start, length);
    if (frame === null) return this.#drop(link, 'malformed frame');
    if (link.state === 'greeting') return this.#onAnswer(link, frame.kind, frame.value);
    const end = start + length;
    const fault =
      frame.kind === FRAME_TURN && Array.isArray(frame.value)
        ? this.#onTurn(link, { items: frame.value, bytes, at: frame.payloadStart, end })
        : 'unexpected frame';
    if (fault !== null) this.#drop(link, fault);
  }

  onClosed(connId: ConnectionId, reason: string): void {
    const link = this.#byConnection.get(connId);
    if (link !== undefined) this.#forget(link, reason);
  }

  onDrained(connId: ConnectionId): void {
    const link = this.#byConnection.get(connId);
    if (link !== undefined) this.#maybeReady(link);
  }

  /** Every tick of the thread: dials, beats, and closes what is silent. */
  tick(): void {
    const { sockets, knobs } = this.#options;
    for (const link of [...this.#links.values()]) {
      link.silentTicks++;
      link.idleTicks++;
      if (link.state === 'idle') {
        this.#maybeDial(link);
      } else if (link.isSilent(knobs.beatTicks, knobs.greetTicksMax)) {
        this.#drop(link, 'silent');
      } else if (link.state === 'up') {
        this.#maybeReady(link);
        if (link.idleTicks >= knobs.beatTicks) link.beat(sockets);
      }
    }
  }

  close(): void {
    if (this.#isClosed) return;
    this.flush();
    this.#isClosed = true;
    for (const link of [...this.#byConnection.values()]) this.#drop(link, 'closed here');
    this.#links.clear();
  }

  /** The larger id dials. Two shard counts need links only between shards that share partitions. */
  #ensureLinks(peer: PeerAddress): void {
    const { nodeId, shard, shards } = this.#self;
    if (shard === MAIN_SHARD) return void this.#link(peer.nodeId, MAIN_SHARD);
    if (nodeId < peer.nodeId) return;
    const common = shardStride(shards, peer.shards);
    for (let other = shard % common; other < peer.shards; other += common) {
      this.#link(peer.nodeId, other);
    }
  }

  #maybeDial(link: PeerLink): void {
    const { sockets, knobs, random } = this.#options;
    const peer = this.#peers.get(link.nodeId);
    const isOurs = this.#self.nodeId > link.nodeId && peer !== undefined;
    if (!isOurs || this.#isClosed || --link.waitTicks > 0) return;
    if (link.shard >= peer.shards) {
      this.#links.delete(link.key);
      return;
    }
    link.attempts++;
    const pause = Math.min(knobs.redialTicksMax, 2 ** Math.min(link.attempts, 10));
    link.waitTicks = random.int(1, pause + 1);
    link.state = 'connecting';
    link.silentTicks = 0;
    link.connId = sockets.connect(peer.host, peer.port);
    this.#byConnection.set(link.connId, link);
  }

  #onAnswer(link: PeerLink, kind: number, value: unknown): void {
    if (kind === FRAME_REFUSAL) {
      const { reason, shards } = toRefusal(value);
      this.#onRefused(link, reason, shards);
      return;
    }
    const hello = kind === FRAME_WELCOME ? toHello(value) : 'not-a-peer';
    if (typeof hello === 'string') {
      this.#onRefused(link, hello, 0);
      return;
    }
    const isRight = hello.nodeId === link.nodeId && hello.shard === link.shard;
    if (!isRight) return this.#onRefused(link, 'other-node', 0);
    if (isOtherCluster(hello.clusterId, this.#self.clusterId)) {
      return this.#onRefused(link, 'other-cluster', 0);
    }
    this.#welcome(link, hello);
  }

  #onRefused(link: PeerLink, reason: RefusalReason, shards: number): void {
    const isNews = link.refusal !== reason;
    link.refusal = reason;
    this.#drop(link, `refused: ${reason}`);
    if (reason === 'no-such-shard' && shards > 0) this.#noteShards(link.nodeId, shards);
    if (isNews) this.#options.handler.onRefused?.(link.nodeId, reason);
  }

  #welcome(link: PeerLink, peer: PeerHello): void {
    const { clusterId, nodeId, directoryId, incarnation, shard, shards } = peer;
    link.peer = { clusterId, nodeId, directoryId, incarnation, shard, shards };
    link.state = 'up';
    link.refusal = null;
    link.attempts = 0;
    link.silentTicks = 0;
    this.#noteShards(nodeId, shards);
    this.#options.handler.onLinkUp(nodeId, link.peer);
  }

  /** A node came back with another number of shards. */
  #noteShards(nodeId: NodeId, shards: number): void {
    const known = this.#peers.get(nodeId);
    if (known === undefined || known.shards === shards) return;
    const peer = { ...known, shards };
    this.#peers.set(nodeId, peer);
    this.#ensureLinks(peer);
  }

  #onTurn(link: PeerLink, turn: Turn): string | null {
    const { peer } = link;
    assert(peer !== null, 'a link that is up knows its peer');
    // A handler may close the link, or a newer connection may replace it, in the middle of a turn.
    const isCurrent = (): boolean => link.peer === peer;
    const ends = { peer, self: this.#self, heard: link.heard };
    return readTurn(turn, ends, this.#options.handler, isCurrent);
  }

  #maybeReady(link: PeerLink): void {
    const { sockets, knobs, handler } = this.#options;
    if (!link.hasRoomAgain(sockets, knobs.outboundBytesMax)) return;
    link.hasRefused = false;
    handler.onLinkReady(link.nodeId);
  }

  #refusalOf(greeting: Greeting): RefusalReason | null {
    const reason = refusalOf(greeting, this.#self);
    if (reason !== null) return reason;
    if (greeting.toShard !== this.#self.shard) return 'no-such-shard';
    // Only one side dials, or two connections would push each other out for ever.
    return greeting.nodeId > this.#self.nodeId ? null : 'other-node';
  }

  #linkFor(nodeId: NodeId, group: GroupKey): PeerLink | undefined {
    if (this.#self.shard === MAIN_SHARD) return this.#links.get(linkKey(nodeId, MAIN_SHARD));
    assert(group.topicId !== METADATA_GROUP.topicId, 'the metadata group speaks on main links');
    const shards = this.#peers.get(nodeId)?.shards ?? 0;
    if (shards === 0) return undefined;
    return this.#links.get(linkKey(nodeId, shardOf(group.topicId, group.partition, shards)));
  }

  #link(nodeId: NodeId, shard: number): PeerLink {
    const key = linkKey(nodeId, shard);
    const link = this.#links.get(key) ?? new PeerLink(nodeId, shard);
    this.#links.set(key, link);
    return link;
  }

  /** Closes a link's connection from this side. */
  #drop(link: PeerLink, reason: string): void {
    if (link.connId < 0) return;
    const { connId } = link;
    this.#forget(link, reason);
    this.#options.sockets.close(connId);
  }

  #forget(link: PeerLink, reason: string): void {
    const wasUp = link.state === 'up';
    this.#byConnection.delete(link.connId);
    link.forget();
    if (wasUp) link.waitTicks = 1;
    if (wasUp) this.#options.handler.onLinkDown(link.nodeId, reason);
  }
}
