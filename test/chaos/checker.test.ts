/** The judge is judged first: each invariant is broken on purpose, and must be named by its id. */
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { type Copy, History, type ViolationId, Witness, compareCopies } from './checker.js';
import { parseTag, tagValue } from './tag.js';

const P = 'orders:0';

/** Two batches of writer 1, acknowledged at 0 and 3, and one of writer 2 without an answer. */
function makeHistory(): History {
  const history = new History();
  history.sent({ writer: 1, batch: 0 }, P, 3);
  history.acked({ writer: 1, batch: 0 }, 0);
  history.sent({ writer: 1, batch: 1 }, P, 2);
  history.acked({ writer: 1, batch: 1 }, 3);
  history.sent({ writer: 2, batch: 0 }, P, 2);
  history.unknown({ writer: 2, batch: 0 });
  return history;
}

const LOG = ['1.0.0', '1.0.1', '1.0.2', '1.1.0', '1.1.1', '2.0.0', '2.0.1'];

function valueOf(name: string): string {
  const [writer, batch, index] = name.split('.').map(Number) as [number, number, number];
  return tagValue({ writer, batch, index });
}

/** Reads `log` (names, `offset=name`, or values behind a quote) as the whole partition. */
function idsAfter(history: History, log: readonly string[]): ViolationId[] {
  history.startReading(P, 0);
  let offset = 0;
  for (const entry of log) {
    const [place, name] = entry.includes('=') ? entry.split('=') : [undefined, entry];
    if (place !== undefined) offset = Number(place);
    const isLiteral = (name as string).startsWith('"');
    history.read(P, offset, isLiteral ? (name as string).slice(1) : valueOf(name as string));
    offset += 1;
  }
  history.finishReading(P, offset);
  return history.verdict().violations.map(({ id }) => id);
}

test('a log that kept its promises', () => {
  const history = makeHistory();
  assert.equal(idsAfter(history, LOG), []);
  const { acked, unknown, unknownFound, lost, changed, duplicated } = history.verdict();
  assert.equal([acked, unknown, unknownFound], [5, 2, 2]);
  assert.equal([lost, changed, duplicated], [0, 0, 0]);
});

test('a batch without an answer may be missing', () => {
  assert.equal(idsAfter(makeHistory(), LOG.slice(0, 5)), []);
});

test('K1: an acknowledged batch is gone, at the end or under another one', () => {
  const cut = makeHistory();
  assert.equal(idsAfter(cut, LOG.slice(0, 3)), ['K1']);
  assert.is(cut.verdict().lost, 2);
  assert.equal(idsAfter(makeHistory(), [...LOG.slice(0, 3), '2.0.0', '2.0.1']), ['K1']);
});

test('K1: one record of an acknowledged batch is gone', () => {
  const history = makeHistory();
  assert.equal(idsAfter(history, LOG.slice(0, 4)), ['K1']);
  assert.is(history.verdict().lost, 1);
});

test('K2: a record that nobody sent', () => {
  assert.equal(idsAfter(makeHistory(), [...LOG, '"garbage']), ['K2']);
  assert.equal(idsAfter(makeHistory(), [...LOG, '7.0.0']), ['K2']);
  assert.equal(idsAfter(makeHistory(), [...LOG, '1.0.3']), ['K2']);
});

test('K2: a record of another partition', () => {
  const history = makeHistory();
  history.sent({ writer: 3, batch: 0 }, 'orders:1', 1);
  history.acked({ writer: 3, batch: 0 }, 0);
  history.startReading('orders:1', 0);
  history.read('orders:1', 0, valueOf('3.0.0'));
  assert.equal(idsAfter(history, [...LOG, '3.0.0']), ['K2']);
});

test('K2: a record whose refusal was definite', () => {
  const history = makeHistory();
  history.sent({ writer: 3, batch: 0 }, P, 1);
  history.refused({ writer: 3, batch: 0 });
  assert.equal(idsAfter(history, [...LOG, '3.0.0']), ['K2']);
});

test('K3: a flipped byte in the filler', () => {
  const value = valueOf('1.0.1');
  assert.ok(value.length > 20, 'the example needs filler');
  const flipped = `"${value.slice(0, -1)}${value.endsWith('!') ? '?' : '!'}`;
  const history = makeHistory();
  assert.equal(idsAfter(history, ['1.0.0', flipped, ...LOG.slice(2)]), ['K3']);
  assert.is(history.verdict().changed, 1);
});

test('K3: an acknowledged record at another offset', () => {
  const swapped = ['1.1.0', '1.1.1', '1.0.0', '1.0.1', '1.0.2'];
  assert.equal(idsAfter(makeHistory(), swapped), ['K3', 'K3', 'K3', 'K3', 'K3']);
});

