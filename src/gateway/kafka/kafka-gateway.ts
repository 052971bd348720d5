/**
 * The Kafka door of one shard: frames in, handlers called, answers out in order. Promise: whatever
 * a client sends ends as an error code or as a closed connection with one log line, never as a
 * crash, and memory grows with bytes that arrived, not with bytes that were promised. Shard thread.
 */
import { CLIENT_REQUESTS_MAX } from '../../base/limits.js';
import type { MonotonicMs } from '../../base/units.js';
import { advertisedVersions } from '../../handlers/api-versions.js';
import type { HandlerContext, RequestInfo } from '../../handlers/context.js';
import { kafkaCode } from '../../handlers/error-code.js';
import { HANDLERS } from '../../handlers/registry.js';
import type { LogRange } from '../../log/log-types.js';
import { readAt } from '../../native/files.js';
import type { ConnectionId, SocketLayer } from '../../native/sockets.js';
import type { Logger } from '../../observability/logger.js';
import { isServed } from '../../protocol/api-keys.js';
import { decodeMessage } from '../../protocol/decode.js';
import { encodeResponse } from '../../protocol/frame.js';
import { type RequestHead, readRequestHeader } from '../../protocol/header.js';
import { apiVersionsApi } from '../../protocol/messages/api-versions.js';
import { CodecError } from '../../protocol/reader.js';
import type { Api } from '../../protocol/schema.js';
import type { Chunk } from '../../protocol/writer.js';
import { ResponseQueue } from './response-queue.js';

type Connection = {
  readonly id: ConnectionId;
  readonly host: string;
  readonly queue: ResponseQueue<readonly Chunk[]>;
  isPaused: boolean;
  lastRequestMs: MonotonicMs;
};

export type KafkaGatewayOptions = {
  readonly sockets: SocketLayer;
  readonly context: HandlerContext;
  readonly logger: Logger;
  /** socket.request.max.bytes */
  readonly requestBytesMax: number;
  /** socket.frame.timeout.ms */
  readonly frameMsMax: number;
  /** This shard's part of max.connections */
  readonly connectionsMax: number;
  /** connections.max.idle.ms; 0 keeps idle connections. */
  readonly idleMsMax: number;
};

export class KafkaGateway {
  readonly #options: KafkaGatewayOptions;
  readonly #connections = new Map<ConnectionId, Connection>();

  constructor(options: KafkaGatewayOptions) {
    this.#options = options;
  }

  get connectionCount(): number {
    return this.#connections.size;
  }

