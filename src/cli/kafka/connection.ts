/**
 * One TCP connection to a broker: requests out, responses matched by correlation id. Its one
 * promise: every request settles, with a response or with a ConnectionError, and one that takes too
 * long ends the whole connection, because all behind it wait too (Kafka answers in order).
 */
import { connect, type Socket } from 'node:net';
import { decodeResponse, encodeRequestFrame } from '../../protocol/frame.js';
import { apiVersionsApi } from '../../protocol/messages/api-versions.js';
import { ERROR } from '../../protocol/errors.js';
import type { Api, DecodedFields, EncodableFields, Fields } from '../../protocol/schema.js';
import type { Address } from '../options.js';
import { ConnectionError, KafkaError } from './errors.js';

const LENGTH_BYTES = 4;
/** A response longer than this is not one. */
const FRAME_BYTES_MAX = 512 * 1024 * 1024;
/** The broker's ranges are not known yet, and every broker understands this one. */
const HANDSHAKE_VERSION = 0;

export type ConnectionOptions = {
  readonly clientId: string;
  /** For connecting and for the handshake together. */
  readonly connectTimeoutMs: number;
  readonly requestTimeoutMs: number;
};

type Waiter = {
  readonly api: Api;
  readonly version: number;
  readonly resolve: (body: unknown) => void;
  readonly reject: (error: Error) => void;
  readonly timer: NodeJS.Timeout;
};

export class Connection {
  readonly address: Address;
  readonly #socket: Socket;
  readonly #options: ConnectionOptions;
  readonly #waiters = new Map<number, Waiter>();
  #versions: ReadonlyMap<number, { minVersion: number; maxVersion: number }> = new Map();
  #nextCorrelationId = 1;
  #chunks: Buffer[] = [];
  #chunkBytes = 0;
  /** Bytes of the frame being received, its length prefix included; 0 while not known. */
  #frameBytes = 0;
  #error: ConnectionError | null = null;

