/** One client's connection at a shard: what is unread, and answers in the order of requests. */
import type { MonotonicMs } from '../../../base/units.js';
import type { ConnectionId, SocketLayer } from '../../../native/sockets.js';
import { ResponseQueue } from '../../response-queue.js';
import { KnownHead } from './known-head.js';

const EMPTY = Buffer.alloc(0);
const LOOK_AGAIN_MS = 2;
/** While something is under way that may take its time. */
const LOOK_AGAIN_TASK_MS = 100;

/** Text is ASCII. */
export type HotAnswer = { readonly content: Buffer | string; readonly isLast: boolean };

/** A request that takes its time and has the connection for itself. */
export type HotTask = {
  /** The socket layer has room again. */
  pump(): void;
  /** The client has gone. */
  end(): void;
};

export class HotConnection {
  readonly id: ConnectionId;
  readonly sockets: SocketLayer;
  readonly answers: ResponseQueue<HotAnswer>;
  readonly known = new KnownHead();
  activeMs: MonotonicMs;
  /** Waits for its answers to be sent, then goes to the framework. */
  isLeaving = false;
  /** Its last answer is on the way. */
  isClosing = false;
  /** While it runs nothing else is read. */
  task: HotTask | null = null;
  /** What is unread waits until the answers before it have left. */
  isHeld = false;
  /** Called once when nothing is under way any more. */
  onQuiet: (() => void) | null = null;
  unread: Buffer[] | null = null;
  unreadBytes = 0;
  /** Until so many are there the request they begin cannot be worked on. */
  neededBytes = 0;
  #leftBytes = 0;
  #stalledSinceMs: MonotonicMs = 0;

  constructor(id: ConnectionId, sockets: SocketLayer, nowMs: MonotonicMs) {
    this.id = id;
    this.sockets = sockets;
    this.activeMs = nowMs;
    this.answers = new ResponseQueue((answer) => this.#send(answer));
  }

  /** No answer is owed, and none waits in the socket layer. */
  get isQuiet(): boolean {
    return (
      this.answers.size === 0 && this.task === null && this.sockets.outboundBytes(this.id) === 0
    );
  }

  get isIdle(): boolean {
    return this.unread === null && this.isQuiet;
  }

  /** A copy of bytes that cannot be worked on yet. */
  keep(bytes: Uint8Array): void {
    this.unread ??= [];
    this.unread.push(Buffer.from(bytes));
    this.unreadBytes += bytes.length;
  }

  /** Bytes that were looked at, and are to be looked at again. */
  putBack(bytes: Buffer): void {
    this.unread = [bytes, ...(this.unread ?? [])];
    this.unreadBytes += bytes.length;
  }

  takeUnread(): Buffer {
    const { unread } = this;
    this.unread = null;
    this.unreadBytes = 0;
    this.neededBytes = 0;
    if (unread === null) return EMPTY;
    return unread.length === 1 ? (unread[0] as Buffer) : Buffer.concat(unread);
  }

  /** Bytes wait in the socket layer, and none of them was taken for `ms`. */
  isStalled(nowMs: MonotonicMs, ms: number): boolean {
    const left = this.sockets.outboundBytes(this.id);
    const hasMoved = left !== this.#leftBytes || left === 0;
    this.#leftBytes = left;
    if (hasMoved) this.#stalledSinceMs = nowMs;
    return nowMs - this.#stalledSinceMs > ms;
  }

  /** After the last answer; what is queued behind a stream takes its time. */
  closeWhenQuiet(): void {
    if (this.isLeaving) return;
    if (this.isQuiet) this.sockets.close(this.id);
    else {
      const pauseMs = this.task === null ? LOOK_AGAIN_MS : LOOK_AGAIN_TASK_MS;
      setTimeout(() => this.closeWhenQuiet(), pauseMs);
    }
  }

  #send({ content, isLast }: HotAnswer): void {
    if (typeof content === 'string') this.sockets.writeAscii(this.id, content);
    else this.sockets.write(this.id, content);
    if (isLast) {
      this.isClosing = true;
      this.closeWhenQuiet();
    }
    const { onQuiet } = this;
    if (onQuiet === null || this.answers.size > 0) return;
    this.onQuiet = null;
    // The answer leaves with the turn.
    setImmediate(onQuiet);
  }
}
