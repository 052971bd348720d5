/**
 * Ranges whose bytes are not in the page cache: they are read beside the loop, leave in order, and
 * a connection or a layer may end meanwhile. Other connections are served while they are read.
 */
import { spawnSync } from 'node:child_process';
import { closeSync, openSync, statfsSync, writeFileSync } from 'node:fs';
import { release } from 'node:os';
import { join } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import type { ConnectionId } from '#src/native/sockets.js';
import { tempDir } from '../support/temp-dir.js';
import { Peer, patterned, type Recorder, soon, withLayers } from './socket-kit.js';

const directory = tempDir('cold');
const CONTENT = patterned(24 << 20, 11);
const TMPFS = 0x01021994;

/** Why nothing can be cold here, or null. */
function missing(): string | null {
  const [major = 0, minor = 0] = release().split('.').map(Number);
  if (process.platform !== 'linux' || major < 6 || (major === 6 && minor < 5)) {
    return 'cachestat needs Linux 6.5';
  }
  return statfsSync(directory).type === TMPFS ? `${directory} lies in memory` : null;
}

/** A file of which nothing is in the page cache. */
function coldFile(name: string): number {
  const path = join(directory, name);
  writeFileSync(path, CONTENT);
  const flags = ['oflag=nocache', 'conv=notrunc,fdatasync', 'count=0', 'status=none'];
  assert.is(spawnSync('dd', ['if=/dev/null', `of=${path}`, ...flags]).status, 0);
  return openSync(path, 'r+');
}

async function openSome(server: Recorder, count: number) {
  const port = server.listen();
  const peers: Peer[] = [];
  for (let i = 0; i < count; i++) {
    peers.push(await Peer.open(port));
    await soon('opened', () => server.opened.length === i + 1);
  }
  return { peers, ids: server.opened as readonly ConnectionId[] };
}

const reason = missing();
const coldTest = reason === null ? test : test.skip;
if (reason !== null) process.stdout.write(`# skip: ${reason}\n`);

coldTest('cold bytes are read beside the loop and leave in order, however few they are', () =>
  withLayers(async (open) => {
    const server = open();
    const { peers, ids } = await openSome(server, 2);
    const [reader, other] = peers as [Peer, Peer];
    const [readerId, otherId] = ids as [ConnectionId, ConnectionId];
    const fd = coldFile('order');
    const ranges = [
      [0, 9 << 20],
      [20 << 20, 500],
      [15 << 20, 100_000],
    ] as const;
    const expected: Buffer[] = [];
    for (const [position, length] of ranges) {
      server.layer.write(readerId, Buffer.from('|'));
      server.layer.writeRange(readerId, fd, position, length);
      expected.push(Buffer.from('|'), CONTENT.subarray(position, position + length));
    }
    closeSync(fd);
    server.layer.write(otherId, Buffer.from('warm'));
    await soon('the other one', () => other.receivedBytes === 4);
    const whole = Buffer.concat(expected);
    await soon('all bytes', () => reader.receivedBytes === whole.length);
    assert.ok(reader.received.equals(whole));
    assert.ok(server.layer.counters().coldRanges >= 2);
    for (const peer of peers) peer.end();
  }),
);

coldTest('who leaves while his bytes are read is forgotten, and the next one gets his own', () =>
  withLayers(async (open) => {
    const server = open();
    const { peers, ids } = await openSome(server, 6);
    const fd = coldFile('leaving');
    ids.forEach((id, i) => {
      server.layer.writeRange(id, fd, i * (4 << 20), 4 << 20);
      // Half of them go while the first part is on its way.
      if (i % 2 === 0) setImmediate(() => server.layer.close(id));
    });
    for (const [i, peer] of peers.entries()) {
      if (i % 2 === 0) continue;
      await soon('all bytes', () => peer.receivedBytes === 4 << 20);
      assert.ok(peer.received.equals(CONTENT.subarray(i * (4 << 20), (i + 1) * (4 << 20))));
      peer.end();
    }
    closeSync(fd);
    await soon('closed', () => server.closed.length === 6);
  }),
);

coldTest('a layer may end while something is read', async () => {
  for (let i = 0; i < 5; i++) {
    await withLayers(async (open) => {
      const server = open();
      const { peers, ids } = await openSome(server, 1);
      const fd = coldFile(`ending-${i}`);
      server.layer.writeRange(ids[0] as ConnectionId, fd, 0, CONTENT.length);
      closeSync(fd);
      await new Promise((resolve) => setImmediate(resolve));
      server.layer.destroy();
      for (const peer of peers) peer.end();
    });
  }
});

test.run();
