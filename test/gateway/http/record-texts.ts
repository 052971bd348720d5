/**
 * Bodies of many records as people and their libraries write them, in every spelling that JSON
 * allows, and the promise of the native cutter for any bytes at all: the batches that the door's
 * own reading gives, or a fault where that refuses; only what is seldom seen may be left to it.
 */
import fc from 'fast-check';
import * as assert from 'uvu/assert';
import type { TopicImage } from '#src/control/image.js';
import { JSON_TYPE, NDJSON_TYPE } from '#src/gateway/http/body.js';
import { draftsOfMany, formatOf, type ManyFormat } from '#src/gateway/http/record-bodies.js';
import { Problem } from '#src/handlers/http/problem.js';
import { type Share, sharesOf } from '#src/handlers/http/produce.js';
import { BatchRules, validateBatch } from '#src/native/batch.js';
import { crc32c } from '#src/native/crc32c.js';
import {
  type CutFailure,
  type CutFault,
  cutRecords,
  sealBatch,
} from '#src/native/record-cutter.js';
import { encodeBatch } from '#src/records/batch.js';

export type Asked = { readonly partitions: number; readonly partition: number | null };

const NOW_MS = 1_700_000_000_000;
const ANY = 0;
const CONTENT_TYPES = { lines: NDJSON_TYPE, array: JSON_TYPE };

export const asked: fc.Arbitrary<Asked> = fc.record({
  partitions: fc.integer({ min: 1, max: 7 }),
  partition: fc.option(fc.constantFrom(0, 0, 0, 5), { freq: 2 }),
});

// --- texts ---------------------------------------------------------------------------------------

const space = fc.constantFrom('', '', '', ' ', '\t', '  ', '\r');

/** The character in one of the ways in which a string may hold it. */
function spelled(text: string, isEscaped: boolean): string {
  if (!isEscaped) return JSON.stringify(text);
  const units = text.split('').map((unit, i) => {
    const hex = unit.charCodeAt(0).toString(16).padStart(4, '0');
    return `\\u${i % 2 === 0 ? hex : hex.toUpperCase()}`;
  });
  return `"${units.join('').replaceAll('\\u002f', '\\/')}"`;
}

const someText = fc.oneof(
  fc.string({ maxLength: 20 }),
  fc.string({ unit: 'binary', maxLength: 12 }),
  fc.constantFrom('', 'key', '"\\\n\u0000\b', '\ud83d\ude00', '\ud800', 'x\udc00\ud800y', '\u2028'),
  fc.constantFrom('a'.repeat(63), 'b'.repeat(64), 'é'.repeat(40), 'c'.repeat(9_000), '\ufeff'),
);
const text = fc
  .tuple(someText, fc.boolean())
  .map(([value, isEscaped]) => spelled(value, isEscaped));
const number = fc.oneof(
  fc.constantFrom('0', '-0', '1', '12345678901234567890', '1.0', '1e400', '-1.5E-3', '0.10'),
  fc.nat(1_000).map(String),
);
const word = fc.constantFrom('null', 'true', 'false', '{}', '[]', '[[], {}]', '{"a":{"b":[1]}}');

type Member = readonly [name: string, value: string];

function objectOf(members: readonly Member[], gap: string): string {
  const list = members.map(([name, value]) => `${gap}${name}${gap}:${gap}${value}${gap}`);
  return `{${list.length === 0 ? gap : list.join(',')}}`;
}

const anyJson: fc.Arbitrary<string> = fc.oneof(
  text,
  number,
  word,
  fc.jsonValue({ maxDepth: 3 }).map((value) => JSON.stringify(value, null, 0)),
  fc
    .tuple(fc.array(fc.tuple(text, number), { maxLength: 3 }), space)
    .map(([members, gap]) => `[${gap}${objectOf(members, gap)} ,${gap}${objectOf([], gap)}${gap}]`),
);
const base64 = fc.oneof(
  {
    weight: 4,
    arbitrary: fc
      .uint8Array({ maxLength: 9 })
      .map((bytes) => Buffer.from(bytes).toString('base64')),
  },
  {
    weight: 1,
    arbitrary: fc.constantFrom('AA', 'A', '=', 'AB==', 'AAA=AAAA', '_-8=', 'Q===', '\\/w=='),
  },
);
const encodings = fc.constantFrom('"base64"', '"utf8"', 'null', '"rot13"', '5', '"\\u0075tf8"');
const keyAndEncoding = (name: string, encoding: string): fc.Arbitrary<Member[]> =>
  fc.oneof(
    { weight: 8, arbitrary: anyJson.map((value): Member[] => [[`"${name}"`, value]]) },
    {
      weight: 3,
      arbitrary: base64.map((digits): Member[] => [
        [`"${encoding}"`, '"base64"'],
        [`"${name}"`, `"${digits}"`],
      ]),
    },
    {
      weight: 1,
      arbitrary: fc.tuple(anyJson, encodings).map(([value, coding]): Member[] => [
        [`"${name}"`, value],
        [`"${encoding}"`, coding],
      ]),
    },
  );
