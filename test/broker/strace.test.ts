/**
 * What the kernel sees: a catch-up fetch leaves by sendfile, and with `durability=synced` an ack is
 * written only after a majority of nodes has returned from an fdatasync that began behind the
 * append. The counters in the node's status tell the same story.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import * as assert from 'uvu/assert';
import { test } from 'uvu';
import { crc32c } from '#src/native/crc32c.js';
import { fetchApi } from '#src/protocol/messages/fetch.js';
import { encodeBatch } from '#src/records/batch.js';
import { TestCluster } from '../support/cluster.js';
import { ended } from '../support/command.js';
import { KafkaClient } from '../support/kafka-client.js';
import { produceBytes } from '../support/produce.js';
import { missingCommand, testWith } from '../support/requires.js';
import { tempDir } from '../support/temp-dir.js';
import { waitFor } from '../support/wait-for.js';
import { askNode } from './node-facts.js';
import { type SystemCall, parseTrace } from './trace.js';

const TOPIC = 'traced';
const PRODUCES = 15;
const FETCH_BYTES = 1 << 20;
const CALLS = 'trace=fdatasync,sendfile,pwrite64,writev,write,sendmsg,sendto';

const testTraced = testWith(missingCommand('strace', 'apt-get install strace'));

/** Runs `work` with these processes traced, and returns what they asked of the kernel. */
async function traced(pids: readonly number[], work: () => Promise<void>): Promise<SystemCall[]> {
  const path = join(tempDir('trace'), 'out');
  const attach = pids.flatMap((pid) => ['-p', String(pid)]);
  const args = ['-f', '-yy', '-e', CALLS, '-e', 'signal=none', '-o', path, ...attach];
  const strace = spawn('strace', args, { stdio: ['ignore', 'ignore', 'pipe'] });
  await untilAttached(strace, pids.length);
  try {
    await work();
  } finally {
    strace.kill('SIGINT');
    await ended(strace);
  }
  return parseTrace(readFileSync(path, 'latin1'));
}

async function untilAttached(strace: ChildProcess, processes: number): Promise<void> {
  let said = '';
  strace.stderr?.on('data', (chunk: Buffer) => {
    said += chunk.toString();
  });
  const isReady = () => (said.match(/attached/g) ?? []).length >= processes;
  await waitFor('strace to attach', isReady).catch((error: Error) => {
    throw new Error(`${error.message}; it said: ${said}`);
  });
}

function batchOf(valueBytes: number): Buffer {
  const value = Buffer.alloc(valueBytes, 'x');
  const records = [{ key: null, value, headers: [], timestamp: Date.now() }];
  return encodeBatch({ records, baseOffset: 0 }, crc32c);
}

async function counterOf(cluster: TestCluster, node: number, name: string): Promise<number> {
  const { counters } = await askNode(cluster, node);
  return counters.reduce((sum, shard) => sum + (shard[name] ?? 0), 0);
}

testTraced('an ack is written after a majority has returned from fdatasync', async () => {
  const cluster = await TestCluster.start();
  const client = new KafkaClient(cluster.bootstrap, [TOPIC], 'traced');
  try {
    await cluster.createTopic(TOPIC, 1, ['durability=synced']);
    await client.refresh();
    const leader = await cluster.leaderOf(TOPIC, 0);
    const connection = await client.connectionTo(leader);
    const bytes = batchOf(200);
    const produce = async (): Promise<void> => {
      const call = { topic: TOPIC, partition: 0, bytes, acks: -1, timeoutMs: 10_000 } as const;
      assert.is((await produceBytes(connection, call)).errorCode, 0);
    };
    await produce();
    const before = await counterOf(cluster, leader, 'syncCount');
    const calls = await traced(
      cluster.nodeIds.map((id) => cluster.pid(id)),
      async () => {
        // The end of the last one may escape: it is answered before strace hears of it.
        for (let i = 0; i <= PRODUCES; i++) await produce();
      },
    );
    const after = await counterOf(cluster, leader, 'syncCount');
    checkAcks(calls, connection.localPort);
    const folder = `/node-${leader}/`;
    const ofShard = calls.filter(
      ({ name, on }) => name === 'fdatasync' && on.includes(folder) && !on.includes('/wal/main/'),
    );
    // Two followers are a majority too, so one sync of the leader may stand for several produces.
    assert.ok(ofShard.length > 0, 'no sync of the leader was seen');
    const missed = after - before - ofShard.length;
    assert.ok(missed >= 0 && missed <= 4, `${after - before} counted, ${ofShard.length} seen`);
  } finally {
    await client.close();
    await cluster.down();
  }
});

/** Walks the trace: on which nodes is what was appended since the last answer on disk? */
function checkAcks(calls: readonly SystemCall[], clientPort: number): void {
  const file = new RegExp(`/node-(\\d+)/${TOPIC}-0/\\d+\\.log`);
  const toClient = `->127.0.0.1:${clientPort}]`;
  let acks = 0;
  let appended = new Map<string, SystemCall>();
  let synced = new Map<string, SystemCall>();
  for (const call of calls) {
    const node = file.exec(call.on)?.[1];
    if (node !== undefined && call.name === 'pwrite64') appended.set(node, call);
    if (node !== undefined && call.name === 'fdatasync' && call.result === 0) {
      const append = appended.get(node);
      if (append !== undefined && call.startsAt >= append.endsAt) synced.set(node, call);
    }
    if (!call.on.includes(toClient)) continue;
    const before = [...synced.values()].filter(({ endsAt }) => endsAt < call.startsAt);
    assert.ok(before.length >= 2, `ack ${acks}: on disk of ${before.length} nodes`);
    acks += 1;
    appended = new Map();
    synced = new Map();
  }
  assert.ok(acks >= PRODUCES, `${acks} acks`);
}

testTraced('a catch-up fetch leaves by sendfile', async () => {
  const cluster = await TestCluster.start({ nodes: 1, settings: ['default.replication.factor=1'] });
  const client = new KafkaClient(cluster.bootstrap, [TOPIC], 'traced');
  try {
    await cluster.createTopic(TOPIC, 1);
    await client.refresh();
    const connection = await client.connectionTo(1);
    const bytes = batchOf(50_000);
    const call = { topic: TOPIC, partition: 0, bytes, acks: -1, timeoutMs: 10_000 } as const;
    for (let i = 0; i < 8; i++) {
      assert.is((await produceBytes(connection, call)).errorCode, 0);
    }
    const before = await counterOf(cluster, 1, 'sendfileBytes');
    let fetched = 0;
    const calls = await traced([cluster.pid(1)], async () => {
      const partitions = [{ partition: 0, fetchOffset: 0, partitionMaxBytes: FETCH_BYTES }];
      const topics = [{ topic: TOPIC, partitions }];
      const body = { maxWaitMs: 0, minBytes: 0, maxBytes: FETCH_BYTES, topics };
      const answer = await connection.request(fetchApi, 11, body);
      fetched = answer.responses[0]?.partitions[0]?.records?.length ?? 0;
    });
    const counted = (await counterOf(cluster, 1, 'sendfileBytes')) - before;
    const sent = calls
      .filter(({ name, result }) => name === 'sendfile' && result > 0)
      .reduce((sum, { result }) => sum + result, 0);
    assert.is(fetched, 8 * bytes.length);
    assert.is(sent, fetched);
    assert.is(counted, fetched);
  } finally {
    await client.close();
    await cluster.down();
  }
});

test.run();
