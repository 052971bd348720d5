/**
 * The reader of request heads: heads as the usual clients send them, every reason to leave a
 * request to Node, every place where a head can be cut, and Node's own parser as the judge.
 */
import { HTTP_HEAD_BYTES_MAX, HTTP_HEAD_HEADERS_MAX } from '#src/base/limits.js';
import type { RequestHead } from '#src/gateway/http/request-head.js';
import fc from 'fast-check';
import { once } from 'node:events';
import { createServer } from 'node:http';
import { type AddressInfo, connect } from 'node:net';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { nodeReads } from './node-reading.js';
import { heads, mustBeReadRight, read, spliced, splices } from './plain-heads.js';

const PLAIN = { contentLength: 0, contentType: null, accept: null, range: null, isKeepAlive: true };

const text = (...lines: readonly string[]): string => `${lines.join('\r\n')}\r\n\r\n`;
const get = (...lines: readonly string[]): string => text('GET / HTTP/1.1', 'Host: a', ...lines);
const to = (target: string): string => text(`GET ${target} HTTP/1.1`, 'Host: a');

/** As each of them was seen on the wire, but for names and ports. */
const CLIENTS: Readonly<Record<string, readonly [string, Partial<RequestHead>]>> = {
  'curl, a record': [
    text(
      'POST /topics/orders/records?key=k HTTP/1.1',
      'Host: 127.0.0.1:9292',
      'User-Agent: curl/8.5.0',
      'Accept: */*',
      'Content-Length: 11',
      'Content-Type: application/x-www-form-urlencoded',
    ),
    {
      method: 'POST',
      path: '/topics/orders/records',
      query: 'key=k',
      contentLength: 11,
      contentType: 'application/x-www-form-urlencoded',
      accept: '*/*',
    },
  ],
  'curl, a range': [
    text(
      'GET /topics/orders/partitions/0/stream HTTP/1.1',
      'Host: localhost:9292',
      'Range: bytes=1000-',
      'User-Agent: curl/8.5.0',
      'Accept: */*',
    ),
    { path: '/topics/orders/partitions/0/stream', range: 'bytes=1000-', accept: '*/*' },
  ],
  autocannon: [
    text(
      'POST /topics/orders/records HTTP/1.1',
      'Host: localhost:9292',
      'Connection: keep-alive',
      'content-type: application/json',
      'Content-Length: 200',
    ),
    {
      method: 'POST',
      path: '/topics/orders/records',
      contentLength: 200,
      contentType: 'application/json',
    },
  ],
  'undici, fetch': [
    text(
      'POST /topics/orders/records HTTP/1.1',
      'host: localhost:9292',
      'connection: keep-alive',
      'content-type: text/plain;charset=UTF-8',
      'accept: */*',
      'accept-language: *',
      'sec-fetch-mode: cors',
      'user-agent: node',
      'accept-encoding: gzip, deflate',
      'content-length: 5',
    ),
    {
      method: 'POST',
      path: '/topics/orders/records',
      contentLength: 5,
      contentType: 'text/plain;charset=UTF-8',
      accept: '*/*',
    },
  ],
  'Go, net/http': [
    text(
      'POST /topics/orders/records HTTP/1.1',
      'Host: 127.0.0.1:9292',
      'User-Agent: Go-http-client/1.1',
      'Content-Length: 3',
      'Content-Type: application/octet-stream',
      'Accept-Encoding: gzip',
    ),
    {
      method: 'POST',
      path: '/topics/orders/records',
      contentLength: 3,
      contentType: 'application/octet-stream',
    },
  ],
  'Python, requests': [
    text(
      'GET /topics/caf%C3%A9/partitions/0/records?offset=0&max=10 HTTP/1.1',
      'Host: 127.0.0.1:9292',
      'User-Agent: python-requests/2.31.0',
      'Accept-Encoding: gzip, deflate',
      'Accept: application/x-ndjson',
      'Connection: keep-alive',
    ),
    {
      path: '/topics/caf%C3%A9/partitions/0/records',
      query: 'offset=0&max=10',
      accept: 'application/x-ndjson',
    },
  ],
  'Java, HttpURLConnection': [
    text(
      'POST /topics/orders/records HTTP/1.1',
      'Content-Type: application/json',
      'User-Agent: Java/21.0.2',
      'Host: localhost:9292',
      'Accept: text/html, image/gif, image/jpeg, */*; q=0.2',
      'Connection: close',
      'Content-Length: 0',
    ),
    {
      method: 'POST',
      path: '/topics/orders/records',
      contentType: 'application/json',
      accept: 'text/html, image/gif, image/jpeg, */*; q=0.2',
      isKeepAlive: false,
    },
  ],
};

for (const [client, [head, expected]] of Object.entries(CLIENTS)) {
  test(`${client}: read, alone and with a body behind it`, () => {
    const whole = { ...PLAIN, method: 'GET', query: '', headBytes: head.length, ...expected };
    assert.equal(read(head), whole);
    assert.equal(read(`${head}{"value":1}GET / HT`), whole);
    mustBeReadRight(Buffer.from(`${head}hello`));
  });

  test(`${client}: incomplete wherever it is cut`, () => {
    for (let end = 0; end < head.length; end++) {
      assert.is(read(head.slice(0, end)), 'incomplete', `${end} bytes`);
    }
  });
}

