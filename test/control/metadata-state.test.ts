/** Snapshots of the metadata: bounds, damage, and a node that is far behind. */
import { createHash } from 'node:crypto';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import type { LograftError } from '#src/base/errors.js';
import { applyRecord, type ClusterImage, EMPTY_IMAGE } from '#src/control/image.js';
import { SNAPSHOT_RECORDS_MAX } from '#src/control/limits.js';
import { MetadataState } from '#src/control/metadata-state.js';
import { encodeRecord, type MetadataRecord } from '#src/control/records.js';
import { decodeSnapshot, encodeSnapshot, snapshotName } from '#src/control/snapshot-file.js';
import { silentLogger } from '#src/observability/logger.js';
import { FakeMetadataLog } from './fake-metadata-log.js';
import { createRecord, idOf, imageHash } from './fixtures.js';
import { MemoryDisk } from './memory-disk.js';

const FOLDER = '/data/__cluster_metadata-0';

function open(disk: MemoryDisk, snapshotBytesMax = 1e9): MetadataState {
  return new MetadataState({ disk, directory: FOLDER, snapshotBytesMax, logger: silentLogger });
}

/** Commits `count` topic creations at the log's end and returns the image they make. */
function commit(log: FakeMetadataLog, image: ClusterImage, count: number): ClusterImage {
  let next = image;
  for (let i = 0; i < count; i++) {
    const n = next.appliedOffset;
    const record: MetadataRecord = createRecord(`t-${n}`, idOf('id', n), 1, [1, 2, 3]);
    next = applyRecord(next, record);
    log.append({ baseOffset: n, values: [encodeRecord(record)], sizeBytes: 1_000 });
  }
  return next;
}

function applyAll(state: MetadataState, log: FakeMetadataLog): void {
  while (state.applyNext(log.logEndOffset) !== null);
  state.settleAt({ offset: log.logEndOffset, marks: 3 }, 7);
}

test('start: newest snapshot, then the log; the log is trimmed behind the older one', () => {
  const disk = new MemoryDisk();
  const log = new FakeMetadataLog();
  const state = open(disk, 10_000);
  state.attach(log);
  let image = EMPTY_IMAGE;
  for (let round = 0; round < 5; round++) {
    image = commit(log, image, 12);
    applyAll(state, log);
    disk.settle();
  }
  image = commit(log, image, 3);
  applyAll(state, log);
  assert.equal(disk.list(FOLDER), [
    '00000000000000000048-0000000007.checkpoint',
    '00000000000000000060-0000000007.checkpoint',
  ]);
  assert.is(log.logStartOffset, 48);
  assert.is(disk.openFiles, 0);
  assert.is(imageHash(state.image), imageHash(image));

  const again = open(disk);
  assert.is(again.image.appliedOffset, 60);
  again.attach(log);
  applyAll(again, log);
  assert.is(imageHash(again.image), imageHash(image));
});

test('a snapshot is due after so many records too', () => {
  const disk = new MemoryDisk();
  const log = new FakeMetadataLog();
  const state = open(disk);
  state.attach(log);
  commit(log, EMPTY_IMAGE, SNAPSHOT_RECORDS_MAX);
  applyAll(state, log);
  disk.settle();
  assert.is(disk.list(FOLDER).length, 1);
});

test('every flipped bit is noticed: nothing is ever read as deleted (NATS 7549)', () => {
  let image = EMPTY_IMAGE;
  for (let n = 0; n < 3; n++)
    image = applyRecord(image, createRecord(`t${n}`, idOf('i', n), 1, [1]));
  const whole = encodeSnapshot({ position: { offset: 3, marks: 1 }, leaderEpoch: 2, image });
  assert.not.ok('damage' in decodeSnapshot(whole));
  for (let bit = 0; bit < whole.length * 8; bit++) {
    const flipped = Buffer.from(whole);
    flipBit(flipped, bit);
    assert.ok('damage' in decodeSnapshot(flipped), `bit ${bit}`);
  }
  for (const length of [0, 1, 63, 64, whole.length - 1]) {
    assert.ok('damage' in decodeSnapshot(whole.subarray(0, length)), `cut to ${length}`);
  }
  assert.ok('damage' in decodeSnapshot(Buffer.concat([whole, Buffer.alloc(1)])));
});

