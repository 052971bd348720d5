/**
 * Bytes that are no request, against a real broker: each ends as a closed connection with one line
 * in the broker's log, the broker serves on, and nothing is allocated because it was promised.
 */
import { randomBytes } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { Prng } from '#src/base/prng.js';
import { API_BY_KEY, isServed } from '#src/protocol/api-keys.js';
import { ERROR } from '#src/protocol/errors.js';
import { decodeResponse, encodeRequestFrame } from '#src/protocol/frame.js';
import { apiVersionsApi } from '#src/protocol/messages/api-versions.js';
import { metadataApi } from '#src/protocol/messages/metadata.js';
import { TestCluster } from '../../support/cluster.js';
import { BrokerLog } from './broker-log.js';
import { RawSocket, framed, request } from './raw-socket.js';

const FRAME_TIMEOUT_MS = 1_500;
const IDLE_MS_MAX = 4_000;
const MIB = 1 << 20;

const cluster = await TestCluster.start({
  nodes: 1,
  settings: [
    `socket.frame.timeout.ms=${FRAME_TIMEOUT_MS}`,
    `connections.max.idle.ms=${IDLE_MS_MAX}`,
    'auto.create.topics.enable=false',
  ],
});
const port = cluster.basePort;
const log = new BrokerLog(cluster.dataDir, 1);

test.before.each(() => log.skip());
test.after(() => cluster.down());

/** Says nothing, from beginning to end. */
const idle = await RawSocket.open(port);
const idleSinceMs = performance.now();

/** The broker answers a plain request, on a connection of its own. */
async function serves(): Promise<void> {
  const socket = await RawSocket.open(port);
  socket.sendFrame(request(apiVersionsApi.key, 0, 7));
  const frame = await socket.frame(0);
  const { correlationId, body } = decodeResponse(apiVersionsApi, 0, frame, 0, frame.length);
  assert.is(correlationId, 7);
  assert.is(body.errorCode, ERROR.NONE);
  socket.destroy();
}

/** `bytes` close the connection, one line says why, and the broker serves on. */
async function refuses(bytes: Buffer, reason: RegExp): Promise<void> {
  log.skip();
  await RawSocket.refused(port, bytes);
  const lines = await log.until(reason);
  assert.is(lines.length, 1, JSON.stringify(lines));
  await serves();
}

function residentBytes(): number {
  const status = readFileSync(`/proc/${cluster.pid(1)}/status`, 'latin1');
  return Number(/VmRSS:\s+(\d+) kB/.exec(status)?.[1]) * 1024;
}

test('a length that cannot be', async () => {
  await refuses(framed(Buffer.alloc(0), -1), /negative frame length/);
  await refuses(framed(Buffer.alloc(0), -(2 ** 31)), /negative frame length/);
  await refuses(framed(Buffer.alloc(0), 0), /empty frame/);
  await refuses(framed(Buffer.alloc(0), 2 ** 31 - 1), /frame too large \(2147483647 > 104857600\)/);
});

test('the hello of another protocol', async () => {
  await refuses(Buffer.from('GET / HTTP/1.1\r\nHost: localhost\r\n\r\n'), /frame too large/);
  const clientHello = Buffer.from('16030100c8010000c40303', 'hex');
  await refuses(Buffer.concat([clientHello, randomBytes(192)]), /frame too large/);
});

test('a header that ends too early', async () => {
  for (let length = 1; length < 10; length++) {
    const body = request(apiVersionsApi.key, 0, 1).subarray(0, length);
    await refuses(framed(body), /bytes wanted/);
  }
});

test('a frame that is never delivered is given up', async () => {
  const socket = await RawSocket.open(port);
  const startMs = performance.now();
  socket.sendFrame(Buffer.alloc(10), 50 * MIB);
  await socket.closed();
  assert.ok(performance.now() - startMs > FRAME_TIMEOUT_MS * 0.9);
  const lines = await log.until(/frame not complete within 1500 ms/);
  assert.is(lines.length, 1);
});

