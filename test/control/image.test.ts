/** The cluster image: the same records give the same image, by every way they can travel. */
import { Packr } from 'msgpackr';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { Prng } from '#src/base/prng.js';
import { applyDelta, type ImageDelta, touchedTopics } from '#src/control/delta.js';
import {
  applyBatch,
  applyRecord,
  type ClusterImage,
  EMPTY_IMAGE,
  isInternalTopic,
  liveBrokers,
  rememberedOutcome,
} from '#src/control/image.js';
import { decodeImage, encodeImage } from '#src/control/image-codec.js';
import { OUTCOMES_PER_GENERATION } from '#src/control/limits.js';
import { decodeRecord, encodeRecord, type MetadataRecord } from '#src/control/records.js';
import { createRecord, idOf, imageHash, imageWithBrokers, registerRecord } from './fixtures.js';

/** A record that may follow `image`, drawn from `random`. */
function nextRecord(image: ClusterImage, random: Prng, n: number): MetadataRecord {
  const topics = [...image.topicsById.values()];
  const topic = topics.length === 0 ? undefined : random.pick(topics);
  const nodeId = random.int(1, 5);
  const brokers = [1, 2, 3].map((id) => ((id + n) % 5) + 1);
  switch (random.int(0, topic === undefined ? 6 : 10)) {
    case 0:
      return registerRecord(nodeId, random.chance(0.5) ? 'a' : null);
    case 1:
      return { kind: 'fence-broker', nodeId, incarnation: idOf('run', nodeId) };
    case 2:
      return { kind: 'unfence-broker', nodeId, incarnation: idOf('run', nodeId) };
    case 3:
      return {
        kind: 'producer-id-block',
        nodeId,
        firstProducerId: image.nextProducerId,
        count: 1000,
      };
    case 4:
      return { kind: 'outcome', requestId: `r${n}`, result: Buffer.alloc(random.int(0, 2000)) };
    case 5:
    case 6:
      return createRecord(`t.${n}`, idOf('id', n), random.int(1, 6), brokers);
    case 7:
      return { kind: 'delete-topic', topicId: topic?.topicId as string };
    case 8:
      return {
        kind: 'add-partitions',
        topicId: topic?.topicId as string,
        firstPartition: topic?.partitions.length as number,
        voters: topic?.partitions[0]?.replicas ?? [],
        partitions: [[0]],
      };
    default:
      return random.chance(0.3)
        ? { kind: 'forget-deleted', through: random.int(0, image.appliedOffset + 1) }
        : {
            kind: 'topic-configs',
            topicId: topic?.topicId as string,
            configs: { 'retention.ms': String(n), 'segment.bytes': '65536' },
          };
  }
}

test('one by one, through bytes, by snapshot and tail, by delta: the same hash (R5, M1)', () => {
  for (let seed = 1; seed <= 20; seed++) {
    const random = new Prng(seed);
    let image = EMPTY_IMAGE;
    const values: Buffer[] = [];
    for (let n = 0; n < 400; n++) {
      const record = nextRecord(image, random, n);
      image = applyRecord(image, record);
      values.push(encodeRecord(record));
    }
    const cut = random.int(0, values.length);
    const records = values.map(decodeRecord);
    const replayed = records.reduce(applyRecord, EMPTY_IMAGE);
    const head = records.slice(0, cut).reduce(applyRecord, EMPTY_IMAGE);
    const restored = decodeImage(encodeImage(head));
    const tail: ImageDelta = {
      kind: 'records',
      from: cut,
      to: records.length,
      records: structuredClone(records.slice(cut)),
    };
    const shard = applyDelta(
      applyDelta(EMPTY_IMAGE, { kind: 'full', to: cut, bytes: encodeImage(head) }),
      tail,
    );
    const expected = imageHash(image);
    assert.is(imageHash(replayed), expected, `seed ${seed}`);
    assert.is(imageHash(applyBatch(restored, records.slice(cut), cut)), expected, `seed ${seed}`);
    assert.is(imageHash(shard), expected, `seed ${seed}`);
    assertDerived(shard, image);
    assertDerived(decodeImage(encodeImage(image)), image);
  }
});

/** Fields that are not in the bytes are rebuilt to the same values. */
function assertDerived(actual: ClusterImage, expected: ClusterImage): void {
  assert.is(actual.partitionCount, expected.partitionCount);
  assert.equal(new Map([...actual.loads].sort()), new Map([...expected.loads].sort()));
  assert.equal(new Map([...actual.foldedNames].sort()), new Map([...expected.foldedNames].sort()));
  const count = [...actual.topics.values()].reduce((sum, t) => sum + t.partitions.length, 0);
  assert.is(actual.partitionCount, count);
  assert.is(actual.topics.size, actual.topicsById.size);
}

