/** The CLI's own Kafka client against scripted brokers: failover, repetition, order, bad peers. */
import { createServer, type AddressInfo } from 'node:net';
import { recordChecksum } from '#src/broker/checksum.js';
import { KafkaClient } from '#src/cli/kafka/client.js';
import { Connection } from '#src/cli/kafka/connection.js';
import { ConnectionError, KafkaError } from '#src/cli/kafka/errors.js';
import { Fetcher } from '#src/cli/kafka/fetcher.js';
import { type BatchOutcome, Producer } from '#src/cli/kafka/producer.js';
import { ERROR } from '#src/protocol/errors.js';
import { metadataApi } from '#src/protocol/messages/metadata.js';
import type { RecordsView } from '#src/protocol/schema.js';
import { encodeBatch, readBatchHeader } from '#src/records/batch.js';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { type FakeAnswer, type FakeBroker, type FakeRequest, fakeBroker } from './fake-broker.js';

const TOPIC = 't';

type Script = (nodeId: number, request: FakeRequest) => FakeAnswer;

/** Nodes 1 and 2; `leader()` says who leads the only partition. */
async function cluster(leader: () => number, script: Script) {
  const brokers: FakeBroker[] = [];
  for (const nodeId of [1, 2]) {
    const answer = (request: FakeRequest): FakeAnswer =>
      request.name === 'Metadata' ? metadata(brokers, leader()) : script(nodeId, request);
    brokers.push(await fakeBroker(answer));
  }
  const client = new KafkaClient({
    bootstrap: brokers.map((broker) => broker.address),
    requestTimeoutMs: 300,
  });
  const close = () => {
    client.close();
    for (const broker of brokers) broker.close();
  };
  return { brokers, client, close };
}

function metadata(brokers: readonly FakeBroker[], leaderId: number): FakeAnswer {
  const partition = {
    errorCode: 0,
    partitionIndex: 0,
    leaderId,
    replicaNodes: [1, 2],
    isrNodes: [1, 2],
  };
  return {
    brokers: brokers.map((broker, i) => ({ nodeId: i + 1, ...broker.address })),
    clusterId: 'c',
    controllerId: 1,
    topics: [{ errorCode: 0, name: TOPIC, partitions: [partition] }],
  };
}

function produced(errorCode: number, baseOffset = 0): FakeAnswer {
  const partitionResponses = [{ index: 0, errorCode, baseOffset }];
  return { responses: [{ name: TOPIC, partitionResponses }] };
}

/** What a produce request carried. */
function batchOf(request: FakeRequest) {
  const body = request.body as { topicData: { partitionData: { records: RecordsView }[] }[] };
  const view = body.topicData[0]?.partitionData[0]?.records as RecordsView;
  return readBatchHeader(view.bytes, view.start);
}

async function produceOne(client: KafkaClient, count = 1): Promise<BatchOutcome[]> {
  const outcomes: BatchOutcome[] = [];
  const producer = new Producer(client, {
    topic: TOPIC,
    acks: -1,
    deliveryTimeoutMs: 3_000,
    requestTimeoutMs: 100,
    batchBytesMax: 1_000_000,
    onOutcome: (outcome) => outcomes.push(outcome),
  });
  for (let i = 0; i < count; i++) producer.send(0, { value: `v${i}` });
  await producer.drained();
  return outcomes;
}

const IDENTITY = { errorCode: 0, producerId: 7, producerEpoch: 0 };

test('a batch follows the leader and keeps its sequence number', async () => {
  let leader = 1;
  const sequences: number[] = [];
  const { client, close } = await cluster(
    () => leader,
    (nodeId, request) => {
      if (request.name === 'InitProducerId') return IDENTITY;
      sequences.push(batchOf(request).baseSequence);
      if (nodeId === 2) return produced(ERROR.NONE, 41);
      leader = 2;
      return produced(ERROR.NOT_LEADER_OR_FOLLOWER, -1);
    },
  );
  const [outcome] = await produceOne(client, 3);
  assert.is(outcome?.error, null);
  assert.is(outcome?.baseOffset, 41);
  assert.is(outcome?.records.length, 3);
  assert.equal(sequences, [0, 0]);
  close();
});

test('a leader that is silent, or hangs up, costs a retry', async () => {
  for (const trouble of ['hang', 'drop'] as const) {
    let leader = 1;
    const { client, close } = await cluster(
      () => leader,
      (nodeId, request) => {
        if (request.name === 'InitProducerId') return IDENTITY;
        if (nodeId === 2) return produced(ERROR.NONE, 5);
        leader = 2;
        return trouble;
      },
    );
    const [outcome] = await produceOne(client);
    assert.is(outcome?.baseOffset, 5, trouble);
    close();
  }
});

