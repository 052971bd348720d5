/** Parts of JSON as they were written, against the parser on random documents. */
import fc from 'fast-check';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { sliceList } from '#src/handlers/http/json-slices.js';

test('numbers, escapes and white space stay what they were', () => {
  const text =
    ' { "other" : [1,{"records":0}], "records": [ {"key": 12345678901234567890, "value":' +
    ' {"a": [1e400, "\\"]}"] , "b":1.0} },{"value" :null}, {} ,{"value":true,"value":"\\u0041"}]}';
  assert.equal(
    sliceList(text, 'records').map((members) => [...members]),
    [
      [
        ['key', '12345678901234567890'],
        ['value', '{"a": [1e400, "\\"]}"] , "b":1.0}'],
      ],
      [['value', 'null']],
      [],
      [['value', '"\\u0041"']],
    ],
  );
  assert.equal(sliceList('{}', 'records'), []);
  const deep = `${'['.repeat(50_000)}${']'.repeat(50_000)}`;
  assert.is(sliceList(`{"records":[{"value":${deep}}]}`, 'records')[0]?.get('value'), deep);
});

test('each slice parses to what the whole parses to', () => {
  const record = fc.dictionary(fc.string(), fc.jsonValue());
  const document = fc.record({ before: fc.jsonValue(), records: fc.array(record) });
  fc.assert(
    fc.property(document, fc.constantFrom(0, 1, '\t\n'), (value, space) => {
      const text = JSON.stringify(value, null, space);
      const parsed = JSON.parse(text) as { records: Record<string, unknown>[] };
      const sliced = sliceList(text, 'records').map((members) =>
        Object.fromEntries([...members].map(([name, slice]) => [name, JSON.parse(slice)])),
      );
      assert.is(JSON.stringify(sliced), JSON.stringify(parsed.records));
    }),
  );
});

test.run();
