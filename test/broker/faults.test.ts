/**
 * Nodes that are killed and paused: acks stop with answers that promise nothing, nothing that was
 * acknowledged is lost, and a leader that slept does not serve in its old epoch.
 */
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { ERROR, errorInfo } from '#src/protocol/errors.js';
import { fetchApi } from '#src/protocol/messages/fetch.js';
import { listOffsetsApi } from '#src/protocol/messages/list-offsets.js';
import { TestCluster } from '../support/cluster.js';
import { ConnectionLost, KafkaConnection } from '../support/kafka-connection.js';
import { parseAddress } from '../support/kafka-client.js';
import { sleep, waitFor } from '../support/wait-for.js';
import { readLog } from './node-facts.js';
import { type Attempt, Recorder } from './recorder.js';

const TOPIC = 'faults';
const PAUSE_MS = 3_000;

const cluster = await TestCluster.start({ settings: ['replica.lag.time.max.ms=2000'] });
await cluster.createTopic(TOPIC, 3);
const recorder = new Recorder(cluster, [TOPIC]);

async function writeEverywhere(batches: number): Promise<void> {
  await Promise.all([0, 1, 2].map((p) => recorder.writeMany(TOPIC, p, batches)));
}

test('two of three killed: no ack, only answers that prove nothing, and all is back', async () => {
  await writeEverywhere(5);
  const leader = await cluster.leaderOf(TOPIC, 0);
  const others = cluster.nodeIds.filter((id) => id !== leader);
  for (const id of others) cluster.signal(id, 'SIGKILL');
  const attempts: Attempt[] = [];
  for (let i = 0; i < 3; i++) {
    attempts.push(await recorder.attempt(TOPIC, 0, { timeoutMs: 700 }));
  }
  for (const { error } of attempts) {
    assert.ok(['REQUEST_TIMED_OUT', 'NOT_LEADER_OR_FOLLOWER'].includes(error), error);
  }
  for (const id of others) await cluster.startNode(id);
  await writeEverywhere(3);
});

test('all three killed at once', async () => {
  const inFlight = [0, 1, 2].map((p) => recorder.attempt(TOPIC, p));
  for (const id of cluster.nodeIds) cluster.signal(id, 'SIGKILL');
  await Promise.all(inFlight);
  await Promise.all(cluster.nodeIds.map((id) => cluster.startNode(id)));
  await writeEverywhere(3);
});

test('a leader that slept through an election serves nothing in its old epoch', async () => {
  const leader = await cluster.leaderOf(TOPIC, 1);
  const connections = await Promise.all(
    Array.from({ length: 5 }, () =>
      KafkaConnection.open(parseAddress(cluster.bootstrap[leader - 1] as string), 'sleeper'),
    ),
  );
  const [all, one, fetcher, lister, idle] = connections as [
    KafkaConnection,
    KafkaConnection,
    KafkaConnection,
    KafkaConnection,
    KafkaConnection,
  ];
  await recorder.attempt(TOPIC, 1, { connection: idle });
  cluster.signal(leader, 'SIGSTOP');
  try {
    const pausedMs = performance.now();
    await waitFor('another leader', async () => {
      await recorder.client.tryRefresh();
      return recorder.client.leaderOf(TOPIC, 1)?.nodeId !== leader;
    });
    await recorder.writeMany(TOPIC, 1, 3);
    const end = await recorder.client.latestOffset(TOPIC, 1);
    // These lie in the sleeper's sockets when it wakes.
    const produced = [all, one].map((connection, i) =>
      recorder.attempt(TOPIC, 1, { connection, acks: i === 0 ? -1 : 1, timeoutMs: 2_000 }),
    );
    const fetched = fetchFrom(fetcher, end - 5);
    const listed = latestOf(lister);
    await sleep(Math.max(0, PAUSE_MS - (performance.now() - pausedMs)));
    cluster.signal(leader, 'SIGCONT');
    for (const attempt of await Promise.all(produced)) {
      assert.ok(
        attempt.error === 'NOT_LEADER_OR_FOLLOWER' || attempt.baseOffset >= end,
        attempt.error,
      );
    }
    mustNotServeBelow(end, await fetched);
    mustNotServeBelow(end, await listed);
  } finally {
    cluster.signal(leader, 'SIGCONT');
    for (const connection of connections) connection.close();
  }
  await writeEverywhere(2);
});

type Served = { readonly errorCode: number; readonly offset: number };

/** An error is right; so is a true answer, should the node lead again already. */
function mustNotServeBelow(end: number, { errorCode, offset }: Served): void {
  const { name } = errorInfo(errorCode);
  assert.ok(errorCode !== ERROR.NONE || offset >= end, `${name} ${offset}, the log ends at ${end}`);
}

async function fetchFrom(connection: KafkaConnection, fetchOffset: number): Promise<Served> {
  const partitions = [{ partition: 1, fetchOffset, partitionMaxBytes: 1 << 20 }];
  const body = {
    maxWaitMs: 0,
    minBytes: 0,
    maxBytes: 1 << 20,
    topics: [{ topic: TOPIC, partitions }],
  };
  const answer = await connection.request(fetchApi, 11, body);
  const found = answer.responses[0]?.partitions[0];
  return { errorCode: found?.errorCode ?? -1, offset: found?.highWatermark ?? -1 };
}

async function latestOf(connection: KafkaConnection): Promise<Served> {
  const partitions = [{ partitionIndex: 1, timestamp: -1 }];
  const body = { replicaId: -1, isolationLevel: 0, topics: [{ name: TOPIC, partitions }] };
  const answer = await connection.request(listOffsetsApi, 5, body);
  const found = answer.topics[0]?.partitions[0];
  return { errorCode: found?.errorCode ?? -1, offset: found?.offset ?? -1 };
}

test('a clean restart of one node and of all scans nothing', async () => {
  const recoveries = (): number =>
    cluster.nodeIds
      .flatMap((id) => readLog(cluster, id))
      .filter(({ msg }) => msg === 'log recovered').length;
  await cluster.down();
  const before = recoveries();
  await cluster.up();
  await writeEverywhere(2);
  assert.is(recoveries(), before);
});

test('nothing acknowledged was lost, and all nodes hold the same bytes', () => recorder.judge());

test('no node ended by itself', () => {
  for (const id of cluster.nodeIds) {
    const bad = readLog(cluster, id).filter(
      ({ level }) => level === 'fatal' || level === undefined,
    );
    assert.equal(bad, [], `node ${id}`);
  }
});

test.after(async () => {
  await recorder.client.close();
  try {
    await cluster.down();
  } catch (error) {
    if (!(error instanceof ConnectionLost)) throw error;
  }
});

test.run();
