/**
 * The HTTP door of one shard. Requests that are hot and plain are answered here, from the shard's
 * own sockets, in the order in which they came; at the first other one the connection goes to the
 * framework on the main thread, with every byte that was not worked on, and does not come back.
 * Promise: nothing is answered here that the framework would have answered otherwise. Shard thread.
 */
import { assert } from '../../../base/assert.js';
import { readRequestHead } from '../request-head.js';
import {
  HTTP_BODY_BYTES_MAX,
  HTTP_HOT_BODY_BYTES_MAX,
  HTTP_HEADERS_MS_MAX,
  HTTP_IDLE_MS_MAX,
  HTTP_STREAM_STALL_MS_MAX,
} from '../../../base/limits.js';
import type { GroupKey } from '../../../base/group.js';
import type { MonotonicMs } from '../../../base/units.js';
import type { HandlerContext } from '../../../handlers/context.js';
import { choosePartition } from '../../../handlers/http/place-record.js';
import type { TurnBatches } from '../../../handlers/http/turn-batches.js';
import type { ConnectionId, SocketLayer } from '../../../native/sockets.js';
import type { Logger } from '../../../observability/logger.js';
import { REFUSALS, type ShardCounters } from '../../../observability/shard-counters.js';
import { HotConnection } from './hot-connection.js';
import { answerProduce } from './hot-produce.js';
import { answerMany } from './hot-produce-many.js';
import { type HotRequest, hotRequestOf } from './hot-request.js';
import { HotRead, type HotReadOptions } from './hot-read.js';
import { HotStream } from './hot-stream.js';
import type { UnderstoodHead } from './known-head.js';

/** How soon a connection whose answers are not sent yet is looked at again. */
const LOOK_AGAIN_MS = 5;
/** What a client may send while a task runs before it is no longer read. */
const UNREAD_BYTES_MAX = 64 << 10;
/** Answers with records that a client may leave waiting before it gets another one. */
const ANSWERS_AHEAD_BYTES = 256 << 10;

export type HotDoorOptions = {
  readonly sockets: SocketLayer;
  readonly context: HandlerContext;
  readonly batches: TurnBatches;
  readonly logger: Logger;
  readonly counters: ShardCounters;
  /** socket.send.buffer.bytes; -1 leaves it to the system. */
  readonly sendBufferBytes: number;
  /** This shard's part of max.connections */
  readonly connectionsMax: number;
  /** Whether this very shard owns the partition. */
  readonly isHere: (group: GroupKey) => boolean;
  /** The framework's from here on. */
  readonly handOver: (fd: number, unread: Buffer) => void;
};

/** `whole` are all bytes of the request. */
type Hot = UnderstoodHead & { readonly body: Buffer; readonly whole: Buffer };

/** Each record says which partition it is for. */
const BY_BODY = 'by-body';
type HotGroup = GroupKey | typeof BY_BODY;

export class HotDoor {
  readonly #options: HotDoorOptions;
  readonly #connections = new Map<ConnectionId, HotConnection>();

  constructor(options: HotDoorOptions) {
    this.#options = options;
  }

  get connectionCount(): number {
    return this.#connections.size;
  }

  adopt(fd: number): void {
    const { sockets, logger, counters, connectionsMax, sendBufferBytes } = this.#options;
    const id = sockets.adopt(fd);
    if (this.#connections.size >= connectionsMax) {
      const client = sockets.remoteAddress(id);
      const connections = this.#connections.size;
      logger.warn({ client, connections }, 'too many HTTP connections');
      counters.add('refusals', REFUSALS.indexOf('http-connection'));
      sockets.close(id);
      return;
    }
    sockets.setRaw(id);
    sockets.setHalfOpen(id);
    if (sendBufferBytes > 0) sockets.setSendBufferBytes(id, sendBufferBytes);
    this.#connections.set(id, new HotConnection(id, sockets, this.#nowMs()));
  }

  owns(id: ConnectionId): boolean {
    return this.#connections.has(id);
  }

