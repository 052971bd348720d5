/**
 * Files of the log room on a damaged disk: the write-ahead log, segments and what is scanned in
 * them, indexes. Damage is an error, an earlier end or a rebuild, never a throw of another kind,
 * and never something that was not written.
 */
import { LograftError } from '#src/base/errors.js';
import { findSoundBatch, scanBatches } from '#src/log/batch-scan.js';
import { headerAt, walkBatches } from '#src/log/batch-walk.js';
import { OffsetIndex, TimeIndex } from '#src/log/index-file.js';
import type { ReplicaOp } from '#src/log/log-types.js';
import { decodeFrame, encodeFrame, frameAt, sealFrame } from '#src/log/wal-frame.js';
import type { WalFrame } from '#src/log/wal-frame.js';
import { recoverWal } from '#src/log/wal-recovery.js';
import { nextOffsetOf } from '#src/records/batch.js';
import fc from 'fast-check';
import * as assert from 'uvu/assert';
import { makeBatch } from '../../log/support.js';
import { MemoryDisk } from '../../log/memory-disk.js';
import { target } from '../fuzz-target.js';
import { guarded } from '../guard.js';
import { damaged, edits, firstDifference, garbage, oneEdit } from '../mutate.js';

const PATH = '/data/0.log';
const never = (): boolean => false;
const isCorrupt = (error: unknown): boolean =>
  error instanceof LograftError && error.code === 'CORRUPT';
const count = fc.oneof(fc.nat(9), fc.nat(2 ** 31), fc.maxSafeNat());
const plain = { noNullPrototype: true };
const position = fc.record({ offset: count, marks: count }, plain);

const op: fc.Arbitrary<ReplicaOp> = fc.oneof(
  fc.tuple(fc.nat(), position).map(([epoch, at]) => ({
    ...{ kind: 'mark' as const, mark: { kind: 'epoch-start' as const, epoch, at } },
  })),
  fc.tuple(fc.nat(), position, count).map(([epoch, at, logStartOffset]) => ({
    ...{ kind: 'mark' as const, mark: { kind: 'log-start' as const, epoch, at, logStartOffset } },
  })),
  position.map((to) => ({ kind: 'truncate' as const, to })),
  count.map((offset) => ({ kind: 'unpromise' as const, offset })),
  fc
    .tuple(position, fc.array(fc.record({ epoch: fc.nat(), start: position }, plain)))
    .map(([to, epochs]) => ({ kind: 'reset' as const, to, epochs })),
  fc.tuple(count, position).map(([logStartOffset, start]) => ({
    ...{ kind: 'log-start' as const, logStartOffset, start },
  })),
  fc.tuple(count, count).map(([syncedOffset, promisedOffset]) => ({
    ...{ kind: 'synced' as const, syncedOffset, promisedOffset },
  })),
  fc.boolean().map((isForgetful) => ({ kind: 'forgetful' as const, isForgetful })),
);
const group = fc.nat(2).map((partition) => ({ topicId: 'abcdefghijklmnopqrstuv', partition }));
const hardState = fc.record(
  {
    term: fc.nat(),
    votedFor: fc.option(
      fc.record({ nodeId: fc.nat(), directoryId: fc.constantFrom('d1', 'd2') }, plain),
    ),
  },
  plain,
);
const stateFrame: fc.Arbitrary<WalFrame> = fc.oneof(
  fc.tuple(group, hardState).map(([key, state]) => ({
    ...{ kind: 'hard-state' as const, group: key, hardState: state },
  })),
  fc.tuple(group, count).map(([key, sequence]) => ({
    ...{ kind: 'group' as const, group: key, sequence },
  })),
  group.map((key) => ({ kind: 'removed' as const, group: key })),
  fc.constant({ kind: 'nothing' as const }),
);
const anyFrame: fc.Arbitrary<WalFrame> = fc.oneof(
  stateFrame,
  fc.tuple(group, count, op).map(([key, sequence, one]) => ({
    ...{ kind: 'operation' as const, group: key, sequence, op: one },
  })),
);

