/**
 * Frames in and answers out: every way a stream can be cut, bad lengths, deadlines, closing, and
 * errors of handlers. The peers are Node's own sockets, so nothing of ours vouches for itself.
 */
import type { LograftError } from '#src/base/errors.js';
import type { ConnectionId } from '#src/native/sockets.js';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { sleep } from '../support/wait-for.js';
import { Peer, Recorder, frame, patterned, soon, withLayers } from './socket-kit.js';

const withServer = (body: (server: Recorder, port: number) => Promise<void>): Promise<void> =>
  withLayers((open) => {
    const server = open();
    return body(server, server.listen());
  });

test('a stream cut at any byte gives the same frames', () =>
  withServer(async (server, port) => {
    const stream = Buffer.concat([frame('first'), frame(300), frame('x'), frame(40)]);
    for (let cut = 1; cut < stream.length; cut += cut < 20 || cut > 310 ? 1 : 37) {
      server.frames.length = 0;
      const before = server.layer.counters().bytesIn;
      const peer = await Peer.open(port);
      peer.send(stream.subarray(0, cut));
      await soon('the first part', () => server.layer.counters().bytesIn === before + cut);
      peer.send(stream.subarray(cut));
      await soon('four frames', () => server.frames.length === 4);
      const bodies = server.frames.map(({ body }) => body);
      assert.equal(Buffer.concat(bodies.map((body) => frame(body))), stream, `cut ${cut}`);
      peer.end();
    }
  }));

test('one byte at a time', () =>
  withServer(async (server, port) => {
    const peer = await Peer.open(port);
    const stream = Buffer.concat([frame('slow'), frame(20)]);
    for (let at = 0; at < stream.length; at++) {
      peer.send(stream.subarray(at, at + 1));
      await soon('the byte', () => server.layer.counters().bytesIn === at + 1);
    }
    assert.equal(
      server.frames.map(({ body }) => body),
      [Buffer.from('slow'), patterned(20)],
    );
    peer.end();
  }));

test('many frames in one write come in few turns, in order', () =>
  withServer(async (server, port) => {
    const peer = await Peer.open(port);
    const count = 20_000;
    peer.send(...Array.from({ length: count }, (_, i) => frame(`request ${i}`)));
    await soon('all frames', () => server.frames.length === count);
    server.frames.forEach(({ body }, i) => assert.is(body.toString(), `request ${i}`));
    assert.ok(server.turnEnds < 60, `${server.turnEnds} turns`);
    peer.end();
  }));

test('frames of every size around the slab', () =>
  withLayers(async (open) => {
    const server = open({}, { slabBytes: 16 << 10 });
    const peer = await Peer.open(server.listen());
    const sizes = [1, 4095, 4096, 8191, 8192, 8193, 16379, 16384, 16385, 70_000, 5 << 20, 3, 9000];
    for (const size of sizes) peer.send(frame(patterned(size, size)));
    await soon('all frames', () => server.frames.length === sizes.length);
    sizes.forEach((size, i) => assert.equal(server.frames[i]?.body, patterned(size, size)));
    const { framesBig, framesCarried, framesIn } = server.layer.counters();
    assert.is(framesIn, sizes.length);
    assert.ok(framesBig >= 6 && framesCarried > 0, `${framesBig} big, ${framesCarried} carried`);
    peer.end();
  }));

const LYING = [
  { length: -1, reason: 'negative frame length' },
  { length: -2147483648, reason: 'negative frame length' },
  { length: 0, reason: 'empty frame' },
  { length: 2147483647, reason: 'frame too large (2147483647 > 8388608)' },
  { length: 0x48545450, reason: 'frame too large (1213486160 > 8388608)' },
];

for (const { length, reason } of LYING) {
  test(`a promised length of ${length} closes, after the frames before it`, () =>
    withLayers(async (open) => {
      const server: Recorder = open({
        onFrame: (id, bytes, start, n) => server.layer.write(id, bytes, start - 4, start + n),
      });
      const peer = await Peer.open(server.listen());
      const lie = Buffer.alloc(8);
      lie.writeInt32BE(length);
      peer.send(frame('good'), lie);
      await soon('the end', () => peer.isEnded && server.closed.length === 1);
      assert.equal(server.reasons, [reason]);
      assert.is(server.frames.length, 1);
      assert.is(server.layer.counters().connections, 0);
      // What was right before it is still answered (the unread rest may turn the end into a reset).
      assert.equal(peer.received, frame('good'));
      peer.end();
    }));
}

