/**
 * What another node may send: frames, greetings, Raft messages, control messages. Whoever connects
 * to the peer port writes these bytes, so they become a value, null or a fault in words.
 */
import { isControlMessage } from '#src/control/message-check.js';
import { acceptHello, decodeFrame, encodeFrame, FRAME_TURN } from '#src/replication/peer-frame.js';
import { encodeGreeting, toHello, toRefusal } from '#src/replication/peer-frame.js';
import { HeardGroups } from '#src/replication/group-numbers.js';
import { readTurn } from '#src/replication/peer-turn.js';
import { appendFault } from '#src/replication/append-check.js';
import { decodeMessage, encodeMessage, payloadBytes } from '#src/replication/raft-wire.js';
import fc from 'fast-check';
import { Packr } from 'msgpackr';
import * as assert from 'uvu/assert';
import { FROM, GREETING, raftMessages, TO } from '../../replication/raft-values.js';
import { target } from '../fuzz-target.js';
import { guarded } from '../guard.js';
import { damaged, type Edit, edits, garbage } from '../mutate.js';
import { ControlBench, controlMessages } from './control-messages.js';

const packr = new Packr({ useRecords: false });
/** Everything that msgpack can say, the parts that we never write too. */
const extended = new Packr({ structuredClone: true, moreTypes: true });
const never = (): boolean => false;
const PEER = { ...GREETING, nodeId: FROM.nodeId, directoryId: FROM.directoryId };
const SELF = { ...GREETING, nodeId: TO.nodeId, directoryId: TO.directoryId };

const items = fc.array(
  fc.oneof(
    raftMessages.map((message) => ['topic', 3, encodeMessage(message)]),
    fc
      .tuple(raftMessages, fc.nat(3))
      .map(([message, number]) => [...['topic', 3, encodeMessage(message)], number]),
    fc.tuple(fc.nat(3), raftMessages.map(encodeMessage)),
    fc.tuple(fc.anything({ maxDepth: 2 })),
  ),
  { maxLength: 3 },
);

/** Reads a frame as the receiver does, down to the batches of an append. */
function receive(frame: Buffer): void {
  guarded(frame.length, never, () => {
    acceptHello(frame, 0, frame.length);
    const decoded = decodeFrame(frame, 0, frame.length);
    if (decoded === null) return;
    toHello(decoded.value);
    toRefusal(decoded.value);
    if (!Array.isArray(decoded.value)) return;
    const turn = { items: decoded.value, bytes: frame, at: decoded.payloadStart };
    const handler = {
      onMessage: (_group: unknown, message: unknown, bytes: Uint8Array, start: number) => {
        const raft = message as Parameters<typeof appendFault>[0];
        if (raft.type === 'append') appendFault(raft, bytes, start);
      },
      onControl: (_from: number, message: unknown) => void isControlMessage(message),
    };
    const ends = { peer: PEER, self: SELF, heard: new HeardGroups() };
    readTurn({ ...turn, end: frame.length }, ends, handler, () => true);
  });
}

/** Damage inside the packed header, with the length in front of it right again. */
function damagedHeader(frame: Buffer, list: readonly Edit[]): Buffer {
  const header = damaged(frame.subarray(5), list);
  const prefix = Buffer.from(frame.subarray(0, 5));
  prefix.writeInt32BE(header.length, 1);
  return Buffer.concat([prefix, header]);
}

export const PEER_TARGETS = [
  target('raft-wire', () =>
    fc.property(raftMessages, fc.nat(40), fc.anything(), (message, at, foreign) => {
      const values: unknown[] = encodeMessage(message);
      assert.equal(decodeMessage(packr.unpack(packr.pack(values)), FROM, TO), message);
      values.splice(at % (values.length + 1), 1, foreign);
      const decoded = guarded(values.length * 10, never, () => decodeMessage(values, FROM, TO));
      assert.ok('value' in decoded);
      if (decoded.value === null) return;
      assert.ok(payloadBytes(decoded.value) >= 0);
      assert.equal(encodeMessage(decoded.value), values);
    }),
  ),
  target('peer-turns', () =>
    fc.property(items, edits, fc.boolean(), (list, damage, isInHeader) => {
      const frame = encodeFrame(FRAME_TURN, list, 0).subarray(4);
      receive(frame);
      receive(isInHeader ? damagedHeader(frame, damage) : damaged(frame, damage));
    }),
  ),
  target('peer-greetings', () =>
    fc.property(fc.option(fc.anything()), edits, (foreign, damage) => {
      receive(damagedHeader(encodeGreeting(GREETING).subarray(4), damage));
      const header = extended.pack(foreign);
      const frame = Buffer.concat([Buffer.of(1, 0, 0, 0, 0), header]);
      receive(damagedHeader(frame, damage));
    }),
  ),
  target('peer-garbage', () =>
    fc.property(garbage, fc.integer({ min: 1, max: 4 }), (bytes, kind) => {
      receive(bytes);
      const prefix = Buffer.of(kind, 0, 0, 0, 0);
      prefix.writeInt32BE(bytes.length, 1);
      receive(Buffer.concat([prefix, bytes]));
    }),
  ),
  target(
    'control-messages',
    () =>
      fc.property(
        fc.array(controlMessages, { minLength: 1, maxLength: 6 }),
        edits,
        (list, edit) => {
          const bench = new ControlBench();
          for (const message of list) {
            assert.ok(bench.receive(message), 'a sound message was refused');
            const bytes = damaged(packr.pack(message), edit);
            const frame = Buffer.concat([Buffer.of(FRAME_TURN, 0, 0, 0, bytes.length), bytes]);
            const decoded = bytes.length < 256 ? decodeFrame(frame, 0, frame.length) : null;
            if (decoded !== null) bench.receive(decoded.value);
          }
        },
      ),
    50,
  ),
];