  /** Whatever arrived; good until the turn is over. */
  onBytes(id: ConnectionId, bytes: Buffer, start: number, length: number): void {
    const connection = this.#connections.get(id);
    if (connection === undefined) return;
    connection.activeMs = this.#nowMs();
    const { isLeaving, isHeld, task, unread } = connection;
    if (!isLeaving && !isHeld && task === null && unread === null) {
      this.#read(connection, bytes, start, start + length);
      return;
    }
    connection.keep(bytes.subarray(start, start + length));
    if (isLeaving || connection.unreadBytes < connection.neededBytes) return;
    if (task === null && !isHeld) this.#resume(connection);
    else if (connection.unreadBytes > UNREAD_BYTES_MAX) this.#options.sockets.pauseReading(id);
  }

  /** The client has said all it wants to: it is answered, then the connection ends. */
  onReadEnded(id: ConnectionId): void {
    const connection = this.#connections.get(id);
    if (connection === undefined) return;
    // Half a request is the framework's to refuse.
    if (connection.unread !== null && connection.task === null) this.#leave(connection);
    else connection.closeWhenQuiet();
  }

  onClosed(id: ConnectionId): void {
    const connection = this.#connections.get(id);
    if (connection === undefined) return;
    this.#connections.delete(id);
    connection.task?.end();
  }

  /** The socket layer has sent what waited. */
  onDrained(id: ConnectionId): void {
    this.#connections.get(id)?.task?.pump();
  }

  /** Ends what stands still, and lets go of who waits to leave; call now and then. */
  keepHouse(): void {
    const nowMs = this.#nowMs();
    for (const connection of this.#connections.values()) {
      // A queue that was never half full drains unheard.
      connection.task?.pump();
      const isStalled = connection.isStalled(nowMs, HTTP_STREAM_STALL_MS_MAX);
      const isWorkedOn = connection.isLeaving || connection.isHeld || connection.task !== null;
      const isUnfinished = connection.unread !== null && !isWorkedOn;
      const quietMs = nowMs - connection.activeMs;
      const isLate = isUnfinished && quietMs > HTTP_HEADERS_MS_MAX;
      const isIdle = connection.isIdle && quietMs > HTTP_IDLE_MS_MAX;
      if (isStalled || isIdle) this.#options.sockets.close(connection.id);
      // The framework knows what to say to half a request.
      else if (isLate) this.#leave(connection);
    }
  }

  /** Stops reading: what is being worked on is still answered. */
  pauseAll(): void {
    for (const id of this.#connections.keys()) this.#options.sockets.pauseReading(id);
  }

  #nowMs(): MonotonicMs {
    return this.#options.context.clock.monotonicMs();
  }

  #read(connection: HotConnection, bytes: Buffer, start: number, end: number): void {
    let at = start;
    while (at < end && this.#connections.has(connection.id)) {
      const understood = this.#understand(connection, bytes, at, end);
      if (understood === 'incomplete') break;
      const group = understood === null ? null : this.#groupOf(understood.request);
      if (understood === null || group === null) {
        this.#leaveWith(connection, bytes.subarray(at, end));
        return;
      }
      const { head, request } = understood;
      if (this.#mustWait(connection, request)) break;
      const bodyStart = at + head.headBytes;
      const bodyEnd = bodyStart + head.contentLength;
      if (bodyEnd > end) {
        connection.neededBytes = bodyEnd - at;
        break;
      }
      const body = bytes.subarray(bodyStart, bodyEnd);
      const hot = { head, request, body, whole: bytes.subarray(at, bodyEnd) };
      if (!this.#serve(connection, group, hot)) {
        this.#leaveWith(connection, bytes.subarray(at, end));
        return;
      }
      at = bodyEnd;
      if (connection.task !== null) break;
    }
    if (at < end) connection.keep(bytes.subarray(at, end));
    if (connection.unreadBytes > HTTP_BODY_BYTES_MAX) this.#leave(connection);
  }