test('the largest length may differ per connection', () =>
  withLayers(async (open) => {
    const server: Recorder = open({
      onOpened: (id) => server.layer.setFrameBytesMax(id, 100),
      onFrame: (id) => server.layer.setFrameBytesMax(id, 1000),
    });
    const peer = await Peer.open(server.listen());
    peer.send(frame(100));
    await soon('the first', () => server.frames.length === 1);
    peer.send(frame(1000), frame(1001));
    await soon('the end', () => server.closed.length === 1);
    assert.is(server.frames.length, 2);
    assert.equal(server.reasons, ['frame too large (1001 > 1000)']);
    peer.end();
  }));

test('a small send buffer leaves the bytes for a peer that does not read with us', () =>
  withLayers(async (open) => {
    const queued = async (sendBufferBytes: number): Promise<number> => {
      const server: Recorder = open({
        onOpened: (id) => {
          server.layer.setSendBufferBytes(id, sendBufferBytes);
          server.layer.write(id, Buffer.alloc(8 << 20));
        },
      });
      const peer = await Peer.open(server.listen());
      peer.socket.pause();
      await soon('the connection', () => server.opened.length === 1);
      const bytes = (): number => server.layer.outboundBytes(server.opened[0] as number);
      await soon('the first bytes to leave', () => bytes() < 8 << 20);
      peer.end();
      return bytes();
    };
    const [small, large] = [await queued(16 << 10), await queued(2 << 20)];
    assert.ok(small > large + (1 << 20), `${small} and ${large} bytes wait`);
  }));

test('a frame that never completes meets its deadline, an idle connection does not', () =>
  withLayers(async (open) => {
    const server: Recorder = open({
      onOpened: (id) => server.layer.setFrameDeadlineMs(id, 120),
    });
    const port = server.listen();
    const [idle, stuck, dripping] = [
      await Peer.open(port),
      await Peer.open(port),
      await Peer.open(port),
    ] as const;
    idle.send(frame('complete'));
    stuck.send(Buffer.from([0, 0]));
    const timer = setInterval(() => dripping.send(Buffer.from([0])), 20);
    dripping.send(Buffer.from([0, 0, 1, 0]));
    await soon('two ends', () => server.closed.length === 2);
    clearInterval(timer);
    assert.equal(server.reasons, Array(2).fill('frame not complete within 120 ms'));
    await sleep(150);
    assert.is(server.closed.length, 2);
    assert.is(idle.isEnded, false);
    for (const peer of [idle, stuck, dripping]) peer.end();
  }));

test('the deadline does not run while we do not read', () =>
  withLayers(async (open) => {
    const server: Recorder = open({
      onOpened: (id) => server.layer.setFrameDeadlineMs(id, 60),
      onFrame: (id) => server.layer.pauseReading(id),
    });
    const peer = await Peer.open(server.listen());
    const second = frame(1000);
    peer.send(frame('one'), second.subarray(0, 500));
    await soon('one', () => server.frames.length === 1);
    await sleep(150);
    server.layer.resumeReading(server.opened[0] as ConnectionId);
    peer.send(second.subarray(500));
    await soon('two', () => server.frames.length === 2);
    assert.is(server.closed.length, 0);
    peer.end();
  }));

test('frames that arrived before a reset are delivered', () =>
  withServer(async (server, port) => {
    const peer = await Peer.open(port);
    await soon('opened', () => server.opened.length === 1);
    // Both are on their way before the server's loop looks at either.
    peer.send(frame('fire'), frame('forget'));
    peer.socket.resetAndDestroy();
    await soon('closed', () => server.closed.length === 1);
    assert.is(server.frames.length, 2);
    assert.equal(server.reasons, ['ECONNRESET']);
  }));

test('closed by the peer, by a reset, and here', () =>
  withLayers(async (open) => {
    const server: Recorder = open({
      onFrame: (id, bytes, start, length) => {
        server.layer.write(id, bytes, start - 4, start + length);
        if (bytes[start] === 0x63) server.layer.close(id);
      },
    });
    const port = server.listen();
    const polite = await Peer.open(port);
    polite.socket.end();
    await soon('polite', () => server.closed.length === 1);
    const rude = await Peer.open(port);
    await soon('opened', () => server.opened.length === 2);
    rude.socket.resetAndDestroy();
    await soon('rude', () => server.closed.length === 2);
    const told = await Peer.open(port);
    told.send(frame('answered'), frame('close'), frame('not seen'));
    await soon('told', () => server.closed.length === 3 && told.isEnded);
    assert.equal(server.reasons, ['peer closed', 'ECONNRESET', 'closed here']);
    assert.equal(told.received, Buffer.concat([frame('answered'), frame('close')]));
    assert.is(server.frames.length, 2);
    assert.is(server.layer.counters().closed, 3);
    for (const peer of [polite, rude, told]) peer.end();
  }));

