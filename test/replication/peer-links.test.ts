/** Links over real sockets: greeting, messages with file ranges, refusals, a peer that dies. */
import { closeSync, mkdtempSync, openSync, rmSync, writeFileSync } from 'node:fs';
import { type AddressInfo, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Prng } from '#src/base/prng.js';
import { SocketLayer } from '#src/native/sockets.js';
import type { Append, RaftMessage } from '#src/raft/messages.js';
import { PeerDoor } from '#src/replication/peer-door.js';
import type { PeerHello } from '#src/replication/peer-frame.js';
import { DEFAULT_PEER_KNOBS, PeerLinks } from '#src/replication/peer-links.js';
import { test } from 'uvu';
import * as assert from 'uvu/assert';

const RANGE = { path: '', bytes: null, filePosition: 0, baseOffset: 0, nextOffset: 9 };

const TICK_MS = 5;
const GROUP = { topicId: 'dG9waWN0b3BpY3RvcGljdA', partition: 0 };
const MiB = 1024 * 1024;

/** A node with its door and its main thread's links, all on this test's loop. */
class TestNode {
  readonly hello: PeerHello;
  readonly sockets: SocketLayer;
  readonly links: PeerLinks;
  readonly door: PeerDoor;
  readonly port: number;
  readonly messages: { message: RaftMessage; payload: Buffer }[] = [];
  readonly controls: unknown[] = [];
  readonly log: string[] = [];
  wantedTurns = 0;
  readonly #timer: NodeJS.Timeout;

  constructor(nodeId: number, clusterId: string | null = 'c', incarnation = 'first', port = 0) {
    const directoryId = `directory-${nodeId}`;
    this.hello = { clusterId, nodeId, directoryId, incarnation, shard: -1, shards: 1 };
    this.sockets = new SocketLayer({
      frameBytesMax: 8 * MiB,
      outboundBytesMax: 8 * MiB,
      handler: {
        onFrame: (connId, bytes, start, length) =>
          (this.door.owns(connId) ? this.door : this.links).onFrame(connId, bytes, start, length),
        onTurnEnd: () => this.links.flush(),
        onOpened: (connId) => (this.links.owns(connId) ? this.links : this.door).onOpened(connId),
        onAccepted: () => undefined,
        onClosed: (connId, reason) => {
          this.door.onClosed(connId);
          this.links.onClosed(connId, reason);
        },
        onDrained: (connId) => this.links.onDrained(connId),
      },
    });
    this.links = new PeerLinks({
      self: this.hello,
      sockets: this.sockets,
      random: new Prng(nodeId),
      knobs: DEFAULT_PEER_KNOBS,
      wantTurn: () => {
        this.wantedTurns += 1;
      },
      handler: {
        onMessage: (_group, message, bytes, start) => {
          this.messages.push({ message, payload: Buffer.from(bytes.subarray(start)) });
        },
        onControl: (_from, message) => this.controls.push(message),
        onLinkUp: (id, peer) => this.log.push(`up ${id} ${peer.incarnation}`),
        onLinkDown: (id) => this.log.push(`down ${id}`),
        onLinkReady: (id) => this.log.push(`ready ${id}`),
        onRefused: (id, reason) => this.log.push(`refused ${id} ${reason}`),
      },
    });
    this.door = new PeerDoor({
      sockets: this.sockets,
      self: () => this.hello,
      helloTicksMax: 40,
      route: (connId, greeting) => this.links.accept(connId, greeting),
    });
    this.port = this.sockets.listen('127.0.0.1', port, 'frames').port;
    this.#timer = setInterval(() => {
      this.links.tick();
      this.door.tick();
    }, TICK_MS);
  }

  meet(...others: readonly TestNode[]): void {
    const address = (node: TestNode) => ({
      nodeId: node.hello.nodeId,
      host: '127.0.0.1',
      port: node.port,
      shards: 1,
    });
    this.links.setPeers(others.map(address));
  }

  /** From now on time passes here by {@link passTicks} only, and an idle link says nothing. */
  stopClock(): void {
    clearInterval(this.#timer);
  }

  async passTicks(count: number): Promise<void> {
    for (let i = 0; i < count; i++) {
      this.links.tick();
      await new Promise((resolve) => setTimeout(resolve, 1));
    }
  }

  /** As kill -9 does: the kernel closes the sockets. */
  die(): void {
    clearInterval(this.#timer);
    this.sockets.destroy();
  }
}

async function until(isDone: () => boolean, what: string): Promise<void> {
  for (let i = 0; i < 600; i++) {
    if (isDone()) return;
    await new Promise((resolve) => setTimeout(resolve, TICK_MS));
  }
  throw new Error(`timed out: ${what}`);
}

async function withNodes(nodes: TestNode[], run: () => Promise<void>): Promise<void> {
  try {
    await run();
  } finally {
    for (const node of nodes) node.die();
  }
}

function heartbeat(from: TestNode, to: TestNode): RaftMessage {
  return {
    type: 'heartbeat',
    from: { nodeId: from.hello.nodeId, directoryId: from.hello.directoryId },
    to: { nodeId: to.hello.nodeId, directoryId: to.hello.directoryId },
    term: 3,
    round: 1,
    commit: { offset: 5, marks: 1 },
    remembered: 0,
  };
}

test('two nodes greet each other, whoever comes first, and talk both ways', async () => {
  const [one, two] = [new TestNode(1), new TestNode(2)] as const;
  await withNodes([one, two], async () => {
    one.meet(two);
    two.meet(one);
    await until(() => one.links.isUp(2) && two.links.isUp(1), 'up');
    assert.ok(one.links.send(2, GROUP, heartbeat(one, two), []));
    assert.is(two.wantedTurns, 0);
    assert.ok(two.links.sendControl(1, { kind: 'hello', n: 2 ** 40 }));
    assert.is(two.wantedTurns, 1, 'it leaves with a turn, whoever said it, and not with a tick');
    one.links.flush();
    two.links.flush();
    await until(() => two.messages.length === 1 && one.controls.length === 1, 'messages');
    assert.equal(two.messages[0]?.message, heartbeat(one, two));
    assert.equal(one.controls[0], { kind: 'hello', n: 2 ** 40 });
  });
});

test('an append carries its batches as a file range behind the header', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'lograft-links-'));
  const path = join(folder, 'segment');
  const bytes = Buffer.alloc(300_000, 'x');
  bytes.write('first');
  writeFileSync(path, bytes);
  const fd = openSync(path, 'r');
  const [one, two] = [new TestNode(1), new TestNode(2)] as const;
  await withNodes([one, two], async () => {
    one.meet(two);
    two.meet(one);
    await until(() => one.links.isUp(2), 'up');
    const from = { offset: 0, marks: 1 };
    const to = { offset: 9, marks: 1 };
    const length = bytes.length;
    const message: Append = {
      ...heartbeat(one, two),
      type: 'append',
      prevEpoch: 3,
      prevPosition: from,
      slices: [{ kind: 'batches', from, to, epoch: 3, byteLength: length }],
    } as Append;
    const range = { ...RANGE, fd, length };
    assert.ok(one.links.send(2, GROUP, message, [range]));
    one.links.flush();
    await until(() => two.messages.length === 1, 'append');
    assert.ok(two.messages[0]?.payload.subarray(0, length).equals(bytes));
  });
  closeSync(fd);
  rmSync(folder, { recursive: true });
});

