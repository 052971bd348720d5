/** Raft messages survive the wire, and bytes that are none become null, whatever they are. */
import {
  acceptHello,
  decodeFrame,
  encodeFrame,
  encodeGreeting,
  FRAME_TURN,
  refusalOf,
} from '#src/replication/peer-frame.js';
import { decodeMessage, encodeMessage } from '#src/replication/raft-wire.js';
import fc from 'fast-check';
import { Packr } from 'msgpackr';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { FROM, GREETING, raftMessages, TO } from './raft-values.js';

const packr = new Packr({ useRecords: false });

test('every message comes back as it was', () => {
  const property = fc.property(raftMessages, (message) => {
    const bytes = packr.pack(encodeMessage(message));
    assert.equal(decodeMessage(packr.unpack(bytes), FROM, TO), message);
  });
  fc.assert(property, { numRuns: 3_000, seed: 1 });
});

test('values that are no message become null', () => {
  const property = fc.property(raftMessages, fc.nat(30), fc.anything(), (message, at, foreign) => {
    const values: unknown[] = encodeMessage(message);
    values.splice(at % (values.length + 1), 1, foreign);
    // Whatever comes out is a whole message or nothing; it never throws.
    const decoded = decodeMessage(values, FROM, TO);
    assert.ok(decoded === null || typeof decoded.type === 'string');
    assert.is(decodeMessage([...values, 0, 0], FROM, TO), null);
  });
  fc.assert(property, { numRuns: 3_000, seed: 2 });
  for (const garbage of [null, 7, 'x', [], [99, 1], [0], { length: 3 }]) {
    assert.is(decodeMessage(garbage, FROM, TO), null);
  }
});

test('a promised count without values allocates nothing and is refused', () => {
  const append = [4, 1, 0, -1, 0, 0, 0, 0, 0, Number.MAX_SAFE_INTEGER];
  assert.is(decodeMessage(append, FROM, TO), null);
});

test('frames: garbage and lying header lengths become null', () => {
  const frame = encodeFrame(FRAME_TURN, [['topic', 0, [9, 1]]], 0);
  const body = frame.subarray(4);
  assert.is(decodeFrame(body, 0, body.length)?.kind, FRAME_TURN);
  const property = fc.property(fc.uint8Array({ maxLength: 64 }), (bytes) => {
    decodeFrame(bytes, 0, bytes.length);
  });
  fc.assert(property, { numRuns: 2_000, seed: 3 });
  for (const length of [-1, 2 ** 31 - 1, body.length]) {
    const lying = Buffer.from(body);
    lying.writeInt32BE(length, 1);
    assert.is(decodeFrame(lying, 0, lying.length), null);
  }
});

test('a hello names both ends, and is refused with a reason', () => {
  const self = { ...GREETING, nodeId: 1, directoryId: 'd1' };
  const frame = encodeGreeting(GREETING).subarray(4);
  assert.equal(acceptHello(frame, 0, frame.length), GREETING);
  assert.is(refusalOf(GREETING, self), null);
  assert.is(refusalOf({ ...GREETING, clusterId: null }, self), null);
  assert.is(refusalOf({ ...GREETING, clusterId: 'other' }, self), 'other-cluster');
  assert.is(refusalOf({ ...GREETING, toNode: 3 }, self), 'other-node');
  assert.is(refusalOf({ ...GREETING, nodeId: 1 }, self), 'same-node');
  assert.is(refusalOf({ ...GREETING, toShard: 5 }, self), 'no-such-shard');
  assert.is(refusalOf({ ...GREETING, toShard: -1 }, self), 'no-such-shard');
  const http = Buffer.from('GET / HTTP/1.1\r\n\r\n');
  assert.is(acceptHello(http, 0, http.length), 'not-a-peer');
});

test.run();
