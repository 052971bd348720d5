/**
 * Record batches that lie, in well-formed Produce requests: each is refused with an error that is
 * definite, nothing of it is ever read, and the connection lives on.
 */
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { ERROR, errorInfo } from '#src/protocol/errors.js';
import { produceApi } from '#src/protocol/messages/produce.js';
import {
  Door,
  TIMESTAMP_LATEST,
  batchesOf,
  makeBatch,
  only,
  ownBytes,
  produceBody,
  spoilt,
} from '../../handlers/kit.js';
import { TestCluster } from '../../support/cluster.js';

const DAY_MS = 86_400_000;
const TOPIC = 'orders';

const cluster = await TestCluster.start({ nodes: 1 });
const door = await Door.open(cluster.bootstrap[0] as string);
await door.createTopic(TOPIC, 1, { 'max.message.bytes': '10000' });

test.after(async () => {
  door.close();
  await cluster.down();
});

/** The batch is refused so that its producer knows it was not written, and was not. */
async function refuses(what: string, batch: Buffer | null, error: number): Promise<void> {
  const before = await door.offset(TOPIC, 0, TIMESTAMP_LATEST);
  const answer = await door.produce(TOPIC, 0, batch);
  assert.is(answer.errorCode, error, `${what}: ${answer.errorCode} ${answer.errorMessage}`);
  assert.is(errorInfo(answer.errorCode)?.outcome, 'definite', what);
  assert.is(answer.baseOffset, -1, what);
  const after = await door.offset(TOPIC, 0, TIMESTAMP_LATEST);
  assert.is(after.offset, before.offset, what);
}

test('a true batch is taken', async () => {
  const batch = makeBatch({ count: 3 });
  const answer = await door.produce(TOPIC, 0, batch);
  assert.is(answer.errorCode, ERROR.NONE);
  assert.is(answer.baseOffset, 0);
  const fetched = await door.fetch(TOPIC);
  assert.equal(batchesOf(fetched).map(ownBytes), [ownBytes(batch)]);
});

test('wrong CRC', async () => {
  const batch = makeBatch();
  for (const at of [17, 21, 40, batch.length - 1]) {
    const flipped = Buffer.from(batch);
    flipped[at] = (flipped[at] as number) ^ 1;
    await refuses(`bit at byte ${at}`, flipped, ERROR.CORRUPT_MESSAGE);
  }
});

test('lying length', async () => {
  const batch = makeBatch({ count: 2 });
  const true_ = batch.length - 12;
  for (const length of [true_ + 1, true_ - 1, 49, 48, 0, -1, 2 ** 31 - 1, -(2 ** 31)]) {
    const liar = Buffer.from(batch);
    liar.writeInt32BE(length, 8);
    const answer = await door.produce(TOPIC, 0, liar);
    const expected: number[] = [ERROR.CORRUPT_MESSAGE, ERROR.INVALID_RECORD];
    assert.ok(expected.includes(answer.errorCode), `length ${length}: ${answer.errorCode}`);
  }
  for (const length of [0, 1, 11, 60]) {
    const short = batch.subarray(0, length);
    await refuses(`only ${length} bytes`, short, ERROR.CORRUPT_MESSAGE);
  }
});

test('lying count and deltas', async () => {
  const batch = makeBatch({ count: 3 });
  for (const count of [0, 1, 2, 4, -1, 2 ** 31 - 1]) {
    const liar = spoilt(batch, (bytes) => bytes.writeInt32BE(count, 57));
    await refuses(`count ${count}`, liar, ERROR.INVALID_RECORD);
  }
  for (const delta of [0, 1, 3, -1, 2 ** 31 - 1]) {
    const liar = spoilt(batch, (bytes) => bytes.writeInt32BE(delta, 23));
    await refuses(`last offset delta ${delta}`, liar, ERROR.INVALID_RECORD);
  }
  // The first record's own offset delta, behind length, attributes and timestamp delta.
  const liar = spoilt(batch, (bytes) => bytes.writeInt8(2, 61 + 3));
  await refuses('offset delta of a record', liar, ERROR.INVALID_RECORD);
});

test('old formats', async () => {
  for (const magic of [0, 1, 3, -1]) {
    const batch = spoilt(makeBatch(), (bytes) => bytes.writeInt8(magic, 16));
    await refuses(`magic ${magic}`, batch, ERROR.UNSUPPORTED_FOR_MESSAGE_FORMAT);
  }
});

test("attributes that are not a client's to set", async () => {
  const bits = { control: 0x20, transactional: 0x10, 'delete horizon': 0x40, reserved: 0x80 };
  for (const [name, bit] of Object.entries({ ...bits, 'top bit': 0x8000, 'codec 5': 5 })) {
    const batch = spoilt(makeBatch({ producerId: 1 }), (bytes) => bytes.writeUInt16BE(bit, 21));
    await refuses(name, batch, ERROR.INVALID_RECORD);
  }
});