const headerEntry = fc
  .tuple(text, fc.oneof(keyAndEncoding('value', 'encoding'), fc.constant<Member[]>([])), space)
  .map(([key, more, gap]) => objectOf([...more, ['"key"', key], ['"x"', '[{}]']], gap));
const headerName = fc.oneof(
  { weight: 6, arbitrary: fc.constantFrom('"a"', '"b"', '"c"', '"d"', '""', '"__proto__"') },
  { weight: 1, arbitrary: fc.constantFrom('"7"', '"\\u0061"', '"1a"') },
  { weight: 2, arbitrary: text },
);
const headerList = fc
  .tuple(fc.array(headerEntry, { maxLength: 3 }), space)
  .map(([list, gap]) => `[${gap}${list.join(`${gap},`)}${gap}]`);
const headerObject = fc
  .tuple(fc.array(fc.tuple(headerName, anyJson), { maxLength: 3 }), space)
  .map(([members, gap]) => objectOf(members, gap));
const headers = fc.oneof(
  { weight: 5, arbitrary: fc.oneof(headerList, headerObject) },
  {
    weight: 1,
    arbitrary: fc.constantFrom('null', '5', '[null]', '[{"key":5}]', '"h"', '[{"value":"v"}]'),
  },
);
const counts = fc.oneof(
  { weight: 12, arbitrary: fc.constantFrom('0', '0', '1', 'null') },
  { weight: 1, arbitrary: fc.constantFrom('6', '1.0', '9007199254740991', '-1', '1e1', '"1"') },
);

/** Most records are good ones; the rest has a little of everything. */
const members: fc.Arbitrary<Member[]> = fc
  .tuple(
    fc.option(keyAndEncoding('key', 'keyEncoding')),
    fc.option(keyAndEncoding('value', 'valueEncoding'), { freq: 10 }),
    fc.option(
      headers.map((value): Member[] => [['"headers"', value]]),
      { freq: 2 },
    ),
    fc.option(
      counts.map((value): Member[] => [['"partition"', value]]),
      { freq: 2 },
    ),
    fc.option(
      fc
        .constantFrom('0', '5', '1700000000000', '9007199254740991')
        .map((value): Member[] => [['"timestamp"', value]]),
      { freq: 2 },
    ),
  )
  .map((parts) => parts.flatMap((part) => part ?? []));
const oddMember: fc.Arbitrary<Member> = fc.oneof(
  fc.constantFrom<Member>(
    ['"offset"', '[[1]]'],
    ['"\\u0076alue"', '"other"'],
    ['"valeu"', '1'],
    ['"__proto__"', '{}'],
    ['"timestamp"', 'null'],
    ['"timestamp"', '99999999999999999999'],
    ['"value"', '[1,]'],
    ['"value"', '01'],
    ['"value"', '"\t"'],
    ['"value"', 'nul'],
    ['value', '1'],
  ),
  fc.tuple(fc.constantFrom('"key"', '"value"'), anyJson),
);
const goodRecord = fc.tuple(members, space).map(([list, gap]) => objectOf(list, gap));
const oddRecord = fc.oneof(
  fc
    .tuple(members, oddMember, fc.boolean(), space)
    .map(([list, odd, isFirst, gap]) => objectOf(isFirst ? [odd, ...list] : [...list, odd], gap)),
  fc.constantFrom('5', 'null', '"x"', '[]', '{', '{}}', '{"value":1}{"value":2}', '{"value":1,}'),
);
const record = fc.oneof({ weight: 20, arbitrary: goodRecord }, { weight: 1, arbitrary: oddRecord });
const lineEnd = fc.constantFrom('\n', '\n', '\r\n', '\n\n', '\r\n\r\n');

