/**
 * What leaves: order of bytes and file ranges, sendfile, slow readers and back-pressure, and that
 * one connection does not keep the others waiting.
 */
import { SENDFILE_BYTES_MIN } from '#src/native/constants.js';
import type { ConnectionId } from '#src/native/sockets.js';
import { closeSync, openSync, truncateSync, unlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { tempDir } from '../support/temp-dir.js';
import { sleep } from '../support/wait-for.js';
import { Peer, type Recorder, frame, patterned, soon, withLayers } from './socket-kit.js';

const directory = tempDir('outbound');
const CONTENT = patterned(6 << 20, 7);

function contentFile(name: string): { path: string; fd: number } {
  const path = join(directory, name);
  writeFileSync(path, CONTENT);
  return { path, fd: openSync(path, 'r') };
}

async function openOne(server: Recorder): Promise<{ peer: Peer; id: ConnectionId }> {
  const peer = await Peer.open(server.listen());
  await soon('opened', () => server.opened.length === 1);
  return { peer, id: server.opened[0] as ConnectionId };
}

test('a 5 MiB range leaves by sendfile between header and trailer', () =>
  withLayers(async (open) => {
    const server = open();
    const { peer, id } = await openOne(server);
    const { path, fd } = contentFile('range');
    const length = 5 << 20;
    server.layer.write(id, Buffer.from('header'));
    server.layer.writeRange(id, fd, 1234, length);
    server.layer.write(id, Buffer.from('trailer'));
    assert.is(server.layer.outboundBytes(id), length + 13);
    // The layer holds a descriptor of its own.
    closeSync(fd);
    unlinkSync(path);
    await soon('all bytes', () => peer.receivedBytes === length + 13);
    const range = CONTENT.subarray(1234, 1234 + length);
    const expected = Buffer.concat([Buffer.from('header'), range, Buffer.from('trailer')]);
    assert.ok(peer.received.equals(expected));
    assert.is(server.layer.outboundBytes(id), 0);
    const counters = server.layer.counters();
    if (counters.hasSendfile) {
      assert.is(counters.sendfileBytes, length);
      assert.is(counters.copiedRangeBytes, 0);
    }
    assert.is(counters.bytesOut, length + 13);
    peer.end();
  }));

test('texts of any length leave between bytes as they were', () =>
  withLayers(async (open) => {
    const server = open();
    const { peer, id } = await openOne(server);
    const texts = ['', 'short', 'x'.repeat(4096), 'y'.repeat(4097), 'end'];
    for (const text of texts) {
      server.layer.writeAscii(id, text);
      server.layer.write(id, Buffer.from('|'));
    }
    const expected = texts.map((text) => `${text}|`).join('');
    await soon('all bytes', () => peer.receivedBytes === expected.length);
    assert.is(peer.received.toString('latin1'), expected);
    peer.end();
  }));

test('small and large ranges and bytes keep their order', () =>
  withLayers(async (open) => {
    const server = open();
    const { peer, id } = await openOne(server);
    const { fd } = contentFile('mixed');
    const expected: Buffer[] = [];
    for (let i = 0; i < 60; i++) {
      const length = (i * 9973) % (i % 3 === 0 ? 200_000 : SENDFILE_BYTES_MIN);
      const position = i * 1000;
      const bytes = Buffer.from(`<${i}>`);
      server.layer.write(id, bytes);
      server.layer.writeRange(id, fd, position, length);
      expected.push(bytes, CONTENT.subarray(position, position + length));
    }
    closeSync(fd);
    const whole = Buffer.concat(expected);
    await soon('all bytes', () => peer.receivedBytes === whole.length);
    assert.ok(peer.received.equals(whole));
    assert.ok(server.layer.counters().copiedRangeBytes > 0);
    peer.end();
  }));

test('a range that its file does not have closes the connection', () =>
  withLayers(async (open) => {
    for (const length of [1000, 200_000]) {
      const server = open();
      const { peer, id } = await openOne(server);
      const { path, fd } = contentFile(`short-${length}`);
      truncateSync(path, 500);
      server.layer.writeRange(id, fd, 0, length);
      closeSync(fd);
      await soon('the end', () => server.closed.length === 1);
      assert.equal(server.reasons, ['file range ended early']);
      peer.end();
    }
  }));

test('a bad descriptor closes the connection with its error', () =>
  withLayers(async (open) => {
    for (const length of [1000, 200_000]) {
      const server = open();
      const { peer, id } = await openOne(server);
      server.layer.writeRange(id, 999_999, 0, length);
      await soon('the end', () => server.closed.length === 1);
      assert.equal(server.reasons, ['EBADF']);
      peer.end();
    }
  }));

test('a slow reader is not read from until its queue is half empty', () =>
  withLayers(async (open) => {
    const answer = patterned(256 << 10);
    const server: Recorder = open({
      onFrame: (id) => server.layer.write(id, answer),
    });
    const { peer, id } = await openOne(server);
    peer.socket.pause();
    const requests = 4000;
    const body = Buffer.alloc(4000);
    for (let i = 0; i < requests; i++) peer.send(frame(body));
    await soon('a pause', () => server.layer.counters().readPauses > 0);
    const paused = server.frames.length;
    await sleep(50);
    assert.is(server.frames.length, paused);
    assert.ok(paused < requests, `${paused} of ${requests} read`);
    assert.ok(server.layer.outboundBytes(id) > 1 << 20);
    assert.ok(server.layer.outboundBytes(id) < 64 << 20);
    peer.socket.resume();
    // Reading goes on by itself, to the last request.
    await soon('all requests', () => server.frames.length === requests);
    await soon('all answers', () => peer.receivedBytes === requests * answer.length);
    assert.ok(server.drained.includes(id));
    peer.end();
  }));

test('an outbound queue beyond all bounds closes its connection only', () =>
  withLayers(async (open) => {
    const server = open();
    const port = server.listen();
    const slow = await Peer.open(port);
    await soon('the first', () => server.opened.length === 1);
    const other = await Peer.open(port);
    await soon('both', () => server.opened.length === 2);
    slow.socket.pause();
    const [first, second] = server.opened as [ConnectionId, ConnectionId];
    const chunk = Buffer.alloc(4 << 20);
    for (let i = 0; i < 40; i++) server.layer.write(first, chunk);
    server.layer.write(second, Buffer.from('fine'));
    await soon('the end', () => server.closed.length === 1);
    assert.equal(server.closed, [{ connId: first, reason: 'outbound queue overflow' }]);
    await soon('the other', () => other.received.toString() === 'fine');
    slow.end();
    other.end();
  }));

test('small writes of a turn leave in one call, also outside a turn', () =>
  withLayers(async (open) => {
    const server = open();
    const { peer, id } = await openOne(server);
    const before = server.layer.counters().writevCalls;
    for (let i = 0; i < 500; i++) server.layer.write(id, Buffer.from(`part ${i};`));
    await soon('the last', () => peer.received.includes('part 499;'));
    assert.is(server.layer.counters().writevCalls - before, 1);
    peer.end();
  }));

test('a busy connection does not starve the others', () =>
  withLayers(async (open) => {
    const small: number[] = [];
    const server: Recorder = open(
      {
        onFrame: (id, bytes, start, length) => {
          if (length < 100) small.push(server.layer.counters().bytesIn);
          server.layer.write(id, bytes, start, start + 4);
        },
      },
      { slabBytes: 16 << 10 },
    );
    const port = server.listen();
    const busy = await Promise.all([1, 2, 3, 4].map(() => Peer.open(port)));
    const quiet = await Promise.all([1, 2, 3].map(() => Peer.open(port)));
    const load = Buffer.concat(Array.from({ length: 400 }, () => frame(10_000)));
    for (const peer of busy) peer.send(load);
    for (const peer of quiet) peer.send(frame('small'));
    await soon('everything', () => server.frames.length === 4 * 400 + 3);
    // Long before the sixteen megabytes of the others were through.
    assert.is(small.length, 3);
    assert.ok(Math.max(...small) < 8 << 20, `${small}`);
    for (const peer of [...busy, ...quiet]) peer.end();
  }));

test('pauseReading holds requests back until resumeReading', () =>
  withLayers(async (open) => {
    const server: Recorder = open({ onFrame: (id) => server.layer.pauseReading(id) });
    const { peer, id } = await openOne(server);
    peer.send(frame('one'));
    await soon('one', () => server.frames.length === 1);
    peer.send(frame('two'));
    await sleep(40);
    assert.is(server.frames.length, 1);
    server.layer.resumeReading(id);
    await soon('two', () => server.frames.length === 2);
    peer.end();
  }));

test.run();