test('a frame that comes byte by byte in time is answered', async () => {
  const socket = await RawSocket.open(port);
  const bytes = framed(request(apiVersionsApi.key, 0, 9));
  for (const byte of bytes) {
    socket.send(Buffer.of(byte));
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  assert.is((await socket.frame(0)).readInt32BE(0), 9);
  socket.destroy();
  assert.equal(log.lines(), []);
});

test('a frame that comes byte by byte for ever is given up', async () => {
  const socket = await RawSocket.open(port);
  socket.sendFrame(Buffer.alloc(0), 1_000);
  const timer = setInterval(() => socket.send(Buffer.of(0)), 50);
  await socket.closed();
  clearInterval(timer);
});

test('an API that nobody knows', async () => {
  const unknown = [-1, 4, 5, 6, 7, 24, 27, 68, 71, 9_999, 32_767, -32_768];
  for (const key of unknown) await refuses(framed(request(key, 0, 1)), /unknown API key/);
  const tableOnly = [...API_BY_KEY.values()].filter((api) => !api.isServed);
  for (const { key } of tableOnly) {
    await refuses(framed(request(key, 0, 1)), /unknown API key|is not served/);
  }
});

test('versions outside the served range', async () => {
  for (const api of API_BY_KEY.values()) {
    if (!api.isServed || api.key === apiVersionsApi.key) continue;
    const versions = [-1, api.serveFrom - 1, api.advertised.max + 1, 32_767];
    for (const version of new Set(versions)) {
      if (isServed(api, version)) continue;
      await RawSocket.refused(port, framed(request(api.key, version, 1)));
    }
  }
  await log.until(/version 32767 of .* is not served/);
  await serves();
});

test('trap 3: ApiVersions above ours gets version 0 with error 35 and the ranges', async () => {
  const socket = await RawSocket.open(port);
  for (const version of [5, 100, 32_767]) {
    socket.sendFrame(request(apiVersionsApi.key, version, version));
    const frame = await socket.frame(socket.frames.length);
    const { correlationId, body } = decodeResponse(apiVersionsApi, 0, frame, 0, frame.length);
    assert.is(correlationId, version);
    assert.is(body.errorCode, ERROR.UNSUPPORTED_VERSION);
    const own = body.apiKeys.find(({ apiKey }) => apiKey === apiVersionsApi.key);
    assert.equal(own, { apiKey: 18, minVersion: 0, maxVersion: 4 });
  }
  socket.destroy();
  assert.equal(log.lines(), []);
});

test('array counts beyond the frame', async () => {
  const count = (value: number): Buffer => {
    const bytes = Buffer.alloc(4);
    bytes.writeInt32BE(value);
    return bytes;
  };
  for (const value of [2 ** 31 - 1, 1_000_000, 2, -2, -(2 ** 31)]) {
    const body = Buffer.concat([count(value), Buffer.alloc(3)]);
    await refuses(framed(request(metadataApi.key, 1, 1, body)), /count|negative length/);
  }
  // Compact: a tag section, then a count of 2^32 - 1.
  const compact = Buffer.from('00ffffffff0f', 'hex');
  await refuses(framed(request(metadataApi.key, 9, 1, compact)), /count/);
});

test('trap 4: trailing bytes are tolerated', async () => {
  const body = { topics: null, allowAutoTopicCreation: false };
  const header = { apiVersion: 12, correlationId: 3, clientId: 'test' };
  const frame = encodeRequestFrame(metadataApi, { ...header, body });
  const socket = await RawSocket.open(port);
  socket.sendFrame(Buffer.concat([frame.subarray(4), Buffer.alloc(3)]));
  const answer = await socket.frame(0);
  assert.is(decodeResponse(metadataApi, 12, answer, 0, answer.length).correlationId, 3);
  socket.destroy();
});

test('promised bytes take no memory', async () => {
  await serves();
  const before = residentBytes();
  const sockets = await Promise.all(Array.from({ length: 200 }, () => RawSocket.open(port)));
  for (const socket of sockets) socket.sendFrame(Buffer.alloc(8), 90 * MIB);
  await serves();
  const grown = residentBytes() - before;
  assert.ok(grown < 30 * MIB, `${grown} bytes more for 200 promises of 90 MiB`);
  for (const socket of sockets) socket.destroy();
  await serves();
});

test('a connection without a request is closed after its time, without a word', async () => {
  await idle.closed(2 * IDLE_MS_MAX);
  assert.ok(performance.now() - idleSinceMs > IDLE_MS_MAX * 0.9);
  assert.equal(log.lines(), []);
});

test('random bytes and spoilt requests: the broker stays alive', async () => {
  const seed = Number(process.env.LOGRAFT_TEST_SEED ?? 20_241_121);
  const random = new Prng(seed);
  const keys = [...API_BY_KEY.keys()];
  let sent = 0;
  const one = async (): Promise<void> => {
    const socket = await RawSocket.open(port);
    for (let frame = 0; frame < 8 && !socket.isClosed; frame++) {
      socket.sendFrame(garbage(random, keys));
      sent++;
    }
    // Whatever waits for an answer is not waited for: a broker must bear that, too.
    await new Promise((resolve) => setTimeout(resolve, random.int(0, 10)));
    socket.destroy();
  };
  const lane = async (): Promise<void> => {
    while (sent < 4_000) await one();
  };
  await Promise.all([lane(), lane(), lane(), lane()]);
  await serves();
  const { nodes } = await cluster.status();
  assert.equal(
    nodes.map(({ state }) => state),
    ['running'],
    `seed ${seed}`,
  );
});

/** Half a request: a true key and version, then bytes that are mostly small numbers. */
function garbage(random: Prng, keys: readonly number[]): Buffer {
  const length = 1 + random.int(0, random.chance(0.1) ? 4_000 : 80);
  const noise = Buffer.from(
    Array.from({ length }, () => (random.chance(0.7) ? random.int(0, 4) : random.int(0, 256))),
  );
  if (random.chance(0.2)) return noise;
  const api = API_BY_KEY.get(random.pick(keys));
  if (api === undefined) return noise;
  return request(api.key, random.int(0, api.advertised.max + 1), random.int(0, 1_000), noise);
}

test.run();
