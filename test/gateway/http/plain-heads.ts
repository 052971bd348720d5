/**
 * Heads of plain requests, what may be done to them, and the promise that readRequestHead gives for
 * any bytes at all: an answer, the same however they are cut, and Node's own where it is a head.
 */
import { HTTP_HEAD_BYTES_MAX } from '#src/base/limits.js';
import { type RequestHead, readRequestHead } from '#src/gateway/http/request-head.js';
import fc from 'fast-check';
import * as assert from 'uvu/assert';
import { nodeReads } from './node-reading.js';

export function read(text: string | Buffer): RequestHead | 'incomplete' | 'other' {
  const bytes = Buffer.from(text as string, 'latin1');
  return readRequestHead(bytes, 0, bytes.length);
}

const GOOD_PARTS = ['/', 'topics', '/records', '?', '&', 'offset=1', 'key=%20', '%C3%A9', '%2F'];
const ODD_PARTS = ['..', '//', '|', '"', '*', 'http://h/', '~', ';=@'];
const BAD_PARTS = ['%', '%0', '%00', '%7f', '%ff', '%c2%85', '#'];
const LENGTHS = ['0', '4', '200', '007', '999999999999999'];
const BAD_LENGTHS = ['1000000000000000', '5, 5', '+5', '5 5', '', '-1', '0x5', '5e1', '1_0', '4\t'];

const targetOf = (parts: readonly string[]): fc.Arbitrary<string> =>
  fc.array(fc.constantFrom(...parts), { maxLength: 5 }).map((list) => `/${list.join('')}`);
const someCase = (name: string): fc.Arbitrary<string> =>
  fc.constantFrom(name, name.toLowerCase(), name.toUpperCase());

type Line = { readonly name: string; readonly text: string };

const line = (
  names: readonly string[],
  values: readonly string[],
  before: readonly string[] = [':', ': ', ':  '],
  after: readonly string[] = ['', ' '],
): fc.Arbitrary<Line> =>
  fc
    .record({
      name: fc.constantFrom(...names).chain(someCase),
      colon: fc.constantFrom(...before),
      value: fc.constantFrom(...values),
      rest: fc.constantFrom(...after),
    })
    .map(({ name, colon, value, rest }) => ({
      name: name.toLowerCase(),
      text: `${name}${colon}${value}${rest}\r\n`,
    }));

const goodLine = fc.oneof(
  line(['Content-Type', 'Accept'], ['*/*', 'text/plain; charset="\xe9"', '', 'a  b', 'a, b']),
  line(['Range'], ['bytes=0-', 'bytes=5-9,20-', '']),
  line(['Connection'], ['keep-alive', 'Close', 'Keep-Alive', 'close']),
  line(['User-Agent', 'X-Any', 'X-Other', 'Keep-Alive', 'Cookie', 'TE'], ['timeout=5', '', 'a']),
);
const badLine = fc.oneof(
  goodLine,
  line(['Content-Length'], [...LENGTHS, ...BAD_LENGTHS]),
  line(['Connection', 'Proxy-Connection'], ['close, TE', 'upgrade', '', 'close', 'keep-alive\t']),
  line(['Host', 'Accept', 'X-Any'], ['a', '', 'a\tb'], [' : ', ':\t', '\t:', ':', ''], ['', '\t']),
  line(
    ['Expect', 'Upgrade', 'Transfer-Encoding', 'Content-Encoding', 'Authorization'],
    ['chunked', '100-continue', 'websocket', 'gzip', 'h2c', 'Basic eDp5', 'identity'],
  ),
);

const bodies = fc.constantFrom('', 'body', 'GET / HTTP/1.1\r\nHost: b\r\n\r\n', '\r\n');

const plainHeads = fc
  .record({
    method: fc.constantFrom('GET', 'POST'),
    target: targetOf([...GOOD_PARTS, ...ODD_PARTS]),
    host: line(['Host'], ['a', 'localhost:9292', '[::1]:1']),
    length: line(['Content-Length'], LENGTHS),
    lines: fc.uniqueArray(goodLine, { maxLength: 6, selector: ({ name }) => name }),
    odd: fc.option(badLine, { freq: 2 }),
    body: bodies,
  })
  .map(({ method, target, host, length, lines, odd, body }) => {
    const all = lines.map(({ text }) => text).join('') + (odd?.text ?? '');
    return `${method} ${target} HTTP/1.1\r\n${host.text}${all}${length.text}\r\n${body}`;
  });

