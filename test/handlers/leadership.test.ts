/**
 * What clients hear when leadership moves or a majority is missing, on three real brokers: every
 * request is answered in bounded time, and with a code that makes a client do the right thing.
 */
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { ERROR } from '#src/protocol/errors.js';
import { encodeRequestFrame } from '#src/protocol/frame.js';
import { fetchApi } from '#src/protocol/messages/fetch.js';
import { lograftAdminApi } from '#src/protocol/messages/lograft-admin.js';
import { metadataApi } from '#src/protocol/messages/metadata.js';
import { produceApi } from '#src/protocol/messages/produce.js';
import { BrokerLog } from '../gateway/kafka/broker-log.js';
import { RawSocket } from '../gateway/kafka/raw-socket.js';
import { TestCluster } from '../support/cluster.js';
import { waitFor } from '../support/wait-for.js';
import {
  Door,
  TIMESTAMP_EARLIEST,
  TIMESTAMP_LATEST,
  batchesOf,
  fetchBody,
  leaderDoor,
  makeBatch,
  ownBytes,
  produceBody,
} from './kit.js';

// Who was made the leader here stays it.
const cluster = await TestCluster.start({ settings: ['auto.leader.rebalance.enable=false'] });
const doors = await Promise.all(cluster.bootstrap.map((address) => Door.open(address)));
const [door] = doors as [Door];

test.after(async () => {
  for (const open of doors) open.close();
  await cluster.down();
});

async function leaderOf(topic: string): Promise<number> {
  return waitFor(`a leader of ${topic}`, async () => {
    const leader = await cluster.leaderOf(topic, 0);
    return leader >= 1 ? leader : null;
  });
}

test('who does not lead says so, to every question about the partition', async () => {
  await door.createTopic('led');
  const leader = await leaderOf('led');
  const follower = doors[leader % 3] as Door;
  const expected = ERROR.NOT_LEADER_OR_FOLLOWER;
  assert.is((await follower.produce('led', 0, makeBatch())).errorCode, expected);
  assert.is((await follower.produce('led', 0, makeBatch(), { acks: 1 })).errorCode, expected);
  const startMs = performance.now();
  assert.is((await follower.fetch('led', { maxWaitMs: 20_000 })).errorCode, expected);
  assert.ok(performance.now() - startMs < 5_000);
  for (const timestamp of [TIMESTAMP_EARLIEST, TIMESTAMP_LATEST, 0]) {
    assert.is((await follower.offset('led', 0, timestamp)).errorCode, expected);
  }
});

test('a produce with acks=0 to who does not lead closes the connection', async () => {
  const leader = await leaderOf('led');
  const follower = (leader % 3) + 1;
  const log = new BrokerLog(cluster.dataDir, follower);
  const header = { apiVersion: 7, correlationId: 1, clientId: 'silent' };
  const body = produceBody('led', 0, makeBatch(), 0);
  const frame = encodeRequestFrame(produceApi, { ...header, body });
  await RawSocket.refused(cluster.basePort + follower - 1, frame);
  await log.until(/acks=0 failed: NOT_LEADER/);
});

test('a long poll at a leader that hands over is answered at once', async () => {
  await door.createTopic('handed');
  const leader = await leaderOf('handed');
  const own = await Door.open(cluster.bootstrap[leader - 1] as string);
  const polling = own.fetch('handed', { maxWaitMs: 30_000 });
  const startMs = performance.now();
  const to = (leader % 3) + 1;
  await transferLeader('handed', to);
  assert.is((await polling).errorCode, ERROR.NOT_LEADER_OR_FOLLOWER);
  assert.ok(performance.now() - startMs < 10_000);
  own.close();
});

/** Asks until it is so: a leader hands over only to whom it has heard lately. */
async function transferLeader(topic: string, to: number): Promise<void> {
  const command = JSON.stringify({ op: 'transfer-leader', topic, partition: 0, to });
  await waitFor(`node ${to} to lead ${topic}`, async () => {
    const leader = await leaderOf(topic);
    if (leader === to) return true;
    const own = await Door.open(cluster.bootstrap[leader - 1] as string);
    await own.connection.request(lograftAdminApi, 0, { command });
    own.close();
    return false;
  });
}

test('P2: a retry at the next leader gets the original offset', async () => {
  await door.createTopic('moved');
  const batches = [0, 1, 2].map((sequence) => makeBatch({ producerId: 11, sequence }));
  let leader = await leaderDoor(cluster.bootstrap, 'moved');
  for (const batch of batches) {
    assert.is((await leader.produce('moved', 0, batch)).errorCode, ERROR.NONE);
  }
  leader.close();
  const before = await leaderOf('moved');
  await transferLeader('moved', (before % 3) + 1);
  leader = await leaderDoor(cluster.bootstrap, 'moved');
  for (const [i, batch] of batches.entries()) {
    const again = await waitFor('the new leader to take it', async () => {
      const answer = await leader.produce('moved', 0, batch);
      return answer.errorCode === ERROR.NOT_LEADER_OR_FOLLOWER ? null : answer;
    });
    assert.equal([again.errorCode, again.baseOffset], [ERROR.NONE, i]);
  }
  const next = await leader.produce('moved', 0, makeBatch({ producerId: 11, sequence: 3 }));
  assert.equal([next.errorCode, next.baseOffset], [ERROR.NONE, 3]);
  const stored = batchesOf(await leader.fetch('moved'));
  assert.equal(stored.slice(0, 3).map(ownBytes), batches.map(ownBytes));
  leader.close();
});

test('without a majority every request is answered all the same', async () => {
  await door.createTopic('alone');
  const leader = await leaderOf('alone');
  const own = await Door.open(cluster.bootstrap[leader - 1] as string);
  assert.is((await own.produce('alone', 0, makeBatch())).errorCode, ERROR.NONE);
  const others = cluster.nodeIds.filter((id) => id !== leader);
  for (const id of others) cluster.signal(id, 'SIGSTOP');
  try {
    const startMs = performance.now();
    const waiting = [
      own.produce('alone', 0, makeBatch(), { timeoutMs: 3_000 }).then((a) => a.errorCode),
      own.offset('alone', 0, TIMESTAMP_LATEST).then((a) => a.errorCode),
    ];
    const unsure: number[] = [ERROR.NOT_LEADER_OR_FOLLOWER, ERROR.REQUEST_TIMED_OUT];
    for (const code of await Promise.all(waiting)) assert.ok(unsure.includes(code), `${code}`);
    const later = await own.offset('alone', 0, TIMESTAMP_LATEST);
    assert.is.not(later.errorCode, ERROR.NONE);
    const body = fetchBody(['alone'], [{ offset: 1, maxWaitMs: 500 }]);
    await own.connection.request(fetchApi, 11, body);
    const created = await own.connection.request(metadataApi, 6, { topics: [{ name: 'unborn' }] });
    assert.is(created.topics[0]?.errorCode, ERROR.LEADER_NOT_AVAILABLE);
    assert.ok(performance.now() - startMs < 15_000);
  } finally {
    for (const id of others) cluster.signal(id, 'SIGCONT');
  }
  await waitFor('acks to flow again', async () => {
    const next = await leaderDoor(cluster.bootstrap, 'alone');
    const { errorCode } = await next.produce('alone', 0, makeBatch());
    next.close();
    return errorCode === ERROR.NONE;
  });
  own.close();
});

test.run();
