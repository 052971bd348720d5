/**
 * The judge is judged first: for every invariant a history with exactly that violation, which must
 * be reported under exactly that id, and beside it the nearest history that is clean.
 */
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { parseTag, tagValue } from '../tag.js';
import { type Events, PARTITION } from './cases/case.js';
import { GROUP_CASES } from './cases/groups.js';
import { OFFSET_CASES } from './cases/offsets.js';
import { READ_CASES, batch, by } from './cases/reads.js';
import { ALL, WRITE_CASES, WRITTEN, acked, records, sent } from './cases/writes.js';
import { type Copy, compareCopies } from './copies.js';
import { Coverage } from './coverage.js';
import { History } from './history.js';
import { INVARIANTS, type ViolationId } from './violation.js';

const CASES = [...WRITE_CASES, ...READ_CASES, ...OFFSET_CASES, ...GROUP_CASES];

function idsOf(events: Events, endMs = 0): ViolationId[] {
  const history = new History();
  for (const event of events) history.note(event);
  return [...new Set(history.verdict(endMs).violations.map(({ id }) => id))];
}

for (const { id, what, before, broken, clean, endMs } of CASES) {
  test(`${id}: ${what}`, () => {
    assert.equal(idsOf([...before, ...broken], endMs), [id], INVARIANTS[id]);
    assert.equal(idsOf([...before, ...clean], endMs), [], 'the clean variation');
  });
}

test('every invariant is broken somewhere', () => {
  // R3 is about files, below.
  const broken = new Set<string>([...CASES.map(({ id }) => id), 'R3']);
  assert.equal(
    Object.keys(INVARIANTS).filter((id) => !broken.has(id)),
    [],
  );
});

test('K4 binds nobody who sent before the ack', () => {
  const both = [sent(1, 0, 1), sent(2, 0, 1), acked(1, 0, 1), acked(2, 0, 0)];
  assert.equal(idsOf([...both, ...records('2.0.0 1.0.0')]), []);
});

test('counts of a clean history', () => {
  const history = new History();
  for (const event of ALL) history.note(event);
  const { violations, ...counts } = history.verdict();
  assert.equal(violations, []);
  const expected = { acked: 5, unknown: 2, unknownFound: 2, lost: 0, changed: 0, duplicated: 0 };
  assert.equal(counts, expected);
});

test('a history is noted once, and answered once', () => {
  const history = new History();
  for (const event of WRITTEN) history.note(event);
  assert.throws(() => history.note(sent(1, 0, 1)), /can not be noted/);
  assert.throws(() => history.note(acked(1, 0, 9)), /is acked, not pending/);
  assert.throws(() => history.note({ kind: 'committed', op: 1 }), /did not begin/);
});

test('the last sequence is followed by 0', () => {
  const last = 2 ** 31 - 2;
  const turn = [batch(0, by(7, 0, 0)), batch(2, { ...by(7, 0, 2), nextOffset: last })];
  const around = [batch(last, by(7, 0, last)), batch(last + 2, by(7, 0, 0))];
  assert.equal(idsOf([...turn, ...around].map((b) => ({ ...b, highWatermark: 2 ** 32 }))), []);
});

/** Batches of `counts` records from `baseOffset` on, with a payload byte that tells them apart. */
function makeCopy(node: number, baseOffset: number, counts: readonly number[]): Copy {
  let offset = baseOffset;
  const batches = counts.map((count) => {
    const bytes = Buffer.alloc(70, offset);
    bytes.writeBigInt64BE(BigInt(offset), 0);
    bytes.writeInt32BE(bytes.length - 12, 8);
    bytes.writeInt32BE(count - 1, 23);
    offset += count;
    return bytes;
  });
  return { node, bytes: Buffer.concat(batches) };
}

const RANGE = { logStartOffset: 0, highWatermark: 6 };

test('R3: copies agree, also where one starts earlier or goes on above the high watermark', () => {
  const copies = [makeCopy(1, 0, [2, 1, 3]), makeCopy(2, 2, [1, 3]), makeCopy(3, 0, [2, 1, 3, 5])];
  assert.equal(compareCopies(PARTITION, { ...RANGE, logStartOffset: 2 }, copies), []);
  const empty = [makeCopy(1, 0, []), makeCopy(2, 0, [4])];
  assert.equal(compareCopies(PARTITION, { logStartOffset: 0, highWatermark: 0 }, empty), []);
});

test('R3: a byte differs', () => {
  const changed = makeCopy(2, 0, [2, 1, 3]);
  changed.bytes[100] = 0xff;
  const violations = compareCopies(PARTITION, RANGE, [makeCopy(1, 0, [2, 1, 3]), changed]);
  assert.is(violations.length, 1);
  assert.match(violations[0]?.text ?? '', /nodes 1 and 2 differ 100 bytes/);
});

test('R3: a copy is short, late or empty', () => {
  for (const bad of [makeCopy(2, 0, [2, 1]), makeCopy(2, 2, [1, 3]), makeCopy(2, 0, [])]) {
    const violations = compareCopies(PARTITION, RANGE, [makeCopy(1, 0, [2, 1, 3]), bad]);
    assert.match(violations[0]?.text ?? '', /node 2 has .* readable is 0 to 6/);
  }
});

test('tags survive the way into a value and back', () => {
  for (const tag of [
    { writer: 0, batch: 0, index: 0 },
    { writer: 7, batch: 123_456, index: 29 },
  ]) {
    assert.equal(parseTag(tagValue(tag)), tag);
  }
  assert.is(parseTag('w1.b2'), null);
});

test('coverage knows the first gap, in whatever order ranges come', () => {
  const coverage = new Coverage();
  assert.is(coverage.firstGap, 0);
  for (const [from, to, gap] of [
    [4, 6, 0],
    [0, 2, 2],
    [1, 3, 3],
    [8, 9, 3],
    [3, 4, 6],
    [5, 8, 9],
    [2, 3, 9],
  ] as const) {
    coverage.add(from, to);
    assert.is(coverage.firstGap, gap);
  }
});

test.run();