test('a damaged newest snapshot costs a longer replay and is kept aside', () => {
  const disk = new MemoryDisk();
  const log = new FakeMetadataLog();
  const state = open(disk, 10_000);
  state.attach(log);
  let image = EMPTY_IMAGE;
  for (let round = 0; round < 3; round++) {
    image = commit(log, image, 12);
    applyAll(state, log);
    disk.settle();
  }
  const newest = `${FOLDER}/00000000000000000036-0000000007.checkpoint`;
  flipBit(disk.files.get(newest) as Buffer, 802);
  disk.files.set(`${FOLDER}/00000000000000000099-0000000007.checkpoint.tmp`, Buffer.from('half'));

  const again = open(disk);
  assert.is(again.image.appliedOffset, 24);
  again.attach(log);
  applyAll(again, log);
  assert.is(imageHash(again.image), imageHash(image));
  assert.equal(
    disk.list(FOLDER).filter((name) => !name.endsWith('.checkpoint')),
    ['00000000000000000036-0000000007.checkpoint.damaged'],
  );
});

test('when log and snapshots leave a gap the node stops instead of starting empty', () => {
  const disk = new MemoryDisk();
  const log = new FakeMetadataLog();
  log.resetTo(50);
  assert.throws(
    () => open(disk).attach(log),
    (error: LograftError) => error.code === 'CORRUPT' && /begins at 50/.test(error.message),
  );
});

test('a snapshot of a newer format stops the node and stays where it is', () => {
  const disk = new MemoryDisk();
  const snapshot = { position: { offset: 0, marks: 0 }, leaderEpoch: 1, image: EMPTY_IMAGE };
  const bytes = newerFormat(encodeSnapshot(snapshot));
  const path = `${FOLDER}/${snapshotName(snapshot)}`;
  disk.files.set(path, bytes);
  assert.throws(() => open(disk), /format version 1 \(known: 0\)/);
  assert.ok(disk.files.has(path));
});

test("a node that is behind takes the leader's image and finds it again after a restart", () => {
  const log = new FakeMetadataLog();
  const leader = open(new MemoryDisk());
  leader.attach(log);
  const image = commit(log, EMPTY_IMAGE, 20);
  applyAll(leader, log);
  const { position, bytes } = leader.capture();
  assert.equal(position, { offset: 20, marks: 3 });

  const disk = new MemoryDisk();
  const follower = open(disk);
  const followerLog = new FakeMetadataLog();
  follower.attach(followerLog);
  const flipped = Buffer.from(bytes);
  flipBit(flipped, 720);
  assert.throws(() => follower.install(position, flipped), /checksum/);
  assert.is(follower.image.appliedOffset, 0);

  assert.is(follower.install(position, bytes)?.to, 20);
  assert.is(follower.install(position, bytes), null);
  assert.is(imageHash(follower.image), imageHash(image));
  // Crash before the log was reset: the snapshot is ahead of the log, which is harmless.
  const restarted = open(disk);
  restarted.attach(followerLog);
  assert.is(restarted.applyNext(5), null);
  assert.is(imageHash(restarted.image), imageHash(image));
});

function flipBit(bytes: Buffer, bit: number): void {
  bytes[bit >> 3] = (bytes[bit >> 3] as number) ^ (1 << (bit & 7));
}

function newerFormat(bytes: Buffer): Buffer {
  const newer = Buffer.from(bytes);
  newer.writeUInt32BE(1, 4);
  const hash = createHash('sha256').update(newer.subarray(0, 8)).update(newer.subarray(40));
  newer.set(hash.digest(), 8);
  return newer;
}

test.run();