const otherHeads = fc
  .record({
    method: fc.constantFrom('GET', 'POST', 'PUT', 'get', 'HEAD', 'OPTIONS'),
    target: targetOf([...GOOD_PARTS, ...ODD_PARTS, ...BAD_PARTS]),
    version: fc.constantFrom('1.1', '1.1', '1.1', '1.1', '1.0', '1.2', '2.0', '0.9'),
    host: fc.constantFrom('Host: a\r\n', 'Host: a\r\n', 'Host:\r\n', ''),
    lines: fc.array(badLine, { maxLength: 4 }),
    body: bodies,
  })
  .map(({ method, target, version, host, lines, body }) => {
    const all = lines.map(({ text }) => text).join('');
    return `${method} ${target} HTTP/${version}\r\n${host}${all}\r\n${body}`;
  });

/** Half of them plain requests; the others ask for more or are none. */
export const heads: fc.Arbitrary<Buffer> = fc
  .oneof({ weight: 3, arbitrary: plainHeads }, { weight: 1, arbitrary: otherHeads })
  .map((text) => Buffer.from(text, 'latin1'));

/** What makes a difference somewhere in a head. */
const PIECES = [
  '\r',
  '\n',
  '\r\n',
  '\r\n\r\n',
  ' ',
  '\t',
  ':',
  '\0',
  '\x7f',
  '\x80',
  '%',
  '#',
  '?',
];
const WORDS = ['Host: b\r\n', 'Content-Length: 1\r\n', 'Transfer-Encoding: chunked\r\n', ',', '5'];

export type Splice = { readonly at: number; readonly remove: number; readonly text: string };

export const splices: fc.Arbitrary<readonly Splice[]> = fc.array(
  fc.record({
    at: fc.nat(9_999),
    remove: fc.nat(3),
    text: fc.oneof(fc.constantFrom('', ...PIECES, ...WORDS), fc.string({ maxLength: 3 })),
  }),
  { maxLength: 3 },
);

export function spliced(original: Buffer, list: readonly Splice[]): Buffer {
  let text = original.toString('latin1');
  for (const { at: place, remove, text: piece } of list) {
    const at = Math.floor((place / 10_000) * (text.length + 1));
    text = text.slice(0, at) + piece + text.slice(at + remove);
  }
  return Buffer.from(text, 'latin1');
}

/** The whole promise, for these bytes. Returns what they were read as. */
export function mustBeReadRight(bytes: Buffer): RequestHead | 'incomplete' | 'other' {
  const whole = read(bytes);
  const within = Buffer.concat([Buffer.alloc(9, 'GET '), bytes, Buffer.alloc(9, '\r\n')]);
  assert.equal(readRequestHead(within, 9, 9 + bytes.length), whole, 'somewhere in a buffer');
  mustBeTheSameWhenCut(bytes, whole);
  if (typeof whole === 'string') return whole;
  const node = nodeReads(bytes);
  assert.ok(node, 'Node sees a request');
  const { method, path, query, headBytes, contentLength } = whole;
  assert.is(node.method, method);
  assert.is(node.url, bytes.toString('latin1').split(' ')[1]);
  assert.is(node.url, node.url?.includes('?') ? `${path}?${query}` : path);
  assert.is(Number(node.contentLength ?? 0), contentLength);
  assert.is(node.contentType ?? null, whole.contentType);
  assert.is(node.accept ?? null, whole.accept);
  assert.is(node.range ?? null, whole.range);
  assert.is(node.isKeepAlive, whole.isKeepAlive);
  assert.equal(node.body, bytes.subarray(headBytes, headBytes + contentLength));
  return whole;
}

/** 'incomplete' until it is decided, and from then on the same. */
function mustBeTheSameWhenCut(bytes: Buffer, whole: RequestHead | 'incomplete' | 'other'): void {
  let decided: RequestHead | 'other' | null = null;
  for (let end = 0; end <= bytes.length; end++) {
    const answer = readRequestHead(bytes, 0, end);
    if (decided !== null) assert.equal(answer, decided, `with ${end} bytes`);
    else if (answer !== 'incomplete') decided = answer;
    if (answer === 'incomplete') assert.ok(end < HTTP_HEAD_BYTES_MAX);
    if (typeof answer === 'object') assert.ok(end >= answer.headBytes);
  }
  assert.equal(whole, decided ?? 'incomplete');
  if (typeof whole !== 'object') return;
  assert.is(readRequestHead(bytes, 0, whole.headBytes - 1), 'incomplete');
}
