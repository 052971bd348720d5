/**
 * Both directions of every table, in every version, with values drawn from the table itself; and
 * bytes that follow no table: whatever they are, decoding ends, throws nothing but CodecError and
 * makes no room for promises.
 */
import { decodeMessage } from '#src/protocol/decode.js';
import { encodeMessage } from '#src/protocol/encode.js';
import { metadataApi } from '#src/protocol/messages/metadata.js';
import { CodecError, ELEMENTS_MAX, STRING_BYTES_MAX } from '#src/protocol/reader.js';
import type { EncodableFields, Fields, Message } from '#src/protocol/schema.js';
import { Writer } from '#src/protocol/writer.js';
import fc from 'fast-check';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { canonical, defaultValue, everyMessageVersion, messageValues } from './table-values.js';

fc.configureGlobal({ seed: 3, numRuns: 25 });

const isCodecError = (error: unknown): boolean => error instanceof CodecError;

function encode(message: Message, version: number, value: EncodableFields<Fields>): Buffer {
  const writer = new Writer();
  encodeMessage(message, version, writer, value);
  const { chunks, totalLength } = writer.finish();
  assert.is(chunks.length, 1);
  const bytes = chunks[0] as Buffer;
  assert.is(bytes.length, totalLength);
  return bytes;
}

function decode(message: Message, version: number, bytes: Buffer): object {
  return decodeMessage(message, version, bytes, 0, bytes.length);
}

/** Decodes what may be anything: a value, or null for a CodecError; everything else is a bug. */
function tryDecode(message: Message, version: number, bytes: Buffer): object | null {
  try {
    return decode(message, version, bytes);
  } catch (error) {
    if (error instanceof CodecError) return null;
    throw error;
  }
}

const all = everyMessageVersion();

test('what was encoded decodes to the same value, and encodes to the same bytes again', () => {
  for (const { message, version, label } of all) {
    fc.assert(
      fc.property(messageValues(message, version), (value) => {
        const bytes = encode(message, version, value);
        const decoded = decode(message, version, bytes);
        assert.is(canonical(decoded), canonical(value), label);
        assert.ok(encode(message, version, { ...decoded }).equals(bytes), label);
      }),
    );
  }
});

test('every shorter piece of a message is refused, every longer one is tolerated', () => {
  for (const { message, version, label } of all) {
    const [value] = fc.sample(messageValues(message, version), { seed: 11, numRuns: 1 });
    const bytes = encode(message, version, value ?? {});
    for (let length = 0; length < bytes.length; length++) {
      const piece = bytes.subarray(0, length);
      assert.is(tryDecode(message, version, piece), null, `${label} cut at ${length}`);
    }
    const longer = Buffer.concat([bytes, Buffer.from([1, 2, 3])]);
    assert.is(canonical(decode(message, version, longer)), canonical(value), label);
  }
});

test('a message that is not at the start of its buffer', () => {
  for (const { message, version } of all) {
    const [value] = fc.sample(messageValues(message, version), { seed: 12, numRuns: 1 });
    const bytes = encode(message, version, value ?? {});
    const within = Buffer.concat([Buffer.alloc(7, 0xff), bytes, Buffer.alloc(7, 0xff)]);
    const decoded = decodeMessage(message, version, within, 7, 7 + bytes.length);
    assert.is(canonical(decoded), canonical(value));
  }
});

test('random and mutated bytes: a value or a CodecError', () => {
  for (const { message, version } of all) {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 300 }), (bytes) => {
        tryDecode(message, version, Buffer.from(bytes));
      }),
    );
    fc.assert(
      fc.property(messageValues(message, version), fc.nat(), fc.nat(255), (value, at, byte) => {
        const bytes = encode(message, version, value);
        if (bytes.length > 0) bytes[at % bytes.length] = byte;
        tryDecode(message, version, bytes);
      }),
    );
  }
});

test('lengths and counts of two billion cost nothing, wherever they stand', () => {
  const hostile = ['7fffffff', '7fff', 'ffffffff0f', 'ffffffff07', '80000000', 'ffffffffffff'];
  const before = process.memoryUsage();
  for (const { message, version } of all) {
    const bytes = encode(message, version, defaultValue(message));
    const padded = Buffer.concat([bytes, Buffer.alloc(64)]);
    for (let at = 0; at <= bytes.length; at++) {
      for (const text of hostile) {
        const attack = Buffer.from(padded);
        attack.write(text, at, 'hex');
        tryDecode(message, version, attack);
      }
    }
  }
  const after = process.memoryUsage();
  assert.ok(after.arrayBuffers - before.arrayBuffers < 64 << 20);
  assert.ok(after.rss - before.rss < 256 << 20);
});