  private constructor(address: Address, socket: Socket, options: ConnectionOptions) {
    this.address = address;
    this.#socket = socket;
    this.#options = options;
    socket.setNoDelay(true);
    socket.on('data', (chunk: Buffer) => this.#receive(chunk));
    socket.on('error', (error) => this.#fail(error.message));
    socket.on('close', () => this.#fail('connection closed'));
  }

  /** Connects and learns which versions the broker speaks. Throws ConnectionError. */
  static async open(address: Address, options: ConnectionOptions): Promise<Connection> {
    const socket = connect({ host: address.host, port: address.port });
    const connection = new Connection(address, socket, options);
    // Until 'connect' the request below waits in the socket, so one timeout covers both.
    const body = await connection.#exchange(
      apiVersionsApi,
      HANDSHAKE_VERSION,
      {},
      options.connectTimeoutMs,
    );
    if (body.errorCode !== ERROR.NONE) {
      connection.close();
      throw new KafkaError(body.errorCode, `${address.host}:${address.port}: ApiVersions`);
    }
    connection.#versions = new Map(body.apiKeys.map((range) => [range.apiKey, range]));
    return connection;
  }

  get isOpen(): boolean {
    return this.#error === null;
  }

  /** Sends in the newest version both sides speak. Throws ConnectionError, KafkaError. */
  async request<Q extends Fields, S extends Fields>(
    api: Api<Q, S>,
    body: EncodableFields<Q>,
    timeoutMs = this.#options.requestTimeoutMs,
  ): Promise<DecodedFields<S>> {
    return this.#exchange(api, this.versionOf(api), body, timeoutMs);
  }

  /** For the one request without a response, Produce with acks=0; resolves once it is sent. */
  post<Q extends Fields, S extends Fields>(
    api: Api<Q, S>,
    body: EncodableFields<Q>,
  ): Promise<void> {
    if (this.#error !== null) return Promise.reject(this.#error);
    const frame = this.#encode(api, this.versionOf(api), this.#nextCorrelationId++, body);
    return new Promise((resolve, reject) => {
      this.#socket.write(frame, (error) => {
        if (error == null) resolve();
        else reject(this.#error ?? new ConnectionError(this.address, error.message));
      });
    });
  }

  versionOf(api: Api): number {
    // Lograft's own APIs are answered but never listed.
    if (api.isPrivate) return api.advertised.max;
    const theirs = this.#versions.get(api.key);
    const version = Math.min(api.advertised.max, theirs?.maxVersion ?? -1);
    if (theirs === undefined || version < Math.max(api.serveFrom, theirs.minVersion)) {
      const { host, port } = this.address;
      throw new KafkaError(ERROR.UNSUPPORTED_VERSION, `${host}:${port}: ${api.name}`);
    }
    return version;
  }

  close(): void {
    this.#fail('closed by this client');
  }

  #exchange<Q extends Fields, S extends Fields>(
    api: Api<Q, S>,
    version: number,
    body: EncodableFields<Q>,
    timeoutMs: number,
  ): Promise<DecodedFields<S>> {
    if (this.#error !== null) return Promise.reject(this.#error);
    const correlationId = this.#nextCorrelationId++;
    const frame = this.#encode(api, version, correlationId, body);
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => {
        this.#fail(`no answer to ${api.name} within ${timeoutMs} ms`);
      }, timeoutMs);
      this.#waiters.set(correlationId, {
        api: api as unknown as Api,
        version,
        resolve: resolve as (body: unknown) => void,
        reject,
        timer,
      });
      this.#socket.write(frame);
    });
  }

  #encode<Q extends Fields, S extends Fields>(
    api: Api<Q, S>,
    apiVersion: number,
    correlationId: number,
    body: EncodableFields<Q>,
  ): Buffer {
    const { clientId } = this.#options;
    return encodeRequestFrame(api, { apiVersion, correlationId, clientId, body });
  }

  #receive(chunk: Buffer): void {
    this.#chunks.push(chunk);
    this.#chunkBytes += chunk.length;
    while (this.#error === null) {
      if (this.#frameBytes === 0 && !this.#readLength()) return;
      if (this.#chunkBytes < this.#frameBytes) return;
      const all = this.#joined();
      const frame = all.subarray(0, this.#frameBytes);
      this.#chunks = all.length > frame.length ? [all.subarray(frame.length)] : [];
      this.#chunkBytes = all.length - frame.length;
      this.#frameBytes = 0;
      this.#settle(frame);
    }
  }

  #readLength(): boolean {
    if (this.#chunkBytes < LENGTH_BYTES) return false;
    const all = this.#joined();
    const length = all.readInt32BE(0);
    this.#chunks = [all];
    if (length < LENGTH_BYTES || length > FRAME_BYTES_MAX) {
      this.#fail(`a frame of ${length} bytes; this is not a Kafka port`);
      return false;
    }
    this.#frameBytes = LENGTH_BYTES + length;
    return true;
  }

  #joined(): Buffer {
    return this.#chunks.length === 1 ? (this.#chunks[0] as Buffer) : Buffer.concat(this.#chunks);
  }

  #settle(frame: Buffer): void {
    const waiter = this.#waiters.get(frame.readInt32BE(LENGTH_BYTES));
    if (waiter === undefined) {
      this.#fail('a response that nobody asked for');
      return;
    }
    this.#waiters.delete(frame.readInt32BE(LENGTH_BYTES));
    clearTimeout(waiter.timer);
    try {
      const { body } = decodeResponse(
        waiter.api,
        waiter.version,
        frame,
        LENGTH_BYTES,
        frame.length,
      );
      waiter.resolve(body);
    } catch (error) {
      const reason = `unreadable ${waiter.api.name} response: ${(error as Error).message}`;
      waiter.reject(new ConnectionError(this.address, reason));
      this.#fail(reason);
    }
  }

  #fail(reason: string): void {
    if (this.#error !== null) return;
    this.#error = new ConnectionError(this.address, reason);
    this.#socket.destroy();
    for (const waiter of this.#waiters.values()) {
      clearTimeout(waiter.timer);
      waiter.reject(this.#error);
    }
    this.#waiters.clear();
  }
}
