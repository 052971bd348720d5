/**
 * The slow paths of a Kafka client, for set-up and checking: one connection per call. Nothing here
 * is measured, except that the start of a cluster is timed until `produceOne` succeeds.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { ERROR, errorInfo } from '#src/protocol/errors.js';
import { decodeResponse, encodeRequestFrame } from '#src/protocol/frame.js';
import { createTopicsApi } from '#src/protocol/messages/create-topics.js';
import { deleteTopicsApi } from '#src/protocol/messages/delete-topics.js';
import { TIMESTAMP_LATEST, listOffsetsApi } from '#src/protocol/messages/list-offsets.js';
import { metadataApi } from '#src/protocol/messages/metadata.js';
import { produceApi } from '#src/protocol/messages/produce.js';
import type { Api, DecodedFields, EncodableFields, Fields } from '#src/protocol/schema.js';
import { type Address, Connection } from './connection.js';
import { groupByLeader } from './lanes.js';
import { recordBatch } from './requests.js';

export type PartitionView = {
  readonly partition: number;
  readonly leaderId: number;
  /** Null while nobody leads. */
  readonly leader: Address | null;
  readonly replicas: readonly number[];
  readonly inSync: readonly number[];
};

const REPLICATION_FACTOR = 3;
const CALL_TIMEOUT_MS = 15_000;
const READY_TIMEOUT_MS = 90_000;
const POLL_MS = 50;

/** Sends one request over a connection of its own. */
export function call<Q extends Fields, S extends Fields>(
  address: Address,
  api: Api<Q, S>,
  apiVersion: number,
  body: EncodableFields<Q>,
): Promise<DecodedFields<S>> {
  return new Promise((resolve, reject) => {
    let connection: Connection | null = null;
    const settle = (finish: () => void): void => {
      clearTimeout(timer);
      connection?.close();
      finish();
    };
    const fail = (reason: string) => settle(() => reject(new Error(`${api.name}: ${reason}`)));
    const timer = setTimeout(fail, CALL_TIMEOUT_MS, 'no answer in time');
    const onFrame = (bytes: Buffer, start: number, end: number): void => {
      try {
        const response = decodeResponse(api, apiVersion, bytes, start, end).body;
        settle(() => resolve(response));
      } catch (error) {
        fail(String(error));
      }
    };
    Connection.open(address, { onFrame, onClosed: fail }).then((opened) => {
      connection = opened;
      const clientId = 'lograft-bench';
      opened.send(encodeRequestFrame(api, { apiVersion, correlationId: 1, clientId, body }));
    }, fail);
  });
}

/** The topic as the first broker that answers sees it. */
export async function describeTopic(
  bootstrap: readonly Address[],
  topic: string,
): Promise<readonly PartitionView[]> {
  const body = { topics: [{ name: topic }], allowAutoTopicCreation: false };
  const metadata = await firstAnswer(bootstrap, (at) => call(at, metadataApi, 7, body));
  const brokers = new Map(
    metadata.brokers.map(({ nodeId, host, port }) => [nodeId, { host, port }]),
  );
  const found = metadata.topics[0];
  if (found === undefined || found.errorCode !== ERROR.NONE) {
    throw new Error(`topic ${topic}: ${errorInfo(found?.errorCode ?? -1).name}`);
  }
  return found.partitions
    .map(({ partitionIndex, leaderId, replicaNodes, isrNodes }) => ({
      partition: partitionIndex,
      leaderId,
      leader: brokers.get(leaderId) ?? null,
      replicas: replicaNodes,
      inSync: isrNodes,
    }))
    .sort((a, b) => a.partition - b.partition);
}

export async function createTopic(
  bootstrap: readonly Address[],
  topic: string,
  partitions: number,
  configs: Readonly<Record<string, string>>,
): Promise<void> {
  const wanted = {
    name: topic,
    numPartitions: partitions,
    replicationFactor: REPLICATION_FACTOR,
    assignments: [],
    configs: Object.entries(configs).map(([name, value]) => ({ name, value })),
  };
  const body = { topics: [wanted], timeoutMs: CALL_TIMEOUT_MS };
  const { topics } = await firstAnswer(bootstrap, (at) => call(at, createTopicsApi, 4, body));
  const { errorCode, errorMessage } = topics[0] ?? { errorCode: -1, errorMessage: null };
  if (errorCode === ERROR.NONE || errorCode === ERROR.TOPIC_ALREADY_EXISTS) return;
  throw new Error(`create ${topic}: ${errorInfo(errorCode).name} ${errorMessage ?? ''}`);
}