test('a count that does not fit is refused before any element is read', () => {
  const count = Buffer.from('7fffffff00000000', 'hex');
  assert.throws(() => decode(metadataApi.request, 1, count), /count 2147483647 does not fit 4 /);
  const compact = Buffer.from('ffffffff0f', 'hex');
  assert.throws(() => decode(metadataApi.request, 9, compact), /count 4294967294 does not fit 0 /);
});

test('an element of two bytes does not become fifty in memory without end', () => {
  const count = ELEMENTS_MAX + 1;
  const head = Buffer.alloc(4);
  head.writeInt32BE(count);
  const bytes = Buffer.concat([head, Buffer.alloc(2 * count)]);
  assert.throws(() => decode(metadataApi.request, 1, bytes), /more than 1048576 array elements/);
});

test('null where a version does not allow it', () => {
  assert.throws(() => decode(metadataApi.request, 0, Buffer.from('ffffffff', 'hex')), isCodecError);
  assert.is(tryDecode(metadataApi.request, 1, Buffer.from('fffffffe', 'hex')), null);
  assert.throws(() => encode(metadataApi.request, 0, { topics: null }), /null in topics/);
});

test('values that do not fit their field are never cut', () => {
  const broker = { nodeId: 1, host: 'h', port: 9092 };
  const encodeBroker = (change: object): Buffer =>
    encode(metadataApi.response, 1, { brokers: [{ ...broker, ...change }], topics: [] });
  assert.is(encodeBroker({}).length, 4 + 4 + 3 + 4 + 2 + 4 + 4);
  for (const nodeId of [2 ** 31, -(2 ** 31) - 1, 1.5, Number.NaN, undefined, null, '1']) {
    assert.throws(() => encodeBroker({ nodeId }), isCodecError, String(nodeId));
  }
  for (const host of ['x'.repeat(STRING_BYTES_MAX + 1), undefined, null, 7]) {
    assert.throws(() => encodeBroker({ host }), isCodecError);
  }
});

test('an int64 that a number cannot hold is read as the nearest that it can', () => {
  const encoded = (hex: string): Buffer =>
    Buffer.from(`ffffffff000000010001740000000100000000${hex}`, 'hex');
  const message = all.find(({ label }) => label === 'ListOffsetsRequest v1')?.message as Message;
  const timestamp = (hex: string): unknown => {
    const { topics } = decode(message, 1, encoded(hex)) as {
      topics: { partitions: { timestamp: number }[] }[];
    };
    return topics[0]?.partitions[0]?.timestamp;
  };
  assert.is(timestamp('ffffffffffffffff'), -1);
  assert.is(timestamp('001fffffffffffff'), Number.MAX_SAFE_INTEGER);
  assert.is(timestamp('ffe0000000000001'), Number.MIN_SAFE_INTEGER);
  assert.is(timestamp('0020000000000000'), Number.MAX_SAFE_INTEGER);
  assert.is(timestamp('7fffffffffffffff'), Number.MAX_SAFE_INTEGER);
  assert.is(timestamp('ffe0000000000000'), Number.MIN_SAFE_INTEGER);
  assert.is(timestamp('8000000000000000'), Number.MIN_SAFE_INTEGER);
});

test('unknown tags are skipped, known ones must have their size', () => {
  const message = all.find(({ label }) => label === 'FetchRequest v12')?.message as Message;
  const body = encode(message, 12, { ...defaultValue(message), clusterId: 'abc' });
  // The body ends with its tag section: one tag, number 0, 4 bytes, compact "abc".
  const tagged = body.subarray(body.length - 7);
  assert.is(tagged.toString('hex'), '01000404616263');
  const withTags = (hex: string): Buffer =>
    Buffer.concat([body.subarray(0, body.length - 7), Buffer.from(hex, 'hex')]);
  const clusterId = (hex: string): unknown =>
    (decode(message, 12, withTags(hex)) as { clusterId: unknown }).clusterId;
  assert.is(clusterId('03000404616263' + '0503aabbcc' + 'ffff0300'), 'abc');
  assert.is(clusterId('010503aabbcc'), null);
  assert.throws(() => clusterId('01000504616263ff'), /tagged clusterId differs from its size/);
  assert.throws(() => clusterId('010003046162630000'), /tagged clusterId differs from its size/);
  assert.throws(() => clusterId('0105ffffffff07'), isCodecError);
  assert.throws(() => clusterId('ffffffff0f'), isCodecError);
});

test.run();
