/**
 * Small whole files: `replica-state`, the producers' snapshot, `partition.metadata`,
 * `meta.properties`, cluster.yml. Damaged ones are refused as a whole or read as they were written.
 */
import { LograftError } from '#src/base/errors.js';
import { parseClusterFile } from '#src/broker/config-file.js';
import { overridesOf } from '#src/broker/config-overrides.js';
import { readMetaProperties, writeMetaProperties } from '#src/control/meta-properties.js';
import { readPartitionTopicId } from '#src/log/kafka-files.js';
import { type Checkpoint, decodeCheckpoint, encodeCheckpoint } from '#src/log/replica-state.js';
import { newState } from '#src/log/replica-state.js';
import { crc32c } from '#src/native/crc32c.js';
import { parseProducers, serialiseProducers } from '#src/partition/producer-snapshot.js';
import fc from 'fast-check';
import * as assert from 'uvu/assert';
import { MemoryDisk as ControlDisk } from '../../control/memory-disk.js';
import { MemoryDisk } from '../../log/memory-disk.js';
import { batch, fresh } from '../../partition/producer-run.js';
import { target } from '../fuzz-target.js';
import { guarded } from '../guard.js';
import { damaged, edits, firstDifference, garbage, oneEdit } from '../mutate.js';

const TOPIC_ID = 'abcdefghijklmnopqrstuv';
const never = (): boolean => false;
const hasCode =
  (...codes: readonly string[]) =>
  (error: unknown): boolean =>
    error instanceof LograftError && codes.includes(error.code);

const checkpoints: fc.Arbitrary<Checkpoint> = fc
  .record(
    {
      topicId: fc.constant(TOPIC_ID),
      state: fc.record(
        { opSequence: fc.nat(), logStartOffset: fc.maxSafeNat(), isForgetful: fc.boolean() },
        { noNullPrototype: true },
      ),
      segments: fc.array(
        fc.record(
          { baseOffset: fc.maxSafeNat(), sizeBytes: fc.nat(), maxTimestamp: fc.maxSafeNat() },
          { noNullPrototype: true },
        ),
        { maxLength: 60 },
      ),
      closed: fc.option(fc.record({ logEndOffset: fc.maxSafeNat() }, { noNullPrototype: true })),
    },
    { noNullPrototype: true },
  )
  .map((made) => ({ ...made, state: { ...newState(), ...made.state } }));

/** A header line that says what the rest of the file is not. */
const headerLine = fc
  .tuple(
    fc.constantFrom('1', '2', '01', '1e0', ''),
    fc.constantFrom('00000000', 'ffffffff', '', 'zz', '-1'),
    fc.constantFrom('0', '1.5', '1e3', '-1', 'Infinity', '0x10', '', '9007199254740993'),
  )
  .map((words) => `lograft-replica-state ${words.join(' ')}\n{}\n\n`);

function textOf(): string {
  return [
    'clusterName: one',
    'host: 127.0.0.1',
    'basePort: 9092',
    'nodes:',
    '  - id: 1',
    '  - id: 2',
    '    rack: a',
    'settings:',
    '  num.partitions: 6',
    '  log.retention.ms: 1000',
    '',
  ].join('\n');
}

const yamlPieces = fc.constantFrom(
  ...[
    '&a [*a]',
    '*a',
    '<<: *a',
    '!!binary x',
    '? :',
    '[[[[',
    '{a: {a: ',
    '"\\u',
    '%YAML 9.9',
    '---',
  ],
  ...[
    '- - - -',
    '\t',
    'nodes: {}',
    'nodes: 7',
    'settings: [1]',
    '__proto__: 1',
    'id: 1e99',
    'null',
  ],
);
const yamlText = fc
  .array(fc.oneof(yamlPieces, fc.string({ maxLength: 12 }), fc.constant('\n')), { maxLength: 30 })
  .map((pieces) => pieces.join(' '));

function parseConfig(text: string): void {
  const isOwn = hasCode('CONFIG_INVALID');
  guarded(4 * text.length, isOwn, () => parseClusterFile('cluster.yml', text, []));
  const pristine: unknown = Object.getOwnPropertyNames({});
  assert.equal(pristine, []);
}

export const SMALL_FILE_TARGETS = [
  target('replica-state', () =>
    fc.property(checkpoints, oneEdit, headerLine, (checkpoint, damage, line) => {
      const bytes = encodeCheckpoint(checkpoint);
      assert.equal(decodeCheckpoint(bytes), checkpoint);
      const broken = damaged(bytes, damage);
      const isSameLength = broken.length === bytes.length;
      const read = guarded(broken.length, never, () => decodeCheckpoint(broken));
      assert.ok('value' in read);
      // One damaged place in one copy loses nothing; whatever is read is what was written.
      if (isSameLength) assert.ok(read.value, 'the other copy is sound');
      if (read.value !== null) assert.equal(read.value, checkpoint);
      guarded(line.length, never, () => decodeCheckpoint(Buffer.from(line)));
    }),
  ),
  target('producer-snapshot', () =>
    fc.property(fc.array(fc.nat(9), { maxLength: 12 }), edits, garbage, (ids, list, other) => {
      const state = fresh();
      for (const [i, id] of ids.entries()) state.applied(batch(i, 1, { id }), i);
      const bytes = serialiseProducers(state, crc32c);
      const parsed = parseProducers(bytes, crc32c);
      assert.equal(parsed?.producers.length, new Set(ids).size);
      const broken = damaged(bytes, list);
      if (firstDifference(broken, bytes) >= 0) assert.is(parseProducers(broken, crc32c), null);
      for (const sealed of [broken, Buffer.concat([bytes.subarray(0, 6), other])]) {
        if (sealed.length < 4) continue;
        sealed.writeUInt32BE(crc32c(sealed, 0, sealed.length - 4), sealed.length - 4);
        guarded(sealed.length, never, () => parseProducers(sealed, crc32c));
      }
    }),
  ),
  target('properties', () =>
    fc.property(fc.nat(), fc.boolean(), edits, garbage, (nodeId, hasCluster, list, other) => {
      const disk = new ControlDisk();
      const meta = { nodeId, directoryId: TOPIC_ID, clusterId: hasCluster ? TOPIC_ID : null };
      writeMetaProperties(disk, '/data', meta);
      assert.equal(readMetaProperties(disk, '/data'), meta);
      const path = '/data/meta.properties';
      const bytes = disk.files.get(path) as Buffer;
      for (const broken of [damaged(bytes, list), other]) {
        disk.files.set(path, broken);
        const isOwn = hasCode('CORRUPT', 'DIRECTORY_FOREIGN');
        const read = guarded(broken.length, isOwn, () => readMetaProperties(disk, '/data'));
        if ('value' in read && read.value !== null) assert.ok(read.value.nodeId >= 0);
      }
      const log = new MemoryDisk();
      log.plant('/data/partition.metadata', other);
      guarded(other.length, never, () => readPartitionTopicId(log, '/data'));
    }),
  ),
  target(
    'cluster-yml',
    () =>
      fc.property(edits, yamlText, fc.string({ maxLength: 40 }), (list, text, set) => {
        parseConfig(textOf());
        parseConfig(damaged(Buffer.from(textOf()), list).toString());
        parseConfig(text);
        const isOwn = hasCode('CONFIG_INVALID');
        guarded(set.length, isOwn, () => {
          for (const key of ['', 'basePort=', 'num.partitions=', 'nodes.1.', 'nodes.9.host=']) {
            parseClusterFile('cluster.yml', textOf(), overridesOf({}, [`${key}${set}`]));
          }
        });
      }),
    50,
  ),
];