test('timestamps', async () => {
  const nowMs = Date.now();
  const future = makeBatch({ timestamp: nowMs + DAY_MS });
  await refuses('a day ahead', future, ERROR.INVALID_TIMESTAMP);
  const farFuture = makeBatch({ timestamp: Number.MAX_SAFE_INTEGER });
  await refuses('at the end of time', farFuture, ERROR.INVALID_TIMESTAMP);
  const beyond = spoilt(makeBatch(), (bytes) => {
    bytes.writeBigInt64BE(2n ** 63n - 1n, 27);
    bytes.writeBigInt64BE(2n ** 63n - 1n, 35);
  });
  await refuses('beyond what a number holds', beyond, ERROR.INVALID_TIMESTAMP);
  const old = await door.produce(TOPIC, 0, makeBatch({ timestamp: nowMs - 365 * DAY_MS }));
  assert.is(old.errorCode, ERROR.NONE);
});

test("a max timestamp that is not the records' own is put right, as Kafka does", async () => {
  await door.createTopic('corrected');
  const nowMs = Date.now();
  const batch = spoilt(makeBatch({ timestamp: nowMs }), (bytes) => {
    bytes.writeBigInt64BE(BigInt(nowMs - 1), 35);
  });
  assert.is((await door.produce('corrected', 0, batch)).errorCode, ERROR.NONE);
  const [stored] = batchesOf(await door.fetch('corrected'));
  assert.is(Number(stored?.readBigInt64BE(35)), nowMs);
});

test('sequences of producers', async () => {
  const negative = makeBatch({ producerId: 5, sequence: -2 });
  await refuses('sequence -2', negative, ERROR.INVALID_RECORD);
  const epoch = makeBatch({ producerId: 5, producerEpoch: -1, sequence: 0 });
  await refuses('epoch -1', epoch, ERROR.INVALID_RECORD);
});

test('too large, none, and two', async () => {
  await refuses('11 KB', makeBatch({ valueBytes: 11_000 }), ERROR.MESSAGE_TOO_LARGE);
  await refuses('null', null, ERROR.INVALID_RECORD);
  const two = Buffer.concat([makeBatch(), makeBatch()]);
  await refuses('two batches', two, ERROR.INVALID_RECORD);
  const tail = Buffer.concat([makeBatch(), Buffer.alloc(1)]);
  await refuses('a byte behind the batch', tail, ERROR.INVALID_RECORD);
});

test('acks that do not exist, topics and partitions that do not exist', async () => {
  for (const acks of [2, -2, 32_767]) {
    const { errorCode } = await door.produce(TOPIC, 0, makeBatch(), { acks });
    assert.is(errorCode, ERROR.INVALID_REQUIRED_ACKS, `acks ${acks}`);
  }
  for (const partition of [1, -1, 2 ** 31 - 1]) {
    const { errorCode } = await door.produce(TOPIC, partition, makeBatch());
    assert.is(errorCode, ERROR.UNKNOWN_TOPIC_OR_PARTITION, `partition ${partition}`);
  }
  const { errorCode } = await door.produce('nowhere', 0, makeBatch());
  assert.is(errorCode, ERROR.UNKNOWN_TOPIC_OR_PARTITION);
});

test('one lie of several partitions does not touch the others', async () => {
  await door.createTopic('several', 3);
  const good = produceBody('several', 0, makeBatch());
  const bad = produceBody(
    'several',
    1,
    spoilt(makeBatch(), (bytes) => bytes.writeInt8(1, 16)),
  );
  const partitionData = [...good.topicData, ...bad.topicData].flatMap((t) => [...t.partitionData]);
  const topicData = [{ name: 'several', partitionData }];
  const answer = await door.connection.request(produceApi, 9, { ...good, topicData });
  const codes = only(answer.responses).partitionResponses.map(({ errorCode }) => errorCode);
  assert.equal(codes, [ERROR.NONE, ERROR.UNSUPPORTED_FOR_MESSAGE_FORMAT]);
});

test('trap 8: compressed batches are kept byte by byte, whatever is inside', async () => {
  await door.createTopic('compressed');
  const sent: string[] = [];
  for (const codec of [1, 2, 3, 4]) {
    const batch = spoilt(makeBatch({ count: 2 }), (bytes) => bytes.writeInt16BE(codec, 21));
    const { errorCode } = await door.produce('compressed', 0, batch, { version: 7 });
    assert.is(errorCode, ERROR.NONE, `codec ${codec}`);
    sent.push(ownBytes(batch));
  }
  assert.equal(batchesOf(await door.fetch('compressed')).map(ownBytes), sent);
});

test.run();
