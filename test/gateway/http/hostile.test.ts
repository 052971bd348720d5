/**
 * Hostile and broken clients: whatever they send, each is answered with a problem or cut off, the
 * node lives on, and nothing of it reaches its log as a failure of ours.
 */
import { connect } from 'node:net';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { Prng } from '#src/base/prng.js';
import { TestCluster } from '../../support/cluster.js';

const SEED = 20261121;
const CLIENTS = 400;
const IDLE = 1_500;
const LINE = 'Content-Length: 13\r\n\r\n{"value":"a"}';

let cluster: TestCluster;

function url(path: string): string {
  return `http://127.0.0.1:${cluster.basePort + 201}${path}`;
}

/** Sends bytes and collects what comes until the connection ends or is quiet. */
function talk(bytes: Buffer, quietMs: number): Promise<{ text: string; isEnded: boolean }> {
  return new Promise((resolve) => {
    const socket = connect(cluster.basePort + 201, '127.0.0.1');
    const pieces: Buffer[] = [];
    let isEnded = false;
    const finish = (): void => {
      socket.destroy();
      resolve({ text: Buffer.concat(pieces).toString('latin1'), isEnded });
    };
    let timer = setTimeout(finish, quietMs);
    socket.on('data', (piece) => {
      pieces.push(piece);
      clearTimeout(timer);
      timer = setTimeout(finish, quietMs);
    });
    socket.on('error', () => {
      // A reset is an answer, too; the close tells.
    });
    socket.on('close', () => {
      isEnded = true;
      clearTimeout(timer);
      finish();
    });
    socket.write(bytes);
  });
}

async function post(path: string, body: string | Buffer, type: string): Promise<[number, string]> {
  const headers = { 'content-type': type };
  const init = { method: 'POST', body: new Uint8Array(Buffer.from(body)), headers };
  const response = await fetch(url(path), init);
  const { code } = (await response.json()) as { code: string };
  return [response.status, code];
}

test.before(async () => {
  cluster = await TestCluster.start({ nodes: 1 });
  await cluster.createTopic('t', 2);
});
test.after(() => cluster.down());

test('bodies that lie or cannot be read', async () => {
  const path = '/topics/t/records';
  const ndjson = 'application/x-ndjson';
  const refused = [400, 'INVALID_REQUEST'] as const;
  for (const body of [
    '{"__proto__":{"x":1},"value":"a"}',
    '{"constructor":{"prototype":{}},"value":"a"}',
    '{"value":"a","partition":99999999999999999999}',
    '{"value":"a","partition":-1}',
    '{"value":"a","headers":{"h":{"deep":1}},"keyEncoding":"rot13","key":"k"}',
    '[]',
    'null',
    '{"value":',
  ]) {
    assert.equal(await post(path, body, ndjson), [...refused], body);
  }
  assert.equal(await post(path, '{"value":"a","partition":7}', ndjson), [404, 'UNKNOWN_PARTITION']);
  assert.equal(await post(path, Buffer.from([0x7b, 0xff, 0xfe, 0x7d]), ndjson), [...refused]);
  assert.equal(await post(path, '', ndjson), [...refused]);
  const deep = `[{"value":${'[{"a":'.repeat(10_000)}1${'}]'.repeat(10_000)}}]`;
  assert.equal(await post(path, deep, 'application/json'), [...refused]);
  assert.is(({} as Record<string, unknown>)['x'], undefined);
});

test('offsets of every kind', async () => {
  const path = '/topics/t/partitions/0/';
  const cases: [string, number][] = [
    ['records?offset=-1', 400],
    ['records?offset=9007199254740993', 416],
    ['records?offset=99999999999999999999', 400],
    ['records?offset=1e3', 400],
    ['records?offset=', 400],
    ['stream?offset=-1', 400],
    ['stream?offset=999999999999999', 416],
    ['stream?offset=0&offset=1', 400],
    ['stream?end=-1', 400],
    ['records?wait=99999999', 400],
    ['records?max=10001', 400],
  ];
  for (const [what, status] of cases) {
    const response = await fetch(url(path + what));
    assert.is(response.status, status, `${what}: ${await response.text()}`);
  }
});

test('heads that are too large, and requests that never end', async () => {
  const large = `GET /livez HTTP/1.1\r\nHost: x\r\nX: ${'y'.repeat(20_000)}\r\n\r\n`;
  assert.match(
    (await talk(Buffer.from(large), 2_000)).text,
    /^HTTP\/1\.1 431 [^]*HEADERS_TOO_LARGE/,
  );
  const begun = Date.now();
  const stalled = await talk(
    Buffer.from('POST /topics/t/records HTTP/1.1\r\nHost: x\r\nCont'),
    40_000,
  );
  assert.ok(stalled.isEnded, 'who does not end his head is cut off');
  assert.match(stalled.text, /^(HTTP\/1\.1 408 [^]*)?$/);
  assert.ok(Date.now() - begun < 39_000);
});

test(`mutated requests, seed ${SEED}`, async () => {
  const random = new Prng(SEED);
  const seeds = [
    'POST /topics/t/records?partition=0 HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\nhello',
    'GET /topics/t/partitions/0/stream?offset=0 HTTP/1.1\r\nHost: x\r\nRange: bytes=0-9\r\n\r\n',
    'GET /topics/t/partitions/1/records?offset=0&max=5 HTTP/1.1\r\nHost: x\r\n\r\n',
    `POST /topics/t/records HTTP/1.1\r\nHost: x\r\nContent-Type: application/x-ndjson\r\n${LINE}`,
    'POST /topics HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n5\r\n{"nam\r\n0\r\n\r\n',
    'DELETE /topics/%2e%2e%2f HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n',
  ];
  const spoil = (text: string): Buffer => {
    const bytes = Buffer.from(text);
    for (let i = random.int(0, 4); i > 0; i--)
      bytes[random.int(0, bytes.length)] = random.int(0, 256);
    const cut = random.chance(0.2) ? random.int(0, bytes.length) : bytes.length;
    return bytes.subarray(0, cut);
  };
  const clients = Array.from({ length: CLIENTS }, () =>
    Buffer.concat(Array.from({ length: random.int(1, 5) }, () => spoil(random.pick(seeds)))),
  );
  let answers = 0;
  while (clients.length > 0) {
    const talks = clients.splice(0, 40).map((bytes) => talk(bytes, 300));
    for (const { text } of await Promise.all(talks)) {
      if (text.startsWith('HTTP/1.1 ')) answers++;
      assert.not.match(text, /^HTTP\/1\.1 500/);
    }
  }
  assert.ok(answers > CLIENTS / 4, `${answers} were answered`);
  assert.is((await fetch(url('/livez'))).status, 200);
  const log = readFileSync(join(cluster.dataDir, 'node-1', 'lograft.log'), 'utf8');
  assert.not.match(log, 'an HTTP request failed');
});

test('connections that only exist', async () => {
  const sockets = Array.from({ length: IDLE }, () => {
    const socket = connect(cluster.basePort + 201, '127.0.0.1');
    socket.on('error', () => {
      // Counted below by what still works.
    });
    return socket;
  });
  for (let i = 0; i < 10; i++) {
    const response = await fetch(url('/topics/t/records?partition=0'), {
      method: 'POST',
      body: 'x',
    });
    assert.is(response.status, 200);
    await response.text();
  }
  for (const socket of sockets) socket.destroy();
});

test.run();