test('K3: a batch without an answer that is torn', () => {
  assert.equal(idsAfter(makeHistory(), LOG.slice(0, 6)), ['K3']);
});

test('K3: a place shows other bytes to a later reader', () => {
  const witness = new Witness();
  witness.saw(P, 0, 'a');
  witness.saw(P, 0, 'a');
  witness.saw(P, 3, 'b');
  assert.equal(witness.violations, []);
  witness.saw(P, 3, 'c');
  assert.equal(
    witness.violations.map(({ id }) => id),
    ['K3'],
  );
});

test('K4: a record sent after an ack got a lower offset', () => {
  const history = new History();
  history.sent({ writer: 1, batch: 0 }, P, 1);
  history.acked({ writer: 1, batch: 0 }, 1);
  history.sent({ writer: 2, batch: 0 }, P, 1);
  history.acked({ writer: 2, batch: 0 }, 0);
  assert.equal(idsAfter(history, ['2.0.0', '1.0.0']), ['K4']);
});

test('K4 binds nobody who sent before the ack', () => {
  const history = new History();
  history.sent({ writer: 1, batch: 0 }, P, 1);
  history.sent({ writer: 2, batch: 0 }, P, 1);
  history.acked({ writer: 1, batch: 0 }, 1);
  history.acked({ writer: 2, batch: 0 }, 0);
  assert.equal(idsAfter(history, ['2.0.0', '1.0.0']), []);
});

test('K5: a gap, a step back, an end below the high watermark', () => {
  assert.equal(idsAfter(makeHistory(), [...LOG.slice(0, 5), '6=2.0.0', '2.0.1']), ['K5']);
  const early = makeHistory();
  early.startReading(P, 0);
  LOG.forEach((name, offset) => early.read(P, offset, valueOf(name)));
  early.finishReading(P, 9);
  assert.equal(
    early.verdict().violations.map(({ id }) => id),
    ['K5'],
  );
  const witness = new Witness();
  witness.followed(P, 4, 4);
  witness.followed(P, 4, 3);
  assert.is(witness.violations.length, 1);
});

test('P1: a record twice', () => {
  const history = makeHistory();
  assert.equal(idsAfter(history, [...LOG, '1.1.0', '1.1.1']), ['P1', 'P1']);
  assert.is(history.verdict().duplicated, 2);
});

/** Batches of `counts` records from `baseOffset` on, with a payload byte that tells them apart. */
function makeCopy(node: number, baseOffset: number, counts: readonly number[]): Copy {
  let offset = baseOffset;
  const batches = counts.map((count) => {
    const batch = Buffer.alloc(70, offset);
    batch.writeBigInt64BE(BigInt(offset), 0);
    batch.writeInt32BE(batch.length - 12, 8);
    batch.writeInt32BE(count - 1, 23);
    offset += count;
    return batch;
  });
  return { node, bytes: Buffer.concat(batches) };
}

const ALL = { logStartOffset: 0, highWatermark: 6 };

test('R3: copies agree, also where one starts earlier or goes on above the high watermark', () => {
  const copies = [makeCopy(1, 0, [2, 1, 3]), makeCopy(2, 2, [1, 3]), makeCopy(3, 0, [2, 1, 3, 5])];
  assert.equal(compareCopies(P, { ...ALL, logStartOffset: 2 }, copies), []);
  const empty = [makeCopy(1, 0, []), makeCopy(2, 0, [4])];
  assert.equal(compareCopies(P, { logStartOffset: 0, highWatermark: 0 }, empty), []);
});

test('R3: a byte differs', () => {
  const flipped = makeCopy(2, 0, [2, 1, 3]);
  flipped.bytes[100] = 0xff;
  const violations = compareCopies(P, ALL, [makeCopy(1, 0, [2, 1, 3]), flipped]);
  assert.is(violations.length, 1);
  assert.match(violations[0]?.text ?? '', /nodes 1 and 2 differ 100 bytes/);
});

test('R3: a copy is short, late or empty', () => {
  for (const bad of [makeCopy(2, 0, [2, 1]), makeCopy(2, 2, [1, 3]), makeCopy(2, 0, [])]) {
    const violations = compareCopies(P, ALL, [makeCopy(1, 0, [2, 1, 3]), bad]);
    assert.match(violations[0]?.text ?? '', /node 2 has .* readable is 0 to 6/);
  }
});

test('a history is noted once, and answered once', () => {
  const history = makeHistory();
  assert.throws(() => history.sent({ writer: 1, batch: 0 }, P, 1), /can not be noted/);
  assert.throws(() => history.acked({ writer: 1, batch: 0 }, 9), /is acked, not pending/);
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

test.run();
