/**
 * One client of server-sent events. Its promises: no more than a named bound waits to be sent, and
 * whoever feeds it is kept waiting until the client has taken that; a client that takes nothing for
 * a minute is cut off; a silent stream says now and then that it is there; an end is a clean one.
 * Main thread.
 */
import { once } from 'node:events';
import type { ServerResponse } from 'node:http';
import {
  HTTP_EVENT_BYTES_MAX,
  HTTP_EVENT_HEARTBEAT_MS,
  HTTP_EVENT_STALL_MS_MAX,
} from '../../base/limits.js';

const HEAD = {
  'content-type': 'text/event-stream; charset=utf-8',
  'cache-control': 'no-store',
  // A proxy that gathers what it passes on would hold back the newest record.
  'x-accel-buffering': 'no',
};
/** How soon a browser whose stream ended comes again. */
const RECONNECT_MS = 1_000;
/** What a closing stream may take to leave. */
const FLUSH_MS_MAX = 1_000;

export class EventStream {
  readonly #response: ServerResponse;
  readonly #gone = new AbortController();
  #heartbeat: NodeJS.Timeout | null = null;

  constructor(response: ServerResponse) {
    this.#response = response;
    response.once('close', () => this.#end());
  }

  /** Aborted when the client has gone, or is to go. */
  get gone(): AbortSignal {
    return this.#gone.signal;
  }

  begin(): void {
    if (this.#gone.signal.aborted) return;
    this.#response.writeHead(200, HEAD);
    this.#response.write(`retry: ${RECONNECT_MS}\n\n`);
    this.#heartbeat = setInterval(() => this.#beat(), HTTP_EVENT_HEARTBEAT_MS);
  }

  /** Resolves when there is room for another one, or nobody to send it to. */
  async send(event: string, data: string, id?: number): Promise<void> {
    const response = this.#response;
    if (response.destroyed || response.writableEnded) return;
    this.#heartbeat?.refresh();
    response.write(`${id === undefined ? '' : `id: ${id}\n`}event: ${event}\ndata: ${data}\n\n`);
    if (response.writableLength > HTTP_EVENT_BYTES_MAX) await this.#drained();
  }

  /** Lets what was written leave, for a moment, and ends. */
  async close(): Promise<void> {
    const response = this.#response;
    this.#end();
    if (response.destroyed || !response.headersSent) return;
    const signal = AbortSignal.timeout(FLUSH_MS_MAX);
    const closed = once(response, 'close', { signal });
    response.end();
    await closed.catch(() => response.destroy());
  }

  #beat(): void {
    if (this.#response.writableLength <= HTTP_EVENT_BYTES_MAX) this.#response.write(':\n\n');
  }

  #drained(): Promise<void> {
    const response = this.#response;
    const { signal } = this.#gone;
    return new Promise((resolve) => {
      const end = (): void => {
        clearTimeout(stalled);
        response.off('drain', end);
        signal.removeEventListener('abort', end);
        resolve();
      };
      const stalled = setTimeout(() => response.destroy(), HTTP_EVENT_STALL_MS_MAX);
      response.on('drain', end);
      signal.addEventListener('abort', end);
      if (signal.aborted) end();
    });
  }

  #end(): void {
    if (this.#heartbeat !== null) clearInterval(this.#heartbeat);
    this.#heartbeat = null;
    this.#gone.abort();
  }
}
