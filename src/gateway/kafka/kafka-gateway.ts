/**
 * The Kafka door of one shard: frames in, handlers called, answers out in order. Promise: whatever
 * a client sends ends as an error code or as a closed connection with one log line, never as a
 * crash, and memory grows with bytes that arrived, not with bytes that were promised. Shard thread.
 */
import { assert } from '../../base/assert.js';
import { CLIENT_OUTBOUND_BYTES_MAX, CLIENT_REQUESTS_MAX } from '../../base/limits.js';
import type { MonotonicMs } from '../../base/units.js';
import { advertisedVersions } from '../../handlers/api-versions.js';
import {
  type FileRange,
  type HandlerContext,
  HangUp,
  type RequestInfo,
} from '../../handlers/context.js';
import { kafkaCode } from '../../handlers/error-code.js';
import { HANDLERS } from '../../handlers/registry.js';
import type { ConnectionId, SocketLayer } from '../../native/sockets.js';
import type { Logger } from '../../observability/logger.js';
import { REFUSALS, type ShardCounters } from '../../observability/shard-counters.js';
import { apiIndex, isServed } from '../../protocol/api-keys.js';
import { decodeMessage } from '../../protocol/decode.js';
import { encodeResponse } from '../../protocol/frame.js';
import { type RequestHead, readRequestHeader } from '../../protocol/header.js';
import { apiVersionsApi } from '../../protocol/messages/api-versions.js';
import { fetchApi } from '../../protocol/messages/fetch.js';
import { produceApi } from '../../protocol/messages/produce.js';
import { CodecError } from '../../protocol/reader.js';
import type { Api } from '../../protocol/schema.js';
import type { Encoded } from '../../protocol/writer.js';
import { ResponseQueue } from '../response-queue.js';

type Connection = {
  readonly id: ConnectionId;
  readonly host: string;
  readonly queue: ResponseQueue<Encoded>;
  /** Who wants to know that this client has gone. */
  readonly onGone: Set<() => void>;
  /** Requests that were read but may not begin yet, in order; meanwhile no more is read. */
  readonly waiting: Buffer[];
  /** True while `waiting` is worked off: an answer within that loop must not begin another. */
  isAdvancing: boolean;
  /** Of requests that are worked on, but for Produce, of which nothing is kept. */
  requestBytes: number;
  /** Of answers that wait for an earlier one. */
  answerBytes: number;
  lastRequestMs: MonotonicMs;
};

/** Requests of one connection that are worked on at once have this many bytes, or are one. */
const REQUEST_BYTES_MAX = 4 << 20;
/** How soon a connection whose outbound queue was too long is looked at again. */
const CONGESTED_MS = 10;

