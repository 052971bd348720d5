/** Where offsets, times and epochs are said to be. */
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { ERROR } from '#src/protocol/errors.js';
import { offsetForLeaderEpochApi } from '#src/protocol/messages/offset-for-leader-epoch.js';
import { TIMESTAMP_EARLIEST, TIMESTAMP_LATEST, TIMESTAMP_NEWEST, makeBatch, only } from './kit.js';
import { ALL, PARTITIONS, type Plane } from './plane.js';

export function testOffsets({ door, newTopic }: Plane): void {
  test('ListOffsets: earliest, latest, by time, newest', async () => {
    const topic = await newTopic();
    const baseMs = Date.now() - 100_000;
    for (const partition of ALL) {
      const ask = (timestamp: number) => door.offset(topic, partition, timestamp);
      assert.is((await ask(TIMESTAMP_EARLIEST)).offset, 0);
      assert.is((await ask(TIMESTAMP_LATEST)).offset, 0);
      assert.is((await ask(TIMESTAMP_NEWEST)).offset, -1);
      assert.is((await ask(0)).offset, -1);
      for (const ms of [1_000, 5_000, 3_000]) {
        await door.produce(topic, partition, makeBatch({ count: 2, timestamp: baseMs + ms }));
      }
      assert.is((await ask(TIMESTAMP_EARLIEST)).offset, 0);
      const latest = await ask(TIMESTAMP_LATEST);
      assert.is(latest.offset, 6);
      assert.is(latest.timestamp, -1);
      const newest = await ask(TIMESTAMP_NEWEST);
      assert.equal([newest.offset, newest.timestamp], [2, baseMs + 5_000]);
      const found = await ask(baseMs + 2_000);
      assert.equal([found.offset, found.timestamp], [2, baseMs + 5_000]);
      assert.is(found.leaderEpoch, latest.leaderEpoch);
      assert.is((await ask(0)).offset, 0);
      assert.is((await ask(baseMs + 5_001)).offset, -1);
    }
  });

  test('ListOffsets: questions of later versions, and partitions that are not there', async () => {
    const topic = await newTopic();
    assert.is((await door.offset(topic, 0, -4)).errorCode, ERROR.UNSUPPORTED_VERSION);
    const { errorCode } = await door.offset(topic, PARTITIONS, TIMESTAMP_LATEST);
    assert.is(errorCode, ERROR.UNKNOWN_TOPIC_OR_PARTITION);
  });

  test('OffsetForLeaderEpoch: where an epoch ends', async () => {
    const topic = await newTopic();
    for (const partition of [0, 1, 2]) {
      await door.produce(topic, partition, makeBatch({ count: 5 }));
      const { leaderEpoch: current } = await door.offset(topic, partition, TIMESTAMP_LATEST);
      const ask = async (leaderEpoch: number, currentLeaderEpoch = -1) => {
        const partitions = [{ partition, leaderEpoch, currentLeaderEpoch }];
        const body = { replicaId: -1, topics: [{ topic, partitions }] };
        const answer = await door.connection.request(offsetForLeaderEpochApi, 4, body);
        return only(only(answer.topics).partitions);
      };
      const own = await ask(current);
      assert.equal([own.errorCode, own.leaderEpoch, own.endOffset], [ERROR.NONE, current, 5]);
      const later = await ask(current + 1);
      assert.equal([later.errorCode, later.leaderEpoch, later.endOffset], [ERROR.NONE, -1, -1]);
      const unknown = await ask(current, current + 1);
      assert.is(unknown.errorCode, ERROR.UNKNOWN_LEADER_EPOCH);
      assert.is((await ask(-1)).endOffset, -1);
    }
  });
}
