/**
 * Clients that ask faster than they read. Promise: what a broker holds for them is bounded, however
 * many requests they pipeline, others are served meanwhile, and when they read after all, they get
 * every answer, in order.
 */
import { readFileSync, readdirSync } from 'node:fs';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { ERROR } from '#src/protocol/errors.js';
import { decodeResponse, encodeRequestFrame } from '#src/protocol/frame.js';
import { fetchApi } from '#src/protocol/messages/fetch.js';
import { joinGroupApi } from '#src/protocol/messages/join-group.js';
import { lograftStatusApi } from '#src/protocol/messages/lograft-status.js';
import { metadataApi } from '#src/protocol/messages/metadata.js';
import { produceApi } from '#src/protocol/messages/produce.js';
import { Door, batchesOf, fetchBody, makeBatch, only, produceBody } from '../../handlers/kit.js';
import { TestCluster } from '../../support/cluster.js';
import { waitFor } from '../../support/wait-for.js';
import { RawSocket } from './raw-socket.js';

const MIB = 1 << 20;
const FETCH_VERSION = 11;
const BATCHES = 24;

const cluster = await TestCluster.start({ nodes: 1, settings: ['num.shards=2'] });
const door = await Door.open(cluster.bootstrap[0] as string);
await door.createTopic('big', 2);
await door.createTopic('empty');
for (const partition of [0, 1]) {
  for (let i = 0; i < BATCHES; i++) {
    const { errorCode } = await door.produce('big', partition, makeBatch({ valueBytes: 900_000 }));
    assert.is(errorCode, ERROR.NONE);
  }
}

test.after(async () => {
  door.close();
  await cluster.down();
});

function residentBytes(): number {
  const status = readFileSync(`/proc/${cluster.pid(1)}/status`, 'latin1');
  return Number(/VmRSS:\s+(\d+) kB/.exec(status)?.[1]) * 1024;
}

function openFiles(): number {
  return readdirSync(`/proc/${cluster.pid(1)}/fd`).length;
}

async function connectedClients(): Promise<number> {
  const { json } = await door.connection.request(lograftStatusApi, 0, {});
  const { counters } = JSON.parse(json) as { counters: { clients: number }[] };
  return counters.reduce((sum, { clients }) => sum + clients, 0);
}

function fetchFrame(correlationId: number, topic: string, maxWaitMs = 0): Buffer {
  const whole = { maxBytes: 50 * MIB, partitionMaxBytes: 50 * MIB, maxWaitMs };
  const partitions = topic === 'big' ? [0, 1] : [0];
  const body = fetchBody(
    [topic],
    partitions.map((partition) => ({ ...whole, partition })),
  );
  return encodeRequestFrame(fetchApi, {
    ...{ apiVersion: FETCH_VERSION, correlationId, clientId: 'slow' },
    body,
  });
}

test('hundreds of big fetches in one go: memory and files stay', async () => {
  const before = residentBytes();
  const filesBefore = openFiles();
  const sockets = await Promise.all(
    Array.from({ length: 4 }, () => RawSocket.open(cluster.basePort)),
  );
  for (const socket of sockets) {
    socket.pause();
    socket.send(Buffer.concat(Array.from({ length: 500 }, (_, i) => fetchFrame(i, 'big'))));
  }
  // The broker has looked at all it wants to look at when another client got several answers.
  for (let i = 0; i < 20; i++) {
    assert.is((await door.produce('empty', 0, makeBatch())).errorCode, ERROR.NONE);
  }
  const grown = residentBytes() - before;
  assert.ok(grown < 250 * MIB, `${Math.round(grown / MIB)} MiB more for four slow readers`);
  assert.ok(openFiles() < filesBefore + 512, `${openFiles()} descriptors, ${filesBefore} before`);
  for (const socket of sockets) socket.destroy();
});