const lines = fc
  .tuple(fc.array(fc.tuple(record, lineEnd), { maxLength: 4 }), fc.boolean())
  .map(([list, hasMark]) => {
    const body = list.map(([line, end]) => line + end).join('');
    return { format: 'lines' as const, body: Buffer.from(hasMark ? `\ufeff${body}` : body) };
  });
const array = fc
  .tuple(fc.array(record, { maxLength: 4 }), fc.constantFrom('', ' ', '\n', '\r\n\t'))
  .map(([list, gap]) => {
    const body = `${gap}[${gap}${list.join(`${gap},${gap}`)}${gap}]${gap}`;
    return { format: 'array' as const, body: Buffer.from(body) };
  });

export const bodies: fc.Arbitrary<{ format: ManyFormat; body: Buffer }> = fc.oneof(lines, array);

// --- the promise ---------------------------------------------------------------------------------

type Read = { readonly shares: Share[] } | { readonly problem: Problem };

function readAsDoor(format: ManyFormat, body: Buffer, { partitions, partition }: Asked): Read {
  try {
    const drafts = draftsOfMany(body, format);
    const topic = { name: 't', topicId: 'id', partitions: Array(partitions).fill(null) };
    const rule = { partition, any: ANY, nowMs: NOW_MS };
    return { shares: sharesOf(topic as unknown as TopicImage, drafts, rule) };
  } catch (error) {
    if (error instanceof Problem) return { problem: error };
    throw error;
  }
}

/** What the native cutter said, which is right whenever this returns. */
export function mustCutAlike(format: ManyFormat, body: Buffer, question: Asked): CutFault {
  // Nobody cuts what begins otherwise.
  if (formatOf(CONTENT_TYPES[format], body) !== format) return 'UNUSUAL';
  const expected = readAsDoor(format, body, question);
  const request = {
    ...{ isArray: format === 'array', ...question },
    ...{ anyPartition: ANY, nowMs: NOW_MS },
  };
  const surrounded = Buffer.concat([Buffer.from('["'), body, Buffer.from('"}]\n')]);
  const cut = cutRecords(surrounded, 2, body.length, request);
  if (cut.fault === 'UNUSUAL') return cut.fault;
  if (cut.fault !== 'NONE') {
    if (cut.fault === 'EMPTY') assert.equal('shares' in expected && expected.shares, []);
    else mustNameThePlace(format, expected, cut);
    return cut.fault;
  }
  assert.ok('shares' in expected, 'what is refused was cut');
  const { shares } = expected;
  assert.equal(
    cut.shares.map(({ partition, records }) => [partition, records]),
    shares.map(({ partition, records }) => [partition, records.length]),
  );
  assert.equal(
    [...(cut.shareOf ?? Array(cut.records).fill(0))],
    Array.from({ length: cut.records }, (_, place) =>
      shares.findIndex(({ places }) => places.includes(place)),
    ),
  );
  cut.shares.forEach(({ blocks, records }, i) => {
    const batch = Buffer.from(sealBatch([blocks], records));
    const wanted = encodeBatch({ records: shares[i]?.records ?? [] }, crc32c);
    assert.is(batch.toString('hex'), wanted.toString('hex'));
    assert.is(validateBatch(batch, 0, batch.length, BatchRules.CLIENT), 0);
  });
  return 'NONE';
}

function mustNameThePlace(format: ManyFormat, expected: Read, { fault, place }: CutFailure): void {
  assert.ok('problem' in expected, `what is taken was refused as ${fault}`);
  const { message, code } = expected.problem;
  assert.is(code, fault === 'UNKNOWN_PARTITION' ? 'UNKNOWN_PARTITION' : 'INVALID_REQUEST');
  // An array is judged as a whole before its records are, and the parser names other lines.
  const line = format === 'lines' ? /\bline (\d+)/.exec(message)?.[1] : undefined;
  if (line !== undefined && fault !== 'UNKNOWN_PARTITION') assert.is(place, Number(line), message);
}