test('a message for another directory is not sent: a wiped disk is a stranger', async () => {
  const [one, two] = [new TestNode(1), new TestNode(2)] as const;
  await withNodes([one, two], async () => {
    one.meet(two);
    two.meet(one);
    await until(() => one.links.isUp(2), 'up');
    const message = heartbeat(one, two);
    const to = { nodeId: 2, directoryId: 'the one before' };
    assert.not.ok(one.links.send(2, GROUP, { ...message, to }, []));
  });
});

test('a dead peer is noticed at once, and found again when it is back', async () => {
  const one = new TestNode(1);
  let two = new TestNode(2);
  const nodes = [one];
  await withNodes(nodes, async () => {
    one.meet(two);
    two.meet(one);
    await until(() => one.links.isUp(2), 'up');
    two.die();
    const diedMs = performance.now();
    await until(() => !one.links.isUp(2), 'down');
    assert.ok(performance.now() - diedMs < 500);
    assert.not.ok(one.links.send(2, GROUP, heartbeat(one, two), []));
    two = new TestNode(2, 'c', 'second');
    nodes.push(two);
    two.meet(one);
    await until(() => one.links.isUp(2), 'up again');
    assert.equal(one.log, ['up 2 first', 'down 2', 'up 2 second']);
  });
});

test('a link over which nothing comes is closed within two seconds of ticks', async () => {
  const [one, two] = [new TestNode(1), new TestNode(2)] as const;
  await withNodes([one, two], async () => {
    one.meet(two);
    two.meet(one);
    await until(() => one.links.isUp(2) && two.links.isUp(1), 'up');
    one.stopClock();
    two.stopClock();
    await two.passTicks(20);
    assert.ok(two.links.isUp(1), 'some silence is nothing yet');
    await two.passTicks(20);
    assert.ok(two.log.includes('down 1'), 'forty ticks are');
  });
});