export async function deleteTopic(bootstrap: readonly Address[], topic: string): Promise<void> {
  const body = { topicNames: [topic], timeoutMs: CALL_TIMEOUT_MS };
  const { responses } = await firstAnswer(bootstrap, (at) => call(at, deleteTopicsApi, 4, body));
  const errorCode = responses[0]?.errorCode ?? -1;
  if (errorCode !== ERROR.NONE) throw new Error(`delete ${topic}: ${errorInfo(errorCode).name}`);
}

/** Waits until every partition has a leader that serves, and all of its replicas are in sync. */
export function awaitInSync(
  bootstrap: readonly Address[],
  topic: string,
): Promise<readonly PartitionView[]> {
  return awaitAll(bootstrap, topic, ({ replicas, inSync }) => inSync.length === replicas.length);
}

/** The same, and each partition is led by its first replica: no leader will move by itself. */
export function awaitSettled(
  bootstrap: readonly Address[],
  topic: string,
): Promise<readonly PartitionView[]> {
  return awaitAll(
    bootstrap,
    topic,
    ({ leaderId, replicas, inSync }) =>
      leaderId === replicas[0] && inSync.length === replicas.length,
  );
}

function awaitAll(
  bootstrap: readonly Address[],
  topic: string,
  isWell: (view: PartitionView) => boolean,
): Promise<readonly PartitionView[]> {
  return retry(`all of ${topic}`, async () => {
    const views = await describeTopic(bootstrap, topic);
    const unwell = views.filter((view) => view.leader === null || !isWell(view));
    if (views.length === 0 || unwell.length > 0) {
      const [first] = unwell;
      throw new Error(`${unwell.length} of ${views.length}: ${JSON.stringify(first)}`);
    }
    await offsetsOf(views, topic);
    return views;
  });
}

/** The next offset of every partition, asked of its leader. */
export function endOffsets(bootstrap: readonly Address[], topic: string): Promise<number[]> {
  return retry(`the end offsets of ${topic}`, async () =>
    offsetsOf(await describeTopic(bootstrap, topic), topic),
  );
}

/** One question to each leader, so that a thousand partitions are not a thousand connections. */
async function offsetsOf(views: readonly PartitionView[], topic: string): Promise<number[]> {
  const answers = await Promise.all(
    groupByLeader(views).map(({ address, partitions }) => {
      const asked = partitions.map((partitionIndex) => ({
        partitionIndex,
        timestamp: TIMESTAMP_LATEST,
      }));
      const topics = [{ name: topic, partitions: asked }];
      return call(address, listOffsetsApi, 5, { replicaId: -1, isolationLevel: 0, topics });
    }),
  );
  const offsets = new Map<number, number>();
  for (const found of answers.flatMap(({ topics }) => topics[0]?.partitions ?? [])) {
    if (found.errorCode !== ERROR.NONE) {
      throw new Error(`${topic}-${found.partitionIndex}: ${errorInfo(found.errorCode).name}`);
    }
    offsets.set(found.partitionIndex, found.offset);
  }
  return views.map(({ partition }) => {
    const offset = offsets.get(partition);
    if (offset === undefined) throw new Error(`${topic}-${partition}: no answer`);
    return offset;
  });
}

/** One record to partition 0, acknowledged by all. */
export async function produceOne(bootstrap: readonly Address[], topic: string): Promise<void> {
  const [view] = await describeTopic(bootstrap, topic);
  if (view === undefined || view.leader === null) throw new Error(`${topic}-0 has no leader`);
  const bytes = recordBatch(1, 200);
  const records = { bytes, start: 0, length: bytes.length };
  const topicData = [{ name: topic, partitionData: [{ index: 0, records }] }];
  const body = { acks: -1, timeoutMs: CALL_TIMEOUT_MS, topicData };
  const { responses } = await call(view.leader, produceApi, 8, body);
  const errorCode = responses[0]?.partitionResponses[0]?.errorCode ?? -1;
  if (errorCode !== ERROR.NONE) throw new Error(`${topic}-0: ${errorInfo(errorCode).name}`);
}

/** Tries again until it works; the last error is told when time is up. */
export async function retry<T>(
  what: string,
  attempt: () => Promise<T>,
  everyMs: number = POLL_MS,
): Promise<T> {
  const endMs = performance.now() + READY_TIMEOUT_MS;
  for (;;) {
    try {
      return await attempt();
    } catch (error) {
      if (performance.now() >= endMs)
        throw new Error(`waited in vain for ${what}`, { cause: error });
    }
    await sleep(everyMs);
  }
}

async function firstAnswer<T>(
  bootstrap: readonly Address[],
  ask: (address: Address) => Promise<T>,
): Promise<T> {
  let failure: unknown = new Error('no brokers are known');
  for (const address of bootstrap) {
    try {
      return await ask(address);
    } catch (error) {
      failure = error;
    }
  }
  throw failure;
}
