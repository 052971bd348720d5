/** `log verify` and `log dump` over files that are whole, torn, flipped, or not logs at all. */
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { segmentPath } from '#src/log/names.js';
import { type BatchReport, verifyFile, verifyFolder } from '#src/log/verify.js';
import { MemoryDisk } from './memory-disk.js';
import { Bench, DIRECTORY, makeBatch } from './support.js';

const PATH = segmentPath('/data/x-0', 100, 'log');

function planted(...parts: Uint8Array[]): MemoryDisk {
  const disk = new MemoryDisk();
  disk.makeDirectory('/data/x-0');
  disk.plant(PATH, Buffer.concat(parts));
  return disk;
}

const batch = (baseOffset: number, leaderEpoch = 1, valueBytes = 50) =>
  makeBatch({ baseOffset, leaderEpoch, valueBytes, records: 2 });

test('a whole file', () => {
  const report = verifyFile(planted(batch(100), batch(102), batch(104, 3)), PATH);
  assert.equal(report, {
    file: PATH,
    batches: 3,
    baseOffset: 100,
    nextOffset: 106,
    bytes: batch(100).length * 3,
    damage: [],
  });
});

test('an empty file, and one that is not a log', () => {
  assert.equal(verifyFile(planted(), PATH).damage, []);
  assert.is(verifyFile(planted(), PATH).nextOffset, 100);
  const garbage = verifyFile(planted(Buffer.alloc(100_000, 'not a log ')), PATH);
  assert.equal(garbage.damage, [{ position: 0, kind: 'bad-header' }]);
  assert.is(garbage.batches, 0);
});

test('each damage has its place and kind, and what lies behind is read on', () => {
  const size = batch(100).length;
  const flipped = batch(102);
  flipped[size - 1] = (flipped[size - 1] as number) ^ 1;
  const cases: [Uint8Array[], { position: number; kind: string }[], number][] = [
    [[batch(100), flipped, batch(104)], [{ position: size, kind: 'bad-crc' }], 2],
    [[batch(100), batch(104)], [{ position: size, kind: 'hole' }], 2],
    [[batch(100, 3), batch(102, 2)], [{ position: size, kind: 'stale-epoch' }], 2],
    [[batch(101)], [{ position: 0, kind: 'hole' }], 1],
    [[batch(100), batch(102).subarray(0, 70)], [{ position: size, kind: 'torn-tail' }], 1],
    [[batch(100), new Uint8Array(300)], [{ position: size, kind: 'zero-tail' }], 1],
    [[batch(100), Buffer.alloc(77, 'x'), batch(102)], [{ position: size, kind: 'bad-header' }], 2],
  ];
  for (const [parts, damage, batches] of cases) {
    const report = verifyFile(planted(...parts), PATH);
    assert.equal(report.damage, damage);
    assert.is(report.batches, batches);
  }
});

test('every single flipped bit of the checked part is found', () => {
  const whole = Buffer.concat([batch(100), batch(102)]);
  for (let position = 0; position < whole.length; position++) {
    const inBatch = position % batch(100).length;
    // The leader epoch lies outside the checksum; it may rise unnoticed.
    if (inBatch >= 12 && inBatch < 16) continue;
    const bytes = Buffer.from(whole);
    bytes[position] = (bytes[position] as number) ^ (1 << (position % 8));
    assert.ok(verifyFile(planted(bytes), PATH).damage.length > 0, `byte ${position}`);
  }
});

test('a batch larger than any buffer is checked in pieces', () => {
  const big = makeBatch({ baseOffset: 100, leaderEpoch: 1, valueBytes: 3_000_000 });
  assert.equal(verifyFile(planted(big), PATH).damage, []);
  big[2_000_000] = 1;
  assert.equal(verifyFile(planted(big), PATH).damage, [{ position: 0, kind: 'bad-crc' }]);
});

test('a length that promises two gigabytes costs nothing', () => {
  const lying = batch(100);
  lying.writeInt32BE(2 ** 31 - 1, 8);
  assert.equal(verifyFile(planted(lying), PATH).damage, [{ position: 0, kind: 'torn-tail' }]);
});

test('dump tells batches and records', () => {
  const batches: BatchReport[] = [];
  verifyFile(planted(batch(100), batch(102)), PATH, {
    hasRecords: true,
    onBatch: (report) => batches.push(report),
  });
  assert.equal(
    batches.map(({ baseOffset, lastOffset, recordCount }) => [baseOffset, lastOffset, recordCount]),
    [
      [100, 101, 2],
      [102, 103, 2],
    ],
  );
  assert.is(batches[1]?.records?.[1]?.offset, 103);
  const value = Buffer.from(batches[0]?.records?.[0]?.value as string, 'base64').toString();
  assert.match(value, /^v-1-100;/);
});

test('a folder: every file, and that each goes on where the last one ended', () => {
  const disk = new MemoryDisk();
  const bench = new Bench(disk).open({ config: { segmentBytes: 600 } });
  bench.startEpoch(1);
  for (let i = 0; i < 20; i++) bench.append({ valueBytes: 100 });
  bench.closeCleanly();
  const reports = verifyFolder(disk, DIRECTORY);
  assert.ok(reports.length > 3);
  assert.ok(reports.every(({ damage }) => damage.length === 0));
  disk.unlink(reports[1]?.file as string);
  const broken = verifyFolder(disk, DIRECTORY).filter(({ damage }) => damage.length > 0);
  assert.equal(
    broken.map(({ damage }) => damage),
    [[{ position: 0, kind: 'hole' }]],
  );
});

test.run();
