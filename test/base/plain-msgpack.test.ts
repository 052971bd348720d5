/** Which msgpack a peer may send: all that we write, nothing that stands for more than it is. */
import { isPlainMsgpack } from '#src/base/plain-msgpack.js';
import fc from 'fast-check';
import { Packr } from 'msgpackr';
import { test } from 'uvu';
import * as assert from 'uvu/assert';

const packr = new Packr({ useRecords: false });
const isPlain = (bytes: Uint8Array): boolean => isPlainMsgpack(bytes, 0, bytes.length);
const hex = (text: string): Buffer => Buffer.from(text, 'hex');

test('everything that we write is plain, and no part of it is', () => {
  const values = fc.anything({ withNullPrototype: false, maxDepth: 3, key: fc.string() });
  fc.assert(
    fc.property(values, (value) => {
      const bytes = packr.pack({
        value,
        large: 'x'.repeat(70_000),
        list: Array(20).fill(undefined),
      });
      assert.ok(isPlain(bytes));
      const end = bytes.length;
      assert.not.ok(isPlainMsgpack(bytes, 0, end - 1));
      assert.not.ok(isPlain(Buffer.concat([bytes, Buffer.of(0)])));
      const within = Buffer.concat([Buffer.of(0xc1), bytes, Buffer.of(0xc1)]);
      assert.ok(isPlainMsgpack(within, 1, 1 + end));
    }),
    { numRuns: 200, seed: 1 },
  );
});

test('lengths and counts that lie are refused', () => {
  for (const text of [
    '',
    'ddffffffff',
    'dfffffffff',
    'dc0002c0',
    'c6ffffffff00',
    'd9',
    'db000000',
  ]) {
    assert.not.ok(isPlain(hex(text)), text);
  }
});

test('extensions are refused, but for undefined', () => {
  assert.ok(isPlain(hex('d40000')));
  const structured = new Packr({ structuredClone: true });
  const shared = { a: 1 };
  for (const value of [[shared, shared], new Date(), /x/, new Error('x'), new Set([1])]) {
    assert.not.ok(isPlain(structured.pack(value)));
  }
  // A record definition, which the library compiles; a bundle of strings; a reserved token.
  for (const text of ['d4724091a16105', 'd66200000008' + 'a161a162', 'c1', 'd4', 'd400']) {
    assert.not.ok(isPlain(hex(text)), text);
  }
});

test.run();