  /** Null: the framework's. */
  #understand(
    { known }: HotConnection,
    bytes: Buffer,
    start: number,
    end: number,
  ): UnderstoodHead | 'incomplete' | null {
    const again = known.find(bytes, start, end);
    if (again !== null) return again;
    const head = readRequestHead(bytes, start, end);
    if (head === 'incomplete') return head;
    const request = head === 'other' ? null : hotRequestOf(head);
    if (head === 'other' || request === null) return null;
    if (head.contentLength > HTTP_HOT_BODY_BYTES_MAX) return null;
    const understood = { head, request };
    known.note(bytes, start, understood);
    return understood;
  }

  /** False: the body says that it is not for here. */
  #serve(connection: HotConnection, group: HotGroup, hot: Hot): boolean {
    const { context, counters } = this.#options;
    const { head, request, body } = hot;
    if (request.kind === 'produce-many') {
      return answerMany(this.#options, connection, head, request, body);
    }
    assert(group !== BY_BODY, 'the request names its partition', { kind: request.kind });
    if (request.kind === 'produce') {
      answerProduce(this.#options, connection, group, head, request, body);
      return true;
    }
    const onEnd = (): void => this.#endTask(connection);
    const task = { context, counters, connection, group, head, onEnd };
    if (request.kind === 'read') return this.#startRead({ ...task, request }, hot);
    const stream = new HotStream({ ...task, request });
    connection.task = stream;
    stream.start();
    return true;
  }

  /** False: it is the framework's after all. */
  #startRead(task: Omit<HotReadOptions, 'onGivenBack'>, { whole }: Hot): boolean {
    const { connection } = task;
    const copy = Buffer.from(whole);
    const onGivenBack = (): void => {
      connection.task = null;
      connection.putBack(copy);
      this.#leave(connection);
    };
    const read = new HotRead({ ...task, onGivenBack });
    connection.task = read;
    if (read.start()) return true;
    connection.task = null;
    return false;
  }

  #endTask(connection: HotConnection): void {
    connection.task = null;
    this.#options.sockets.resumeReading(connection.id);
    // Its answer comes before those of what has waited.
    setImmediate(() => this.#resume(connection));
  }

  /**
   * A task writes to the socket itself, so that everything before it is to be answered first; and
   * who asks for more than it takes is to take it first.
   */
  #mustWait(connection: HotConnection, { kind }: HotRequest): boolean {
    const { sockets } = this.#options;
    if (kind === 'produce' || kind === 'produce-many') return false;
    const resume = (): void => this.#resume(connection);
    if (connection.answers.size > 0) connection.onQuiet = resume;
    else if (kind === 'stream' || sockets.outboundBytes(connection.id) < ANSWERS_AHEAD_BYTES) {
      return false;
    } else setTimeout(resume, LOOK_AGAIN_MS);
    connection.isHeld = true;
    return true;
  }

  /** Null: not for here. */
  #groupOf(request: HotRequest): HotGroup | null {
    if (request.kind === 'produce-many') return BY_BODY;
    const group = choosePartition(this.#options.context, request);
    // A file of another shard is not for this one's sockets.
    const mayServe = group === null || request.kind === 'produce' || this.#options.isHere(group);
    return mayServe ? group : null;
  }

  /** Works on what had to wait. */
  #resume(connection: HotConnection): void {
    const isOver = connection.isClosing || connection.isLeaving;
    if (!this.#connections.has(connection.id) || isOver) return;
    if (connection.isHeld) this.#options.sockets.resumeReading(connection.id);
    connection.isHeld = false;
    const unread = connection.takeUnread();
    if (unread.length > 0) this.#read(connection, unread, 0, unread.length);
  }

  #leaveWith(connection: HotConnection, unread: Buffer): void {
    connection.keep(unread);
    this.#leave(connection);
  }

  #leave(connection: HotConnection): void {
    connection.isLeaving = true;
    this.#options.sockets.pauseReading(connection.id);
    this.#tryLeave(connection);
  }

  /** Answers come first: the framework would not know of them. */
  #tryLeave(connection: HotConnection): void {
    if (!this.#connections.has(connection.id)) return;
    if (connection.answers.size > 0) connection.onQuiet = () => this.#tryLeave(connection);
    else if (!connection.isQuiet) setTimeout(() => this.#tryLeave(connection), LOOK_AGAIN_MS);
    else this.#giveAway(connection);
  }

  #giveAway(connection: HotConnection): void {
    const { sockets, handOver } = this.#options;
    let given: { fd: number; leftover: Buffer };
    try {
      given = sockets.detach(connection.id);
    } catch (error) {
      // It ended meanwhile, and its closed event is on the way.
      if ((error as NodeJS.ErrnoException).code !== 'ENOTCONN') throw error;
      return;
    }
    this.#connections.delete(connection.id);
    handOver(given.fd, Buffer.concat([connection.takeUnread(), given.leftover]));
  }
}
