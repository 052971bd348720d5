/**
 * HTTP by Node's own server and the framework, for connections that a shard does not serve itself.
 * It answers 503 until the node knows what it serves; the framework is loaded by the first request,
 * so that nodes that nobody asks do not carry it. Main thread.
 */
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { Socket } from 'node:net';
import {
  HTTP_HEADER_BYTES_MAX,
  HTTP_HEADERS_MS_MAX,
  HTTP_IDLE_MS_MAX,
  HTTP_REQUEST_MS_MAX,
} from '../../base/limits.js';
import type { HttpContext } from '../../handlers/http/context.js';
import type { Logger } from '../../observability/logger.js';
import { PROBLEM_TYPE, problemText, RETRY_AFTER_S } from './problem-json.js';

/** How often requests that take too long to arrive are looked for. */
const LATE_CHECK_MS = 1_000;

/** What {@link HttpDoor} needs of the application behind it. */
export type HttpApp = {
  handle(request: IncomingMessage, response: ServerResponse): void;
  close(): Promise<void>;
};

export class HttpDoor {
  readonly #connectionsMax: number;
  readonly #logger: Logger;
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();
  #context: HttpContext | null = null;
  #app: Promise<HttpApp> | null = null;
  #isClosing = false;

  /** `connectionsMax`: max.connections */
  constructor(connectionsMax: number, logger: Logger) {
    this.#connectionsMax = connectionsMax;
    this.#logger = logger;
    this.#server = createServer(
      {
        maxHeaderSize: HTTP_HEADER_BYTES_MAX,
        headersTimeout: HTTP_HEADERS_MS_MAX,
        requestTimeout: HTTP_REQUEST_MS_MAX,
        keepAliveTimeout: HTTP_IDLE_MS_MAX,
        connectionsCheckingInterval: LATE_CHECK_MS,
        // Answers wait for a majority, not for more of the answer.
        noDelay: true,
      },
      (request, response) => void this.#onRequest(request, response),
    );
    this.#server.on('clientError', (error, socket) => refuse(error, socket as Socket));
    // It never listens, shards bring its connections; this is what starts its time-outs.
    this.#server.emit('listening');
  }

  /** A client's connection, and what was read of it; from here on it is Node's. */
  adopt(fd: number, unread: Uint8Array): void {
    const socket = new Socket({ fd, readable: true, writable: true });
    if (this.#isClosing || this.#sockets.size >= this.#connectionsMax) {
      const connections = this.#sockets.size;
      if (!this.#isClosing) this.#logger.warn({ connections }, 'too many HTTP connections');
      socket.destroy();
      return;
    }
    this.#sockets.add(socket);
    socket.once('close', () => this.#sockets.delete(socket));
    if (unread.length > 0) socket.unshift(unread);
    this.#server.emit('connection', socket);
  }

  get connectionCount(): number {
    return this.#sockets.size;
  }

  /** From now on requests are answered. */
  open(context: HttpContext): void {
    this.#context = context;
  }

  /** Answers that are under way end, idle connections close. */
  async close(): Promise<void> {
    this.#isClosing = true;
    this.#server.closeIdleConnections();
    const app = await this.#app;
    await app?.close();
    for (const socket of this.#sockets) socket.destroy();
  }

  async #onRequest(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const logger = this.#logger;
    const context = this.#context;
    if (context === null) {
      const text = problemText(503, 'STARTING', 'this node is starting', {});
      const headers = { 'content-type': PROBLEM_TYPE, 'retry-after': RETRY_AFTER_S };
      response.writeHead(503, headers).end(text);
      return;
    }
    this.#app ??= import('./app.js').then(({ makeApp }) => makeApp(context, logger));
    (await this.#app).handle(request, response);
  }
}

/** Bytes that are no HTTP, or too much of it, before there is a request to answer. */
function refuse(error: NodeJS.ErrnoException, socket: Socket): void {
  if (!socket.writable || error.code === 'ECONNRESET') {
    socket.destroy();
    return;
  }
  const isLarge = error.code === 'HPE_HEADER_OVERFLOW';
  const isLate = error.code === 'ERR_HTTP_REQUEST_TIMEOUT';
  const status = isLarge ? 431 : isLate ? 408 : 400;
  const text = isLarge
    ? `the request's headers are larger than ${HTTP_HEADER_BYTES_MAX} bytes`
    : isLate
      ? 'the request did not arrive in time'
      : `this is no HTTP/1.1 request: ${error.message}`;
  const body = problemText(status, isLarge ? 'HEADERS_TOO_LARGE' : 'BAD_REQUEST', text, {});
  socket.end(
    `HTTP/1.1 ${status} ${isLarge ? 'Request Header Fields Too Large' : 'Bad Request'}\r\n` +
      `content-type: ${PROBLEM_TYPE}\r\nconnection: close\r\n` +
      `content-length: ${Buffer.byteLength(body)}\r\n\r\n${body}`,
  );
}
