/**
 * One link: this thread's connection to one shard of another node. It greets, gathers what a turn
 * has to say and sends it as one frame. Bytes of batches are handed to the socket layer as file
 * ranges, so nothing waits here for a slow peer: above its bound the link refuses, and Raft reads
 * again from the log. Shard thread (main thread for the control plane's links).
 *
 *   idle ──dial──▶ connecting ──opened──▶ greeting ──welcome──▶ up
 *    ▲                 └──────── closed, refused, silent ─────────┘
 */
import { assert } from '../base/assert.js';
import type { GroupKey } from '../base/group.js';
import type { NodeId } from '../base/units.js';
import type { LogRange } from '../log/log-types.js';
import type { SocketLayer } from '../native/sockets.js';
import type { RaftMessage } from '../raft/messages.js';
import { HeardGroups, ToldGroups } from './group-numbers.js';
import { encodeFrame, FRAME_TURN, type PeerHello, type RefusalReason } from './peer-frame.js';
import { encodeMessage, payloadBytes } from './raft-wire.js';

export type LinkState = 'idle' | 'connecting' | 'greeting' | 'up';

/** Small messages still pass when the bound for batches is reached. */
const SMALL_BYTES_MAX = 1024 * 1024;
/** A frame goes out before the turn ends when its batches reach this size. */
const FRAME_PAYLOAD_MAX = 2 * 1024 * 1024;
/** Rough size of a packed message, for the bound. */
const MESSAGE_BYTES = 96;

/** Raft: three ways to name a group, see group-numbers.ts; control: [message]. */
type Item =
  | readonly [topicId: string, partition: number, message: unknown, number: number]
  | readonly [topicId: string, partition: number, message: unknown]
  | readonly [number: number, message: unknown]
  | readonly [message: unknown];

export class PeerLink {
  readonly nodeId: NodeId;
  /** Shard at the other end. */
  readonly shard: number;
  state: LinkState = 'idle';
  connId = -1;
  /** Who answered; null before that. */
  peer: PeerHello | null = null;
  /** Why the other node would have no link, the last time it was asked. */
  refusal: RefusalReason | null = null;
  /** Ticks since something was received, and since something was sent. */
  silentTicks = 0;
  idleTicks = 0;
  /** Dials since the link was last up, and ticks until the next one. */
  attempts = 0;
  waitTicks = 0;
  /** Something was refused because of the bound: its sender wants to hear when there is room. */
  hasRefused = false;
  /** Groups that the peer has numbered on this connection. */
  readonly heard = new HeardGroups();
  readonly #told = new ToldGroups();
  #items: Item[] = [];
  #ranges: LogRange[] = [];
  #rangeBytes = 0;
  #itemBytes = 0;

  constructor(nodeId: NodeId, shard: number) {
    this.nodeId = nodeId;
    this.shard = shard;
  }

  get key(): string {
    return linkKey(this.nodeId, this.shard);
  }

  /** Takes a message for the next frame; false when the bound is reached. */
  queueRaft(
    sockets: SocketLayer,
    bytesMax: number,
    group: GroupKey,
    message: RaftMessage,
    ranges: readonly LogRange[],
  ): boolean {
    const bytes = payloadBytes(message) + (message.type === 'snapshot' ? message.bytes.length : 0);
    if (!this.#hasRoom(sockets, bytes > 0 ? bytesMax : bytesMax + SMALL_BYTES_MAX)) return false;
    this.#items.push(this.#itemOf(group, encodeMessage(message)));
    this.#itemBytes += MESSAGE_BYTES + (message.type === 'snapshot' ? message.bytes.length : 0);
    for (const range of ranges) {
      this.#ranges.push(range);
      this.#rangeBytes += range.length;
    }
    if (this.#rangeBytes + this.#itemBytes >= FRAME_PAYLOAD_MAX) this.flush(sockets);
    return true;
  }

  queueControl(sockets: SocketLayer, bytesMax: number, message: unknown, bytes: number): boolean {
    if (!this.#hasRoom(sockets, bytes > 0 ? bytesMax : bytesMax + SMALL_BYTES_MAX)) return false;
    this.#items.push([message]);
    this.#itemBytes += MESSAGE_BYTES + bytes;
    if (this.#rangeBytes + this.#itemBytes >= FRAME_PAYLOAD_MAX) this.flush(sockets);
    return true;
  }

  /** Sends what was gathered as one frame. */
  flush(sockets: SocketLayer): void {
    if (this.#items.length > 0) this.#send(sockets);
  }

  /** Nothing came for three beats, or no welcome in time. */
  isSilent(beatTicks: number, greetTicksMax: number): boolean {
    return this.silentTicks > (this.state === 'up' ? 3 * beatTicks : greetTicksMax);
  }

  /** An empty frame: "I am here". */
  beat(sockets: SocketLayer): void {
    this.#send(sockets);
  }

  hasRoomAgain(sockets: SocketLayer, bytesMax: number): boolean {
    return this.hasRefused && sockets.outboundBytes(this.connId) <= bytesMax / 2;
  }

  /** The connection is gone: what was gathered for it is lost, as messages may be. */
  forget(): void {
    this.state = 'idle';
    this.connId = -1;
    this.peer = null;
    this.hasRefused = false;
    this.silentTicks = 0;
    this.heard.clear();
    this.#told.clear();
    this.#clear();
  }

  #itemOf(group: GroupKey, message: unknown): Item {
    const known = this.#told.find(group);
    if (known !== null) return [known, message];
    const number = this.#told.tell(group);
    const { topicId, partition } = group;
    return number === null ? [topicId, partition, message] : [topicId, partition, message, number];
  }

  #hasRoom(sockets: SocketLayer, bytesMax: number): boolean {
    if (this.state !== 'up') return false;
    const waiting = sockets.outboundBytes(this.connId) + this.#rangeBytes + this.#itemBytes;
    if (waiting < bytesMax) return true;
    this.hasRefused = true;
    return false;
  }

  #send(sockets: SocketLayer): void {
    assert(this.state === 'up', 'only a greeted link carries turns', { state: this.state });
    sockets.write(this.connId, encodeFrame(FRAME_TURN, this.#items, this.#rangeBytes));
    for (const { fd, filePosition, length, bytes } of this.#ranges) {
      if (bytes !== null) sockets.write(this.connId, bytes);
      else sockets.writeRange(this.connId, fd, filePosition, length);
    }
    this.idleTicks = 0;
    this.#clear();
  }

  #clear(): void {
    this.#items = [];
    this.#ranges = [];
    this.#rangeBytes = 0;
    this.#itemBytes = 0;
  }
}

export function linkKey(nodeId: NodeId, shard: number): string {
  return `${nodeId}/${shard}`;
}