test('a dial that nobody welcomes is given up and tried again', async () => {
  let dials = 0;
  const mute = createServer((socket) => {
    dials += 1;
    // It reads, so that it sees the end of each.
    socket.resume();
  });
  await new Promise<void>((resolve) => mute.listen(0, '127.0.0.1', resolve));
  const two = new TestNode(2);
  two.stopClock();
  await withNodes([two], async () => {
    const { port } = mute.address() as AddressInfo;
    two.links.setPeers([{ nodeId: 1, host: '127.0.0.1', port, shards: 1 }]);
    await two.passTicks(100);
    assert.ok(dials >= 3, `${dials} dials in a hundred ticks`);
  });
  await new Promise((resolve) => mute.close(resolve));
});

test('another cluster is refused, and the refused side says so once', async () => {
  const [one, two] = [new TestNode(1, 'one'), new TestNode(2, 'two')] as const;
  await withNodes([one, two], async () => {
    one.meet(two);
    two.meet(one);
    await until(() => two.log.length > 0, 'refusal');
    await new Promise((resolve) => setTimeout(resolve, 100));
    assert.equal(two.log, ['refused 1 other-cluster']);
    assert.not.ok(one.links.isUp(2));
    assert.is(two.links.status()[0]?.refusal, 'other-cluster');
  });
});

test('a node that learns its cluster id drops links into other clusters', async () => {
  const [one, two] = [new TestNode(1, null), new TestNode(2, 'two')] as const;
  await withNodes([one, two], async () => {
    one.meet(two);
    two.meet(one);
    await until(() => one.links.isUp(2), 'up');
    one.links.setClusterId('one');
    assert.not.ok(one.links.isUp(2));
  });
});

test('a connection that says something else, or nothing, is closed', async () => {
  const one = new TestNode(1);
  const closed: string[] = [];
  const raw: SocketLayer = new SocketLayer({
    frameBytesMax: MiB,
    outboundBytesMax: MiB,
    handler: {
      onFrame: () => undefined,
      onTurnEnd: () => undefined,
      onOpened: (connId) => {
        if (connId === talker) raw.write(connId, Buffer.from('GET / HTTP/1.1\r\nHost: x\r\n\r\n'));
      },
      onAccepted: () => undefined,
      onClosed: (connId) => closed.push(connId === talker ? 'talker' : 'silent'),
      onDrained: () => undefined,
    },
  });
  const talker = raw.connect('127.0.0.1', one.port);
  raw.connect('127.0.0.1', one.port);
  await withNodes([one], async () => {
    await until(() => closed.length === 2, 'closed');
    assert.equal(closed.sort(), ['silent', 'talker']);
  });
  raw.destroy();
});

test('a link over its bound refuses batches and says when it takes them again', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'lograft-links-'));
  const path = join(folder, 'segment');
  writeFileSync(path, Buffer.alloc(MiB));
  const fd = openSync(path, 'r');
  const [one, two] = [new TestNode(1), new TestNode(2)] as const;
  await withNodes([one, two], async () => {
    one.meet(two);
    two.meet(one);
    await until(() => one.links.isUp(2), 'up');
    const from = { offset: 0, marks: 1 };
    const slice = { kind: 'batches', from, to: { offset: 9, marks: 1 }, epoch: 3 } as const;
    const message = {
      ...heartbeat(one, two),
      type: 'append',
      prevEpoch: 3,
      prevPosition: from,
      slices: [{ ...slice, byteLength: MiB }],
    } as Append;
    const range = { ...RANGE, fd, length: MiB };
    let sent = 0;
    // All in one turn: the kernel takes nothing in between.
    while (sent < 100 && one.links.send(2, GROUP, message, [range])) sent++;
    assert.ok(sent >= 2 && sent < 100, `${sent} sent`);
    assert.ok(one.links.send(2, GROUP, heartbeat(one, two), []), 'small messages still pass');
    one.links.flush();
    await until(() => one.log.includes('ready 2'), 'ready');
    await until(() => two.messages.length === sent + 1, 'all arrived');
  });
  closeSync(fd);
  rmSync(folder, { recursive: true });
});

test.run();
