/**
 * Where connections of other nodes arrive: reads the hello of each, and gives it to the thread it
 * names. A connection that does not say who it is in time, or says too much, is closed. Main
 * thread.
 */
import type { ConnectionId, SocketLayer } from '../native/sockets.js';
import {
  acceptHello,
  encodeRefusal,
  type Greeting,
  HELLO_BYTES_MAX,
  type PeerHello,
  type RefusalReason,
  refusalOf,
} from './peer-frame.js';

/** Connections that have not said hello yet. */
const WAITING_MAX = 256;

export type PeerDoorOptions = {
  readonly sockets: SocketLayer;
  /** This node as it is now (the cluster id may come late). */
  readonly self: () => PeerHello;
  /** Ticks that a connection has for its hello. */
  readonly helloTicksMax: number;
  /**
   * Takes a greeted connection: the main thread's links `accept` it, or it is detached and sent,
   * with `helloBytes` (a copy of the hello's frame), to the shard it asks for.
   */
  readonly route: (connId: ConnectionId, greeting: Greeting, helloBytes: Uint8Array) => void;
  /** A node was turned away; `from` is what it says of itself. */
  readonly onRefused?: (from: PeerHello, reason: RefusalReason) => void;
};

export class PeerDoor {
  readonly #options: PeerDoorOptions;
  /** Ticks left, by connection. */
  readonly #waiting = new Map<ConnectionId, number>();

  constructor(options: PeerDoorOptions) {
    this.#options = options;
  }

  owns(connId: ConnectionId): boolean {
    return this.#waiting.has(connId);
  }

  onOpened(connId: ConnectionId): void {
    const { sockets, helloTicksMax } = this.#options;
    if (this.#waiting.size >= WAITING_MAX) {
      sockets.close(connId);
      return;
    }
    sockets.setFrameBytesMax(connId, HELLO_BYTES_MAX);
    this.#waiting.set(connId, helloTicksMax);
  }

  onFrame(connId: ConnectionId, bytes: Uint8Array, start: number, length: number): void {
    if (!this.#waiting.delete(connId)) return;
    const { sockets, self, route } = this.#options;
    const greeting = acceptHello(bytes, start, length);
    const reason = typeof greeting === 'string' ? greeting : refusalOf(greeting, self());
    if (typeof greeting === 'string' || reason !== null) {
      const refusal = { reason: reason ?? 'not-a-peer', shards: self().shards } as const;
      sockets.write(connId, encodeRefusal(refusal));
      sockets.close(connId);
      if (typeof greeting !== 'string') this.#options.onRefused?.(greeting, refusal.reason);
      return;
    }
    route(connId, greeting, new Uint8Array(bytes.subarray(start, start + length)));
  }

  onClosed(connId: ConnectionId): void {
    this.#waiting.delete(connId);
  }

  tick(): void {
    for (const [connId, ticks] of this.#waiting) {
      if (ticks > 1) this.#waiting.set(connId, ticks - 1);
      else {
        this.#waiting.delete(connId);
        this.#options.sockets.close(connId);
      }
    }
  }
}
