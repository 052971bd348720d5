/** Records as JSON: what is written comes back, what is not valid is named. */
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { Problem } from '#src/handlers/http/problem.js';
import { recordFromJson, recordToJson } from '#src/handlers/http/record-json.js';

const BINARY = Buffer.from([0xff, 0, 0xfe]);

function refused(json: unknown): string {
  try {
    recordFromJson(json, 'line 3');
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
  const { input } = recordFromJson(json, 'it');
  assert.equal(input.key, BINARY);
  assert.equal(input.value, record.value);
  assert.equal(input.headers, headers);
  assert.is(input.timestamp, 5);
});

test('a value that is no text is kept as its JSON, and null is a tombstone', () => {
  assert.equal(recordFromJson({ value: { a: [1] } }, 'it').input.value, Buffer.from('{"a":[1]}'));
  assert.equal(recordFromJson({ value: 5 }, 'it').input.value, Buffer.from('5'));
  assert.is(recordFromJson({ key: 'k', value: null }, 'it').input.value, null);
  assert.is(recordFromJson({ value: 'x', partition: 2 }, 'it').partition, 2);
  const { headers } = recordFromJson({ value: 'x', headers: { h: 'v' } }, 'it').input;
  assert.equal(headers, [{ key: 'h', value: Buffer.from('v') }]);
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
