/**
 * What Node's own HTTP server makes of some bytes: the judge of our reader of heads. The bytes go
 * through a real `http.Server` by way of a stream that it takes for a connection, so it is
 * synchronous and opens no socket. Main thread or a fuzzer's.
 */
import { type IncomingMessage, createServer } from 'node:http';
import { Duplex } from 'node:stream';

export type NodeReading = {
  readonly method: string | undefined;
  readonly url: string | undefined;
  readonly contentLength: string | undefined;
  readonly contentType: string | undefined;
  readonly accept: string | undefined;
  readonly range: string | undefined;
  readonly isKeepAlive: boolean;
  /** As much of the request's body as there was. */
  readonly body: Buffer;
};

/** Requests with `Expect` and `Upgrade` are seen here too: none may be taken for a plain one. */
const server = createServer();
let seen: { request: IncomingMessage; isKeepAlive: boolean }[] = [];
for (const event of ['request', 'checkContinue', 'checkExpectation'] as const) {
  server.on(event, (request, response) => {
    seen.push({ request, isKeepAlive: response.shouldKeepAlive });
  });
}
server.on('clientError', (_, socket) => socket.destroy());

/** The first request in `bytes`; null when Node has not seen a whole head, or refuses it. */
export function nodeReads(bytes: Uint8Array): NodeReading | null {
  const connection = new Duplex({
    read: () => undefined,
    write: (_chunk, _encoding, done) => done(),
  });
  seen = [];
  server.emit('connection', connection);
  connection.emit('data', Buffer.from(bytes));
  const first = seen[0];
  const body: Buffer = first?.request.read() ?? Buffer.alloc(0);
  connection.destroy();
  if (first === undefined) return null;
  const { method, url, headers } = first.request;
  return {
    method,
    url,
    contentLength: headers['content-length'],
    contentType: headers['content-type'],
    accept: headers.accept,
    range: headers.range,
    isKeepAlive: first.isKeepAlive,
    body,
  };
}