test('what a client may write differently', () => {
  const same = ['host:a', 'HOST:   a  ', 'HoSt: a'];
  for (const host of same) assert.type(read(text('GET / HTTP/1.1', host)), 'object', host);
  const odd = get('ACCEPT:\x20', 'X_y^z|~`: \xe9 "\\', 'Connection:  CLOSE ');
  assert.equal(mustBeReadRight(Buffer.from(odd, 'latin1')), {
    ...PLAIN,
    ...{ method: 'GET', path: '/', query: '', headBytes: odd.length, accept: '' },
    isKeepAlive: false,
  });
  const questions = read(to('/a?b?c'));
  assert.equal([(questions as RequestHead).path, (questions as RequestHead).query], ['/a', 'b?c']);
  assert.is((read(to('/a?')) as RequestHead).query, '');
  const fifteen = read(get('Content-Length: 999999999999999'));
  assert.is((fifteen as RequestHead).contentLength, 999_999_999_999_999);
});

/** Everything up to and including the last byte is 'other'; one byte less might still be plain. */
const OTHER_AT_LAST_BYTE: Readonly<Record<string, string>> = {
  'another method': 'H',
  'a method that begins alike': 'PU',
  'a lower-case method': 'g',
  'an empty line before it': '\r',
  'two spaces': 'GET  ',
  'an absolute target': 'GET h',
  'an asterisk': 'GET *',
  'a fragment': 'GET /a#',
  'a control character in the target': 'GET /a\x01',
  'DEL in the target': 'GET /a\x7f',
  'a byte above ASCII in the target': 'GET /a\xe9',
  'a tab in the target': 'GET /a\t',
  'no version': 'GET /\r',
  'broken percent-encoding': 'GET /%4g',
  'a percent sign alone': 'GET /% ',
  'an encoded NUL': 'GET /%00 ',
  'an encoded line end': 'GET /?%0D%0A ',
  'an encoded DEL': 'GET /%7F ',
  'an encoded C1 control': 'GET /%C2%85 ',
  'no UTF-8': 'GET /%FF ',
  'half a character': 'GET /%C3 ',
  'HTTP/1.0': 'GET / HTTP/1.0',
  'HTTP/2': 'GET / HTTP/2',
  'HTTP/0.9': 'GET / HTTP/0',
  'another protocol': 'GET / R',
  'a space behind the version': 'GET / HTTP/1.1 ',
  'a bare LF behind the version': 'GET / HTTP/1.1\n',
  'a bare CR behind the version': 'GET / HTTP/1.1\rH',
  'a first line that is folded': 'GET / HTTP/1.1\r\n ',
  'no Host': 'GET / HTTP/1.1\r\nA: b\r\n\r',
  'an empty Host': 'GET / HTTP/1.1\r\nHost: \r',
  'a POST without a length': 'POST / HTTP/1.1\r\nHost: a\r\n\r',
  'an empty name': 'GET / HTTP/1.1\r\n:',
  'a space before the colon': 'GET / HTTP/1.1\r\nHost ',
  'a tab before the colon': 'GET / HTTP/1.1\r\nHost\t',
  'a control character in a name': 'GET / HTTP/1.1\r\nHo\x00',
  'a byte above ASCII in a name': 'GET / HTTP/1.1\r\nH\xf6',
  'a separator in a name': 'GET / HTTP/1.1\r\nHo(',
  'a name without a colon': 'GET / HTTP/1.1\r\nHost\r',
  'a NUL in a value': 'GET / HTTP/1.1\r\nHost: a\0',
  'DEL in a value': 'GET / HTTP/1.1\r\nHost: a\x7f',
  'a tab in a value': 'GET / HTTP/1.1\r\nHost: a\t',
  'a bare LF': 'GET / HTTP/1.1\r\nHost: a\n',
  'a bare CR': 'GET / HTTP/1.1\r\nHost: a\rb',
  'a folded value': 'GET / HTTP/1.1\r\nHost: a\r\n ',
  'a value folded with a tab': 'GET / HTTP/1.1\r\nHost: a\r\n\t',
  'a bare CR at the end': 'GET / HTTP/1.1\r\nHost: a\r\n\rx',
  'Transfer-Encoding': 'GET / HTTP/1.1\r\nTransfer-Encoding:',
  Expect: 'GET / HTTP/1.1\r\nexpect:',
  Upgrade: 'GET / HTTP/1.1\r\nUPGRADE:',
  'Content-Encoding': 'GET / HTTP/1.1\r\nContent-Encoding:',
  Authorization: 'GET / HTTP/1.1\r\nAuthorization:',
  'Proxy-Connection': 'GET / HTTP/1.1\r\nProxy-Connection:',
  'a second Host': 'GET / HTTP/1.1\r\nHost: a\r\nhost:',
  'a second Content-Length': 'GET / HTTP/1.1\r\nContent-Length: 1\r\ncontent-length:',
  'a second Content-Type': 'GET / HTTP/1.1\r\nContent-Type: a\r\nContent-Type:',
  'a second Accept': 'GET / HTTP/1.1\r\nAccept: a\r\nAccept:',
  'a second Range': 'GET / HTTP/1.1\r\nRange: a\r\nRange:',
  'a second Connection': 'GET / HTTP/1.1\r\nConnection: close\r\nConnection:',
  'two wishes in Connection': 'GET / HTTP/1.1\r\nConnection: close,',
  'Connection: Upgrade': 'GET / HTTP/1.1\r\nConnection: Upgrade\r',
  'an empty Connection': 'GET / HTTP/1.1\r\nConnection:\r',
  'a sign': 'GET / HTTP/1.1\r\nContent-Length: +',
  'a negative length': 'GET / HTTP/1.1\r\nContent-Length: -',
  'a length in hex': 'GET / HTTP/1.1\r\nContent-Length: 0x',
  'a list of lengths': 'GET / HTTP/1.1\r\nContent-Length: 5,',
  'two numbers': 'GET / HTTP/1.1\r\nContent-Length: 5 5\r',
  'an empty length': 'GET / HTTP/1.1\r\nContent-Length: \r',
  'sixteen digits': 'GET / HTTP/1.1\r\nContent-Length: 1000000000000000\r',
};

