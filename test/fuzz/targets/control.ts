/**
 * The metadata log's records and the snapshots of its image: what was written comes back, damage is
 * CORRUPT or a damage in words, and a snapshot with something missing is never an image.
 */
import { LograftError } from '#src/base/errors.js';
import { applyRecord, type ClusterImage } from '#src/control/image.js';
import { decodeRecord, encodeRecord, type MetadataRecord } from '#src/control/records.js';
import { decodeSnapshot, encodeSnapshot } from '#src/control/snapshot-file.js';
import fc from 'fast-check';
import * as assert from 'uvu/assert';
import {
  createRecord,
  idOf,
  imageHash,
  imageWithBrokers,
  registerRecord,
} from '../../control/fixtures.js';
import { target } from '../fuzz-target.js';
import { guarded } from '../guard.js';
import { damaged, edits, firstDifference, garbage } from '../mutate.js';

const isCorrupt = (error: unknown): boolean =>
  error instanceof LograftError && error.code === 'CORRUPT';
// Names that the rules for topics and configs refuse are not in any record.
const name = fc.string({ minLength: 1, maxLength: 12 }).filter((text) => text !== '__proto__');

const records: fc.Arbitrary<MetadataRecord> = fc.oneof(
  fc.nat(5).map((nodeId) => registerRecord(nodeId + 1, nodeId % 2 === 0 ? null : 'rack')),
  fc
    .tuple(name, fc.nat(99), fc.integer({ min: 1, max: 4 }))
    .map(([topic, id, partitions]) =>
      createRecord(topic, idOf('topic', id), partitions, [1, 2, 3]),
    ),
  fc.nat(99).map((id) => ({ kind: 'delete-topic' as const, topicId: idOf('topic', id) })),
  fc
    .tuple(fc.nat(99), fc.dictionary(name, name, { noNullPrototype: true }))
    .map(([id, configs]) => ({
      ...{ kind: 'topic-configs' as const, topicId: idOf('topic', id), configs },
    })),
  fc.maxSafeNat().map((firstProducerId) => ({
    ...{ kind: 'producer-id-block' as const, nodeId: 1, firstProducerId, count: 1000 },
  })),
  fc.tuple(name, fc.uint8Array({ maxLength: 20 })).map(([requestId, result]) => ({
    ...{ kind: 'outcome' as const, requestId, result: Buffer.from(result) },
  })),
);

function imageOf(topics: readonly string[]): ClusterImage {
  let image = imageWithBrokers(3);
  for (const [i, topic] of [...new Set(topics)].entries()) {
    image = applyRecord(image, createRecord(topic, idOf('topic', i), (i % 3) + 1, [1, 2, 3]));
  }
  return image;
}

export const CONTROL_TARGETS = [
  target('metadata-records', () =>
    fc.property(records, edits, garbage, (record, list, other) => {
      const bytes = encodeRecord(record);
      assert.equal(decodeRecord(bytes), record);
      for (const broken of [damaged(bytes, list), other]) {
        const decoded = guarded(broken.length, isCorrupt, () => decodeRecord(broken));
        if ('value' in decoded) assert.type(decoded.value.kind, 'string');
      }
    }),
  ),
  target(
    'metadata-snapshots',
    () =>
      fc.property(fc.array(name, { maxLength: 5 }), edits, garbage, (topics, list, other) => {
        const image = imageOf(topics);
        const position = { offset: image.appliedOffset, marks: 3 };
        const bytes = encodeSnapshot({ position, leaderEpoch: 2, image });
        const decoded = decodeSnapshot(bytes);
        assert.ok('image' in decoded);
        assert.is(imageHash(decoded.image), imageHash(image));
        for (const broken of [damaged(bytes, list), other]) {
          const read = guarded(broken.length, isCorrupt, () => decodeSnapshot(broken));
          if ('error' in read || 'damage' in read.value) continue;
          assert.is(firstDifference(broken, bytes), -1, 'a damaged snapshot was read');
        }
      }),
    50,
  ),
];
