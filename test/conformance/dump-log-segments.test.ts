/**
 * Kafka's own DumpLogSegments over segments and indexes of ours. It ends with exit code 0 on most
 * damage, so its words are read: none of its complaints may appear, every batch and index entry
 * must, and a flipped byte must be noticed, or the test proves nothing.
 */
import { copyFileSync, readFileSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { NodeDisk } from '#src/log/node-disk.js';
import { crc32c } from '#src/native/crc32c.js';
import { BATCH_CRC_START, BATCH_HEADER_BYTES, readBatchHeader } from '#src/records/batch.js';
import { Prng } from '#src/base/prng.js';
import { Bench, makeBatch } from '../log/support.js';
import { javaArguments, missingKafkaJars } from '../support/clients.js';
import { mustRun } from '../support/command.js';
import { testWith } from '../support/requires.js';
import { tempDir } from '../support/temp-dir.js';

const kafkaTest = testWith(missingKafkaJars());
const COMPLAINTS = [
  'isvalid: false',
  'Non-consecutive offsets',
  'Mismatches',
  'invalid bytes',
  'Index timestamp',
  'out of order',
  'should not be',
  'Exception',
];

/** Kafka 4.3.1 counts from -1 in every file: the start of any later segment is such a line. */
const START_OF_SEGMENT =
  /Non-consecutive offsets in \S*\/0*(\d+)\.log\n\s*-1 is followed by \1\n?/g;

/** The same records, compressed the way a client does it: payload and length change, CRC anew. */
function compressed(bytes: Buffer): Buffer {
  const payload = gzipSync(bytes.subarray(BATCH_HEADER_BYTES));
  const batch = Buffer.concat([bytes.subarray(0, BATCH_HEADER_BYTES), payload]);
  batch.writeInt32BE(batch.length - 12, 8);
  batch.writeInt16BE(1, 21);
  const checked = batch.length - BATCH_CRC_START;
  batch.writeUInt32BE(crc32c(batch, BATCH_CRC_START, checked), 17);
  return batch;
}

/** A folder with segments: epochs, a truncation, times that go back, a clean stop or a kill. */
async function writeLog(isClean: boolean): Promise<string> {
  const disk = new NodeDisk();
  const root = tempDir('dump');
  const bench = new Bench(disk, join(root, 'orders-0'), 256 << 10);
  const config = { segmentBytes: 64 << 10, indexIntervalBytes: 1 << 10 };
  bench.open({ config });
  const prng = new Prng(11);
  for (let epoch = 0; epoch < 6; epoch++) {
    bench.startEpoch(epoch);
    bench.wal.flushNow();
    for (let i = 0; i < 80; i++) appendOne(bench, prng, epoch);
    if (epoch === 2 || epoch === 4) truncateSome(bench);
  }
  if (isClean) bench.closeCleanly();
  else {
    bench.log.closeAbruptly();
    bench.wal.closeAbruptly();
    bench.open({ config });
    assert.is(bench.log.isForgetful, false);
    bench.startEpoch(9);
    for (let i = 0; i < 80; i++) appendOne(bench, prng, 9);
    bench.closeCleanly();
  }
  await disk.shutDown();
  return bench.directory;
}

function appendOne(bench: Bench, prng: Prng, leaderEpoch: number): void {
  const { log } = bench;
  const plain = makeBatch({
    baseOffset: log.logEnd.offset,
    leaderEpoch,
    records: prng.int(1, 20),
    valueBytes: prng.int(1, 100),
    timestamp: 1_700_000_000_000 + log.logEnd.offset * 10 - prng.int(0, 3_000),
  });
  const bytes = prng.chance(0.3) ? compressed(plain) : plain;
  log.appendBatch(bytes, 0, bytes.length, readBatchHeader(bytes, 0));
}

/** Back to a batch boundary some way before the end. */
function truncateSome(bench: Bench): void {
  const { log } = bench;
  const back = log.locate(log.logEnd.offset - 300, 1, log.logEnd.offset);
  assert.ok(back !== null);
  log.truncateTo({ offset: back.baseOffset, marks: log.logEnd.marks });
}

async function dump(files: readonly string[]): Promise<string> {
  const { stdout, stderr } = await mustRun('java', [
    ...javaArguments(),
    'org.apache.kafka.tools.DumpLogSegments',
    '--deep-iteration',
    '--files',
    files.join(','),
  ]);
  return (stdout + stderr).replace(START_OF_SEGMENT, '');
}

const complaintsIn = (output: string) => COMPLAINTS.filter((text) => output.includes(text));

for (const isClean of [true, false]) {
  const how = isClean ? 'a clean stop' : 'a stop without closing and a recovery';
  kafkaTest(`it reads segments and indexes after ${how} without a complaint`, async () => {
    const directory = await writeLog(isClean);
    const names = readdirSync(directory).filter((name) => /\.(log|index|timeindex)$/.test(name));
    assert.ok(names.length >= 12, 'several segments');
    const output = await dump(names.map((name) => join(directory, name)));
    assert.equal(complaintsIn(output), [], output);
    assert.ok(output.split('baseOffset: ').length > 400, 'every batch is listed');
    assert.ok(output.split('\noffset: ').length > 100, 'offset index entries are listed');
    assert.ok(output.split('\ntimestamp: ').length > 50, 'time index entries are listed');
  });
}

kafkaTest('it notices a flipped byte in a log and in each index', async () => {
  const directory = await writeLog(true);
  const base = readdirSync(directory)
    .find((name) => name.endsWith('.log'))
    ?.slice(0, -4) as string;
  const path = (suffix: string) => join(directory, `${base}.${suffix}`);
  for (const [suffix, position] of [
    ['log', 3_000],
    ['index', 8 * 20 + 3],
    ['timeindex', 12 * 5 + 7],
  ] as const) {
    copyFileSync(path(suffix), path('saved'));
    const bytes = readFileSync(path(suffix));
    bytes[position] = (bytes[position] as number) ^ 0x10;
    writeFileSync(path(suffix), bytes);
    const output = await dump([path(suffix)]).catch((error: Error) => error.message);
    assert.not.match(output, 'ClassNotFound');
    assert.ok(complaintsIn(output).length > 0, `${suffix}: ${output.slice(-500)}`);
    copyFileSync(path('saved'), path(suffix));
  }
});

kafkaTest('it reads the epoch checkpoint and the metadata as its own', async () => {
  const directory = await writeLog(true);
  const epochs = readFileSync(join(directory, 'leader-epoch-checkpoint'), 'utf8').split('\n');
  assert.is(epochs[0], '0');
  assert.is(Number(epochs[1]), epochs.length - 3);
  assert.match(epochs[2] as string, /^0 0$/);
  const metadata = readFileSync(join(directory, 'partition.metadata'), 'utf8');
  assert.match(metadata, /^version: 0\ntopic_id: \S{22}$/);
});

test.run();
