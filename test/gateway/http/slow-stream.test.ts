/**
 * Streams whose readers take their time: they cost the broker next to nothing, and what retention
 * takes meanwhile is missing at a clear end, never replaced by something else.
 */
import { once } from 'node:events';
import { readdirSync, readFileSync } from 'node:fs';
import { get, type IncomingMessage } from 'node:http';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { crc32c } from '#src/native/crc32c.js';
import { BATCH_HEADER_BYTES, isSound, nextOffsetOf, readBatchHeader } from '#src/records/batch.js';
import { Door, makeBatch } from '../../handlers/kit.js';
import { TestCluster } from '../../support/cluster.js';
import { waitFor } from '../../support/wait-for.js';

const MIB = 1 << 20;
const BATCHES = 64;
const VALUE_BYTES = 900_000;
const READERS = 20;

const cluster = await TestCluster.start({
  nodes: 1,
  settings: ['log.retention.check.interval.ms=500'],
});
const door = await Door.open(cluster.bootstrap[0] as string);
await door.createTopic('big', 1, { 'segment.bytes': String(4 * MIB) });
for (let i = 0; i < BATCHES; i++) {
  assert.is((await door.produce('big', 0, makeBatch({ valueBytes: VALUE_BYTES }))).errorCode, 0);
}

test.after(async () => {
  door.close();
  await cluster.down();
});

const STREAM = '/topics/big/partitions/0/stream';

/** The answer's head; its body waits until somebody reads it. */
async function begin(query: string): Promise<IncomingMessage> {
  const url = `http://127.0.0.1:${cluster.basePort + 201}${STREAM}${query}`;
  const [response] = (await once(get(url, { agent: false }), 'response')) as [IncomingMessage];
  return response;
}

/** What comes up to the end, whether or not that is where it was said to be. */
async function rest(response: IncomingMessage): Promise<Buffer> {
  const chunks: Buffer[] = [];
  response.on('data', (chunk: Buffer) => chunks.push(chunk));
  response.on('error', () => {
    // Cut off: `close` follows.
  });
  await new Promise((resolve) => response.once('close', resolve));
  return Buffer.concat(chunks);
}

/** The offset behind the last whole batch; throws at a byte that was not appended there. */
function judge(bytes: Buffer): number {
  let next = 0;
  for (let at = 0; at + BATCH_HEADER_BYTES <= bytes.length; ) {
    const header = readBatchHeader(bytes, at);
    assert.is(header.baseOffset, next, 'without a gap');
    if (at + header.sizeBytes > bytes.length) break;
    assert.ok(isSound(bytes, at, header.sizeBytes, crc32c), `sound at ${header.baseOffset}`);
    next = nextOffsetOf(header);
    at += header.sizeBytes;
  }
  return next;
}

function residentBytes(): number {
  const status = readFileSync(`/proc/${cluster.pid(1)}/status`, 'latin1');
  return Number(/VmRSS:\s+(\d+) kB/.exec(status)?.[1]) * 1024;
}

function openFiles(): number {
  return readdirSync(`/proc/${cluster.pid(1)}/fd`).length;
}

test('readers that do not read cost descriptors, not memory, and get all of it later', async () => {
  const before = residentBytes();
  const filesBefore = openFiles();
  const waiting = await Promise.all(Array.from({ length: READERS }, () => begin('?offset=0')));
  for (let i = 0; i < 20; i++) {
    assert.is((await fetch(`http://127.0.0.1:${cluster.basePort + 201}/livez`)).status, 200);
  }
  const grown = residentBytes() - before;
  const unread = READERS * BATCHES * VALUE_BYTES;
  assert.ok(grown < unread / 10, `${Math.round(grown / MIB)} MiB for ${READERS} slow readers`);
  const files = openFiles() - filesBefore;
  assert.ok(files < READERS * 8, `${files} descriptors for ${READERS} slow readers`);
  const [late, ...others] = waiting;
  for (const response of others) response.destroy();
  const bytes = await rest(late as IncomingMessage);
  assert.is(bytes.length, Number(late?.headers['content-length']));
  assert.is(judge(bytes), BATCHES);
  await waitFor('their descriptors to be given back', () => openFiles() <= filesBefore + 4);
});

test('what retention takes from a slow reader ends its stream, visibly', async () => {
  const slow = await begin('?offset=0');
  const said = Number(slow.headers['content-length']);
  await cluster.mustRun(['topic', 'alter', 'big', '-c', `retention.bytes=${8 * MIB}`]);
  const logStart = async (): Promise<number> => (await door.offset('big', 0, -2)).offset;
  await waitFor('the log to begin later', async () => (await logStart()) > 40);
  const bytes = await rest(slow);
  assert.ok(bytes.length > 0 && bytes.length < said, `${bytes.length} of ${said} bytes`);
  assert.is(slow.complete, false, 'the client sees that bytes are missing');
  const next = judge(bytes);
  assert.ok(next > 0 && next < BATCHES, `whole up to ${next}`);
  const again = await begin(`?offset=${next}`);
  const problem = JSON.parse((await rest(again)).toString()) as Record<string, unknown>;
  assert.equal([again.statusCode, problem['code']], [416, 'OFFSET_OUT_OF_RANGE']);
  assert.is(problem['logStartOffset'], await logStart());
});

test.run();
