/** Records as JSON: what is written comes back, what is not valid is named. */
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { HTTP_JSON_DEPTH_MAX } from '#src/base/limits.js';
import { Problem } from '#src/handlers/http/problem.js';
import { JsonSlice } from '#src/handlers/http/json-slices.js';
import { type RecordDraft, recordFromJson, recordToJson } from '#src/handlers/http/record-json.js';

const BINARY = Buffer.from([0xff, 0, 0xfe]);

function draftOf(json: unknown, text = JSON.stringify(json)): RecordDraft {
  return recordFromJson(json, () => new JsonSlice(text), 'line 3');
}

function written(text: string): RecordDraft {
  return draftOf(JSON.parse(text), text);
}

function refused(json: unknown): string {
  try {
    draftOf(json);
  } catch (error) {
    assert.instance(error, Problem);
    assert.is((error as Problem).status, 400);
    return (error as Problem).message;
  }
  throw new Error(`taken: ${JSON.stringify(json)}`);
}

test('text stays text, other bytes are base64 and say so, and both can be sent back', () => {
  const headers = [
    { key: 'a', value: Buffer.from('x') },
    { key: 'a', value: BINARY },
    { key: 'n', value: null },
  ];
  const record = { offset: 7, timestamp: 5, key: BINARY, value: Buffer.from('\ufeffhé'), headers };
  const json = recordToJson(record);
  assert.equal(json, {
    offset: 7,
    timestamp: 5,
    key: '/wD+',
    keyEncoding: 'base64',
    value: '\ufeffhé',
    headers: [
      { key: 'a', value: 'x' },
      { key: 'a', value: '/wD+', encoding: 'base64' },
      { key: 'n', value: null },
    ],
  });
  const { input } = draftOf(json);
  assert.equal(input.key, BINARY);
  assert.equal(input.value, record.value);
  assert.equal(input.headers, headers);
  assert.is(input.timestamp, 5);
});

test('a value that is no text is kept as its JSON, and null is a tombstone', () => {
  assert.equal(draftOf({ value: { a: [1] } }).input.value, Buffer.from('{"a":[1]}'));
  assert.equal(draftOf({ value: 5 }).input.value, Buffer.from('5'));
  assert.is(draftOf({ key: 'k', value: null }).input.value, null);
  assert.is(draftOf({ value: 'x', partition: 2 }).partition, 2);
  const { headers } = draftOf({ value: 'x', headers: { h: 'v' } }).input;
  assert.equal(headers, [{ key: 'h', value: Buffer.from('v') }]);
});

test('numbers keep their digits, and JSON its shape', () => {
  const { input } = written(
    '{"value": {"id": 12345678901234567890, "x":1.0} , "key":9007199254740993, "headers":' +
      '{"a":"\u0041","b" : 1e400}, "value": [ 1e2 , "\u0041"]}',
  );
  assert.equal(input.value, Buffer.from('[ 1e2 , "\u0041"]'));
  assert.equal(input.key, Buffer.from('9007199254740993'));
  assert.equal(input.headers, [
    { key: 'a', value: Buffer.from('A') },
    { key: 'b', value: Buffer.from('1e400') },
  ]);
  const list = written('{"headers":[{"key":"a","value":-0},{"key":"a","value":0.10}]}');
  assert.equal(
    list.input.headers?.map(({ value }) => Buffer.from(value ?? []).toString()),
    ['-0', '0.10'],
  );
});

test('a value has as many levels as the bound says, and no more', () => {
  const deep = (levels: number): string =>
    `{"value":${'[{"a":'.repeat(levels / 2)}"[["${'}]'.repeat(levels / 2)}}`;
  assert.is(written(deep(HTTP_JSON_DEPTH_MAX)).input.value?.length, HTTP_JSON_DEPTH_MAX * 4 + 4);
  assert.throws(() => written(deep(HTTP_JSON_DEPTH_MAX + 2)), /the value of line 3 is nested too/);
});

test('what is not a record is refused by name', () => {
  assert.match(refused(5), 'line 3 is 5');
  assert.match(refused({ valeu: 'x' }), '"valeu"');
  assert.match(refused(JSON.parse('{"__proto__": 1}')), '__proto__');
  assert.match(refused({ value: 'x', partition: -1 }), 'partition of line 3 is -1');
  assert.match(refused({ value: 'x', timestamp: 1.5 }), 'timestamp of line 3 is 1.5');
  assert.match(refused({ value: '!', valueEncoding: 'base64' }), 'not base64');
  assert.match(refused({ value: 'x', keyEncoding: 'hex', key: 'a' }), '"hex"');
  assert.match(refused({ headers: 5 }), 'a header of line 3 is 5');
});

test.run();
