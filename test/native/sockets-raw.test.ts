/**
 * Raw connections: the bytes come as they were read, whatever they would mean as frames, each of
 * them once and in order, wherever reading pauses and whenever the connection changes hands.
 */
import { Prng } from '#src/base/prng.js';
import type { ConnectionId, SocketHandler, SocketLayerOptions } from '#src/native/sockets.js';
import { createServer } from 'node:http';
import { Socket } from 'node:net';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { testWith } from '../support/requires.js';
import { sleep } from '../support/wait-for.js';
import { Peer, type Recorder, frame, patterned, soon, withLayers } from './socket-kit.js';

const bytesOf = ({ frames }: Recorder): Buffer => Buffer.concat(frames.map(({ body }) => body));

type Open = (on?: Partial<SocketHandler>, options?: Partial<SocketLayerOptions>) => Recorder;

/** A layer whose accepted connections are raw from the first byte. */
function rawServer(open: Open, on: Partial<SocketHandler>, slabBytes?: number): Recorder {
  const options = slabBytes === undefined ? {} : { slabBytes };
  const server: Recorder = open({ onOpened: (id) => server.layer.setRaw(id), ...on }, options);
  return server;
}

test('bytes that no frame begins with arrive as they are', () =>
  withLayers(async (open) => {
    const server = rawServer(open, {});
    const peer = await Peer.open(server.listen());
    const pieces = ['\0', 'GET / HTTP/1.1\r\n', '\xff\xff\xff\xff', '\x7f\xff\xff\xff', 'x'];
    let sent = '';
    for (const piece of pieces) {
      sent += piece;
      peer.send(Buffer.from(piece, 'latin1'));
      await soon('the piece', () => bytesOf(server).length === sent.length);
      assert.is(bytesOf(server).toString('latin1'), sent);
    }
    const { framesCarried, framesBig, framesIn } = server.layer.counters();
    assert.equal([framesCarried, framesBig, framesIn], [0, 0, pieces.length]);
    peer.socket.end();
    await soon('closed', () => server.closed.length === 1);
    assert.equal(server.reasons, ['peer closed']);
    peer.end();
  }));

test('neither the frame bound nor the frame deadline concerns a raw connection', () =>
  withLayers(async (open) => {
    const server = rawServer(open, {
      onOpened: (id) => {
        server.layer.setFrameDeadlineMs(id, 40);
        server.layer.setFrameBytesMax(id, 10);
        server.layer.setRaw(id);
      },
    });
    const peer = await Peer.open(server.listen());
    peer.send(Buffer.from([0, 0, 1]));
    await soon('three bytes', () => bytesOf(server).length === 3);
    await sleep(150);
    peer.send(patterned(1 << 20));
    await soon('all', () => bytesOf(server).length === 3 + (1 << 20));
    assert.is(server.closed.length, 0);
    peer.end();
  }));

test('adopted with leftover, and connected: raw from the first byte', () =>
  withLayers(async (open) => {
    const acceptor = open();
    const { port } = acceptor.layer.listen('127.0.0.1', 0, 'handoff');
    const worker = open({}, { slabBytes: 4 << 10 });
    const client: Recorder = open();
    const id = client.layer.connect('127.0.0.1', port);
    client.layer.setRaw(id);
    client.layer.write(id, Buffer.from('and the rest'));
    await soon('accepted', () => acceptor.accepted.length === 1);
    const leftover = patterned(50_000);
    const adopted = worker.layer.adopt(acceptor.accepted[0] as number, leftover);
    worker.layer.setRaw(adopted);
    await soon('all', () => bytesOf(worker).length === 50_012);
    assert.equal(bytesOf(worker), Buffer.concat([leftover, Buffer.from('and the rest')]));
    // A quarter of a turn's slab is enough to go on; a piece never fills more than half of it.
    assert.ok(worker.frames.every(({ body }) => body.length <= 2 << 10));
    worker.layer.write(adopted, Buffer.from('short'));
    await soon('the answer', () => bytesOf(client).toString() === 'short');
    client.layer.close(id);
    await soon('closed', () => worker.closed.length === 1);
  }));

