/** What a client may rely on when it fetches, and what asks in vain hears. */
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { ERROR } from '#src/protocol/errors.js';
import { fetchApi } from '#src/protocol/messages/fetch.js';
import { Door, TIMESTAMP_LATEST, batchesOf, bytesOf, fetchBody, makeBatch, only } from './kit.js';
import { ALL, PARTITIONS, type Plane } from './plane.js';

export function testLongPolls({ door, newTopic, address }: Plane): void {
  test('an empty topic ends at 0 and a fetch of it times out empty', async () => {
    const topic = await newTopic();
    const startMs = performance.now();
    const fetched = await door.fetch(topic, { maxWaitMs: 200 });
    assert.ok(performance.now() - startMs >= 190);
    assert.is(fetched.errorCode, ERROR.NONE);
    assert.is(fetched.highWatermark, 0);
    assert.is(fetched.lastStableOffset, 0);
    assert.is(fetched.logStartOffset, 0);
    assert.is(bytesOf(fetched).length, 0);
    assert.not.equal(fetched.records, null);
  });

  test('a long poll returns as soon as there is something', async () => {
    const topic = await newTopic();
    const writer = await Door.open(address);
    for (const partition of ALL) {
      const startMs = performance.now();
      const fetching = door.fetch(topic, { partition, maxWaitMs: 20_000 });
      await writer.produce(topic, partition, makeBatch());
      assert.is(batchesOf(await fetching).length, 1);
      assert.ok(performance.now() - startMs < 5_000);
    }
    writer.close();
  });

  test('a long poll over all partitions hears of each of them', async () => {
    const topic = await newTopic();
    const writer = await Door.open(address);
    const ends = ALL.map(() => 0);
    for (const partition of ALL) {
      const shapes = ALL.map((p) => ({
        partition: p,
        offset: ends[p] as number,
        maxWaitMs: 20_000,
      }));
      const fetching = door.connection.request(fetchApi, 11, fetchBody([topic], shapes), 30_000);
      await writer.produce(topic, partition, makeBatch());
      const found = only((await fetching).responses).partitions;
      assert.equal(
        found.map(({ partitionIndex }) => partitionIndex),
        ALL,
      );
      assert.equal(
        found.filter((fetched) => bytesOf(fetched).length > 0).map((f) => f.partitionIndex),
        [partition],
      );
      ends[partition] = 1;
    }
    writer.close();
  });

  test('min bytes: less than that is waited for, however often something comes', async () => {
    const topic = await newTopic();
    const writer = await Door.open(address);
    const fetching = door.fetch(topic, { partition: 4, minBytes: 5_000, maxWaitMs: 20_000 });
    let isBack = false;
    void fetching.then(() => {
      isBack = true;
    });
    for (let i = 0; i < 4; i++) {
      await writer.produce(topic, 4, makeBatch({ valueBytes: 1_000 }));
      assert.not(isBack, `after ${i + 1} batches`);
    }
    await writer.produce(topic, 4, makeBatch({ valueBytes: 1_000 }));
    const fetched = await fetching;
    assert.is(batchesOf(fetched).length, 5);
    const waited = await door.fetch(topic, { partition: 4, minBytes: 1 << 20, maxWaitMs: 100 });
    assert.is(batchesOf(waited).length, 5, 'when time is over what is there is enough');
    writer.close();
  });
}

export function testByteLimits({ door, newTopic }: Plane): void {
  test('max bytes: whole batches up to it, and the first one always', async () => {
    const topic = await newTopic();
    for (let i = 0; i < 5; i++) await door.produce(topic, 0, makeBatch({ valueBytes: 1_000 }));
    const count = async (shape: object): Promise<number> =>
      batchesOf(await door.fetch(topic, shape)).length;
    assert.is(await count({ partitionMaxBytes: 1 }), 1);
    assert.is(await count({ maxBytes: 1 }), 1);
    assert.is(await count({ maxBytes: 0, partitionMaxBytes: 0 }), 1);
    assert.is(await count({ partitionMaxBytes: 2_500 }), 2);
    assert.is(await count({ maxBytes: 3_600 }), 3);
    assert.is(await count({ offset: 3 }), 2);
  });

  test('max bytes is shared by the partitions in their order', async () => {
    const topic = await newTopic();
    for (const partition of ALL) {
      await door.produce(topic, partition, makeBatch({ valueBytes: 1_000 }));
    }
    const shapes = [3, 1, 2, 0].map((partition) => ({ partition, maxBytes: 2_500 }));
    const answer = await door.connection.request(fetchApi, 11, fetchBody([topic], shapes));
    const found = only(answer.responses).partitions;
    assert.equal(
      found.map((fetched) => batchesOf(fetched).length),
      [1, 1, 0, 0],
    );
    assert.ok(found.every(({ highWatermark }) => highWatermark === 1));
  });
}

export function testRefusedFetches({ door, newTopic }: Plane): void {
  test('offsets that are not there', async () => {
    const topic = await newTopic();
    await door.produce(topic, 0, makeBatch({ count: 4 }));
    for (const offset of [5, 1_000_000, -1, -2]) {
      const { errorCode } = await door.fetch(topic, { offset, maxWaitMs: 20_000 });
      assert.is(errorCode, ERROR.OFFSET_OUT_OF_RANGE, `offset ${offset}`);
    }
    // In the middle of a batch: the whole batch.
    assert.is(batchesOf(await door.fetch(topic, { offset: 2 })).length, 1);
    const unknown = await door.fetch(topic, { partition: PARTITIONS, maxWaitMs: 20_000 });
    assert.is(unknown.errorCode, ERROR.UNKNOWN_TOPIC_OR_PARTITION);
  });

  test('leader epochs: an old one is fenced, a new one unknown', async () => {
    const topic = await newTopic();
    await door.produce(topic, 2, makeBatch());
    const { leaderEpoch } = await door.offset(topic, 2, TIMESTAMP_LATEST);
    const errors = async (epoch: number): Promise<number[]> => [
      (await door.fetch(topic, { partition: 2, currentLeaderEpoch: epoch })).errorCode,
      (await door.offset(topic, 2, TIMESTAMP_LATEST, epoch)).errorCode,
    ];
    assert.equal(await errors(leaderEpoch), [ERROR.NONE, ERROR.NONE]);
    assert.equal(await errors(-1), [ERROR.NONE, ERROR.NONE]);
    const fenced = ERROR.FENCED_LEADER_EPOCH;
    assert.equal(await errors(leaderEpoch - 1), [fenced, fenced]);
    const unknown = ERROR.UNKNOWN_LEADER_EPOCH;
    assert.equal(await errors(leaderEpoch + 1), [unknown, unknown]);
  });

  test('fetch sessions are answered as none', async () => {
    const topic = await newTopic();
    const body = fetchBody([topic], [{}]);
    const first = await door.connection.request(fetchApi, 11, { ...body, sessionEpoch: 0 });
    assert.is(first.errorCode, ERROR.NONE);
    assert.is(first.sessionId, 0);
    const next = await door.connection.request(fetchApi, 11, { ...body, sessionId: 5 });
    assert.is(next.errorCode, ERROR.FETCH_SESSION_ID_NOT_FOUND);
    const none = await door.connection.request(fetchApi, 11, { ...body, topics: [] });
    assert.equal(none.responses, []);
  });
}
