/** Batches told by native code read as the HTTP door reads the same bytes, or they are left. */
import fc from 'fast-check';
import { gzipSync, gunzipSync } from 'node:zlib';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { recordsIn } from '#src/handlers/http/read.js';
import { recordToJson } from '#src/handlers/http/record-json.js';
import { crc32c } from '#src/native/crc32c.js';
import { takeText, tellRecords, type Told } from '#src/native/record-teller.js';
import {
  BATCH_HEADER_BYTES,
  CONTROL_BIT,
  encodeBatch,
  LOG_APPEND_TIME_BIT,
  type RecordInput,
} from '#src/records/batch.js';
import { damaged, edits } from '../fuzz/mutate.js';

const RUNS = 1_500;
const decompress = (_codec: number, payload: Uint8Array): Promise<Uint8Array> =>
  Promise.resolve(gunzipSync(payload));

const text = fc.oneof(
  fc.string({ unit: 'binary', maxLength: 60 }),
  fc.string({
    unit: fc.constantFrom('"', '\\', '\n', '\u0000', '\u001f', '\u007f', '\u2028', 'é'),
  }),
  fc.constantFrom('', '\ufeffbom', 'x'.repeat(300), '😀'.repeat(9)),
);
const field = fc.oneof(
  { weight: 4, arbitrary: text.map((value) => Buffer.from(value)) },
  fc.uint8Array({ maxLength: 20 }).map((value) => Buffer.from(value)),
  fc.constant(null),
);
const record: fc.Arbitrary<RecordInput> = fc.record({
  key: field,
  value: field,
  headers: fc.array(fc.record({ key: text, value: field }), { maxLength: 3 }),
  timestamp: fc.oneof(fc.nat(2e9), fc.constant(1_700_000_000_000), fc.constant(-1)),
});
const batch = fc.record({
  records: fc.array(record, { minLength: 1, maxLength: 5 }),
  attributes: fc.constantFrom(0, 0, 0, 0, LOG_APPEND_TIME_BIT, CONTROL_BIT),
  gap: fc.constantFrom(0, 0, 0, 2),
});
const batches = fc.array(batch, { maxLength: 4 }).map((list) => {
  let baseOffset = 7;
  const parts = list.map(({ records, attributes, gap }) => {
    const bytes = encodeBatch({ records, attributes, baseOffset }, crc32c);
    // As compaction leaves it: the last records are gone.
    bytes.writeInt32BE(records.length - 1 + gap, 23);
    baseOffset += records.length + gap;
    return bytes;
  });
  return Buffer.concat(parts);
});
const asked = fc.record({
  from: fc.nat(20),
  max: fc.oneof(fc.nat(6), fc.constant(500)),
  isLines: fc.boolean(),
});
type Asked = Parameters<typeof tellRecords>[3];

function textOf(told: Told): string {
  const into = Buffer.alloc(told.bytes);
  takeText(told, into, 0);
  return into.toString();
}

/** What the other reading gives; null where it fails. */
async function wanted(bytes: Buffer, { from, max, isLines }: Asked) {
  try {
    const { records, nextOffset } = await recordsIn({ decompress }, bytes, from, max);
    const texts = records.map((one) => JSON.stringify(recordToJson(one)));
    return {
      text: isLines ? texts.map((one) => `${one}\n`).join('') : texts.join(','),
      nextOffset,
    };
  } catch {
    return null;
  }
}

/** False: it was left. */
async function mustTellAlike(bytes: Buffer, question: Asked): Promise<boolean> {
  const told = tellRecords(bytes, 0, bytes.length, question);
  if (told === null) return false;
  const found = { text: textOf(told), nextOffset: told.nextOffset };
  const other = await wanted(bytes, question);
  assert.equal(found, other, bytes.toString('base64'));
  return true;
}

test('ordinary batches are told as they are read, and never left', () =>
  fc.assert(
    fc.asyncProperty(batches, asked, async (bytes, question) => {
      assert.ok(await mustTellAlike(bytes, question), 'told');
    }),
    { numRuns: RUNS },
  ));

test('damaged ones are told as they are read, or left', async () => {
  let told = 0;
  await fc.assert(
    fc.asyncProperty(batches, asked, edits, async (bytes, question, damage) => {
      if (await mustTellAlike(damaged(bytes, damage), question)) told += 1;
    }),
    { numRuns: RUNS },
  );
  assert.ok(told > RUNS / 10, `${told} of ${RUNS}`);
});

test('a batch that is cut off is not looked at', async () => {
  const bytes = Buffer.concat([
    encodeBatch({ records: [{ value: 'whole' }] }, crc32c),
    encodeBatch({ records: [{ value: 'part' }], baseOffset: 1 }, crc32c),
  ]);
  for (let length = 0; length <= bytes.length; length++) {
    const part = Buffer.from(bytes.subarray(0, length));
    assert.ok(await mustTellAlike(part, { from: 0, max: 9, isLines: true }), `${length} bytes`);
  }
});

test('a compressed batch is left', () => {
  const plain = encodeBatch({ records: [{ value: 'packed' }] }, crc32c);
  const packed = gzipSync(plain.subarray(BATCH_HEADER_BYTES));
  const bytes = Buffer.concat([plain.subarray(0, BATCH_HEADER_BYTES), packed]);
  bytes.writeInt32BE(bytes.length - 12, 8);
  bytes.writeInt16BE(1, 21);
  assert.is(tellRecords(bytes, 0, bytes.length, { from: 0, max: 9, isLines: false }), null);
});

test('a text is taken as long as it is', () => {
  const bytes = encodeBatch({ records: [{ value: 'x' }] }, crc32c);
  const told = tellRecords(bytes, 0, bytes.length, { from: 0, max: 9, isLines: true });
  assert.ok(told);
  assert.throws(() => takeText(told, Buffer.alloc(told.bytes - 1), 0), /range|bytes|fit/i);
  assert.throws(() => takeText({ ...told, bytes: told.bytes - 1 }, Buffer.alloc(999), 0), /size/);
  assert.is(JSON.parse(textOf(told)).value, 'x');
});

test.run();