type WalFile = {
  readonly bytes: Buffer;
  /** Where each frame ends, in order. */
  readonly ends: readonly number[];
  /** Everything in front of it some frame calls synced. */
  readonly synced: number;
};

/** A file as the log writes it; every frame says that all before the one in front is synced. */
function walFile(generation: number, frames: readonly WalFrame[]): WalFile {
  const parts: Buffer[] = [];
  const ends: number[] = [];
  let [at, before] = [0, 0];
  let synced = 0;
  for (const frame of frames) {
    const bytes = encodeFrame(frame);
    sealFrame(bytes, 0, { generation, filePosition: at, syncedTo: before });
    synced = before;
    before = at;
    at += bytes.length;
    parts.push(bytes);
    ends.push(at);
  }
  parts.push(Buffer.alloc(64));
  return { bytes: Buffer.concat(parts), ends, synced };
}

/** What a file of these frames says. */
function stateOf(frames: readonly WalFrame[]): unknown {
  const disk = new MemoryDisk();
  disk.plant(PATH, walFile(1, frames).bytes);
  return plainState(recoverWal(disk, [PATH]));
}

function plainState({ groups }: ReturnType<typeof recoverWal>): unknown {
  return [...groups].map(([key, { hardState: state, sequence, ops }]) => [
    key,
    state,
    sequence,
    ops,
  ]);
}

const HEAD: readonly WalFrame[] = [{ kind: 'file-start' }, { kind: 'snapshot-end' }];

/** R6: a vote that was synced is there, or the log says CORRUPT; nothing is ever made up. */
function judgeWal(frames: readonly WalFrame[], file: WalFile, bytes: Buffer): void {
  const disk = new MemoryDisk();
  disk.plant(PATH, bytes);
  const recovered = guarded(bytes.length, isCorrupt, () => recoverWal(disk, [PATH]));
  if ('error' in recovered || recovered.value.slot === -1) return;
  const difference = firstDifference(bytes, file.bytes);
  const whole = difference < 0 ? frames.length : file.ends.filter((end) => end <= difference);
  const sound = typeof whole === 'number' ? whole : whole.length;
  const got = JSON.stringify(plainState(recovered.value));
  const prefixes = frames.map((_, i) => i + 1).filter((length) => length >= Math.max(2, sound));
  // A frame may have been repeated or moved into its own place again, so later ends are fine too.
  const isKnown = prefixes.some(
    (length) => got === JSON.stringify(stateOf(frames.slice(0, length))),
  );
  assert.ok(isKnown, `state of no prefix of ${sound} frames or more: ${got}`);
}

const BATCHES = Array.from({ length: 5 }, (_, i) =>
  makeBatch({ baseOffset: i * 2, leaderEpoch: 1, records: 2, valueBytes: 20 + 7 * i }),
);
const SEGMENT = Buffer.concat(BATCHES);

/** Batches in front of the damage are found, damage ends the scan, the rest is searched. */
function judgeSegment(bytes: Buffer): void {
  const disk = new MemoryDisk();
  disk.plant(PATH, bytes);
  const file = disk.openFile(PATH, 'read');
  const size = bytes.length;
  let expected = 0;
  const scanned = guarded(size, never, () =>
    scanBatches(disk, file, 0, size, 0, (header) => {
      if (header.baseOffset !== expected) return 'hole';
      if (header.leaderEpoch !== 1) return 'unknown-epoch';
      expected = nextOffsetOf(header);
      return null;
    }),
  );
  assert.ok('value' in scanned);
  const { end, damage } = scanned.value;
  assert.is(damage === null, end === size);
  // What was accepted is what was written: a checksum covers all that the judge did not see.
  assert.ok(bytes.subarray(0, end).equals(SEGMENT.subarray(0, end)), 'damage was accepted');
  const behind = guarded(size, never, () => findSoundBatch(disk, file, end, size, expected));
  assert.ok('value' in behind);
  if (behind.value !== null) assert.ok(headerAt(disk, file, behind.value, size));
  guarded(size, isCorrupt, () =>
    walkBatches(disk, file, 0, { offset: Infinity, filePosition: size }, () => true),
  );
}

