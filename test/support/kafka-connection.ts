/**
 * One connection that speaks Kafka's protocol on this project's own tables: many requests in
 * flight, answers matched by correlation id. Its promise: every request settles; one whose answer
 * can no longer come fails with ConnectionLost, which proves nothing about what the broker did.
 */
import { type Socket, connect } from 'node:net';
import { decodeResponse, encodeRequestFrame } from '#src/protocol/frame.js';
import type { Api, DecodedFields, EncodableFields, Fields } from '#src/protocol/schema.js';

export class ConnectionLost extends Error {
  override readonly name = 'ConnectionLost';
}

type Waiting = {
  readonly settle: (frame: Buffer) => void;
  readonly fail: (error: Error) => void;
  readonly timer: NodeJS.Timeout;
};

export type Address = { readonly host: string; readonly port: number };

export class KafkaConnection {
  readonly #socket: Socket;
  readonly #clientId: string;
  readonly #waiting = new Map<number, Waiting>();
  readonly #chunks: Buffer[] = [];
  #bufferedBytes = 0;
  #correlationId = 0;
  #lost: ConnectionLost | null = null;

  private constructor(socket: Socket, clientId: string) {
    this.#socket = socket;
    this.#clientId = clientId;
    socket.setNoDelay(true);
    socket.on('data', (chunk: Buffer) => this.#onData(chunk));
    socket.on('error', (error) => this.#lose(error.message));
    socket.on('close', () => this.#lose('closed by the broker'));
  }

  static open(address: Address, clientId: string, timeoutMs = 5_000): Promise<KafkaConnection> {
    return new Promise((resolve, reject) => {
      const socket = connect(address.port, address.host);
      const fail = (reason: string): void => {
        socket.destroy();
        reject(new ConnectionLost(`${address.host}:${address.port}: ${reason}`));
      };
      const timer = setTimeout(() => fail('connect timed out'), timeoutMs);
      const onError = (error: Error): void => {
        clearTimeout(timer);
        fail(error.message);
      };
      socket.once('error', onError);
      socket.once('connect', () => {
        clearTimeout(timer);
        socket.off('error', onError);
        resolve(new KafkaConnection(socket, clientId));
      });
    });
  }

  get isOpen(): boolean {
    return this.#lost === null;
  }

  /** Port of this end, by which a trace of the broker knows the connection. */
  get localPort(): number {
    return this.#socket.localPort ?? -1;
  }

  /** Requests without an answer yet. */
  get inFlight(): number {
    return this.#waiting.size;
  }

  async request<Q extends Fields, S extends Fields>(
    api: Api<Q, S>,
    apiVersion: number,
    body: EncodableFields<Q>,
    timeoutMs = 10_000,
  ): Promise<DecodedFields<S>> {
    if (this.#lost !== null) throw this.#lost;
    this.#correlationId += 1;
    const correlationId = this.#correlationId;
    const clientId = this.#clientId;
    const frame = await new Promise<Buffer>((settle, fail) => {
      const timer = setTimeout(
        () => this.#lose(`no answer to ${api.name} within ${timeoutMs} ms`),
        timeoutMs,
      );
      this.#waiting.set(correlationId, { settle, fail, timer });
      this.#socket.write(encodeRequestFrame(api, { apiVersion, correlationId, clientId, body }));
    });
    return decodeResponse(api, apiVersion, frame, 0, frame.length).body;
  }

  close(): void {
    this.#lose('closed by us');
  }

  #onData(chunk: Buffer): void {
    this.#chunks.push(chunk);
    this.#bufferedBytes += chunk.length;
    for (let frame = this.#takeFrame(); frame !== null; frame = this.#takeFrame()) {
      const correlationId = frame.readInt32BE(0);
      const waiting = this.#waiting.get(correlationId);
      if (waiting === undefined) return this.#lose(`answer ${correlationId} was not asked for`);
      this.#waiting.delete(correlationId);
      clearTimeout(waiting.timer);
      waiting.settle(frame);
    }
  }

  #takeFrame(): Buffer | null {
    if (this.#bufferedBytes < 4) return null;
    const first = this.#chunks[0] as Buffer;
    const head = first.length >= 4 ? first : this.#joined();
    const end = 4 + head.readInt32BE(0);
    if (this.#bufferedBytes < end) return null;
    const all = this.#joined();
    this.#chunks.length = 0;
    if (all.length > end) this.#chunks.push(all.subarray(end));
    this.#bufferedBytes = all.length - end;
    return all.subarray(4, end);
  }

  #joined(): Buffer {
    if (this.#chunks.length > 1) this.#chunks.splice(0, Infinity, Buffer.concat(this.#chunks));
    return this.#chunks[0] as Buffer;
  }

  #lose(reason: string): void {
    if (this.#lost !== null) return;
    this.#lost = new ConnectionLost(reason);
    this.#socket.destroy();
    for (const { fail, timer } of this.#waiting.values()) {
      clearTimeout(timer);
      fail(this.#lost);
    }
    this.#waiting.clear();
  }
}
