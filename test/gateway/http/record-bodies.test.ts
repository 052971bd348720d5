/** Bodies of many records: native code cuts what the door's own reading gives, or leaves it. */
import fc from 'fast-check';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { HTTP_BLOCK_PLACE_BYTES, HTTP_JSON_DEPTH_MAX, HTTP_RECORDS_MAX } from '#src/base/limits.js';
import { formatOf, type ManyFormat } from '#src/gateway/http/record-bodies.js';
import {
  type CutBody,
  type CutFault,
  cutRecords,
  releaseBlocks,
} from '#src/native/record-cutter.js';
import { damaged, edits } from '../../fuzz/mutate.js';
import { type Asked, asked, bodies, mustCutAlike } from './record-texts.js';

const RUNS = 1_500;
const THREE: Asked = { partitions: 3, partition: null };

function verdict(body: string | Buffer, format: ManyFormat = 'lines', asking = THREE): CutFault {
  return mustCutAlike(format, Buffer.from(body as string), asking);
}

test('any body is cut as it is read, or refused where that refuses', () => {
  const seen = new Map<CutFault, number>();
  fc.assert(
    fc.property(bodies, asked, ({ format, body }, question) => {
      const fault = mustCutAlike(format, body, question);
      seen.set(fault, (seen.get(fault) ?? 0) + 1);
    }),
    { numRuns: RUNS },
  );
  const cut = seen.get('NONE') ?? 0;
  assert.ok(cut > RUNS / 4, `${cut} of ${RUNS} were cut`);
  assert.ok((seen.get('UNUSUAL') ?? 0) < RUNS / 3, JSON.stringify([...seen]));
  for (const fault of ['NOT_JSON', 'NOT_RECORD', 'EMPTY', 'UNKNOWN_PARTITION'] as const) {
    assert.ok(seen.has(fault), `${fault} of ${JSON.stringify([...seen])}`);
  }
});

test('so is any damaged body', () => {
  fc.assert(
    fc.property(bodies, asked, edits, ({ format, body }, question, damage) => {
      mustCutAlike(format, damaged(body, damage), question);
    }),
    { numRuns: RUNS },
  );
});

test('ordinary records are never left', () => {
  const bodiesOf = ['{"value":"a"}', '{"key":"k","value":{"a":[1.5,null]},"headers":{"h":"v"}}'];
  for (const line of [...bodiesOf, '{"value":null,"partition":2,"timestamp":5}', '{"value":12}']) {
    assert.is(verdict(`${line}\n${line}\r\n\n${line}`), 'NONE', line);
    assert.is(verdict(` [\n${line} , ${line}]\n`, 'array'), 'NONE', line);
  }
  const list = '[{"key":"a","value":"/w==","encoding":"base64"},{"key":"a","value":null}]';
  assert.is(verdict(`{"key":"/w==","keyEncoding":"base64","headers":${list}}`), 'NONE');
});

test('every kind of fault, and its line', () => {
  assert.is(verdict(''), 'EMPTY');
  assert.is(verdict(' [ ] ', 'array'), 'EMPTY');
  assert.is(verdict('{"value":1}\n{"value":1,"partition":3}\n'), 'UNKNOWN_PARTITION');
  assert.is(verdict('{"value":1,"partition":3}\n{"valeu":1}'), 'NOT_RECORD');
  assert.is(verdict('{"value":1}\n\n{"value":'), 'NOT_JSON');
  assert.is(verdict('{"value":1}\n \n'), 'NOT_RECORD');
  assert.is(verdict('{"value":1}\n{"value":1} 2'), 'NOT_JSON');
  assert.is(verdict('{"value":"a"}', 'lines', { partitions: 3, partition: 2 ** 40 }), unknown);
  for (const bytes of ['ff', 'c080', 'eda080', 'f4908080', 'e282', 'c3']) {
    const body = Buffer.concat([Buffer.from('{"value":"'), Buffer.from(bytes, 'hex')]);
    assert.is(verdict(Buffer.concat([body, Buffer.from('"}')])), 'NOT_UTF8', bytes);
  }
});
const unknown = 'UNKNOWN_PARTITION';

test('bounds: records, levels, headers', () => {
  const record = '{"value":"x"}';
  const many = Array<string>(HTTP_RECORDS_MAX).fill(record);
  assert.is(verdict(many.join('\n')), 'NONE');
  assert.is(verdict([...many, record].join('\n')), 'TOO_MANY');
  assert.is(verdict(`[${many.join(',')}]`, 'array'), 'NONE');
  assert.is(verdict(`[${[...many, record].join(',')}]`, 'array'), 'TOO_MANY');
  const deep = (levels: number): string => `{"value":${'['.repeat(levels)}${']'.repeat(levels)}}`;
  assert.is(verdict(deep(HTTP_JSON_DEPTH_MAX)), 'NONE');
  assert.is(verdict(deep(HTTP_JSON_DEPTH_MAX + 1)), 'UNUSUAL');
  assert.is(verdict(deep(200_000)), 'UNUSUAL');
  const headers = (count: number): string => {
    return `{"headers":[${Array<string>(count).fill('{"key":"h","value":"v"}').join(',')}]}`;
  };
  assert.is(verdict(headers(1_000)), 'NONE');
  assert.is(verdict(headers(1_001)), 'NOT_RECORD');
});

test('blocks that wait are not written over until they are released', () => {
  const cutOf = (value: string): CutBody => {
    const body = Buffer.from(`{"value":"${value}"}\n`.repeat(100));
    const asking = {
      ...{ isArray: false, partitions: 1 },
      partition: 0,
      anyPartition: 0,
      nowMs: 0,
    };
    return cutRecords(body, 0, body.length, asking) as CutBody;
  };
  const first = cutOf('first');
  const second = cutOf('other');
  const before = Buffer.from(second.shares[0]?.blocks ?? []);
  releaseBlocks(first);
  const third = cutOf('third');
  assert.is(third.place, first.place, 'memory is used again');
  assert.ok(before.equals(second.shares[0]?.blocks ?? Buffer.alloc(0)));
  const large = cutOf('x'.repeat(HTTP_BLOCK_PLACE_BYTES / 50));
  assert.is(large.shares[0]?.blocks.length, large.place.length);
});

test('an array is told from one record by its first character', () => {
  const json = 'application/json; charset=utf-8';
  assert.is(formatOf(json, Buffer.from('\ufeff \n[1]')), 'array');
  assert.is(formatOf(json, Buffer.from('{"a":[1]}')), null);
  assert.is(formatOf(' Application/X-NDJSON ;x', Buffer.from('anything')), 'lines');
  assert.is(formatOf('text/plain', Buffer.from('[]')), null);
});

test.run();
