/**
 * A greeting and random Raft messages, as the code under test makes them: what the wire must carry
 * unchanged.
 */
import type { VoterId } from '#src/base/group.js';
import type { Position } from '#src/base/position.js';
import type { RaftMessage, Slice } from '#src/raft/messages.js';
import type { Greeting } from '#src/replication/peer-frame.js';
import fc from 'fast-check';

export const FROM: VoterId = { nodeId: 1, directoryId: 'a' };
export const TO: VoterId = { nodeId: 2, directoryId: 'b' };

export const GREETING: Greeting = {
  clusterId: 'c',
  nodeId: 2,
  directoryId: 'd2',
  incarnation: 'i',
  shard: 0,
  shards: 1,
  toNode: 1,
  toShard: 0,
};

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

export const raftMessages: fc.Arbitrary<RaftMessage> = fc
  .tuple(body, fc.nat())
  .map(([fields, term]) => ({ ...fields, from: FROM, to: TO, term }) as RaftMessage);
