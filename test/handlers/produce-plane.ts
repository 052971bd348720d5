/** What a client may rely on when it produces. */
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { ERROR } from '#src/protocol/errors.js';
import { fetchApi } from '#src/protocol/messages/fetch.js';
import { produceApi } from '#src/protocol/messages/produce.js';
import {
  TIMESTAMP_LATEST,
  batchesOf,
  fetchBody,
  makeBatch,
  only,
  ownBytes,
  produceBody,
} from './kit.js';
import { ALL, type Plane } from './plane.js';

export function testAcks({ door, newTopic }: Plane): void {
  test('the first record has offset 0, and acks 1 and all give offsets without a gap', async () => {
    const topic = await newTopic();
    for (const partition of ALL) {
      const first = await door.produce(topic, partition, makeBatch({ count: 3 }), { acks: 1 });
      assert.is(first.errorCode, ERROR.NONE);
      assert.is(first.baseOffset, 0);
      assert.is(first.logStartOffset, 0);
      assert.is(first.logAppendTimeMs, -1);
      const second = await door.produce(topic, partition, makeBatch(), { acks: -1 });
      assert.is(second.baseOffset, 3);
    }
  });

  test('trap 12: an error message that says nothing is null', async () => {
    const { errorCode, errorMessage } = await door.produce('nowhere', 0, makeBatch());
    assert.is(errorCode, ERROR.UNKNOWN_TOPIC_OR_PARTITION);
    assert.is(errorMessage, null);
  });

  test('acks=0 is written and not answered', async () => {
    const topic = await newTopic();
    const body = produceBody(topic, 1, makeBatch(), 0);
    // An answer that nobody asked for would end the connection.
    door.connection.request(produceApi, 9, body, 60_000).catch(() => undefined);
    const { errorCode, baseOffset } = await door.produce(topic, 1, makeBatch());
    assert.is(errorCode, ERROR.NONE);
    assert.is(baseOffset, 1);
  });

  test('a timeout of nothing or less is answered, and the record may be there', async () => {
    const topic = await newTopic();
    for (const timeoutMs of [0, -1, -(2 ** 31)]) {
      const { errorCode } = await door.produce(topic, 0, makeBatch(), { timeoutMs });
      assert.ok([ERROR.NONE, ERROR.REQUEST_TIMED_OUT].includes(errorCode as 0), `${errorCode}`);
    }
    const { errorCode, baseOffset } = await door.produce(topic, 0, makeBatch());
    assert.is(errorCode, ERROR.NONE);
    assert.is(baseOffset, 3);
  });

  test('internal topics are not written by clients', async () => {
    const { errorCode } = await door.produce('__consumer_offsets', 0, makeBatch());
    assert.is.not(errorCode, ERROR.NONE);
  });
}

export function testProduceOrder({ door, newTopic }: Plane): void {
  test('pipelined produces keep their order, in the log and in their answers', async () => {
    const topic = await newTopic();
    const batches = Array.from({ length: 60 }, () => makeBatch());
    const order: number[] = [];
    const answers = await Promise.all(
      batches.map(async (batch, i) => {
        const answer = await door.produce(topic, i % 2, batch);
        order.push(i);
        return answer;
      }),
    );
    assert.equal(
      order,
      batches.map((_, i) => i),
    );
    assert.equal(
      answers.map(({ baseOffset }) => baseOffset),
      batches.map((_, i) => Math.floor(i / 2)),
    );
    const stored = batchesOf(await door.fetch(topic, { partition: 1 }));
    const sent = batches.filter((_, i) => i % 2 === 1);
    assert.equal(stored.map(ownBytes), sent.map(ownBytes));
  });

  test('several partitions in one request are answered in its order', async () => {
    const topic = await newTopic();
    const partitionData = [5, 0, 7, 2].flatMap((partition) =>
      produceBody(topic, partition, makeBatch()).topicData.flatMap((t) => [...t.partitionData]),
    );
    const body = { acks: -1, timeoutMs: 5_000, topicData: [{ name: topic, partitionData }] };
    const answer = await door.connection.request(produceApi, 9, body);
    const found = only(answer.responses).partitionResponses;
    assert.equal(
      found.map(({ index }) => index),
      [5, 0, 7, 2],
    );
    assert.ok(found.every(({ errorCode }) => errorCode === ERROR.NONE));
  });

  test('every served version of Produce and Fetch', async () => {
    const topic = await newTopic();
    for (let version = produceApi.serveFrom; version <= produceApi.advertised.max; version++) {
      const { errorCode } = await door.produce(topic, 3, makeBatch(), { version });
      assert.is(errorCode, ERROR.NONE, `Produce v${version}`);
    }
    const { min, max } = fetchApi.advertised;
    for (let version = min; version <= max; version++) {
      const body = fetchBody([topic], [{ partition: 3 }]);
      const answer = await door.connection.request(fetchApi, version, body);
      const fetched = only(only(answer.responses).partitions);
      assert.is(batchesOf(fetched).length, 9, `Fetch v${version}`);
    }
  });

  test('LogAppendTime: the broker says when, in the answer and in the batch', async () => {
    const topic = await newTopic({ 'message.timestamp.type': 'LogAppendTime' });
    const beforeMs = Date.now();
    const answer = await door.produce(topic, 2, makeBatch({ timestamp: 1_000 }));
    assert.ok(answer.logAppendTimeMs >= beforeMs && answer.logAppendTimeMs <= Date.now());
    const [batch] = batchesOf(await door.fetch(topic, { partition: 2 }));
    assert.is(Number(batch?.readBigInt64BE(35)), answer.logAppendTimeMs);
    assert.is((batch?.readUInt16BE(21) ?? 0) & 8, 8);
  });
}

