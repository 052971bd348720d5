/** Whose directory it is: every doubt stops the start and names both sides. */
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { LograftError } from '#src/base/errors.js';
import {
  checkDirectory,
  META_PROPERTIES,
  readMetaProperties,
  writeMetaProperties,
} from '#src/control/meta-properties.js';
import { idOf } from './fixtures.js';
import { MemoryDisk } from './memory-disk.js';

const META = { nodeId: 2, directoryId: idOf('dir', 2), clusterId: idOf('cluster', 1) };
const PATH = `/data/node-2/${META_PROPERTIES}`;

function failureOf(act: () => unknown): LograftError {
  try {
    act();
  } catch (error) {
    if (error instanceof LograftError) return error;
    throw error;
  }
  throw new Error('expected a LograftError');
}

function readText(text: string): unknown {
  const disk = new MemoryDisk();
  disk.files.set(PATH, Buffer.from(text));
  return readMetaProperties(disk, '/data/node-2');
}

test("what is written is read back, in Kafka's form", () => {
  const disk = new MemoryDisk();
  assert.is(readMetaProperties(disk, '/data/node-2'), null);
  writeMetaProperties(disk, '/data/node-2', { ...META, clusterId: null });
  assert.equal(readMetaProperties(disk, '/data/node-2'), { ...META, clusterId: null });
  writeMetaProperties(disk, '/data/node-2', META);
  assert.equal(readMetaProperties(disk, '/data/node-2'), META);
  assert.equal(disk.list('/data/node-2'), [META_PROPERTIES]);
  assert.is(disk.openFiles, 0);
  const lines = (disk.files.get(PATH) as Buffer).toString().split('\n');
  assert.equal(lines.slice(0, 4), [
    'version=1',
    `cluster.id=${META.clusterId}`,
    'node.id=2',
    `directory.id=${META.directoryId}`,
  ]);
});

test('damage is named, and a newer format is left alone', () => {
  const whole = `version=1\nnode.id=2\ndirectory.id=${META.directoryId}\nlograft.format=1\n`;
  assert.ok(readText(whole));
  assert.ok(readText(`# a comment\n${whole}\n`));
  const codeOf = (text: string): string => failureOf(() => readText(text)).code;
  assert.is(codeOf(''), 'CORRUPT');
  assert.is(codeOf('\0\0\0\0'), 'CORRUPT');
  assert.is(codeOf(whole.replace('version=1', 'version=7')), 'CORRUPT');
  assert.is(codeOf(whole.replace('node.id=2', 'node.id=x')), 'CORRUPT');
  assert.is(codeOf(whole.replace(META.directoryId, 'short')), 'CORRUPT');
  assert.is(codeOf(whole.replace('lograft.format=1', 'lograft.format=9')), 'CORRUPT');
  assert.is(codeOf(whole.replace('lograft.format=1\n', '')), 'DIRECTORY_FOREIGN');
});

test("another node's or cluster's directory is refused, naming both and the way out", () => {
  const expected = {
    directory: '/data/node-2',
    nodeId: 2,
    hasData: true,
    clusterId: META.clusterId,
  };
  checkDirectory(META, expected);
  checkDirectory(META, { ...expected, clusterId: null });
  checkDirectory(null, { ...expected, hasData: false });
  checkDirectory({ ...META, clusterId: null }, { ...expected, hasData: false });
  const refused = [
    [
      META,
      { ...expected, clusterId: 'another-cluster' },
      /belongs to cluster cluster1.*another-cluster/,
    ],
    [META, { ...expected, nodeId: 3 }, /belongs to node 2, not to node 3/],
    [null, expected, /holds data but no meta\.properties/],
    [{ ...META, clusterId: null }, expected, /without an id/],
  ] as const;
  for (const [meta, what, message] of refused) {
    const failure = failureOf(() => checkDirectory(meta, what));
    assert.is(failure.code, 'DIRECTORY_FOREIGN');
    assert.match(failure.message, message);
    assert.ok(failure.hint);
  }
});

test.run();