for (const [what, head] of Object.entries(OTHER_AT_LAST_BYTE)) {
  test(`other, as soon as it is known: ${what}`, () => {
    assert.is(read(head.slice(0, -1)), 'incomplete');
    assert.is(read(head), 'other');
    assert.is(read(`${head}\r\nHost: a\r\n\r\n`), 'other');
  });
}

test('at most so many headers', () => {
  const lines = Array.from({ length: HTTP_HEAD_HEADERS_MAX }, (_, i) => `X-${i}: v`);
  assert.type(read(get(...lines.slice(1))), 'object');
  assert.is(read(get(...lines)), 'other');
});

test('at most so many bytes, and never incomplete with more', () => {
  const long = (size: number): string => get(`X: ${'x'.repeat(size - get('X: ').length)}`);
  assert.is((read(long(HTTP_HEAD_BYTES_MAX)) as RequestHead).headBytes, HTTP_HEAD_BYTES_MAX);
  assert.is(read(long(HTTP_HEAD_BYTES_MAX + 1)), 'other');
  const endless = `GET /${'a'.repeat(HTTP_HEAD_BYTES_MAX)}`;
  assert.is(read(endless.slice(0, HTTP_HEAD_BYTES_MAX - 1)), 'incomplete');
  assert.is(read(endless.slice(0, HTTP_HEAD_BYTES_MAX)), 'other');
  // The bound is of the head alone, whatever comes behind it.
  assert.type(read(get() + endless), 'object');
});

test('any bytes: an answer, the same however they are cut, and Node agrees', () => {
  const counts = { object: 0, incomplete: 0, other: 0 };
  const property = fc.property(heads, splices, (head, list) => {
    const answer = mustBeReadRight(spliced(head, list));
    counts[typeof answer === 'object' ? 'object' : answer]++;
  });
  fc.assert(property, { seed: 11, numRuns: 3_000 });
  // Otherwise nothing was compared.
  assert.ok(counts.object > 500 && counts.other > 500, JSON.stringify(counts));
});

/** What an HTTP server on a socket makes of the bytes: method and URL, or null when it refuses. */
async function heardOnSocket(port: number, bytes: Buffer): Promise<unknown> {
  const socket = connect(port, '127.0.0.1');
  const chunks: Buffer[] = [];
  socket.on('data', (chunk) => chunks.push(chunk));
  socket.end(bytes);
  await once(socket, 'close');
  const [head, body] = Buffer.concat(chunks).toString().split('\r\n\r\n');
  return head?.startsWith('HTTP/1.1 200') ? JSON.parse(body as string) : null;
}

test('the judge sees what a server on a socket sees', async () => {
  const server = createServer(({ method, url, headers }, response) => {
    response.setHeader('connection', 'close').removeHeader('transfer-encoding');
    response.end(JSON.stringify([method, url, headers.accept ?? null, headers.range ?? null]));
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  const broken = [get(': b'), get('A : b'), get('Content-Length: 5 5'), get('A: b\0')];
  const good = Object.values(CLIENTS).map(([head, { contentLength }]) => {
    return head + 'x'.repeat(contentLength ?? 0);
  });
  try {
    for (const [i, request] of [...good, ...broken].entries()) {
      const bytes = Buffer.from(request);
      const judged = nodeReads(bytes);
      const { method, url, accept = null, range = null } = judged ?? {};
      const expected = judged === null ? null : [method, url, accept, range];
      assert.is(judged === null, i >= good.length, request);
      assert.equal(await heardOnSocket(port, bytes), expected, request);
    }
  } finally {
    server.close();
  }
});

test.run();