test('a connection whose bytes were taken for frames cannot become raw', () =>
  withLayers(async (open) => {
    const errors: unknown[] = [];
    const server: Recorder = open({
      onFrame: (id) => {
        try {
          server.layer.setRaw(id);
        } catch (error) {
          errors.push((error as NodeJS.ErrnoException).code);
        }
      },
    });
    const peer = await Peer.open(server.listen());
    peer.send(frame('one'), frame('two'));
    await soon('both', () => server.frames.length === 2);
    assert.equal(errors, ['EBUSY', 'EBUSY']);
    const id = server.opened[0] as ConnectionId;
    peer.end();
    await soon('closed', () => server.closed.length === 1);
    server.layer.setRaw(id);
  }));

test('handoff listeners of one layer are told apart', () =>
  withLayers(async (open) => {
    const heard: { fd: number; listenerId: number }[] = [];
    const acceptor = open({ onAccepted: (fd, listenerId) => heard.push({ fd, listenerId }) });
    const listeners = [0, 1].map(() => acceptor.layer.listen('127.0.0.1', 0, 'handoff'));
    const worker = open();
    for (const { port, listenerId } of [...listeners, ...listeners.toReversed()]) {
      const count = heard.length;
      const peer = await Peer.open(port);
      await soon('accepted', () => heard.length === count + 1);
      assert.is(heard.at(-1)?.listenerId, listenerId);
      worker.layer.setRaw(worker.layer.adopt(heard.at(-1)?.fd as number));
      peer.end();
    }
    await soon('closed', () => worker.closed.length === 4);
  }));

test('given to an HTTP server of Node in the middle of a request, also by a half-closed peer', () =>
  withLayers(async (open) => {
    const web = createServer((incoming, response) => {
      incoming.on('data', (chunk) => response.write(chunk));
      incoming.on('end', () => response.end('|'));
    });
    const server = rawServer(open, {
      onFrame: (id, bytes, start, length) => {
        const seen = Buffer.from(bytes.subarray(start, start + length));
        const { fd, leftover } = server.layer.detach(id);
        const socket = new Socket({ fd, readable: true, writable: true });
        socket.unshift(Buffer.concat([seen, leftover]));
        web.emit('connection', socket);
        socket.resume();
      },
    });
    const port = server.listen();
    const head =
      'POST / HTTP/1.1\r\nHost: a\r\nConnection: close\r\nContent-Length: 100000\r\n\r\n';
    const body = 'z'.repeat(100_000);
    for (const isHalfClosed of [false, true]) {
      const peer = await Peer.open(port);
      peer.send(Buffer.from(head + body));
      if (isHalfClosed) peer.socket.end();
      await soon('the answer', () => peer.isEnded);
      const answered = peer.received.toString();
      assert.match(answered, /^HTTP\/1.1 200 OK/);
      assert.is(answered.split('z').length - 1, body.length);
      peer.end();
    }
    assert.is(server.closed.length, 0);
  }));

test('the outbound bound stops the reading, and draining resumes it', () =>
  withLayers(async (open) => {
    const answer = patterned(8 << 20);
    const server = rawServer(open, {
      onFrame: (id) => {
        if (server.frames.length === 1) server.layer.write(id, answer);
      },
    });
    const peer = await Peer.open(server.listen());
    peer.socket.pause();
    peer.send(Buffer.from('ask'));
    await soon('the pause', () => server.layer.counters().readPauses === 1);
    peer.send(Buffer.from('later'));
    await sleep(50);
    assert.is(bytesOf(server).toString(), 'ask');
    peer.socket.resume();
    await soon('the answer', () => peer.receivedBytes === answer.length);
    await soon('the rest', () => bytesOf(server).toString() === 'asklater');
    assert.is(server.drained.length, 1);
    assert.ok(peer.received.equals(answer));
    peer.end();
  }));