test('a definite refusal ends the batch, and the next one is another producer', async () => {
  let identities = 0;
  const ids: number[] = [];
  const { client, close } = await cluster(
    () => 1,
    (_, request) => {
      if (request.name === 'InitProducerId') {
        identities += 1;
        return { ...IDENTITY, producerId: identities };
      }
      ids.push(batchOf(request).producerId);
      return produced(ids.length === 1 ? ERROR.INVALID_TIMESTAMP : ERROR.NONE);
    },
  );
  const outcomes: BatchOutcome[] = [];
  const producer = new Producer(client, {
    topic: TOPIC,
    acks: -1,
    deliveryTimeoutMs: 3_000,
    requestTimeoutMs: 100,
    batchBytesMax: 1,
    onOutcome: (outcome) => outcomes.push(outcome),
  });
  producer.send(0, { value: 'a' });
  producer.send(0, { value: 'b' });
  await producer.drained();
  assert.ok(outcomes[0]?.error instanceof KafkaError);
  assert.is(outcomes[0]?.isIndefinite, false);
  assert.is(outcomes[1]?.error, null);
  assert.equal(ids, [1, 2]);
  close();
});

test('a batch that is too large is sent in halves, a record that is too large fails', async () => {
  const counts: number[] = [];
  const { client, close } = await cluster(
    () => 1,
    (_, request) => {
      if (request.name === 'InitProducerId') return IDENTITY;
      const { recordCount } = batchOf(request);
      counts.push(recordCount);
      return produced(recordCount > 1 ? ERROR.MESSAGE_TOO_LARGE : ERROR.NONE);
    },
  );
  const outcomes = await produceOne(client, 3);
  assert.equal(
    outcomes.map((o) => o.records.length),
    [1, 1, 1],
  );
  assert.ok(outcomes.every((o) => o.error === null));
  assert.equal(counts, [3, 1, 2, 1, 1]);
  close();
});

test('what was never answered is reported as perhaps written', async () => {
  const { client, close } = await cluster(
    () => 1,
    (_, request) => (request.name === 'InitProducerId' ? IDENTITY : 'drop'),
  );
  const [outcome] = await produceOne(client);
  assert.ok(outcome?.error instanceof ConnectionError);
  assert.is(outcome?.isIndefinite, true);
  close();
});

test('a reader follows the leader and sees every record once', async () => {
  const batches = [0, 3].map((baseOffset) => {
    const records = [0, 1, 2].map((i) => ({ value: `v${baseOffset + i}`, timestamp: 1_000 }));
    return encodeBatch({ records, baseOffset }, recordChecksum);
  });
  let leader = 1;
  const { client, close } = await cluster(
    () => leader,
    (nodeId, request) => {
      const { topics } = request.body as { topics: { partitions: { fetchOffset: number }[] }[] };
      const at = topics[0]?.partitions[0]?.fetchOffset as number;
      if (nodeId === 1 && at > 0) {
        leader = 2;
        return fetched(ERROR.NOT_LEADER_OR_FOLLOWER, Buffer.alloc(0));
      }
      const whole = batches[at < 3 ? 0 : 1] as Buffer;
      // The second batch is cut short, as a broker may do.
      return fetched(ERROR.NONE, Buffer.concat([whole, whole.subarray(0, 70)]));
    },
  );
  const seen: number[] = [];
  const fetcher = new Fetcher(client, TOPIC, new Map([[0, 1]]), new Map([[0, 5]]), {
    deliver: (_, record) => seen.push(record.offset) > 0,
    afterAnswer: () => undefined,
    onSkip: () => assert.unreachable('nothing is skipped'),
  });
  await fetcher.run();
  assert.equal(seen, [1, 2, 3, 4]);
  close();
});

function fetched(errorCode: number, bytes: Buffer): FakeAnswer {
  const records = { bytes, start: 0, length: bytes.length };
  const partition = {
    partitionIndex: 0,
    errorCode,
    highWatermark: 6,
    abortedTransactions: null,
    records,
  };
  return { responses: [{ topic: TOPIC, partitions: [partition] }] };
}

test('nobody there is an error that says so', async () => {
  const broker = await fakeBroker(() => 'hang');
  broker.close();
  const client = new KafkaClient({ bootstrap: [broker.address] });
  let caught: unknown;
  await client.refresh(null).catch((error: unknown) => {
    caught = error;
  });
  assert.is((caught as { code: string }).code, 'NOT_RUNNING');
  client.close();
});

test('a port that does not speak Kafka is found out', async () => {
  const server = createServer((socket) => {
    socket.on('error', () => undefined);
    socket.end('HTTP/1.1 400 Bad Request\r\n\r\n');
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  const options = { clientId: 'test', connectTimeoutMs: 1_000, requestTimeoutMs: 1_000 };
  let message = '';
  await Connection.open({ host: '127.0.0.1', port }, options).catch((error: Error) => {
    message = error.message;
  });
  assert.match(message, /this is not a Kafka port/);
  server.close();
});

test('answers of one connection find their requests', async () => {
  const broker = await fakeBroker((request) => ({
    ...(metadata([], 1) as object),
    clusterId: String((request.body as { topics: { name: string }[] }).topics[0]?.name),
  }));
  const options = { clientId: 'test', connectTimeoutMs: 1_000, requestTimeoutMs: 1_000 };
  const connection = await Connection.open(broker.address, options);
  const names = ['a', 'b', 'c'];
  const bodies = await Promise.all(
    names.map((name) => connection.request(metadataApi, { topics: [{ name }] })),
  );
  assert.equal(
    bodies.map((body) => body.clusterId),
    names,
  );
  connection.close();
  broker.close();
});

test.run();
