/**
 * A stranger at the peer port who greets correctly and then sends what no node would: the broker
 * goes on, as the same process, and serves.
 */
import { type Socket, connect } from 'node:net';
import { performance } from 'node:perf_hooks';
import {
  encodeFrame,
  encodeGreeting,
  FRAME_HELLO,
  FRAME_TURN,
  MAIN_SHARD,
} from '#src/replication/peer-frame.js';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { TestCluster } from '../support/cluster.js';
import { waitFor } from '../support/wait-for.js';

const PEER_PORT_SHIFT = 101;
const cluster = await TestCluster.start({ nodes: 1 });
const before = await pidOfNode();

async function pidOfNode(): Promise<number | null | undefined> {
  return (await cluster.status()).nodes.find(({ id }) => id === 1)?.pid;
}

type Peer = { readonly socket: Socket; bytesReceived: number; isClosed: boolean };

async function dial(): Promise<Peer> {
  const socket = connect(cluster.basePort + PEER_PORT_SHIFT, '127.0.0.1');
  const peer: Peer = { socket, bytesReceived: 0, isClosed: false };
  socket.on('data', (bytes) => {
    peer.bytesReceived += bytes.length;
  });
  socket.on('error', () => undefined);
  socket.on('close', () => {
    peer.isClosed = true;
  });
  await waitFor('the connection', () => !socket.connecting);
  return peer;
}

/** A link of the control plane, under a name that nobody else has. */
async function greet(): Promise<Peer> {
  const peer = await dial();
  const self = { nodeId: 77, directoryId: 'd'.repeat(22), incarnation: 'i', shards: 1 };
  const toward = { clusterId: null, shard: MAIN_SHARD, toNode: 1, toShard: MAIN_SHARD };
  peer.socket.write(encodeGreeting({ ...self, ...toward }));
  await waitFor('the welcome', () => peer.bytesReceived > 0);
  return peer;
}

test('control messages that are none are ignored', async () => {
  const peer = await greet();
  const nonsense = [
    ...[null, 7, 'x', [], {}, { kind: 'leaders' }, { kind: 'leaders', entries: 7 }],
    ...[
      { kind: 'request', requestId: 'r' },
      { kind: 'request', requestId: 'r', op: null },
    ],
    ...[{ kind: 'request', requestId: 'r', op: { kind: 'createTopics', topics: 7 } }],
    ...[{ kind: 'heartbeat' }, { kind: 'settle', id: 1, offset: 0 }, { kind: 'response' }],
    ...[{ kind: 'founding' }, { kind: 'founding', voters: 7 }, { kind: 'closing' }],
  ];
  for (const message of nonsense) peer.socket.write(encodeFrame(FRAME_TURN, [[message]], 0));
  // The link is still there: whoever talks nonsense once may be a newer version.
  const seen = peer.bytesReceived;
  await waitFor('a beat of the link', () => peer.bytesReceived > seen);
  assert.not.ok(peer.isClosed);
  assert.is(await pidOfNode(), before);
  peer.socket.destroy();
});

test('a small hello that stands for a huge one costs nothing', async () => {
  const peer = await dial();
  const startMs = performance.now();
  const hello = pointers(40);
  const frame = Buffer.concat([Buffer.alloc(4), Buffer.of(FRAME_HELLO, 0, 0, 0, 0), hello]);
  frame.writeInt32BE(frame.length - 4, 0);
  frame.writeInt32BE(hello.length, 5);
  peer.socket.write(frame);
  await waitFor('the end of the connection', () => peer.isClosed);
  const status = await cluster.status();
  assert.is(status.nodes.find(({ id }) => id === 1)?.pid, before);
  // Unpacked by the letter, it would be a text of 10^40 pieces.
  assert.ok(performance.now() - startMs < 20_000);
});

/** Lists of ten pointers to the list before, `levels` times, and a byte too many behind. */
function pointers(levels: number): Buffer {
  const parts = [Buffer.of(0xdc, 0, levels)];
  for (let i = 0; i < levels; i++) {
    parts.push(Buffer.of(0xd6, 0x69, 0, 0, 0, i + 1, 0x9a));
    for (let k = 0; k < 10; k++) {
      parts.push(i === 0 ? Buffer.of(0xc0) : Buffer.of(0xd6, 0x70, 0, 0, 0, i));
    }
  }
  return Buffer.concat([...parts, Buffer.of(0xc0)]);
}

test.run();
