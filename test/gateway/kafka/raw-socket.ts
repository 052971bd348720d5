/**
 * A socket that says whatever a test wants it to say, right or wrong, and notes what comes back:
 * whole frames by their length prefix, and the end of the connection.
 */
import { type Socket, connect } from 'node:net';
import { waitFor } from '../../support/wait-for.js';

const LENGTH_BYTES = 4;

export class RawSocket {
  /** Frames that came, without their length. */
  readonly frames: Buffer[] = [];
  isClosed = false;
  receivedBytes = 0;
  readonly #socket: Socket;
  #chunks: Buffer[] = [];
  #chunkBytes = 0;
  /** Up to the end of the frame that comes, or of its length. */
  #wantedBytes = LENGTH_BYTES;

  private constructor(socket: Socket) {
    this.#socket = socket;
    socket.setNoDelay(true);
    socket.on('data', (chunk: Buffer) => this.#onData(chunk));
    // A reset is one way to be closed, and all that a test asks.
    socket.on('error', () => undefined);
    socket.on('close', () => {
      this.isClosed = true;
    });
  }

  static open(port: number): Promise<RawSocket> {
    return new Promise((resolve, reject) => {
      const socket = connect(port, '127.0.0.1');
      socket.once('error', reject);
      socket.once('connect', () => {
        socket.off('error', reject);
        resolve(new RawSocket(socket));
      });
    });
  }

  /** Connects, sends and waits for the broker to close the connection. */
  static async refused(port: number, bytes: Buffer): Promise<void> {
    const socket = await RawSocket.open(port);
    socket.send(bytes);
    await socket.closed();
  }

  send(bytes: Buffer): void {
    this.#socket.write(bytes);
  }

  /** A frame around `body`; its length can be made to lie. */
  sendFrame(body: Buffer, length: number = body.length): void {
    this.send(framed(body, length));
  }

  /** Reads nothing until {@link resume}: what the broker sends stays in the kernel. */
  pause(): void {
    this.#socket.pause();
  }

  resume(): void {
    this.#socket.resume();
  }

  async frame(index: number, timeoutMs = 5_000): Promise<Buffer> {
    return waitFor(`frame ${index}`, () => this.frames[index], { timeoutMs, everyMs: 5 });
  }

  async closed(timeoutMs = 5_000): Promise<void> {
    await waitFor('the broker to close the connection', () => this.isClosed, {
      timeoutMs,
      everyMs: 5,
    });
  }

  destroy(): void {
    this.#socket.destroy();
  }

  #onData(chunk: Buffer): void {
    this.receivedBytes += chunk.length;
    this.#chunks.push(chunk);
    this.#chunkBytes += chunk.length;
    // Big frames come in hundreds of chunks, which are joined once.
    while (this.#chunkBytes >= this.#wantedBytes) {
      const bytes = Buffer.concat(this.#chunks);
      const isHead = this.#wantedBytes === LENGTH_BYTES;
      const end = isHead ? LENGTH_BYTES + bytes.readInt32BE(0) : this.#wantedBytes;
      this.#wantedBytes = end;
      if (bytes.length >= end) {
        this.frames.push(bytes.subarray(LENGTH_BYTES, end));
        this.#wantedBytes = LENGTH_BYTES;
      }
      const rest = bytes.length >= end ? bytes.subarray(end) : bytes;
      this.#chunks = [rest];
      this.#chunkBytes = rest.length;
    }
  }
}

export function framed(body: Buffer, length: number = body.length): Buffer {
  const prefix = Buffer.alloc(4);
  prefix.writeInt32BE(length);
  return Buffer.concat([prefix, body]);
}

/** A request header of version 1 around `body`, for keys and versions that no table holds. */
export function request(
  apiKey: number,
  apiVersion: number,
  correlationId: number,
  body: Buffer = Buffer.alloc(0),
): Buffer {
  const head = Buffer.alloc(10);
  head.writeInt16BE(apiKey, 0);
  head.writeInt16BE(apiVersion, 2);
  head.writeInt32BE(correlationId, 4);
  head.writeInt16BE(-1, 8);
  return Buffer.concat([head, body]);
}
