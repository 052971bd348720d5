/** Kafka's bytes in __consumer_offsets, its partitioning of groups, and garbage. */
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import fc from 'fast-check';
import { partitionFor } from '#src/groups/coordinator-of.js';
import { subscribedTopics } from '#src/groups/consumer-subscription.js';
import {
  decodeGroupValue,
  decodeKey,
  decodeOffsetValue,
  encodeGroupKey,
  encodeGroupValue,
  encodeOffsetKey,
  encodeOffsetValue,
  groupValueBytes,
  offsetValueBytes,
} from '#src/groups/group-records.js';

test('the keys have the bytes Kafka gives them', () => {
  assert.is(
    encodeOffsetKey('g', 'top', 7).toString('hex'),
    '0001000167' + '0003746f70' + '00000007',
  );
  assert.is(encodeGroupKey('gr').toString('hex'), '000200026772');
});

test("an offset has Kafka's version 3, and version 1 when the client asked for an expiry", () => {
  const value = {
    offset: 5,
    leaderEpoch: 2,
    metadata: 'm',
    commitTimestamp: 16,
    expireTimestamp: -1,
  };
  assert.is(
    encodeOffsetValue(value).toString('hex'),
    '0003' + '0000000000000005' + '00000002' + '00016d' + '0000000000000010',
  );
  const old = encodeOffsetValue({ ...value, leaderEpoch: -1, expireTimestamp: 32 });
  assert.is(
    old.toString('hex'),
    '0001' + '0000000000000005' + '00016d' + '0000000000000010' + '0000000000000020',
  );
  assert.equal(decodeOffsetValue(old), { ...value, leaderEpoch: -1, expireTimestamp: 32 });
});

test("a group has Kafka's version 3", () => {
  const value = {
    protocolType: 'consumer',
    generation: 4,
    protocol: 'range',
    leader: null,
    currentStateTimestamp: 1,
    members: [],
  };
  assert.is(
    encodeGroupValue(value).toString('hex'),
    '0003' +
      '0008636f6e73756d6572' +
      '00000004' +
      '000572616e6765' +
      'ffff' +
      '0000000000000001' +
      '00000000',
  );
});

test('every record survives its bytes, and its size is known before', () => {
  const text = fc.string({ unit: 'grapheme', maxLength: 20 });
  const plain = { noNullPrototype: true };
  const name = fc.option(text);
  const blob = fc.uint8Array({ maxLength: 40 }).map((bytes) => Buffer.from(bytes));
  const offset = fc.record(
    {
      offset: fc.maxSafeNat(),
      leaderEpoch: fc.integer({ min: -1, max: 2 ** 31 - 1 }),
      metadata: text,
      commitTimestamp: fc.maxSafeNat(),
      expireTimestamp: fc.constant(-1),
    },
    plain,
  );
  const member = fc.record(
    {
      memberId: text,
      groupInstanceId: name,
      clientId: text,
      clientHost: text,
      rebalanceTimeoutMs: fc.nat(),
      sessionTimeoutMs: fc.nat(),
      subscription: blob,
      assignment: blob,
    },
    plain,
  );
  const group = fc.record(
    {
      protocolType: text,
      generation: fc.nat(),
      protocol: name,
      leader: name,
      currentStateTimestamp: fc.integer({ min: -1 }),
      members: fc.array(member, { maxLength: 3 }),
    },
    plain,
  );
  fc.assert(
    fc.property(offset, group, text, text, fc.nat(), (o, g, groupId, topic, partition) => {
      assert.equal(decodeOffsetValue(encodeOffsetValue(o)), o);
      assert.is(encodeOffsetValue(o).length, offsetValueBytes(o));
      assert.equal(decodeGroupValue(encodeGroupValue(g)), g);
      assert.is(encodeGroupValue(g).length, groupValueBytes(g));
      const key = { kind: 'offset', groupId, topic, partition };
      assert.equal(decodeKey(encodeOffsetKey(groupId, topic, partition)), key);
      assert.equal(decodeKey(encodeGroupKey(groupId)), { kind: 'group', groupId });
    }),
  );
});

test('garbage is refused as corrupt, and keys of later versions are left alone', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 60 }), (bytes) => {
      for (const decode of [decodeKey, decodeOffsetValue, decodeGroupValue]) {
        try {
          decode(Buffer.from(bytes));
        } catch (error) {
          assert.is((error as { code?: string }).code, 'CORRUPT');
        }
      }
    }),
  );
  assert.equal(decodeKey(Buffer.from('0003000167', 'hex')), { kind: 'unknown', version: 3 });
});

test('groups hash to partitions as in Java', () => {
  // "polygenelubricants".hashCode() is the smallest int, the one without an absolute value.
  assert.is(partitionFor('polygenelubricants', 50), 0);
  // What a JVM prints for Math.abs(id.hashCode()) % 50.
  assert.is(partitionFor('readers', 50), 28);
  assert.is(partitionFor('connect-cluster', 50), 13);
  assert.is(partitionFor('console-consumer-12345', 50), 6);
  assert.is(partitionFor('grüße', 50), 23);
  assert.is(partitionFor('a-very-long-group-name-that-wraps', 50), 33);
  assert.is(partitionFor('', 50), 0);
});

test('topics of a subscription are read from any version, and nonsense is unknown', () => {
  const v1 = Buffer.from(
    '0001' + '00000002' + '000161' + '00026262' + 'ffffffff' + '00000000',
    'hex',
  );
  assert.equal(subscribedTopics(v1), ['a', 'bb']);
  assert.is(subscribedTopics(Buffer.from('0000' + '7fffffff', 'hex')), null);
  assert.is(subscribedTopics(Buffer.from('0000' + '00000001' + '7fff61', 'hex')), null);
  assert.is(subscribedTopics(Buffer.alloc(0)), null);
});

test.run();