test('answers come in order when the reader wakes up', async () => {
  const socket = await RawSocket.open(cluster.basePort);
  socket.pause();
  for (let i = 0; i < 6; i++) socket.send(fetchFrame(i, 'big'));
  assert.is((await door.produce('empty', 0, makeBatch())).errorCode, ERROR.NONE);
  socket.resume();
  const last = await socket.frame(5, 15_000);
  assert.is(last.readInt32BE(0), 5);
  for (const [i, frame] of socket.frames.entries()) {
    const { correlationId, body } = decodeResponse(fetchApi, FETCH_VERSION, frame, 0, frame.length);
    assert.is(correlationId, i);
    const found = only(body.responses).partitions.flatMap(batchesOf);
    assert.ok(found.length > BATCHES / 2, `${found.length} batches`);
  }
  socket.destroy();
});

test('a produce behind a long poll ends it, and a fetch behind that waits for both', async () => {
  const socket = await RawSocket.open(cluster.basePort);
  const header = { clientId: 'slow' };
  const { offset } = await door.offset('empty', 0, -1);
  const waiting = fetchBody(['empty'], [{ offset, maxWaitMs: 20_000 }]);
  const requests = [
    encodeRequestFrame(fetchApi, { ...header, apiVersion: 11, correlationId: 0, body: waiting }),
    encodeRequestFrame(produceApi, {
      ...{ ...header, apiVersion: 9, correlationId: 1 },
      body: produceBody('empty', 0, makeBatch()),
    }),
    fetchFrame(2, 'big'),
    encodeRequestFrame(metadataApi, {
      ...{ ...header, apiVersion: 9, correlationId: 3 },
      body: { topics: null },
    }),
  ];
  const startMs = performance.now();
  socket.send(Buffer.concat(requests));
  await socket.frame(3);
  // The produce behind the long poll ended it.
  assert.ok(performance.now() - startMs < 5_000);
  assert.equal(
    socket.frames.map((frame) => frame.readInt32BE(0)),
    [0, 1, 2, 3],
  );
  socket.destroy();
});

test('clients that leave their long polls behind do not fill the partition', async () => {
  const { offset } = await door.offset('empty', 0, -1);
  const body = fetchBody(['empty'], [{ offset, maxWaitMs: 300_000 }]);
  const header = { apiVersion: FETCH_VERSION, correlationId: 1, clientId: 'gone' };
  for (let i = 0; i < 200; i++) {
    const socket = await RawSocket.open(cluster.basePort);
    socket.send(encodeRequestFrame(fetchApi, { ...header, body }));
    socket.destroy();
  }
  await waitFor('the broker to see them go', async () => (await connectedClients()) < 10);
  const waiting = door.fetch('empty', { offset, maxWaitMs: 10_000 });
  const other = await Door.open(cluster.bootstrap[0] as string);
  await other.produce('empty', 0, makeBatch());
  assert.is(batchesOf(await waiting).length, 1);
  other.close();
});

test('a member that waits for its group holds up nobody but its own connection', async () => {
  const socket = await RawSocket.open(cluster.basePort);
  const header = { clientId: 'member' };
  const protocols = [{ name: 'range', metadata: Buffer.alloc(8) }];
  const times = { sessionTimeoutMs: 30_000, rebalanceTimeoutMs: 30_000 };
  const join = { groupId: 'g', memberId: '', protocolType: 'consumer', protocols, ...times };
  socket.send(
    Buffer.concat([
      encodeRequestFrame(joinGroupApi, { ...header, apiVersion: 2, correlationId: 0, body: join }),
      ...Array.from({ length: 300 }, (_, i) => fetchFrame(i + 1, 'big')),
    ]),
  );
  const before = residentBytes();
  assert.is((await door.produce('empty', 0, makeBatch())).errorCode, ERROR.NONE);
  assert.ok(residentBytes() - before < 150 * MIB);
  assert.is((await socket.frame(0, 10_000)).readInt32BE(0), 0);
  socket.destroy();
});

test.run();