test('calls with an id that has gone do nothing', () =>
  withServer(async (server, port) => {
    const peer = await Peer.open(port);
    await soon('opened', () => server.opened.length === 1);
    peer.end();
    await soon('closed', () => server.closed.length === 1);
    const { layer } = server;
    const id = server.opened[0] as ConnectionId;
    layer.write(id, Buffer.from('late'));
    layer.writeRange(id, 999_999, 0, 10);
    layer.pauseReading(id);
    layer.setFrameDeadlineMs(id, 10);
    layer.close(id);
    assert.is(layer.outboundBytes(id), 0);
    assert.is(layer.remoteAddress(id), '');
    assert.throws(() => layer.detach(id), /ENOTCONN/);
    await sleep(20);
    assert.is(server.closed.length, 1);
  }));

test('ids are not used again soon', () =>
  withServer(async (server, port) => {
    const seen = new Set<number>();
    for (let i = 0; i < 50; i++) {
      const peer = await Peer.open(port);
      peer.end();
      await soon('closed', () => server.closed.length === i + 1);
    }
    for (const id of server.opened) seen.add(id);
    assert.is(seen.size, 50);
  }));

test('connect: success, refusal, bad address', () =>
  withLayers(async (open) => {
    const server: Recorder = open({
      onFrame: (id, bytes, start, n) => server.layer.write(id, bytes, start - 4, start + n),
    });
    const client = open();
    const port = server.listen();
    const id = client.layer.connect('127.0.0.1', port);
    client.layer.write(id, frame('queued before it opened'));
    await soon('the echo', () => client.frames.length === 1);
    assert.equal(client.opened, [id]);
    assert.is(client.layer.remoteAddress(id), `127.0.0.1:${port}`);
    server.layer.unlisten(0);
    const refused = client.layer.connect('127.0.0.1', port);
    await soon('refusal', () => client.closed.length === 1);
    assert.equal(client.closed, [{ connId: refused, reason: 'ECONNREFUSED' }]);
    assert.throws(() => client.layer.connect('example.org', 1), /EINVAL/);
    assert.throws(() => client.layer.connect('127.0.0.1', 70_000), /EINVAL/);
    const given = client.layer.connect('127.0.0.1', port);
    client.layer.close(given);
    await soon('given up', () => client.closed.length === 2);
    assert.is(client.opened.length, 1);
  }));

test('an address in use says so; IPv6 works', () =>
  withLayers(async (open) => {
    const server = open();
    const port = server.listen();
    let error: LograftError | undefined;
    try {
      server.layer.listen('127.0.0.1', port, 'frames');
    } catch (caught) {
      error = caught as LograftError;
    }
    assert.is(error?.code, 'ADDRESS_IN_USE');
    assert.is(error?.message, `127.0.0.1:${port} is already in use`);
    const six = server.layer.listen('::1', 0, 'frames');
    const client = open();
    const id = client.layer.connect('::1', six.port);
    await soon('opened', () => client.opened.length === 1 && server.opened.length === 1);
    assert.is(client.layer.remoteAddress(id), `[::1]:${six.port}`);
  }));

test('an error in a handler is uncaught, and the other frames are delivered', () =>
  withLayers(async (open) => {
    const uncaught: string[] = [];
    const listen = (error: Error): void => void uncaught.push(error.message);
    process.on('uncaughtException', listen);
    const server = open({
      onFrame: (_, bytes, start, length) => {
        const text = bytes.toString('latin1', start, start + length);
        if (text.startsWith('bad')) throw new Error(text);
      },
      onTurnEnd: () => {
        throw new Error('turn end');
      },
    });
    const peer = await Peer.open(server.listen());
    peer.send(frame('bad 1'), frame('good'), frame('bad 2'), frame('good'));
    await soon('all', () => server.frames.length === 4 && uncaught.includes('bad 2'));
    process.off('uncaughtException', listen);
    assert.ok(uncaught.includes('bad 1') && uncaught.includes('turn end'));
    peer.end();
  }));

test('promises and ticks of a handler run after its turn', () =>
  withLayers(async (open) => {
    const order: string[] = [];
    const server = open({
      onFrame: () => {
        queueMicrotask(() => order.push('microtask'));
        process.nextTick(() => order.push('tick'));
        order.push('frame');
      },
      onTurnEnd: () => order.push('turn end'),
    });
    const peer = await Peer.open(server.listen());
    await soon('opened', () => server.opened.length === 1);
    order.length = 0;
    peer.send(frame('x'));
    await soon('all four', () => order.length === 4);
    assert.equal(order, ['frame', 'turn end', 'tick', 'microtask']);
    peer.end();
  }));

test.run();