export type KafkaGatewayOptions = {
  readonly sockets: SocketLayer;
  readonly context: HandlerContext;
  readonly logger: Logger;
  readonly counters: ShardCounters;
  /** socket.request.max.bytes */
  readonly requestBytesMax: number;
  /** socket.send.buffer.bytes; -1 leaves it to the system. */
  readonly sendBufferBytes: number;
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
  /** Connections whose client takes its answers too slowly for what it asks. */
  readonly #congested = new Set<Connection>();

  constructor(options: KafkaGatewayOptions) {
    this.#options = options;
  }

  get connectionCount(): number {
    return this.#connections.size;
  }

  /** Takes a connected client socket. */
  adopt(fd: number): void {
    const { sockets, logger, counters, connectionsMax } = this.#options;
    const id = sockets.adopt(fd);
    if (this.#connections.size >= connectionsMax) {
      const client = sockets.remoteAddress(id);
      const connections = this.#connections.size;
      logger.warn({ client, connections }, 'too many client connections');
      counters.add('refusals', REFUSALS.indexOf('kafka-connection'));
      sockets.close(id);
      return;
    }
    const { requestBytesMax, frameMsMax, sendBufferBytes } = this.#options;
    sockets.setFrameBytesMax(id, requestBytesMax);
    sockets.setFrameDeadlineMs(id, frameMsMax);
    if (sendBufferBytes > 0) sockets.setSendBufferBytes(id, sendBufferBytes);
    const host = sockets.remoteAddress(id).replace(/:\d+$/, '');
    const connection: Connection = {
      id,
      host,
      queue: new ResponseQueue((answer) => this.#send(connection, answer)),
      onGone: new Set(),
      waiting: [],
      isAdvancing: false,
      requestBytes: 0,
      answerBytes: 0,
      lastRequestMs: this.#nowMs(),
    };
    this.#connections.set(id, connection);
  }

  /** Whether a connection of the socket layer belongs to this door. */
  owns(id: ConnectionId): boolean {
    return this.#connections.has(id);
  }

  onFrame(id: ConnectionId, bytes: Buffer, start: number, length: number): void {
    const connection = this.#connections.get(id);
    if (connection === undefined) return;
    const { waiting } = connection;
    if (waiting.length === 0 && this.#mayBegin(connection, bytes, start, length)) {
      this.#begin(connection, bytes, start, start + length);
      return;
    }
    if (waiting.length === 0) this.#options.sockets.pauseReading(id);
    waiting.push(Buffer.from(bytes.subarray(start, start + length)));
  }

  onClosed(id: ConnectionId, reason: string): void {
    const connection = this.#connections.get(id);
    if (connection === undefined) return;
    this.#forget(connection);
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

  /**
   * Bounds what one client can make us hold, and lets a Fetch begin only when its answer is the
   * next to leave: then it waits for nobody, and file ranges need not be read into memory.
   */
  #mayBegin(connection: Connection, bytes: Buffer, start: number, length: number): boolean {
    const { id, queue, requestBytes, answerBytes } = connection;
    if (this.#options.sockets.outboundBytes(id) + answerBytes > CLIENT_OUTBOUND_BYTES_MAX) {
      this.#noteCongested(connection);
      return false;
    }
    if (queue.size === 0) return true;
    if (queue.size >= CLIENT_REQUESTS_MAX || requestBytes + length > REQUEST_BYTES_MAX)
      return false;
    return length < 2 || bytes.readInt16BE(start) !== fetchApi.key;
  }

  #begin(connection: Connection, bytes: Buffer, start: number, end: number): void {
    try {
      this.#serve(connection, bytes, start, end);
    } catch (error) {
      if (!(error instanceof CodecError)) throw error;
      this.#refuse(connection, error.message);
    }
  }

  /** Begins what had to wait, as far as it may now. */
  #advance(connection: Connection): void {
    const { id, waiting } = connection;
    if (waiting.length === 0 || connection.isAdvancing) return;
    connection.isAdvancing = true;
    while (this.#isThere(connection)) {
      const [next] = waiting;
      if (next === undefined) {
        this.#options.sockets.resumeReading(id);
        break;
      }
      if (!this.#mayBegin(connection, next, 0, next.length)) break;
      waiting.shift();
      this.#begin(connection, next, 0, next.length);
    }
    connection.isAdvancing = false;
  }

  #noteCongested(connection: Connection): void {
    if (this.#congested.size === 0) setTimeout(() => this.#lookAtCongested(), CONGESTED_MS).unref();
    this.#congested.add(connection);
  }

  #lookAtCongested(): void {
    const congested = [...this.#congested];
    this.#congested.clear();
    for (const connection of congested) this.#advance(connection);
  }

  #isThere(connection: Connection): boolean {
    return this.#connections.get(connection.id) === connection;
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
    const { clientId } = head;
    const { host: clientHost, onGone } = connection;
    const info: RequestInfo = { apiVersion, clientId, clientHost, onGone };
    const startMs = this.#nowMs();
    connection.lastRequestMs = startMs;
    const slot = connection.queue.reserve();
    const heldBytes = api.key === produceApi.key ? 0 : end - start;
    connection.requestBytes += heldBytes;
    handler(this.#options.context, request, info, (response) => {
      this.#options.counters.observe('kafkaRequests', apiIndex(api), this.#nowMs() - startMs);
      // The client may have gone meanwhile; its id could belong to nobody now.
      if (!this.#isThere(connection)) return;
      connection.requestBytes -= heldBytes;
      this.#respond(connection, slot, api, head, response);
      this.#advance(connection);
    });
  }

  #respond(
    connection: Connection,
    slot: number,
    api: Api,
    head: RequestHead,
    response: Parameters<typeof encodeResponse>[3] | HangUp | null,
  ): void {
    if (response instanceof HangUp) {
      this.#refuse(connection, response.reason);
      return;
    }
    if (response === null) {
      connection.queue.fill(slot, null);
      return;
    }
    try {
      const answer = encodeResponse(api, head.apiVersion, head.correlationId, response);
      this.#fill(connection, slot, answer);
    } catch (error) {
      // Something of the client's own is too long to be told back, for one.
      if (!(error instanceof CodecError)) throw error;
      this.#refuse(connection, `no answer to ${api.name}: ${error.message}`);
    }
  }

  #fill(connection: Connection, slot: number, answer: Encoded): void {
    const { queue } = connection;
    const hasRanges = answer.chunks.some((chunk) => !(chunk instanceof Uint8Array));
    // A range is only good in the turn it was found in.
    assert(!hasRanges || queue.isNext(slot), 'file ranges leave at once');
    connection.answerBytes += answer.totalLength;
    queue.fill(slot, answer);
  }

  /** KIP-511: only ApiVersions has an answer for a version we do not know, in its version 0. */
  #answerUnknownVersion(connection: Connection, head: RequestHead): void {
    if (head.apiKey !== apiVersionsApi.key) {
      this.#refuse(connection, `version ${head.apiVersion} of ${head.api?.name} is not served`);
      return;
    }
    const body = { errorCode: kafkaCode('UNSUPPORTED_VERSION'), apiKeys: advertisedVersions() };
    const answer = encodeResponse(apiVersionsApi, 0, head.correlationId, body);
    this.#fill(connection, connection.queue.reserve(), answer);
  }

  #refuse(connection: Connection, reason: string): void {
    this.#options.logger.warn({ client: connection.host, reason }, 'request refused');
    this.#options.counters.add('refusals', REFUSALS.indexOf('kafka-request'));
    this.#forget(connection);
    this.#options.sockets.close(connection.id);
  }

  #forget(connection: Connection): void {
    this.#connections.delete(connection.id);
    this.#congested.delete(connection);
    for (const tell of [...connection.onGone]) tell();
  }

  #send(connection: Connection, { chunks, totalLength }: Encoded): void {
    const { id } = connection;
    const { sockets } = this.#options;
    connection.answerBytes -= totalLength;
    for (const chunk of chunks) {
      if (chunk instanceof Uint8Array) {
        sockets.write(id, chunk);
      } else {
        const { fd, filePosition, bytes } = chunk.external as FileRange;
        if (bytes !== null) sockets.write(id, bytes);
        else sockets.writeRange(id, fd, filePosition, chunk.length);
      }
    }
  }
}