  /** Takes a connected client socket. */
  adopt(fd: number): void {
    const { sockets, logger, requestBytesMax, frameMsMax, connectionsMax } = this.#options;
    const id = sockets.adopt(fd);
    if (this.#connections.size >= connectionsMax) {
      logger.warn({ connections: this.#connections.size }, 'too many client connections');
      sockets.close(id);
      return;
    }
    sockets.setFrameBytesMax(id, requestBytesMax);
    sockets.setFrameDeadlineMs(id, frameMsMax);
    const host = sockets.remoteAddress(id).replace(/:\d+$/, '');
    const queue = new ResponseQueue<readonly Chunk[]>((chunks) => this.#send(id, chunks));
    this.#connections.set(id, { id, host, queue, isPaused: false, lastRequestMs: this.#nowMs() });
  }

  /** Whether a connection of the socket layer belongs to this door. */
  owns(id: ConnectionId): boolean {
    return this.#connections.has(id);
  }

  onFrame(id: ConnectionId, bytes: Buffer, start: number, length: number): void {
    const connection = this.#connections.get(id);
    if (connection === undefined) return;
    try {
      this.#serve(connection, bytes, start, start + length);
    } catch (error) {
      if (!(error instanceof CodecError)) throw error;
      this.#refuse(connection, error.message);
    }
  }

  onClosed(id: ConnectionId, reason: string): void {
    const connection = this.#connections.get(id);
    if (connection === undefined) return;
    this.#connections.delete(id);
    if (reason === 'peer closed' || reason === 'closed here' || reason === 'ECONNRESET') return;
    this.#options.logger.warn({ client: connection.host, reason }, 'client connection closed');
  }

  /** Stops reading from every client: what is being worked on is still answered. */
  pauseAll(): void {
    for (const { id } of this.#connections.values()) this.#options.sockets.pauseReading(id);
  }

  /** Closes connections without a request for too long; call now and then. */
  closeIdle(): void {
    const { idleMsMax, sockets } = this.#options;
    if (idleMsMax === 0) return;
    const before = this.#nowMs() - idleMsMax;
    for (const { id, queue, lastRequestMs } of this.#connections.values()) {
      if (queue.size === 0 && lastRequestMs < before) sockets.close(id);
    }
  }

  #nowMs(): MonotonicMs {
    return this.#options.context.clock.monotonicMs();
  }

  #serve(connection: Connection, bytes: Buffer, start: number, end: number): void {
    const head = readRequestHeader(bytes, start, end);
    const { api, apiVersion } = head;
    const handler = api === null ? undefined : HANDLERS.get(api.key);
    if (api === null || handler === undefined) {
      this.#refuse(connection, `unknown API key ${head.apiKey}`);
      return;
    }
    if (!head.isKnownVersion || !isServed(api, apiVersion)) {
      this.#answerUnknownVersion(connection, head);
      return;
    }
    const request = decodeMessage(api.request, apiVersion, bytes, head.bodyStart, end);
    const info: RequestInfo = { apiVersion, clientId: head.clientId, clientHost: connection.host };
    connection.lastRequestMs = this.#nowMs();
    const slot = connection.queue.reserve();
    this.#bound(connection);
    handler(this.#options.context, request, info, (response) => {
      this.#respond(connection, slot, api, head, response);
    });
  }

  #respond(
    connection: Connection,
    slot: number,
    api: Api,
    head: RequestHead,
    response: Parameters<typeof encodeResponse>[3] | null,
  ): void {
    // The client may have gone meanwhile; its id could belong to nobody now.
    if (this.#connections.get(connection.id) !== connection) return;
    if (response === null) {
      connection.queue.fill(slot, null);
    } else {
      const { chunks } = encodeResponse(api, head.apiVersion, head.correlationId, response);
      // A range is only good in this turn: behind a slower request its bytes are read now.
      const isNext = connection.queue.isNext(slot);
      connection.queue.fill(slot, isNext ? chunks : chunks.map(materialise));
    }
    if (connection.isPaused && connection.queue.size < CLIENT_REQUESTS_MAX / 2) {
      connection.isPaused = false;
      this.#options.sockets.resumeReading(connection.id);
    }
  }

  /** KIP-511: only ApiVersions has an answer for a version we do not know, in its version 0. */
  #answerUnknownVersion(connection: Connection, head: RequestHead): void {
    if (head.apiKey !== apiVersionsApi.key) {
      this.#refuse(connection, `version ${head.apiVersion} of ${head.api?.name} is not served`);
      return;
    }
    const body = { errorCode: kafkaCode('UNSUPPORTED_VERSION'), apiKeys: advertisedVersions() };
    const { chunks } = encodeResponse(apiVersionsApi, 0, head.correlationId, body);
    connection.queue.fill(connection.queue.reserve(), chunks);
  }

  #bound(connection: Connection): void {
    if (connection.isPaused || connection.queue.size < CLIENT_REQUESTS_MAX) return;
    connection.isPaused = true;
    this.#options.sockets.pauseReading(connection.id);
  }

  #refuse(connection: Connection, reason: string): void {
    this.#options.logger.warn({ client: connection.host, reason }, 'request refused');
    this.#connections.delete(connection.id);
    this.#options.sockets.close(connection.id);
  }

  #send(id: ConnectionId, chunks: readonly Chunk[]): void {
    const { sockets } = this.#options;
    for (const chunk of chunks) {
      if (chunk instanceof Uint8Array) {
        sockets.write(id, chunk);
      } else {
        const { fd, filePosition } = chunk.external as LogRange;
        sockets.writeRange(id, fd, filePosition, chunk.length);
      }
    }
  }
}

function materialise(chunk: Chunk): Chunk {
  if (chunk instanceof Uint8Array) return chunk;
  const { fd, filePosition } = chunk.external as LogRange;
  const bytes = Buffer.allocUnsafe(chunk.length);
  readAt(fd, filePosition, bytes, 0, chunk.length);
  return bytes;
}
