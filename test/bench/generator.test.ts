/**
 * The load generator against a broker in memory: what it counts is what was there, and each way in
 * which a broker can fail it makes the run invalid.
 */
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { FakeBroker, type FakeOptions, type Misbehaviour, TOPIC } from './fake-broker.js';
import { type Result, generate } from './generator-process.js';

const WINDOW = { warmupMs: 30, measureMs: 60 };
/** Long enough that a machine that runs other tests reads something in it. */
const LONG_WINDOW = { warmupMs: 30, measureMs: 500 };

async function withBroker(
  options: FakeOptions,
  body: (broker: FakeBroker) => Promise<void>,
): Promise<void> {
  const broker = await FakeBroker.start(options);
  try {
    await body(broker);
  } finally {
    await broker.stop();
  }
}

function produceJob(broker: FakeBroker, partitions: number, batchesMax: number | null = null) {
  const lanes = Array.from({ length: partitions }, (_, partition) => ({
    partitions: [partition],
    address: broker.address,
  }));
  const load = { inFlight: 3, recordsPerBatch: 7, recordBytes: 50 };
  return { kind: 'produce', topic: TOPIC, lanes, ...load, window: WINDOW, batchesMax };
}

function consumeJob(broker: FakeBroker, fetchBytes: number) {
  const lanes = [{ partition: 0, address: broker.address, endOffset: broker.endOffset(0) }];
  const load = { recordBytes: 50, fetchBytes, window: LONG_WINDOW };
  return { kind: 'consume', topic: TOPIC, lanes, ...load };
}

async function mustGenerate(job: object, onOpen?: () => void): Promise<Result> {
  const { result, failure } = await generate(job, onOpen);
  if (result === null) throw new Error(`no result: ${failure}`);
  return result;
}

test('producers count every acknowledged record of every partition', async () => {
  await withBroker({ partitions: 3 }, async (broker) => {
    const { result, windows, exitCode } = await generate(produceJob(broker, 3));
    assert.is(exitCode, 0);
    assert.equal(windows, [true, false]);
    if (result === null) throw new Error('no result');
    assert.equal(result.faults, {});
    assert.equal(
      result.recordsPerPartition,
      [0, 1, 2].map((partition) => broker.endOffset(partition)),
    );
    const all = result.recordsPerPartition.reduce((sum, count) => sum + count, 0);
    assert.is(all, broker.produceRequests * 7);
    assert.ok(result.records > 0 && result.records < all, 'the warm-up is not in the result');
    assert.is(result.records, result.requests * 7);
    assert.is(result.recordsBySixth.length, 6);
    assert.is(
      result.recordsBySixth.reduce((sum, count) => sum + count, 0),
      result.records,
    );
    assert.ok(result.cpuSeconds > 0 && result.cpuSeconds < 10);
    const { p50Us, p99Us, maxUs } = result.latencies;
    assert.ok(p50Us > 0 && p50Us <= p99Us && p99Us <= maxUs);
    assert.ok(result.elapsedMs >= 55, `${result.elapsedMs}`);
  });
});

test('a limited load writes exactly its batches', async () => {
  await withBroker({ partitions: 2 }, async (broker) => {
    const result = await mustGenerate(produceJob(broker, 2, 11));
    assert.equal(result.faults, {});
    assert.equal(result.recordsPerPartition, [77, 77]);
    assert.equal(result.recordsBySixth, []);
    assert.equal([broker.endOffset(0), broker.endOffset(1)], [77, 77]);
  });
});

test('a connection takes its partitions by turns, and two may share one', async () => {
  await withBroker({ partitions: 3 }, async (broker) => {
    const { address } = broker;
    const lanes = [
      { address, partitions: [0, 2] },
      { address, partitions: [2] },
    ];
    const result = await mustGenerate({ ...produceJob(broker, 1, 10), lanes });
    assert.equal(result.faults, {});
    assert.equal(result.recordsPerPartition, [35, 0, 105]);
    assert.equal([broker.endOffset(0), broker.endOffset(2)], [35, 105]);
  });
});

const FAULTS: readonly (readonly [Misbehaviour, RegExp])[] = [
  ['error', /^NOT_LEADER_OR_FOLLOWER$/],
  ['silent close', /^closed by the broker$|EPIPE|ECONNRESET/],
  ['same offset again', /^an offset given twice$/],
  ['wrong correlation id', /^answers out of order$/],
  ['other partition', /^an answer of another partition$/],
];

for (const [misbehaviour, fault] of FAULTS) {
  test(`${misbehaviour} makes a run invalid`, async () => {
    await withBroker({ misbehaviour, from: 5 }, async (broker) => {
      const result = await mustGenerate(produceJob(broker, 1));
      const { 'requests without an acknowledgement': missing, ...others } = result.faults;
      assert.is(missing, 3);
      assert.match(Object.keys(others).join(), fault);
      assert.equal(result.recordsPerPartition, [35]);
    });
  });
}

test('consumers read the backlog over and over, cut batches and all', async () => {
  await withBroker({}, async (broker) => {
    await mustGenerate(produceJob(broker, 1, 40));
    for (const fetchBytes of [1, 1_000, 1_000_000]) {
      const result = await mustGenerate(consumeJob(broker, fetchBytes));
      assert.equal(result.faults, {});
      assert.ok(result.records > 0);
      assert.is((result.recordsPerPartition[0] as number) % 7, 0);
    }
  });
});

test('a gap in what is read makes a run invalid', async () => {
  await withBroker({ misbehaviour: 'gap', from: 20 }, async (broker) => {
    await mustGenerate(produceJob(broker, 1, 40));
    const result = await mustGenerate(consumeJob(broker, 1_000));
    assert.equal(result.faults, { 'batches that do not follow each other': 1 });
  });
});

test('a producer that loses its connection goes on, and the gap is seen', async () => {
  await withBroker({ partitions: 2 }, async (broker) => {
    const bootstrap = [broker.address];
    const load = { partitions: 2, recordBytes: 50, settleMs: 100 };
    const job = { kind: 'failover', topic: TOPIC, bootstrap, ...load };
    const result = await mustGenerate(job, () => broker.dropConnections());
    assert.equal(result.faults, {});
    assert.is(result.gapsMs.length, 2);
    for (const gapMs of result.gapsMs) assert.ok(gapMs > 0 && gapMs < 2_000, `${gapMs}`);
    result.recordsPerPartition.forEach((count, partition) => {
      assert.ok(count > 0 && count <= broker.endOffset(partition));
    });
  });
});

test('a generator that cannot connect says so', async () => {
  const broker = await FakeBroker.start();
  const job = produceJob(broker, 1);
  await broker.stop();
  const { result, failure, exitCode } = await generate(job);
  assert.is(result, null);
  assert.match(failure ?? '', /ECONNREFUSED/);
  assert.is(exitCode, 1);
});

test.run();