test('applying a record leaves the image before it as it was', () => {
  const before = imageWithBrokers(3);
  const hash = imageHash(before);
  const topic = applyRecord(before, createRecord('a', idOf('id', 1), 3, [1, 2, 3]));
  applyRecord(topic, { kind: 'delete-topic', topicId: idOf('id', 1) });
  assert.is(imageHash(before), hash);
  assert.is(before.topics.size, 0);
  assert.is(topic.topics.get('a')?.partitions[2]?.replicas[0]?.nodeId, 3);
});

test('a batch must be the next one, and records must be able to follow', () => {
  assert.throws(() => applyBatch(EMPTY_IMAGE, [], 5), /not the next/);
  const image = applyRecord(imageWithBrokers(3), createRecord('a', idOf('id', 1), 1, [1]));
  assert.throws(() => applyRecord(image, createRecord('a', idOf('id', 2), 1, [1])), /new by name/);
  assert.throws(() => applyRecord(image, { kind: 'delete-topic', topicId: 'x' }), /exists/);
  assert.throws(
    () =>
      applyRecord(applyRecord(image, { kind: 'cluster-id', clusterId: 'c' }), {
        kind: 'cluster-id',
        clusterId: 'd',
      }),
    /once/,
  );
});

test('fencing names the process: a late fence never hits a restarted broker', () => {
  const image = imageWithBrokers(2);
  assert.equal(
    liveBrokers(image).map((b) => b.nodeId),
    [1, 2],
  );
  const late = applyRecord(image, { kind: 'fence-broker', nodeId: 1, incarnation: 'older' });
  assert.is(late.brokers.get(1)?.isFenced, false);
  const fenced = applyRecord(image, {
    kind: 'fence-broker',
    nodeId: 1,
    incarnation: idOf('run', 1),
  });
  assert.equal(
    liveBrokers(fenced).map((b) => b.nodeId),
    [2],
  );
});

test('outcomes are remembered for at least one generation, and bounded', () => {
  let image = EMPTY_IMAGE;
  for (let n = 0; n < OUTCOMES_PER_GENERATION * 5; n++) {
    image = applyRecord(image, {
      kind: 'outcome',
      requestId: `r${n}`,
      result: Buffer.from([n % 256]),
    });
    const oldest = Math.max(0, n - OUTCOMES_PER_GENERATION + 1);
    assert.ok(rememberedOutcome(image, `r${oldest}`), `r${oldest} at ${n}`);
  }
  const { current, previous } = image.outcomes;
  assert.ok(current.size + previous.size <= 2 * OUTCOMES_PER_GENERATION);
  assert.is(rememberedOutcome(image, 'r0'), undefined);
});

test('records of an unknown kind, version or shape stop the node with a reason', () => {
  const packr = new Packr({ useRecords: false });
  const codeOf = (value: unknown): string => {
    try {
      decodeRecord(packr.pack(value));
      return 'decoded';
    } catch (error) {
      return `${(error as { code: string }).code}: ${(error as Error).message}`;
    }
  };
  assert.match(
    codeOf({ version: 0, kind: 'voter-change' }),
    /CORRUPT: .*unknown kind "voter-change"/,
  );
  assert.match(codeOf({ version: 9, kind: 'delete-topic', topicId: 'x' }), /CORRUPT: .*version 9/);
  assert.match(codeOf({ kind: 'delete-topic' }), /CORRUPT/);
  assert.match(codeOf([1, 2]), /CORRUPT/);
  assert.match(codeOf({ version: 0, kind: 'constructor' }), /CORRUPT/);
  assert.throws(
    () => applyRecord(EMPTY_IMAGE, { kind: 'feature-level', level: 99 }),
    (error: { code: string }) => error.code === 'CORRUPT',
  );
});

test('a delta says which topics it touched', () => {
  const records: MetadataRecord[] = [
    createRecord('a', idOf('id', 1), 1, [1]),
    { kind: 'delete-topic', topicId: idOf('id', 2) },
    { kind: 'fence-broker', nodeId: 1, incarnation: 'x' },
  ];
  const touched = touchedTopics({ kind: 'records', from: 0, to: 3, records });
  assert.equal(touched, new Set([idOf('id', 1), idOf('id', 2)]));
  assert.is(isInternalTopic('__consumer_offsets'), true);
});

test('10,000 topics: one more costs microseconds, not a copy of everything', () => {
  let image = imageWithBrokers(3);
  for (let n = 0; n < 10_000; n++) {
    image = applyRecord(image, createRecord(`topic-${n}`, idOf('id', n), 1, [1, 2, 3]));
  }
  const before = performance.now();
  for (let n = 0; n < 1_000; n++) {
    const topicId = idOf('id', n);
    image = applyRecord(image, { kind: 'topic-configs', topicId, configs: { a: String(n) } });
  }
  const perRecordMs = (performance.now() - before) / 1_000;
  assert.ok(perRecordMs < 0.5, `${perRecordMs} ms a record`);
});

test.run();
