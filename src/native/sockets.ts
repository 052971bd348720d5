/**
 * Plain TCP connections of one event loop, owned by native code from accept to close. Kafka's and
 * the peers' protocols are frames (int32 big-endian length, then the body), so one framer serves
 * both; a raw connection (HTTP) is not cut.
 * Promise: TypeScript is entered once per loop turn with all frames of it, everything written
 * meanwhile leaves in one gathered write per connection, and no peer can make memory grow faster
 * than its bytes arrive. Owner's thread only. How a turn runs: `native/core/socket_layer.h`.
 */
import { LograftError } from '../base/errors.js';
import type { FilePosition } from '../base/units.js';
import { markAsUntransferable } from 'node:worker_threads';
import { native } from './addon.js';
import type { NativeHandle } from './addon.js';
import { type SocketCounters, toCounters } from './socket-counters.js';
import { NATIVE_CONSTANTS } from './constants.js';
import { reportUncaught } from './uncaught.js';

const { EVENTS_MAX, EVENT_STRIDE, SOCKET_COUNTER_COUNT } = NATIVE_CONSTANTS;
const SLAB_BYTES_DEFAULT = 256 * 1024;
const SLAB_BYTES_MIN = 4 * 1024;
const BACKLOG_DEFAULT = 511;
/** Longer texts get a buffer of their own. */
const SCRATCH_BYTES = 4 * 1024;
const OUTSIDE_TURN = -1;
/** Larger frames get a buffer for themselves; up to here one is kept for the next. */
const BIG_FRAME_KEEP_MAX = 4 * 1024 * 1024;

/** Kinds of events; the order is part of the border to C++. */
const EVENT_FRAME = 0;
const EVENT_BIG_FRAME = 1;
const EVENT_OPENED = 2;
const EVENT_ACCEPTED = 3;
const EVENT_CLOSED = 4;
const EVENT_DRAINED = 5;
const EVENT_READ_ENDED = 6;

/** Names one connection of a layer; an id comes again only after tens of millions of others. */
export type ConnectionId = number & { readonly unit?: 'connectionId' };

export type SocketHandler = {
  /**
   * `bytes.subarray(start, start + length)` is the body, valid ONLY until `onTurnEnd` returns.
   * Frames larger than half the slab come in a buffer of their own. Of a raw connection: what one
   * read brought, at least a byte and at most half the slab, always in the slab.
   */
  onFrame(connId: ConnectionId, bytes: Buffer, start: number, length: number): void;
  /** Once after the events of a turn: the batching point. What is written here still leaves now. */
  onTurnEnd(): void;
  /** Accepted in 'frames' mode, or a connect succeeded. Adopted connections are silent. */
  onOpened(connId: ConnectionId): void;
  /** 'handoff' mode: the fd is the handler's now (adopt it somewhere, or close it). */
  onAccepted(fd: number, listenerId: number): void;
  /** Exactly once per connection that was not detached; its frames came before. */
  onClosed(connId: ConnectionId, reason: string): void;
  /** See {@link SocketLayer.setHalfOpen}. */
  onReadEnded?(connId: ConnectionId): void;
  /** The outbound queue went from over half of its bound to empty. */
  onDrained(connId: ConnectionId): void;
};

export type SocketLayerOptions = {
  /** Bytes read before TypeScript is entered; larger costs cache misses. */
  readonly slabBytes?: number;
  /** A longer frame closes its connection; `setFrameBytesMax` changes one connection's. */
  readonly frameBytesMax: number;
  /** Above this a connection is not read until its queue is half empty. */
  readonly outboundBytesMax: number;
  readonly handler: SocketHandler;
};

export class SocketLayer {
  readonly #handler: SocketHandler;
  readonly #slab: Buffer;
  readonly #events = new Int32Array(EVENTS_MAX * EVENT_STRIDE);
  readonly #handle: NativeHandle;
  /** Connections closed or detached in the running turn: their other frames are not due. */
  readonly #goneInTurn = new Set<ConnectionId>();
  readonly #scratch = Buffer.allocUnsafeSlow(SCRATCH_BYTES);
  #bigFrame: Buffer = Buffer.alloc(0);
  /** Event being handled, or OUTSIDE_TURN. */
  #eventIndex = OUTSIDE_TURN;
  #isDestroyed = false;

  constructor(options: SocketLayerOptions) {
    const slabBytes = options.slabBytes ?? SLAB_BYTES_DEFAULT;
    if (!(slabBytes >= SLAB_BYTES_MIN)) throw new RangeError(`slabBytes ${slabBytes} is too small`);
    this.#handler = options.handler;
    this.#slab = Buffer.allocUnsafeSlow(slabBytes);
    markAsUntransferable(this.#slab.buffer);
    this.#handle = native.socketsOpen(
      this.#slab,
      this.#events,
      options.frameBytesMax,
      options.outboundBytesMax,
      (count, bigFrameBytes) => this.#onTurn(count, bigFrameBytes),
    );
  }

