/** Raft messages survive the wire, and bytes that are none become null, whatever they are. */
import type { Position } from '#src/base/position.js';
import type { RaftMessage, Slice } from '#src/raft/messages.js';
import {
  acceptHello,
  decodeFrame,
  encodeFrame,
  encodeGreeting,
  FRAME_TURN,
  type Greeting,
  refusalOf,
} from '#src/replication/peer-frame.js';
import { decodeMessage, encodeMessage } from '#src/replication/raft-wire.js';
import fc from 'fast-check';
import { Packr } from 'msgpackr';
import { test } from 'uvu';
import * as assert from 'uvu/assert';

const FROM = { nodeId: 1, directoryId: 'a' };
const TO = { nodeId: 2, directoryId: 'b' };
const packr = new Packr({ useRecords: false });

/** Plain objects, as the code under test makes them. */
function record<T>(model: { [K in keyof T]: fc.Arbitrary<T[K]> }): fc.Arbitrary<T> {
  return fc.record<T>(model, { noNullPrototype: true }) as fc.Arbitrary<T>;
}

const count = fc.oneof(fc.nat(), fc.nat(Number.MAX_SAFE_INTEGER));
const epoch = fc.integer({ min: -1, max: 2 ** 31 - 1 });
const position: fc.Arbitrary<Position> = record({ offset: count, marks: count });
const slice: fc.Arbitrary<Slice> = fc.oneof(
  record({ from: position, size: count, epoch: fc.nat(), byteLength: fc.nat() }).map((s) => {
    const to = { offset: s.size, marks: s.from.marks };
    const { from, epoch: at, byteLength } = s;
    return { kind: 'batches' as const, from, to, epoch: at, byteLength };
  }),
  record({ at: position, epoch: fc.nat() }).map((mark) => ({
    kind: 'mark' as const,
    mark: { kind: 'epoch-start' as const, ...mark },
  })),
  record({ at: position, epoch: fc.nat(), logStartOffset: count }).map((mark) => ({
    kind: 'mark' as const,
    mark: { kind: 'log-start' as const, ...mark },
  })),
);
const rejection = fc.option(record({ position, epoch, end: position }), { nil: null });
const flag = fc.boolean();

const body = fc.oneof(
  record({
    type: fc.constant('pre-vote'),
    nonce: fc.nat(),
    lastEpoch: epoch,
    lastPosition: position,
    isForgetful: flag,
  }),
  record({
    type: fc.constant('pre-voted'),
    nonce: fc.nat(),
    isGranted: flag,
    hasLeader: flag,
    isForgetful: flag,
    lastEpoch: epoch,
    lastPosition: position,
  }),
  record({
    type: fc.constant('vote'),
    lastEpoch: epoch,
    lastPosition: position,
    isTransfer: flag,
    isRecovery: flag,
  }),
  record({ type: fc.constant('voted'), isGranted: flag }),
  record({
    type: fc.constant('append'),
    round: count,
    prevEpoch: epoch,
    prevPosition: position,
    slices: fc.array(slice, { maxLength: 5 }),
    commit: position,
    remembered: fc.nat(),
  }),
  record({
    type: fc.constant('heartbeat'),
    round: count,
    commit: position,
    remembered: fc.nat(),
  }),
  record({
    type: fc.constant('appended'),
    round: count,
    match: position,
    received: position,
    forgetful: fc.nat(),
    rejection,
  }),
  record({
    type: fc.constant('snapshot'),
    round: count,
    position,
    epochs: fc.array(record({ epoch: fc.nat(), start: position }), { maxLength: 4 }),
    totalBytes: fc.nat(),
    chunkStart: fc.nat(),
    bytes: fc.uint8Array({ maxLength: 40 }).map((bytes) => Buffer.from(bytes)),
  }),
  record({
    type: fc.constant('snapshot-received'),
    round: count,
    position,
    receivedBytes: fc.nat(),
  }),
  record({ type: fc.constant('timeout-now') }),
);

test('every message comes back as it was', () => {
  const property = fc.property(body, fc.nat(), (fields, term) => {
    const message = { ...fields, from: FROM, to: TO, term } as RaftMessage;
    const bytes = packr.pack(encodeMessage(message));
    assert.equal(decodeMessage(packr.unpack(bytes), FROM, TO), message);
  });
  fc.assert(property, { numRuns: 3_000, seed: 1 });
});

test('values that are no message become null', () => {
  const property = fc.property(body, fc.nat(30), fc.anything(), (fields, at, foreign) => {
    const message = { ...fields, from: FROM, to: TO, term: 3 } as RaftMessage;
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
  const greeting: Greeting = {
    clusterId: 'c',
    nodeId: 2,
    directoryId: 'd2',
    incarnation: 'i',
    shard: 0,
    shards: 1,
    toNode: 1,
    toShard: 0,
  };
  const self = { ...greeting, nodeId: 1, directoryId: 'd1' };
  const frame = encodeGreeting(greeting).subarray(4);
  assert.equal(acceptHello(frame, 0, frame.length), greeting);
  assert.is(refusalOf(greeting, self), null);
  assert.is(refusalOf({ ...greeting, clusterId: null }, self), null);
  assert.is(refusalOf({ ...greeting, clusterId: 'other' }, self), 'other-cluster');
  assert.is(refusalOf({ ...greeting, toNode: 3 }, self), 'other-node');
  assert.is(refusalOf({ ...greeting, nodeId: 1 }, self), 'same-node');
  assert.is(refusalOf({ ...greeting, toShard: 5 }, self), 'no-such-shard');
  assert.is(refusalOf({ ...greeting, toShard: -1 }, self), 'no-such-shard');
  const http = Buffer.from('GET / HTTP/1.1\r\n\r\n');
  assert.is(acceptHello(http, 0, http.length), 'not-a-peer');
});

test.run();
