/** Pure parts of the commands: formats, options, tables, lines, the group protocol. */
import { Readable } from 'node:stream';
import { LograftError } from '#src/base/errors.js';
import {
  assignRanges,
  decodeAssignment,
  decodeSubscription,
  encodeAssignment,
  encodeSubscription,
} from '#src/protocol/consumer-protocol.js';
import { readLines } from '#src/cli/lines.js';
import {
  addresses,
  keyValues,
  parseAcks,
  parseStartOffset,
  unescape,
  wholeNumber,
} from '#src/cli/options.js';
import { errorText, exitCodeOf, formatBytes, table } from '#src/cli/output.js';
import { compileFormat, formatJson, type RecordFormatter } from '#src/cli/record-format.js';
import type { LogRecord } from '#src/records/records.js';
import { test } from 'uvu';
import * as assert from 'uvu/assert';

const RECORD: LogRecord = {
  offset: 42,
  timestamp: 1_700_000_000_123,
  key: Buffer.from('k1'),
  value: Buffer.from('wert ü'),
  headers: [
    { key: 'a', value: Buffer.from('1') },
    { key: 'b', value: null },
  ],
};
const NULLS: LogRecord = { ...RECORD, key: null, value: null, headers: [] };

function formatted(format: RecordFormatter, record: LogRecord): string {
  const out: Uint8Array[] = [];
  format(record, { topic: 'orders', partition: 3 }, out);
  return Buffer.concat(out).toString();
}

test("kcat's letters", () => {
  const line = compileFormat('%t [%p] at %o: %k=%v/%s %S %K %T %h %%\\n');
  const expected = 'orders [3] at 42: k1=wert ü/wert ü 7 2 1700000000123 a=1,b=NULL %\n';
  assert.is(formatted(line, RECORD), expected);
  assert.is(formatted(compileFormat('%k|%v|%K|%S|%h'), NULLS), '||-1|-1|');
  assert.is(formatted(compileFormat('%R'), RECORD), '\0\0\0\x07');
  assert.is(formatted(compileFormat('plain\\t\\x41'), RECORD), 'plain\tA');
  assert.throws(() => compileFormat('%q'), /%q means nothing/);
  assert.throws(() => compileFormat('100%'), /means nothing/);
});

test('records as JSON, bytes that are no text as base64', () => {
  assert.equal(JSON.parse(formatted(formatJson, RECORD)), {
    topic: 'orders',
    partition: 3,
    offset: 42,
    timestamp: 1_700_000_000_123,
    key: 'k1',
    value: 'wert ü',
    headers: [
      { key: 'a', value: '1' },
      { key: 'b', value: null },
    ],
  });
  const binary = { ...NULLS, value: Buffer.from([0xff, 0x00]) };
  const parsed = JSON.parse(formatted(formatJson, binary)) as Record<string, unknown>;
  assert.is(parsed['value'], null);
  assert.is(parsed['valueBase64'], '/wA=');
});

test('escapes', () => {
  assert.is(unescape('a\\n\\t\\r\\\\\\x2c\\q'), 'a\n\t\r\\,\\q');
});

test('start offsets', () => {
  assert.equal(parseStartOffset('beginning'), { kind: 'earliest' });
  assert.equal(parseStartOffset('end'), { kind: 'latest' });
  assert.equal(parseStartOffset('17'), { kind: 'offset', offset: 17 });
  assert.equal(parseStartOffset('-5'), { kind: 'offset', offset: -5 });
  assert.equal(parseStartOffset('@1700'), { kind: 'time', timestamp: 1700 });
  for (const bad of ['', '@', '@-1', '1.5', 'start?', '99999999999999999999']) {
    assert.throws(() => parseStartOffset(bad), /expected beginning/);
  }
});

test('acks, numbers, pairs and addresses', () => {
  assert.equal(['all', '-1', '1', '0'].map(parseAcks), [-1, -1, 1, 0]);
  assert.throws(() => parseAcks('2'), /expected all, 1 or 0/);
  assert.is(wholeNumber('-p', 0)('7'), 7);
  for (const bad of ['x', '-1', '1.5', '']) assert.throws(() => wholeNumber('-p', 0)(bad), /-p/);
  assert.equal(keyValues('-c', ['a=1', 'b=x=y', 'c=']), { a: '1', b: 'x=y', c: '' });
  assert.throws(() => keyValues('-c', ['=1']), /expected KEY=VALUE/);
  assert.equal(addresses('a:1, b,[::1]:3', 9092), [
    { host: 'a', port: 1 },
    { host: 'b', port: 9092 },
    { host: '::1', port: 3 },
  ]);
  for (const bad of ['', 'a:0', 'a:b', 'a:99999', 'a:1:2']) {
    assert.throws(() => addresses(bad, 9092), /--bootstrap/);
  }
});

test('a table is aligned, numbers to the right', () => {
  const text = table(
    ['NAME', 'COUNT'],
    [
      ['a', '1'],
      ['long one', '-20'],
    ],
  );
  assert.is(text, 'NAME      COUNT\na             1\nlong one    -20');
  assert.is(formatBytes(0), '0 B');
  assert.is(formatBytes(1536), '1.5 KiB');
});

test('errors have an exit code and a shape', () => {
  const error = new LograftError('NOT_RUNNING', 'no cluster', 'start one');
  assert.is(exitCodeOf(error), 3);
  assert.is(exitCodeOf(new LograftError('CONFIG_INVALID', 'x')), 2);
  assert.is(exitCodeOf(new LograftError('TIMED_OUT', 'x')), 4);
  assert.is(exitCodeOf(new Error('x')), 1);
  assert.is(errorText(error, 'text'), 'lograft: no cluster\n  start one');
  assert.equal(JSON.parse(errorText(error, 'json')), {
    error: { code: 'NOT_RUNNING', message: 'no cluster', hint: 'start one' },
  });
});

test('lines are found across chunks, the last one without its newline too', async () => {
  const chunks = ['a\nbc', 'd', 'e\n\nf', 'g'].map((text) => Buffer.from(text));
  const lines: string[] = [];
  for await (const group of readLines(Readable.from(chunks))) lines.push(...group.map(String));
  assert.equal(lines, ['a', 'bcde', '', 'fg']);
});

test('the consumer protocol, and ranges as the Java client assigns them', () => {
  assert.equal(decodeSubscription(encodeSubscription(['a', 'b'])), ['a', 'b']);
  const assignment = new Map([['a', [0, 1]]]);
  assert.equal(decodeAssignment(encodeAssignment(assignment)), assignment);
  assert.is(decodeAssignment(Buffer.alloc(0)).size, 0);
  const members = ['m2', 'm1', 'm3'].map((memberId) => ({ memberId, topics: ['t'] }));
  const ranges = assignRanges(members, new Map([['t', 7]]));
  assert.equal(ranges.get('m1')?.get('t'), [0, 1, 2]);
  assert.equal(ranges.get('m2')?.get('t'), [3, 4]);
  assert.equal(ranges.get('m3')?.get('t'), [5, 6]);
  const few = assignRanges(members, new Map([['t', 1]]));
  assert.equal(few.get('m2')?.get('t'), undefined);
});

test.run();
