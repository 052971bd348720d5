/** Records of __consumer_offsets and what members say of themselves: CORRUPT, null or a value. */
import { LograftError } from '#src/base/errors.js';
import { decodeAssignment, decodeSubscription } from '#src/protocol/consumer-protocol.js';
import { encodeAssignment, encodeSubscription } from '#src/protocol/consumer-protocol.js';
import { subscribedTopics } from '#src/groups/consumer-subscription.js';
import {
  decodeGroupValue,
  decodeKey,
  decodeOffsetValue,
  encodeGroupKey,
  encodeGroupValue,
  encodeOffsetKey,
  encodeOffsetValue,
} from '#src/groups/group-records.js';
import { CodecError } from '#src/protocol/reader.js';
import fc from 'fast-check';
import * as assert from 'uvu/assert';
import { target } from '../fuzz-target.js';
import { guarded } from '../guard.js';
import { damaged, edits, garbage } from '../mutate.js';

const isCorrupt = (error: unknown): boolean =>
  error instanceof LograftError && error.code === 'CORRUPT';
const isCodecError = (error: unknown): boolean => error instanceof CodecError;
const never = (): boolean => false;
const text = fc.string({ unit: 'grapheme', maxLength: 12 });
const blob = fc.uint8Array({ maxLength: 20 }).map((bytes) => Buffer.from(bytes));
const member = fc.record(
  {
    memberId: text,
    groupInstanceId: fc.option(text),
    clientId: text,
    clientHost: text,
    rebalanceTimeoutMs: fc.nat(),
    sessionTimeoutMs: fc.nat(),
    subscription: blob,
    assignment: blob,
  },
  { noNullPrototype: true },
);
const members = fc.array(member, { maxLength: 3 });

function decodeAll(bytes: Buffer): void {
  for (const decode of [decodeKey, decodeOffsetValue, decodeGroupValue]) {
    guarded(bytes.length, isCorrupt, () => decode(bytes));
  }
}

export const GROUP_TARGETS = [
  target('group-records', () =>
    fc.property(text, fc.maxSafeNat(), members, edits, garbage, (id, offset, list, edit, other) => {
      const common = { protocolType: id, generation: 3, protocol: null, leader: id };
      const group = { ...common, currentStateTimestamp: offset, members: list };
      const times = { commitTimestamp: offset, expireTimestamp: -1 };
      const value = encodeOffsetValue({ offset, leaderEpoch: 2, metadata: id, ...times });
      const encoded = encodeGroupValue(group);
      assert.equal(decodeGroupValue(encoded), group);
      assert.is(decodeOffsetValue(value).offset, offset);
      const keys = [encodeGroupKey(id), encodeOffsetKey(id, id, 7)];
      for (const bytes of [encoded, value, ...keys]) decodeAll(damaged(bytes, edit));
      decodeAll(other);
    }),
  ),
  target('subscriptions', () =>
    fc.property(fc.array(text, { maxLength: 4 }), edits, garbage, (topics, edit, other) => {
      const subscription = encodeSubscription(topics);
      assert.equal(subscribedTopics(subscription), topics);
      assert.equal(decodeSubscription(subscription), topics);
      const assignment = encodeAssignment(new Map(topics.map((topic, i) => [topic, [i, i + 1]])));
      assert.is(decodeAssignment(assignment).size, new Set(topics).size);
      for (const bytes of [damaged(subscription, edit), damaged(assignment, edit), other]) {
        guarded(bytes.length, never, () => subscribedTopics(bytes));
        guarded(bytes.length, isCodecError, () => decodeSubscription(bytes));
        guarded(bytes.length, isCodecError, () => decodeAssignment(bytes));
      }
    }),
  ),
];
