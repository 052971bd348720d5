/**
 * A proxy in front of one TCP port that speaks length-prefixed frames (int32 big-endian, then the
 * body; Kafka's and ours). It can hold everything back for a while and cut connections in the
 * middle of a frame. Its promise: it never changes, drops or reorders a byte of a connection that
 * it does not cut.
 */
import { type AddressInfo, type Server, type Socket, connect, createServer } from 'node:net';

/** Bytes that wait here in one direction before no more is read. */
const WAITING_BYTES_MAX = 4 << 20;
const PREFIX_BYTES = 4;
/** A shorter frame has no middle worth the name. */
const CUT_BYTES_MIN = 24;

export type CutOrder = {
  /** How much of the frame still passes, between 0 and 1. */
  readonly share: number;
  /** By RST instead of FIN. */
  readonly isReset: boolean;
};

export class TcpProxy {
  readonly host: string;
  readonly port: number;
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();
  /** Every piece waits so long in each direction. */
  delayMs = 0;
  #order: CutOrder | null = null;
  /** Pieces that were held back, and connections that ended inside a frame. */
  delayed = 0;
  cuts = 0;

  private constructor(server: Server, host: string) {
    this.#server = server;
    this.host = host;
    this.port = (server.address() as AddressInfo).port;
  }

  /** Listens on `host`, on a port of the system's choice. */
  static open(host: string, target: { host: string; port: number }): Promise<TcpProxy> {
    return new Promise((resolve, reject) => {
      const server = createServer({ noDelay: true, allowHalfOpen: true });
      server.once('error', reject);
      server.listen(0, host, () => {
        const proxy = new TcpProxy(server, host);
        server.on('connection', (socket) => proxy.#pair(socket, target));
        server.unref();
        resolve(proxy);
      });
    });
  }

  /** The next frame, in either direction, ends as ordered, and its connection with it. */
  cutNextFrame(order: CutOrder): void {
    this.#order = order;
  }

  cancelCut(): void {
    this.#order = null;
  }

  close(): void {
    this.#server.close();
    for (const socket of this.#sockets) socket.destroy();
  }

  #pair(near: Socket, target: { host: string; port: number }): void {
    const far = connect({ ...target, noDelay: true, allowHalfOpen: true });
    const end = (isReset: boolean): void => {
      for (const socket of [near, far]) {
        if (isReset) socket.resetAndDestroy();
        else socket.destroySoon();
      }
    };
    for (const [from, to] of [
      [near, far],
      [far, near],
    ] as const) {
      this.#sockets.add(from);
      from.once('close', () => {
        this.#sockets.delete(from);
        // Whatever ended one side ends the other, after what still waits here.
        to.destroySoon();
      });
      from.on('error', () => to.destroy());
      const way = new OneWay(from, to);
      from.on('data', (piece: Buffer) => this.#onData(way, piece, end));
      from.on('end', () => way.push(null, this.delayMs));
    }
  }

  #onData(way: OneWay, piece: Buffer, end: (isReset: boolean) => void): void {
    if (way.isCut) return;
    const order = this.#order;
    const cutAt = way.scan(piece, order === null ? null : order.share);
    if (this.delayMs > 0) this.delayed += 1;
    if (order === null || cutAt === null) return way.push(piece, this.delayMs);
    this.#order = null;
    this.cuts += 1;
    way.isCut = true;
    way.push(piece.subarray(0, cutAt), this.delayMs, () => end(order.isReset));
  }
}

/** One direction of one connection: where its frames lie, and what waits. */
class OneWay {
  readonly #from: Socket;
  readonly #to: Socket;
  /** Bytes of the running frame that are still to come; its prefix as far as it is known. */
  #restBytes = 0;
  #prefix = Buffer.alloc(0);
  #waitingBytes = 0;
  /** When the last piece leaves: a shorter delay must not let a later one overtake. */
  #lastDueMs = 0;
  isCut = false;

  constructor(from: Socket, to: Socket) {
    this.#from = from;
    this.#to = to;
    to.on('drain', () => this.#maybeResume());
  }

  /**
   * Follows the frames through a piece. With a share: the place in the piece at which the first
   * frame that begins in it is to be cut, null when none of fitting length does.
   */
  scan(piece: Buffer, share: number | null): number | null {
    for (let at = 0; at < piece.length; ) {
      if (this.#restBytes > 0) {
        const step = Math.min(this.#restBytes, piece.length - at);
        this.#restBytes -= step;
        at += step;
        continue;
      }
      const missing = PREFIX_BYTES - this.#prefix.length;
      this.#prefix = Buffer.concat([this.#prefix, piece.subarray(at, at + missing)]);
      at = Math.min(piece.length, at + missing);
      if (this.#prefix.length < PREFIX_BYTES) break;
      this.#restBytes = this.#prefix.readInt32BE(0);
      this.#prefix = Buffer.alloc(0);
      if (share === null || this.#restBytes < CUT_BYTES_MIN) continue;
      // At least one byte of the body passes and at least one does not.
      const passed = Math.max(
        1,
        Math.floor(Math.min(this.#restBytes - 1, this.#restBytes * share)),
      );
      return Math.min(piece.length, at + passed);
    }
    return null;
  }

  /** Sends the piece (null: the end) after what waits already. */
  push(piece: Buffer | null, delayMs: number, onSent?: () => void): void {
    const nowMs = performance.now();
    const dueMs = Math.max(nowMs + delayMs, this.#lastDueMs);
    if (dueMs <= nowMs) return this.#send(piece, onSent);
    this.#lastDueMs = dueMs;
    this.#waitingBytes += piece?.length ?? 0;
    if (this.#isFull()) this.#from.pause();
    // Timers of one length fire in order; the margin keeps later, shorter ones behind.
    setTimeout(
      () => {
        this.#waitingBytes -= piece?.length ?? 0;
        this.#send(piece, onSent);
        this.#maybeResume();
      },
      Math.ceil(dueMs - nowMs),
    );
  }

  #send(piece: Buffer | null, onSent: (() => void) | undefined): void {
    if (this.#to.destroyed || this.#to.writableEnded) return;
    if (piece === null) this.#to.end();
    else this.#to.write(piece, () => onSent?.());
    if (this.#isFull()) this.#from.pause();
  }

  #isFull(): boolean {
    return this.#waitingBytes + this.#to.writableLength > WAITING_BYTES_MAX;
  }

  #maybeResume(): void {
    if (!this.#isFull()) this.#from.resume();
  }
}
