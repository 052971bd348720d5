/**
 * One TCP connection of the load generator: writes whole requests, delivers whole responses. Its
 * promise: bytes are read straight into the place where the frame is put together, so a response
 * costs one copy whatever its size. It uses node:net and not the broker's own socket layer: what is
 * measured must not also measure.
 */
import { type Socket, connect } from 'node:net';

export type Address = { readonly host: string; readonly port: number };

export type ConnectionEvents = {
  /** A response without its length prefix; the bytes are valid until this returns. */
  onFrame(bytes: Buffer, start: number, end: number): void;
  /** The other side went away; at most once, and never after `close`. */
  onClosed(reason: string): void;
};

const LENGTH_BYTES = 4;
const BUFFER_BYTES = 64 * 1024;
const FRAME_BYTES_MAX = 128 * 1024 * 1024;
const CONNECT_TIMEOUT_MS = 5_000;

export class Connection {
  readonly #socket: Socket;
  readonly #events: ConnectionEvents;
  #buffer = Buffer.allocUnsafeSlow(BUFFER_BYTES);
  /** Bytes of `#buffer` that were read and not yet delivered; they begin at 0. */
  #filled = 0;
  #isClosed = false;

  private constructor(address: Address, events: ConnectionEvents) {
    this.#events = events;
    this.#socket = connect({
      ...address,
      noDelay: true,
      onread: {
        buffer: () => this.#room(),
        callback: (count) => {
          this.#onBytes(count);
          return true;
        },
      },
    });
  }

  /** Rejects when the connection can not be made in time; `onClosed` is not called then. */
  static open(address: Address, events: ConnectionEvents): Promise<Connection> {
    return new Promise((resolve, reject) => {
      const connection = new Connection(address, events);
      const socket = connection.#socket;
      socket.setTimeout(CONNECT_TIMEOUT_MS, () => socket.destroy(new Error('connect timed out')));
      socket.once('error', reject);
      socket.once('connect', () => {
        socket.setTimeout(0);
        socket.off('error', reject);
        socket.on('error', (error) => connection.#lose(error.message));
        socket.on('close', () => connection.#lose('closed by the broker'));
        resolve(connection);
      });
    });
  }

  /** The bytes must stay as they are until the response has come. */
  send(frame: Uint8Array): void {
    this.#socket.write(frame);
  }

  /** What `act` sends leaves in one system call. */
  together(act: () => void): void {
    this.#socket.cork();
    act();
    this.#socket.uncork();
  }

  close(): void {
    this.#isClosed = true;
    this.#socket.destroy();
  }

  /** Where the next bytes go: behind those that do not make a whole frame yet. */
  #room(): Buffer {
    return this.#filled === 0 ? this.#buffer : this.#buffer.subarray(this.#filled);
  }

  /** Requests that answers of one read give rise to are sent together. */
  #onBytes(count: number): void {
    this.together(() => this.#deliver(count));
  }

  #deliver(count: number): void {
    this.#filled += count;
    let at = 0;
    let wanted = LENGTH_BYTES;
    while (!this.#isClosed && this.#filled - at >= LENGTH_BYTES) {
      const length = this.#buffer.readInt32BE(at);
      if (length < 0 || length > FRAME_BYTES_MAX) return this.#lose(`a frame of ${length} bytes`);
      wanted = LENGTH_BYTES + length;
      if (this.#filled - at < wanted) break;
      this.#events.onFrame(this.#buffer, at + LENGTH_BYTES, at + wanted);
      at += wanted;
      wanted = LENGTH_BYTES;
    }
    this.#keep(at, wanted);
  }

  /** Moves the rest to the front of a buffer in which the frame that it begins has room. */
  #keep(from: number, wanted: number): void {
    const rest = this.#filled - from;
    if (wanted > this.#buffer.length) {
      const larger = Buffer.allocUnsafeSlow(wanted);
      this.#buffer.copy(larger, 0, from, this.#filled);
      this.#buffer = larger;
    } else if (from > 0 && rest > 0) {
      this.#buffer.copyWithin(0, from, this.#filled);
    }
    this.#filled = rest;
  }

  #lose(reason: string): void {
    if (this.#isClosed) return;
    this.close();
    this.#events.onClosed(reason);
  }
}
