/**
 * The HTTP port of a node. It listens at once and answers 503 until the node knows what it serves;
 * the framework behind it is loaded by the first request, so that nodes that nobody asks over HTTP
 * do not carry it. Main thread.
 */
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import { LograftError } from '../../base/errors.js';
import {
  HTTP_HEADER_BYTES_MAX,
  HTTP_HEADERS_MS_MAX,
  HTTP_IDLE_MS_MAX,
  HTTP_REQUEST_MS_MAX,
} from '../../base/limits.js';
import type { HttpContext } from '../../handlers/http/context.js';
import type { Logger } from '../../observability/logger.js';
import { PROBLEM_TYPE, problemText } from './problem-json.js';

export type HttpDoorOptions = {
  readonly host: string;
  readonly port: number;
  readonly connectionsMax: number;
  readonly logger: Logger;
};

/** What {@link HttpDoor} needs of the application behind it. */
export type HttpApp = {
  handle(request: IncomingMessage, response: ServerResponse): void;
  close(): Promise<void>;
};

export class HttpDoor {
  readonly #options: HttpDoorOptions;
  readonly #server: Server;
  #context: HttpContext | null = null;
  #app: Promise<HttpApp> | null = null;

  constructor(options: HttpDoorOptions) {
    this.#options = options;
    this.#server = createServer(
      {
        maxHeaderSize: HTTP_HEADER_BYTES_MAX,
        headersTimeout: HTTP_HEADERS_MS_MAX,
        requestTimeout: HTTP_REQUEST_MS_MAX,
        keepAliveTimeout: HTTP_IDLE_MS_MAX,
        // Answers wait for a majority, not for more of the answer.
        noDelay: true,
      },
      (request, response) => void this.#onRequest(request, response),
    );
    this.#server.maxConnections = options.connectionsMax;
    this.#server.on('clientError', (error, socket) => refuse(error, socket as Socket));
  }

  /** @throws LograftError ADDRESS_IN_USE naming the port and the flag that moves it */
  listen(): Promise<void> {
    const { host, port } = this.#options;
    return new Promise((resolve, reject) => {
      this.#server.once('error', (cause: NodeJS.ErrnoException) =>
        reject(listenError(cause, port)),
      );
      this.#server.listen({ host, port }, resolve);
    });
  }

  /** From now on requests are answered. */
  open(context: HttpContext): void {
    this.#context = context;
  }

  /** Takes no new connections; answers that are under way end, idle connections close. */
  async close(): Promise<void> {
    const closed = new Promise<void>((resolve) => this.#server.close(() => resolve()));
    const app = await this.#app;
    await app?.close();
    this.#server.closeAllConnections();
    await closed;
  }

  async #onRequest(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const { logger } = this.#options;
    const context = this.#context;
    if (context === null) {
      const text = problemText(503, 'STARTING', 'this node is starting', {});
      response.writeHead(503, { 'content-type': PROBLEM_TYPE, 'retry-after': '1' }).end(text);
      return;
    }
    this.#app ??= import('./app.js').then(({ makeApp }) => makeApp(context, logger));
    (await this.#app).handle(request, response);
  }
}

function listenError(cause: NodeJS.ErrnoException, port: number): LograftError {
  if (cause.code === 'EADDRINUSE') {
    return new LograftError(
      'ADDRESS_IN_USE',
      `port ${port} is in use (the HTTP port of this node)`,
      'stop the process that listens there, or move all ports with --base-port',
      { cause },
    );
  }
  return new LograftError('CONFIG_INVALID', `cannot listen on port ${port}: ${cause.message}`);
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
      'content-type: application/problem+json\r\nconnection: close\r\n' +
      `content-length: ${Buffer.byteLength(body)}\r\n\r\n${body}`,
  );
}
