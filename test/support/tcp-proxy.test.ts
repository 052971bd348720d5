/** The proxy does what it counts, and nothing else, to bytes that pass. */
import { type AddressInfo, type Socket, connect, createServer } from 'node:net';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { TcpProxy } from './tcp-proxy.js';
import { waitFor } from './wait-for.js';

function frame(bytes: number): Buffer {
  const buffer = Buffer.alloc(4 + bytes, 'x');
  buffer.writeInt32BE(bytes, 0);
  return buffer;
}

/** Sends through a proxy to a server that only listens; ends with all of it closed. */
async function withProxy(
  use: (proxy: TcpProxy, client: Socket, received: () => Buffer) => Promise<void>,
): Promise<void> {
  const chunks: Buffer[] = [];
  const server = createServer((socket) => {
    socket.on('data', (chunk) => chunks.push(chunk));
    socket.on('error', () => undefined);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  const proxy = await TcpProxy.open('127.0.0.1', { host: '127.0.0.1', port });
  const client = connect(proxy.port, proxy.host);
  client.on('error', () => undefined);
  try {
    await use(proxy, client, () => Buffer.concat(chunks));
  } finally {
    client.destroy();
    proxy.close();
    server.close();
  }
}

test('bytes pass as they are, late ones in order', async () => {
  await withProxy(async (proxy, client, received) => {
    const sent = [1, 2, 3].map((n) => Buffer.alloc(50_000, n));
    client.write(sent[0] as Buffer);
    await waitFor('the first', () => received().length === 50_000);
    assert.is(proxy.delayed, 0);
    proxy.delayMs = 80;
    const startMs = performance.now();
    client.write(sent[1] as Buffer);
    await waitFor('a piece to be held', () => proxy.delayed > 0);
    proxy.delayMs = 0;
    client.write(sent[2] as Buffer);
    await waitFor('the rest', () => received().length === 150_000);
    assert.ok(performance.now() - startMs >= 75, 'it was held back');
    assert.equal(received(), Buffer.concat(sent));
    assert.is(proxy.cuts, 0);
  });
});

test('a cut ends the connection inside a frame', async () => {
  for (const isReset of [false, true]) {
    await withProxy(async (proxy, client, received) => {
      client.write(frame(100));
      await waitFor('a whole frame', () => received().length === 104);
      proxy.cutNextFrame({ share: 0.5, isReset });
      // Too short to have a middle, and a prefix in two pieces.
      client.write(Buffer.concat([frame(3), frame(200).subarray(0, 2)]));
      await waitFor('the short one', () => received().length === 104 + 7 + 2);
      client.write(frame(200).subarray(2));
      await waitFor('the end', () => client.destroyed);
      assert.is(proxy.cuts, 1);
      const got = received().length - 104 - 7;
      // A reset may overtake what was written before it.
      assert.ok(got === 4 + 100 || (isReset && got <= 4 + 100), `${got} bytes of the frame came`);
    });
  }
});

test.run();