function judgeIndex(bytes: Buffer): void {
  const disk = new MemoryDisk();
  disk.plant('/data/0.index', bytes);
  disk.plant('/data/0.timeindex', bytes);
  guarded(bytes.length, never, () => {
    const index = new OffsetIndex('/data/0.index', 100);
    if (index.load(disk, 10_000, 5_000)) {
      for (const offset of [0, 100, 1_000, 4_999, 9_999]) {
        const entry = index.lookup(offset);
        if (entry !== null) assert.ok(entry.lastOffset <= offset && entry.filePosition < 10_000);
      }
      index.truncateTo(50);
      assert.ok(index.count === 0 || index.entry(index.count - 1).filePosition < 50);
    }
    const times = new TimeIndex('/data/0.timeindex', 100);
    if (times.load(disk, 5_000)) times.last();
  });
}

const indexEntries = fc.array(fc.nat(90), { maxLength: 20 }).map((steps) => {
  const bytes = Buffer.alloc(steps.length * 8);
  let at = 0;
  for (const [i, step] of steps.entries()) {
    at += step + 1;
    bytes.writeUInt32BE(at, i * 8);
    bytes.writeUInt32BE(at * 2, i * 8 + 4);
  }
  return bytes;
});

export const LOG_TARGETS = [
  target('wal-frames', () =>
    fc.property(anyFrame, edits, (frame, list) => {
      const bytes = encodeFrame(frame);
      sealFrame(bytes, 0, { generation: 1, filePosition: 0, syncedTo: 0 });
      assert.equal(decodeFrame(bytes, 0), frame);
      // The checksum made right again: what is in a sound frame may still be nonsense.
      const broken = damaged(bytes, list);
      if (broken.length < 24) return;
      broken.writeUInt32BE(broken.length, 4);
      broken[21] = 1;
      sealFrame(broken, 0, { generation: 1, filePosition: 0, syncedTo: 0 });
      assert.ok(frameAt(broken, 0, 0));
      guarded(broken.length, never, () => decodeFrame(broken, 0));
    }),
  ),
  target('wal-files', () =>
    fc.property(fc.array(stateFrame, { maxLength: 8 }), oneEdit, (list, damage) => {
      const frames = [...HEAD, ...list];
      const file = walFile(1, frames);
      judgeWal(frames, file, file.bytes);
      judgeWal(frames, file, damaged(file.bytes, damage));
    }),
  ),
  target('wal-garbage', () =>
    fc.property(garbage, fc.array(anyFrame, { maxLength: 4 }), edits, (bytes, list, damage) => {
      const disk = new MemoryDisk();
      disk.plant(PATH, bytes);
      disk.plant('/data/1.log', damaged(walFile(3, [...HEAD, ...list]).bytes, damage));
      guarded(bytes.length, isCorrupt, () => recoverWal(disk, [PATH, '/data/1.log']));
    }),
  ),
  target('segments', () =>
    fc.property(edits, (list) => {
      judgeSegment(damaged(SEGMENT, list));
    }),
  ),
  target('segments-garbage', () =>
    fc.property(fc.nat(SEGMENT.length), garbage, (end, bytes) => {
      judgeSegment(Buffer.concat([SEGMENT.subarray(0, end), bytes]));
    }),
  ),
  target('indexes', () =>
    fc.property(indexEntries, edits, garbage, (bytes, list, other) => {
      judgeIndex(bytes);
      judgeIndex(damaged(bytes, list));
      judgeIndex(other.subarray(0, other.length - (other.length % 24)));
    }),
  ),
];
