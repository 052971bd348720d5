/** Socket layers that remember what they heard, frames, and plain peers to talk to them. */
import {
  type ConnectionId,
  type SocketHandler,
  SocketLayer,
  type SocketLayerOptions,
} from '#src/native/sockets.js';
import { once } from 'node:events';
import { type Socket, connect } from 'node:net';
import { waitFor } from '../support/wait-for.js';

export const FRAME_BYTES_MAX = 8 << 20;

/** A layer with a record of its events; `on` adds reactions. */
export class Recorder implements SocketHandler {
  readonly layer: SocketLayer;
  readonly frames: { connId: ConnectionId; body: Buffer }[] = [];
  readonly opened: ConnectionId[] = [];
  readonly accepted: number[] = [];
  readonly closed: { connId: ConnectionId; reason: string }[] = [];
  readonly drained: ConnectionId[] = [];
  turnEnds = 0;
  readonly #on: Partial<SocketHandler>;

  constructor(on: Partial<SocketHandler> = {}, options: Partial<SocketLayerOptions> = {}) {
    this.#on = on;
    this.layer = new SocketLayer({
      frameBytesMax: FRAME_BYTES_MAX,
      outboundBytesMax: 1 << 20,
      ...options,
      handler: this,
    });
  }

  onFrame(connId: ConnectionId, bytes: Buffer, start: number, length: number): void {
    this.frames.push({ connId, body: Buffer.from(bytes.subarray(start, start + length)) });
    this.#on.onFrame?.(connId, bytes, start, length);
  }

  onTurnEnd(): void {
    this.turnEnds++;
    this.#on.onTurnEnd?.();
  }

  onOpened(connId: ConnectionId): void {
    this.opened.push(connId);
    this.#on.onOpened?.(connId);
  }

  onAccepted(fd: number, listenerId: number): void {
    this.accepted.push(fd);
    this.#on.onAccepted?.(fd, listenerId);
  }

  onClosed(connId: ConnectionId, reason: string): void {
    this.closed.push({ connId, reason });
    this.#on.onClosed?.(connId, reason);
  }

  onDrained(connId: ConnectionId): void {
    this.drained.push(connId);
    this.#on.onDrained?.(connId);
  }

  get reasons(): string[] {
    return this.closed.map(({ reason }) => reason);
  }

  listen(): number {
    return this.layer.listen('127.0.0.1', 0, 'frames').port;
  }
}

/** Runs `body` with recorders that are destroyed in the end, whatever happens. */
export async function withLayers(
  body: (
    open: (on?: Partial<SocketHandler>, o?: Partial<SocketLayerOptions>) => Recorder,
  ) => unknown,
): Promise<void> {
  const all: Recorder[] = [];
  try {
    await body((on, options) => {
      const recorder = new Recorder(on, options);
      all.push(recorder);
      return recorder;
    });
  } finally {
    for (const { layer } of all) layer.destroy();
  }
}

export function frame(body: Buffer | string | number): Buffer {
  const bytes = typeof body === 'number' ? patterned(body) : Buffer.from(body);
  const header = Buffer.alloc(4);
  header.writeInt32BE(bytes.length);
  return Buffer.concat([header, bytes]);
}

/** Bytes that differ along the way, so that a misplaced piece is seen. */
export function patterned(length: number, seed = 1): Buffer {
  const bytes = Buffer.allocUnsafe(length);
  let state = (seed * 2654435761) >>> 0;
  for (let i = 0; i < length; i++) {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    bytes[i] = state >>> 24;
  }
  return bytes;
}

/** A plain client of Node's own; what it receives is kept. */
export class Peer {
  readonly socket: Socket;
  readonly #chunks: Buffer[] = [];
  #receivedBytes = 0;
  isEnded = false;

  constructor(socket: Socket) {
    this.socket = socket;
    socket.setNoDelay(true);
    socket.on('data', (chunk) => {
      this.#chunks.push(chunk);
      this.#receivedBytes += chunk.length;
    });
    socket.on('end', () => (this.isEnded = true));
    // The other side may reset; its own events say what the test wants to know.
    socket.on('error', () => (this.isEnded = true));
  }

  static async open(port: number): Promise<Peer> {
    const socket = connect(port, '127.0.0.1');
    await once(socket, 'connect');
    return new Peer(socket);
  }

  get received(): Buffer {
    return Buffer.concat(this.#chunks);
  }

  get receivedBytes(): number {
    return this.#receivedBytes;
  }

  send(...parts: Buffer[]): void {
    this.socket.write(Buffer.concat(parts));
  }

  end(): void {
    this.socket.destroy();
  }
}

export function soon(what: string, condition: () => boolean): Promise<true> {
  return waitFor(what, condition, { everyMs: 1, timeoutMs: 15_000 });
}