/**
 * Hands a random part of `stream` over as read already and sends the rest in random pieces, through
 * layers that pause, resume and now and then give the connection to the next layer. Returns what
 * was heard, and how often each thing happened.
 */
async function passAround(prng: Prng, stream: Buffer) {
  const heard: Buffer[] = [];
  const happened = { pauses: 0, moves: 0, withLeftover: 0 };
  const timers: NodeJS.Timeout[] = [];
  let heardBytes = 0;
  await withLayers(async (open) => {
    const layers: Recorder[] = [4 << 10, 16 << 10, 256 << 10].map((slabBytes, index) => {
      const me: Recorder = rawServer(
        open,
        {
          onFrame: (id, bytes, start, length) => {
            heard.push(Buffer.from(bytes.subarray(start, start + length)));
            heardBytes += length;
            if (prng.chance(0.2)) pauseForAWhile(me, id);
            if (prng.chance(0.25)) moveOn(me, id, layers[(index + 1) % 3] as Recorder);
          },
        },
        slabBytes,
      );
      return me;
    });
    const pauseForAWhile = ({ layer }: Recorder, id: ConnectionId): void => {
      happened.pauses++;
      layer.pauseReading(id);
      // Paused by its last owner, read by its next: a pause does not travel.
      timers.push(setTimeout(() => layer.resumeReading(id), prng.int(0, 3)));
    };
    const moveOn = (from: Recorder, id: ConnectionId, to: Recorder): void => {
      const { fd, leftover } = from.layer.detach(id);
      happened.moves++;
      if (leftover.length > 0) happened.withLeftover++;
      to.layer.setRaw(to.layer.adopt(fd, leftover));
    };
    const acceptor = open();
    const peer = await Peer.open(acceptor.layer.listen('127.0.0.1', 0, 'handoff').port);
    await soon('accepted', () => acceptor.accepted.length === 1);
    let at = prng.int(0, stream.length);
    const { layer } = prng.pick(layers);
    layer.setRaw(layer.adopt(acceptor.accepted[0] as number, stream.subarray(0, at)));
    while (at < stream.length) {
      const length = prng.pick([1, 7, 900, 4_000, 40_000]);
      peer.send(stream.subarray(at, at + length));
      at += length;
      if (prng.chance(0.3)) await sleep(1);
    }
    await soon('all bytes', () => heardBytes >= stream.length);
    peer.socket.end();
    await soon('closed', () => layers.some(({ closed }) => closed.length > 0));
    for (const timer of timers) clearTimeout(timer);
    assert.equal(
      layers.flatMap(({ reasons }) => reasons),
      ['peer closed'],
    );
    peer.end();
  });
  return { all: Buffer.concat(heard), happened };
}

test('random pieces, pauses and changes of hands: each byte once and in order', async () => {
  const totals = { pauses: 0, moves: 0, withLeftover: 0 };
  for (let seed = 1; seed <= 20; seed++) {
    const prng = new Prng(seed);
    const stream = patterned(prng.int(1, 300_000), seed);
    const { all, happened } = await passAround(prng, stream);
    assert.is(all.length, stream.length, `seed ${seed}`);
    assert.ok(all.equals(stream), `seed ${seed}: other bytes`);
    totals.pauses += happened.pauses;
    totals.moves += happened.moves;
    totals.withLeftover += happened.withLeftover;
  }
  assert.ok(totals.pauses > 20 && totals.moves > 20, JSON.stringify(totals));
  assert.ok(totals.withLeftover > 5, JSON.stringify(totals));
});