  /** Listens on a numeric address (or 'localhost'); port 0 lets the system choose. */
  listen(
    host: string,
    port: number,
    mode: 'frames' | 'handoff',
    backlog: number = BACKLOG_DEFAULT,
  ): { listenerId: number; port: number } {
    try {
      const isHandoff = mode === 'handoff';
      const listenerId = native.socketsListen(this.#handle, host, port, isHandoff, backlog);
      return { listenerId, port: native.socketsListenerPort(this.#handle, listenerId) };
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EADDRINUSE') throw error;
      throw new LograftError(
        'ADDRESS_IN_USE',
        `${host}:${port} is already in use`,
        'stop the process that listens there, or choose another port',
        { cause: error },
      );
    }
  }

  /** Stops listening; accepted connections live on. */
  unlisten(listenerId: number): void {
    native.socketsUnlisten(this.#handle, listenerId);
  }

  /**
   * Begins to connect to a numeric address; `onOpened` or `onClosed` tells the outcome. How long to
   * wait is the caller's decision: `close` gives up.
   */
  connect(host: string, port: number): ConnectionId {
    return native.socketsConnect(this.#handle, host, port);
  }

  /** Takes over a connected socket of this process, and bytes already read from it. */
  adopt(fd: number, leftover?: Uint8Array): ConnectionId {
    return native.socketsAdopt(this.#handle, fd, leftover);
  }

  /**
   * Gives a connection away: its socket, and what was read of it behind the frame being handled
   * (of a raw one: behind the piece being handled), byte for byte as the peer sent it.
   * Throws EBUSY while something is queued outbound, ENOTCONN when the connection has ended.
   */
  detach(connId: ConnectionId): { fd: number; leftover: Buffer } {
    const leftover = native.socketsDetachLeftover(this.#handle, connId, this.#eventIndex);
    const fd = native.socketsDetach(this.#handle, connId);
    if (this.#eventIndex !== OUTSIDE_TURN) this.#goneInTurn.add(connId);
    return { fd, leftover };
  }

  /** Queues a copy of `bytes[start, end)`; leaves with the turn. Ignored when the peer has gone. */
  write(connId: ConnectionId, bytes: Uint8Array, start = 0, end: number = bytes.length): void {
    native.socketsWrite(this.#handle, connId, bytes, start, end);
  }

  /** As {@link write}, of a text of nothing but ASCII. */
  writeAscii(connId: ConnectionId, text: string): void {
    const scratch = this.#scratch;
    if (text.length > scratch.length) {
      this.write(connId, Buffer.from(text, 'latin1'));
      return;
    }
    const length = scratch.write(text, 0, 'latin1');
    native.socketsWrite(this.#handle, connId, scratch, 0, length);
  }

  /**
   * Queues a range of a file behind what was written. Large ranges keep a duplicate of `fd`, so the
   * file may be closed or unlinked at once, but its bytes must not change or vanish: a range that
   * turns out shorter closes the connection.
   */
  writeRange(connId: ConnectionId, fd: number, filePosition: FilePosition, length: number): void {
    native.socketsWriteRange(this.#handle, connId, fd, filePosition, length);
  }

  /** Everything not yet taken by the kernel, file ranges included. 0 when the peer has gone. */
  outboundBytes(connId: ConnectionId): number {
    return native.socketsOutboundBytes(this.#handle, connId);
  }

  /**
   * From here on this connection's bytes are not cut into frames: `onFrame` gets whatever a read
   * brought, so neither the frame bound nor the frame deadline concerns it; how long a request may
   * take, and how much of it to keep, is the handler's. Call it before any byte was looked at:
   * right after `adopt` (also with leftover) or `connect`, or in `onOpened`. Later it throws EBUSY.
   */
  setRaw(connId: ConnectionId): void {
    native.socketsSetRaw(this.#handle, connId);
  }

  /**
   * From here on the last byte of the peer does not end the connection, for the peer may still want
   * to hear its answer: `onReadEnded` tells, nothing more is read, and `close` is the handler's.
   */
  setHalfOpen(connId: ConnectionId): void {
    native.socketsSetHalfOpen(this.#handle, connId);
  }

  setFrameBytesMax(connId: ConnectionId, bytes: number): void {
    native.socketsSetFrameBytesMax(this.#handle, connId, bytes);
  }

  /** A frame that has begun must be complete within `ms`, or the connection closes; 0 is never. */
  setFrameDeadlineMs(connId: ConnectionId, ms: number): void {
    native.socketsSetFrameDeadline(this.#handle, connId, ms);
  }

  /** How many bytes on their way to the peer the kernel may hold; without it the kernel decides. */
  setSendBufferBytes(connId: ConnectionId, bytes: number): void {
    native.socketsSetSendBuffer(this.#handle, connId, bytes);
  }

  /** No more reads until `resumeReading`; frames already read in this turn are still delivered. */
  pauseReading(connId: ConnectionId): void {
    native.socketsSetReading(this.#handle, connId, false);
  }

  resumeReading(connId: ConnectionId): void {
    native.socketsSetReading(this.#handle, connId, true);
  }

  /** `address:port` of the other side; empty when it has gone. */
  remoteAddress(connId: ConnectionId): string {
    return native.socketsRemoteAddress(this.#handle, connId);
  }

  /** Ends a connection after what the kernel takes at once of its queue; `onClosed` follows. */
  close(connId: ConnectionId): void {
    if (this.#eventIndex !== OUTSIDE_TURN) this.#goneInTurn.add(connId);
    native.socketsClose(this.#handle, connId);
  }

  /** Whether this layer's sockets keep the loop (and so the thread) alive; they do at first. */
  ref(): void {
    native.socketsSetRef(this.#handle, true);
  }

  unref(): void {
    native.socketsSetRef(this.#handle, false);
  }

  counters(): SocketCounters {
    const into = new Float64Array(SOCKET_COUNTER_COUNT);
    if (!this.#isDestroyed) native.socketsCounters(this.#handle, into);
    return toCounters(into);
  }

  /** Closes everything without further events. Every other method but `counters` throws after. */
  destroy(): void {
    if (this.#isDestroyed) return;
    this.#isDestroyed = true;
    native.socketsDestroy(this.#handle);
  }

  #onTurn(count: number, bigFrameBytes: number): void {
    if (bigFrameBytes > 0) this.#takeBigFrame(bigFrameBytes);
    for (let index = 0; index < count; index++) {
      this.#eventIndex = index;
      // After destroy only descriptors still need an owner.
      if (this.#isDestroyed && this.#events[index * EVENT_STRIDE] !== EVENT_ACCEPTED) continue;
      try {
        this.#dispatch(index * EVENT_STRIDE);
      } catch (error) {
        reportUncaught(error);
      }
    }
    this.#eventIndex = OUTSIDE_TURN;
    if (this.#goneInTurn.size > 0) this.#goneInTurn.clear();
    if (this.#isDestroyed) return;
    try {
      this.#handler.onTurnEnd();
    } catch (error) {
      reportUncaught(error);
    }
  }

  /** Event = kind, connection (or listener), and three numbers that depend on the kind. */
  #dispatch(at: number): void {
    const events = this.#events;
    const id = events[at + 1] as number;
    const first = events[at + 2] as number;
    const second = events[at + 3] as number;
    switch (events[at]) {
      case EVENT_FRAME:
        if (this.#isGone(id)) return;
        return this.#handler.onFrame(id, this.#slab, first, second);
      case EVENT_BIG_FRAME:
        if (this.#isGone(id)) return;
        return this.#handler.onFrame(id, this.#bigFrame, first, second);
      case EVENT_OPENED:
        if (this.#isGone(id)) return;
        return this.#handler.onOpened(id);
      case EVENT_ACCEPTED:
        return this.#handler.onAccepted(first, id);
      case EVENT_CLOSED:
        return this.#handler.onClosed(id, closeReason(first, second, events[at + 4] as number));
      case EVENT_DRAINED:
        if (this.#isGone(id)) return;
        return this.#handler.onDrained(id);
      case EVENT_READ_ENDED:
        if (this.#isGone(id)) return;
        return this.#handler.onReadEnded?.(id);
      default:
        throw new Error(`unknown socket event ${events[at]}`);
    }
  }

  /** At most one frame of a turn is this big. A kept buffer saves collections of 1 MB garbage. */
  #takeBigFrame(length: number): void {
    if (this.#bigFrame.length < length) {
      const isKept = length <= BIG_FRAME_KEEP_MAX;
      this.#bigFrame = Buffer.allocUnsafeSlow(isKept ? roundUpToPowerOfTwo(length) : length);
    } else if (this.#bigFrame.length > BIG_FRAME_KEEP_MAX) {
      this.#bigFrame = Buffer.allocUnsafeSlow(length);
    }
    native.socketsTakeBigFrame(this.#handle, this.#bigFrame);
  }

  #isGone(connId: ConnectionId): boolean {
    return this.#goneInTurn.size > 0 && this.#goneInTurn.has(connId);
  }
}

function roundUpToPowerOfTwo(value: number): number {
  return 2 ** Math.ceil(Math.log2(value));
}

/** Why a connection ended; the order is part of the border to C++. */
function closeReason(reason: number, first: number, second: number): string {
  switch (reason) {
    case 0:
      return 'closed here';
    case 1:
      return 'peer closed';
    case 2:
      return `frame too large (${first} > ${second})`;
    case 3:
      return 'negative frame length';
    case 4:
      return 'empty frame';
    case 5:
      return `frame not complete within ${first} ms`;
    case 6:
      return 'outbound queue overflow';
    case 7:
      return 'file range ended early';
    default:
      return native.errnoName(first);
  }
}