export function testProducers({ door, newTopic }: Plane): void {
  test('P3: a retry in the window of five gets the original offset', async () => {
    const topic = await newTopic();
    for (const partition of [0, 1, 2, 3]) {
      const batches = Array.from({ length: 6 }, (_, i) =>
        makeBatch({ count: 2, producerId: 77, sequence: 2 * i }),
      );
      for (const batch of batches) {
        assert.is((await door.produce(topic, partition, batch)).errorCode, ERROR.NONE);
      }
      for (const [i, batch] of batches.entries()) {
        const again = await door.produce(topic, partition, batch);
        if (i === 0) {
          assert.is(again.errorCode, ERROR.OUT_OF_ORDER_SEQUENCE_NUMBER, 'outside the window');
        } else {
          assert.is(again.errorCode, ERROR.NONE);
          assert.is(again.baseOffset, 2 * i);
        }
      }
      assert.is((await door.offset(topic, partition, TIMESTAMP_LATEST)).offset, 12);
    }
  });

  test('P1: gaps, overlaps and old epochs are refused', async () => {
    const topic = await newTopic();
    const send = async (sequence: number, producerEpoch = 3, count = 1): Promise<number> => {
      const batch = makeBatch({ count, producerId: 9, producerEpoch, sequence });
      return (await door.produce(topic, 1, batch)).errorCode;
    };
    assert.is(await send(0), ERROR.NONE);
    assert.is(await send(2), ERROR.OUT_OF_ORDER_SEQUENCE_NUMBER);
    assert.is(await send(0, 3, 2), ERROR.OUT_OF_ORDER_SEQUENCE_NUMBER);
    assert.is(await send(0, 2), ERROR.INVALID_PRODUCER_EPOCH);
    assert.is(await send(5, 4), ERROR.OUT_OF_ORDER_SEQUENCE_NUMBER);
    assert.is(await send(0, 4), ERROR.NONE);
    assert.is(await send(1, 3), ERROR.INVALID_PRODUCER_EPOCH);
    assert.is((await door.offset(topic, 1, TIMESTAMP_LATEST)).offset, 2);
  });

  test('five batches in flight, each sent twice, are there once', async () => {
    const topic = await newTopic();
    const batches = Array.from({ length: 5 }, (_, i) => makeBatch({ producerId: 4, sequence: i }));
    const twice = batches.flatMap((batch) => [batch, batch]);
    const answers = await Promise.all(twice.map((batch) => door.produce(topic, 6, batch)));
    assert.equal(
      answers.map(({ errorCode, baseOffset }) => [errorCode, baseOffset]),
      twice.map((_, i) => [ERROR.NONE, Math.floor(i / 2)]),
    );
    assert.is(batchesOf(await door.fetch(topic, { partition: 6 })).length, 5);
  });
}