test('detached by another connection of its turn, it takes along what was not delivered', () =>
  withLayers(async (open) => {
    const heirs = open();
    let detachedUnheard = 0;
    const pairs = new Map<ConnectionId, ConnectionId>();
    const server = rawServer(open, {
      onFrame: (id) => {
        const other = pairs.get(id);
        if (other === undefined) return;
        const isUnheard = !server.frames.some(({ connId }) => connId === other);
        const { fd, leftover } = server.layer.detach(other);
        if (isUnheard && leftover.length > 0) detachedUnheard++;
        heirs.layer.setRaw(heirs.layer.adopt(fd, leftover));
        pairs.clear();
      },
    });
    const port = server.listen();
    for (let round = 0; round < 20; round++) {
      const both = [await Peer.open(port), await Peer.open(port)] as const;
      await soon('both opened', () => server.opened.length === 2 * (round + 1));
      const [one, two] = server.opened.slice(-2) as [ConnectionId, ConnectionId];
      // Whichever comes first takes the other one out of the same turn.
      pairs.set(one, two).set(two, one);
      const before = bytesOf(server).length + bytesOf(heirs).length;
      for (const peer of both) peer.send(Buffer.from('raw bytes'));
      const all = (): number => bytesOf(server).length + bytesOf(heirs).length;
      await soon('both heard', () => all() === before + 18);
      assert.is(bytesOf(heirs).toString(), 'raw bytes'.repeat(round + 1));
      for (const peer of both) peer.end();
    }
    assert.ok(detachedUnheard > 0, 'never two of one turn');
  }));

/** libuv asks the kernel again within one turn when more sockets than this were ready at once. */
const READY_AT_ONCE = 1_024;
const CLIENTS = READY_AT_ONCE + 100;

/** Null when this process may open a socket pair per client and some more. */
function missingDescriptors(): string | null {
  const report = process.report.getReport() as {
    userLimits?: { open_files?: { hard?: number | string } };
  };
  const max = Number(report.userLimits?.open_files?.hard ?? 0);
  return max < 3 * CLIENTS ? `only ${max} file descriptors` : null;
}

testWith(missingDescriptors(), 'tool')('two reads in one turn: the second goes along', () =>
  withLayers(async (open) => {
    const heirs = open();
    const heads: Buffer[] = [];
    const adopted: ConnectionId[] = [];
    let withLeftover = 0;
    const onFrame: SocketHandler['onFrame'] = (id, bytes, start, length) => {
      if (length === 1) return;
      const { fd, leftover } = server.layer.detach(id);
      if (leftover.length > 0) withLeftover++;
      heads.push(Buffer.from(bytes.subarray(start, start + length)));
      adopted.push(heirs.layer.adopt(fd, leftover));
      heirs.layer.setRaw(adopted.at(-1) as ConnectionId);
    };
    // Room for all: a connection that finds the slab full is read in a turn of its own.
    const server = rawServer(open, { onFrame }, 8 << 20);
    const { port } = server.layer.listen('127.0.0.1', 0, 'frames', CLIENTS);
    const client = open();
    for (let i = 0; i < CLIENTS; i++) client.layer.connect('127.0.0.1', port);
    await soon('all', () => client.opened.length === CLIENTS && server.opened.length === CLIENTS);
    // All of them at once; a few bring more than one read takes.
    const stream = patterned(900_000);
    const isLong = (i: number): boolean => i % 300 === 0;
    client.opened.forEach((id, i) => {
      client.layer.write(id, isLong(i) ? stream : Buffer.from('.'));
    });
    const streamOf = (i: number): Buffer => {
      const rest = heirs.frames.filter(({ connId }) => connId === adopted[i]);
      return Buffer.concat([heads[i] as Buffer, ...rest.map(({ body }) => body)]);
    };
    const count = client.opened.filter((_, i) => isLong(i)).length;
    const bytesIn = (): number => bytesOf(server).length + bytesOf(heirs).length;
    await soon('all bytes', () => bytesIn() >= count * stream.length + CLIENTS - count);
    assert.is(adopted.length, count);
    for (let i = 0; i < count; i++) assert.ok(streamOf(i).equals(stream), `stream ${i}`);
    assert.ok(withLeftover > 0, 'never two reads of one connection in one turn');
  }),
);

test.run();
