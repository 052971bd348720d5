/**
 * A broker for tests of the client: listens on a free port of loopback and answers each request
 * with what the test's function returns. Speaks through the same tables as the real one.
 */
import { createServer, type AddressInfo, type Socket } from 'node:net';
import { advertisedApis } from '#src/protocol/api-keys.js';
import { decodeMessage } from '#src/protocol/decode.js';
import { encodeResponse } from '#src/protocol/frame.js';
import { readRequestHeader } from '#src/protocol/header.js';
import { apiVersionsApi } from '#src/protocol/messages/api-versions.js';

const API_RANGES = advertisedApis().map(({ key, advertised }) => ({
  apiKey: key,
  minVersion: advertised.min,
  maxVersion: advertised.max,
}));

export type FakeRequest = {
  readonly name: string;
  readonly version: number;
  readonly body: unknown;
};

/** The response's body; `hang` never answers, `drop` closes the connection. */
export type FakeAnswer = object | 'hang' | 'drop';

export type FakeBroker = {
  readonly address: { readonly host: string; readonly port: number };
  /** Names of what was asked, handshakes left out. */
  readonly asked: FakeRequest[];
  close(): void;
};

export async function fakeBroker(
  answer: (request: FakeRequest) => FakeAnswer,
): Promise<FakeBroker> {
  const sockets = new Set<Socket>();
  const asked: FakeRequest[] = [];
  const server = createServer((socket) => {
    sockets.add(socket);
    socket.on('close', () => sockets.delete(socket));
    socket.on('error', () => undefined);
    let held = Buffer.alloc(0);
    socket.on('data', (chunk: Buffer) => {
      held = Buffer.concat([held, chunk]);
      while (held.length >= 4 && held.length >= 4 + held.readInt32BE(0)) {
        const end = 4 + held.readInt32BE(0);
        serve(socket, held.subarray(0, end), asked, answer);
        held = held.subarray(end);
      }
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  return {
    address: { host: '127.0.0.1', port },
    asked,
    close: () => {
      server.close();
      for (const socket of sockets) socket.destroy();
    },
  };
}

function serve(
  socket: Socket,
  frame: Buffer,
  asked: FakeRequest[],
  answer: (request: FakeRequest) => FakeAnswer,
): void {
  const head = readRequestHeader(frame, 4, frame.length);
  if (head.api === null) throw new Error(`unknown key ${head.apiKey}`);
  const { api, apiVersion, correlationId } = head;
  const isHandshake = api.key === apiVersionsApi.key;
  const body = decodeMessage(api.request, apiVersion, frame, head.bodyStart, frame.length);
  const request = { name: api.name, version: apiVersion, body };
  if (!isHandshake) asked.push(request);
  const given = isHandshake ? { errorCode: 0, apiKeys: API_RANGES } : answer(request);
  if (given === 'hang') return;
  if (given === 'drop') {
    socket.destroy();
    return;
  }
  const { chunks } = encodeResponse(api, apiVersion, correlationId, given as never);
  for (const chunk of chunks) socket.write(chunk as Uint8Array);
}
