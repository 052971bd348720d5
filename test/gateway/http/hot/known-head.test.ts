/** A head that comes again is known by every byte of it, and by nothing less. */
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { hotRequestOf } from '#src/gateway/http/hot/hot-request.js';
import { KnownHead } from '#src/gateway/http/hot/known-head.js';
import { readRequestHead } from '#src/gateway/http/request-head.js';

function requestOf(more: string): Buffer {
  const head = 'POST /topics/orders/records?partition=3 HTTP/1.1\r\nHost: x\r\n';
  return Buffer.from(`${head}${more}Content-Length: 4\r\n\r\nbody`);
}

function noted(bytes: Buffer, start: number): KnownHead {
  const head = readRequestHead(bytes, start, bytes.length);
  if (typeof head === 'string') throw new Error(head);
  const request = hotRequestOf(head);
  if (request === null) throw new Error('the request is hot');
  const known = new KnownHead();
  known.note(bytes, start, { head, request });
  return known;
}

test('the same bytes are found anywhere in a buffer, and mean the same', () => {
  const one = requestOf('');
  const known = noted(one, 0);
  const packed = Buffer.concat([Buffer.from('behind'), one, one]);
  const found = known.find(packed, 6, packed.length);
  assert.is(found?.head.contentLength, 4);
  assert.is(found?.request.kind, 'produce');
  assert.equal(known.find(packed, 6 + one.length, packed.length), found);
});

test('a head that differs in any byte is not known', () => {
  const one = requestOf('');
  const headBytes = one.length - 4;
  const known = noted(one, 0);
  for (let at = 0; at < headBytes; at++) {
    const other = Buffer.from(one);
    other[at] = (other[at] as number) ^ 1;
    assert.is(known.find(other, 0, other.length), null, `byte ${at}`);
  }
  assert.is.not(known.find(one, 0, headBytes), null);
});

test('a head of which the end is missing is not known', () => {
  const one = requestOf('');
  const known = noted(one, 0);
  // What lies behind `end` in the buffer is another time's.
  for (let end = 0; end < one.length - 4; end++) assert.is(known.find(one, 0, end), null);
});

test('what was noted does not change with the buffer it came from', () => {
  const one = requestOf('');
  const again = Buffer.from(one);
  const known = noted(one, 0);
  one.fill(0);
  assert.is.not(known.find(again, 0, again.length), null);
  assert.is(known.find(one, 0, one.length), null);
});

test('a long head is not kept', () => {
  const long = requestOf(`X-Long: ${'x'.repeat(600)}\r\n`);
  assert.is(noted(long, 0).find(long, 0, long.length), null);
});

test.run();
