/** The log's own bytes by HTTP: every batch whole and sound, every byte once. */
import { get, type IncomingMessage } from 'node:http';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { crc32c } from '#src/native/crc32c.js';
import { isSound, nextOffsetOf, readBatchHeader } from '#src/records/batch.js';
import { iterateRecords } from '#src/records/records.js';
import { TestCluster } from '../../support/cluster.js';

const SEGMENT_BYTES = 65_536;
const BATCHES = 60;
const RECORDS = 20;

let cluster: TestCluster;
let whole: Buffer;

function url(node: number, path: string): string {
  return `http://127.0.0.1:${cluster.basePort + 200 + node}${path}`;
}

const STREAM = '/topics/logs/partitions/0/stream';

async function stream(node: number, query = '', headers: Record<string, string> = {}) {
  const signal = AbortSignal.timeout(20_000);
  const response = await fetch(url(node, `${STREAM}${query}`), { headers, signal });
  return {
    status: response.status,
    headers: response.headers,
    bytes: Buffer.from(await response.arrayBuffer()),
  };
}

/** Values of all records; throws at a byte that is not what was appended. */
function valuesIn(bytes: Buffer): string[] {
  const values: string[] = [];
  let next = -1;
  for (let at = 0; at < bytes.length; ) {
    const header = readBatchHeader(bytes, at);
    assert.ok(at + header.sizeBytes <= bytes.length, 'batches are whole');
    assert.ok(isSound(bytes, at, header.sizeBytes, crc32c), `sound at ${header.baseOffset}`);
    if (next !== -1) assert.is(header.baseOffset, next, 'without a gap');
    for (const { value } of iterateRecords(bytes, at))
      values.push(Buffer.from(value ?? []).toString());
    next = nextOffsetOf(header);
    at += header.sizeBytes;
  }
  return values;
}

async function write(text: string): Promise<void> {
  const records = Array.from({ length: RECORDS }, (_, i) => ({
    value: `${text}-${i}-${'x'.repeat(150)}`,
    partition: 0,
  }));
  const response = await fetch(url(1, '/topics/logs/records'), {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify(records),
  });
  assert.is(response.status, 200, await response.text());
}

test.before(async () => {
  cluster = await TestCluster.start();
  await cluster.createTopic('logs', 1, [`segment.bytes=${SEGMENT_BYTES}`]);
  for (let i = 0; i < BATCHES; i++) await write(`b${i}`);
});
test.after(() => cluster.down());

test('every node streams the same bytes, over segments, and says how many', async () => {
  for (const node of [1, 2, 3]) {
    const { status, headers, bytes } = await stream(node);
    assert.is(status, 200);
    assert.is(headers.get('content-type'), 'application/vnd.lograft.batches');
    assert.is(headers.get('content-length'), String(bytes.length));
    assert.is(headers.get('lograft-first-offset'), '0');
    assert.is(headers.get('lograft-next-offset'), String(BATCHES * RECORDS));
    assert.ok(bytes.length > 3 * SEGMENT_BYTES, 'several segments');
    const values = valuesIn(bytes);
    assert.is(values.length, BATCHES * RECORDS);
    assert.match(values.at(-1) as string, `b${BATCHES - 1}-${RECORDS - 1}-`);
    if (node === 1) whole = bytes;
    else assert.ok(bytes.equals(whole));
  }
});

test('an offset begins at the batch that holds it, an end leaves out what is above', async () => {
  const { headers, bytes } = await stream(2, `?offset=${RECORDS * 3 + 5}&end=${RECORDS * 5 + 7}`);
  assert.is(headers.get('lograft-first-offset'), String(RECORDS * 3));
  assert.is(headers.get('lograft-next-offset'), String(RECORDS * 5));
  const values = valuesIn(bytes);
  assert.match(values[0] as string, 'b3-0-');
  assert.is(values.length, 2 * RECORDS);
  const none = await stream(1, '?offset=latest');
  assert.equal([none.status, none.bytes.length], [200, 0]);
});

test('a range of bytes goes on where a client was cut off', async () => {
  const at = 70_001;
  for (const node of [1, 2, 3]) {
    const rest = await stream(node, '', { range: `bytes=${at}-` });
    assert.is(rest.status, 206);
    const { length } = whole;
    assert.is(rest.headers.get('content-range'), `bytes ${at}-${length - 1}/${length}`);
    assert.ok(rest.bytes.equals(whole.subarray(at)));
    const some = await stream(node, '', { range: `bytes=5-${at}` });
    assert.ok(some.bytes.equals(whole.subarray(5, at + 1)));
    const tail = await stream(node, '', { range: 'bytes=-9' });
    assert.ok(tail.bytes.equals(whole.subarray(-9)));
    assert.is((await stream(node, '', { range: `bytes=${length}-` })).status, 416);
  }
});

test('offsets that the log does not have are refused with what it has', async () => {
  const { status, bytes } = await stream(3, '?offset=99999');
  const problem = JSON.parse(bytes.toString());
  assert.equal([status, problem.code], [416, 'OFFSET_OUT_OF_RANGE']);
  assert.equal([problem.logStartOffset, problem.highWatermark], [0, BATCHES * RECORDS]);
  assert.is((await stream(1, '?offset=-1')).status, 400);
});

test('a follower of the log gets what is written later, also when the leader dies', async () => {
  const { topics } = await cluster.status();
  const leader = topics.find(({ name }) => name === 'logs')?.partitions[0]?.leader as number;
  const other = [1, 2, 3].find((node) => node !== leader) as number;
  const from = BATCHES * RECORDS;
  const response = await new Promise<IncomingMessage>((resolve) => {
    get(url(other, `${STREAM}?offset=${from}&follow=true`), resolve);
  });
  const pieces: Buffer[] = [];
  response.on('data', (piece: Buffer) => pieces.push(piece));
  response.on('error', () => {
    // Ended by us, below.
  });
  const isThere = async (count: number): Promise<void> => {
    const endMs = performance.now() + 20_000;
    while (valuesIn(Buffer.concat(pieces)).length < count) {
      assert.ok(performance.now() < endMs, `${count} records arrive`);
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
  };
  await write('live');
  await isThere(RECORDS);
  cluster.signal(leader, 'SIGKILL');
  for (let i = 0; ; i++) {
    const posted = await fetch(url(other, '/topics/logs/records?partition=0'), {
      method: 'POST',
      body: 'after',
    });
    if (posted.status === 200) break;
    assert.is(posted.status, 503, await posted.text());
    assert.ok(i < 20, 'another leader comes');
  }
  await isThere(RECORDS + 1);
  response.destroy();
  assert.is(valuesIn(Buffer.concat(pieces)).at(-1), 'after');
});

test.run();
