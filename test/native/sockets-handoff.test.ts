/**
 * Connections that change hands: accepted here and adopted there, detached in the middle of a
 * stream with what was read of it, and many of them at once.
 */
import type { ConnectionId, SocketHandler } from '#src/native/sockets.js';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { Peer, type Recorder, frame, patterned, soon, withLayers } from './socket-kit.js';

const echoOf = (recorder: () => Recorder): Partial<SocketHandler> => ({
  onFrame: (id, bytes, start, length) =>
    recorder().layer.write(id, bytes, start - 4, start + length),
});

test('handoff mode gives the descriptor; adopting it is silent', () =>
  withLayers(async (open) => {
    const acceptor = open();
    const { port, listenerId } = acceptor.layer.listen('127.0.0.1', 0, 'handoff');
    const worker: Recorder = open(echoOf(() => worker));
    const peer = await Peer.open(port);
    peer.send(frame('sent before anybody reads'));
    await soon('accepted', () => acceptor.accepted.length === 1);
    assert.is(listenerId, 0);
    worker.layer.adopt(acceptor.accepted[0] as number);
    await soon('the echo', () => peer.receivedBytes === 29);
    assert.is(worker.opened.length, 0);
    assert.is(acceptor.layer.counters().accepted, 1);
    peer.end();
    await soon('closed', () => worker.closed.length === 1);
    assert.is(acceptor.closed.length, 0);
  }));

/**
 * Sends `stream` to the first of three layers. Frame `first` moves the connection to the second
 * layer, frame `second` to the third. Returns what all heard, in order.
 */
async function moveAt(first: number, second: number, stream: Buffer, total: number) {
  const heard: Buffer[] = [];
  await withLayers(async (open) => {
    const layers: Recorder[] = [first, second, Infinity].map((at, index) =>
      open(
        {
          onFrame: (id, bytes, start, length) => {
            heard.push(Buffer.from(bytes.subarray(start, start + length)));
            if (heard.length !== at + 1) return;
            const { fd, leftover } = (layers[index] as Recorder).layer.detach(id);
            layers[index + 1]?.layer.adopt(fd, leftover);
          },
        },
        // The first reads far ahead; the others take what was left over in many small steps.
        { slabBytes: index === 0 ? 256 << 10 : 16 << 10 },
      ),
    );
    const [from, over, last] = layers as [Recorder, Recorder, Recorder];
    const peer = await Peer.open(from.listen());
    for (let at = 0; at < stream.length; at += 50_000) peer.send(stream.subarray(at, at + 50_000));
    await soon('all frames', () => heard.length === total);
    assert.is(from.frames.length, first + 1);
    assert.is(last.frames.length, total - second - 1);
    assert.is(from.layer.counters().connections + over.layer.counters().connections, 0);
    peer.end();
    await soon('closed', () => last.closed.length === 1);
    assert.is(from.closed.length + over.closed.length, 0);
  });
  return heard;
}

test('detached at any frame, and again, the rest of the stream goes along', async () => {
  const sizes = [10, 3000, 7, 9000, 1, 20_000, 30, 100_000, 12_000, 5];
  const bodies = sizes.map((size) => patterned(size, size));
  const stream = Buffer.concat(bodies.map((body) => frame(body)));
  for (let first = 0; first < bodies.length - 1; first++) {
    for (let second = first + 1; second < bodies.length; second += 2) {
      const heard = await moveAt(first, second, stream, bodies.length);
      assert.equal(heard, bodies, `moved at ${first} and ${second}`);
    }
  }
});

test('detach is refused while something is queued', () =>
  withLayers(async (open) => {
    const errors: unknown[] = [];
    const server: Recorder = open({
      onFrame: (id) => {
        server.layer.write(id, Buffer.from('answer'));
        try {
          server.layer.detach(id);
        } catch (error) {
          errors.push((error as NodeJS.ErrnoException).code);
        }
      },
    });
    const peer = await Peer.open(server.listen());
    peer.send(frame('x'));
    await soon('the answer', () => peer.received.toString() === 'answer');
    assert.equal(errors, ['EBUSY']);
    peer.end();
  }));

test('a connection closed in the middle of its frames hears no more of them', () =>
  withLayers(async (open) => {
    const server: Recorder = open({
      onFrame: (id) => server.layer.close(id),
    });
    const peer = await Peer.open(server.listen());
    peer.send(...Array.from({ length: 100 }, () => frame(100)));
    await soon('closed', () => server.closed.length === 1);
    assert.is(server.frames.length, 1);
    peer.end();
  }));

test('a layer destroyed in the middle of a turn is silent at once', () =>
  withLayers(async (open) => {
    const server: Recorder = open({ onFrame: () => server.layer.destroy() });
    const peer = await Peer.open(server.listen());
    peer.send(...Array.from({ length: 100 }, () => frame(100)));
    await soon('the end', () => peer.isEnded);
    assert.is(server.frames.length, 1);
    assert.is(server.closed.length, 0);
    assert.is(server.turnEnds, 1);
    assert.throws(() => server.layer.write(1, Buffer.from('x')), /EBADF/);
    assert.is(server.layer.counters().framesIn, 0);
    peer.end();
  }));

test('two hundred connections at once, each with its own stream', () =>
  withLayers(async (open) => {
    const server: Recorder = open(echoOf(() => server));
    const port = server.listen();
    const rounds = 20;
    const left = new Map<ConnectionId, number>();
    const client: Recorder = open({
      onOpened: (id) => {
        left.set(id, rounds);
        client.layer.write(id, frame(patterned(700, id)));
      },
      onFrame: (id, bytes, start, length) => {
        const isSame = bytes.subarray(start, start + length).equals(patterned(700, id));
        assert.ok(isSame, `bytes of connection ${id}`);
        left.set(id, (left.get(id) ?? 0) - 1);
        if ((left.get(id) ?? 0) > 0) client.layer.write(id, bytes, start - 4, start + length);
      },
    });
    for (let i = 0; i < 200; i++) client.layer.connect('127.0.0.1', port);
    await soon('all rounds', () => left.size === 200 && [...left.values()].every((n) => n === 0));
    const { turns, framesIn } = server.layer.counters();
    assert.is(framesIn, 200 * rounds);
    assert.ok(turns < framesIn / 2, `${turns} turns for ${framesIn} frames`);
    for (const id of client.opened) client.layer.close(id);
    await soon('all closed', () => client.closed.length === 200 && server.closed.length === 200);
    assert.is(server.layer.counters().connections, 0);
  }));

test.run();
