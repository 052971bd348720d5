/** Shorthands for tests that talk to one broker in Kafka's protocol: batches, produces, fetches. */
import type { DecodedFields, EncodableFields } from '#src/protocol/schema.js';
import { createTopicsApi } from '#src/protocol/messages/create-topics.js';
import { fetchApi } from '#src/protocol/messages/fetch.js';
import { listOffsetsApi } from '#src/protocol/messages/list-offsets.js';
import { produceApi } from '#src/protocol/messages/produce.js';
import { encodeRecord, reseal, sealBatch } from '../native/sample-batch.js';
import { KafkaClient, parseAddress } from '../support/kafka-client.js';
import { KafkaConnection } from '../support/kafka-connection.js';
import { waitFor } from '../support/wait-for.js';

export const TIMESTAMP_EARLIEST = -2;
export const TIMESTAMP_LATEST = -1;
export const TIMESTAMP_NEWEST = -3;

export type BatchShape = {
  readonly count?: number;
  readonly valueBytes?: number;
  readonly timestamp?: number;
  readonly producerId?: number;
  readonly producerEpoch?: number;
  readonly sequence?: number;
};

let nextValue = 0;

/** A valid batch whose values no other batch has. */
export function makeBatch(shape: BatchShape = {}): Buffer {
  const { count = 1, valueBytes = 16, timestamp = Date.now() } = shape;
  const records = Array.from({ length: count }, (_, offsetDelta) => {
    const value = Buffer.alloc(valueBytes, '.');
    value.write(String(nextValue++));
    return encodeRecord({ offsetDelta, timestampDelta: 0, key: null, value, headers: [] });
  });
  return sealBatch(count, Buffer.concat(records), (batch) => {
    batch.writeBigInt64BE(BigInt(timestamp), 27);
    batch.writeBigInt64BE(BigInt(timestamp), 35);
    if (shape.producerId === undefined) return;
    batch.writeBigInt64BE(BigInt(shape.producerId), 43);
    batch.writeInt16BE(shape.producerEpoch ?? 0, 51);
    batch.writeInt32BE(shape.sequence ?? 0, 53);
  });
}

/** A batch as a broker serves it: everything from the CRC on is the producer's. */
export function ownBytes(batch: Buffer): string {
  return batch.subarray(17).toString('base64');
}

/** The batch with `change` made to it and the CRC put right again. */
export function spoilt(batch: Buffer, change: (batch: Buffer) => void): Buffer {
  const copy = Buffer.from(batch);
  change(copy);
  return reseal(copy);
}

export type Produced = DecodedFields<
  typeof produceApi.response.fields
>['responses'][number]['partitionResponses'][number];

export type Fetched = DecodedFields<
  typeof fetchApi.response.fields
>['responses'][number]['partitions'][number];

export type FetchShape = {
  readonly partition?: number;
  readonly offset?: number;
  readonly maxWaitMs?: number;
  readonly minBytes?: number;
  readonly maxBytes?: number;
  readonly partitionMaxBytes?: number;
  readonly currentLeaderEpoch?: number;
};

const PRODUCE_VERSION = 9;
const FETCH_VERSION = 12;
const LIST_OFFSETS_VERSION = 7;
const CREATE_TOPICS_VERSION = 5;

/** One connection to one broker. */
export class Door {
  readonly connection: KafkaConnection;

  private constructor(connection: KafkaConnection) {
    this.connection = connection;
  }

  static async open(address: string): Promise<Door> {
    return new Door(await KafkaConnection.open(parseAddress(address), 'test'));
  }

  close(): void {
    this.connection.close();
  }

  async produce(
    topic: string,
    partition: number,
    batch: Buffer | null,
    options: { acks?: number; timeoutMs?: number; version?: number } = {},
  ): Promise<Produced> {
    const { acks = -1, timeoutMs = 5_000, version = PRODUCE_VERSION } = options;
    const body = produceBody(topic, partition, batch, acks, timeoutMs);
    const answer = await this.connection.request(produceApi, version, body);
    return only(only(answer.responses).partitionResponses);
  }

  async fetch(topic: string, shape: FetchShape = {}): Promise<Fetched> {
    const body = fetchBody([topic], [shape]);
    const answer = await this.connection.request(fetchApi, FETCH_VERSION, body);
    return only(only(answer.responses).partitions);
  }

  async offset(
    topic: string,
    partition: number,
    timestamp: number,
    currentLeaderEpoch = -1,
  ): Promise<{ errorCode: number; offset: number; timestamp: number; leaderEpoch: number }> {
    const partitions = [{ partitionIndex: partition, timestamp, currentLeaderEpoch }];
    const body = { replicaId: -1, isolationLevel: 0, topics: [{ name: topic, partitions }] };
    const answer = await this.connection.request(listOffsetsApi, LIST_OFFSETS_VERSION, body);
    return only(only(answer.topics).partitions);
  }

  async createTopic(
    name: string,
    numPartitions = 1,
    configs: Readonly<Record<string, string>> = {},
  ): Promise<void> {
    const topic = {
      name,
      numPartitions,
      replicationFactor: -1,
      assignments: [],
      configs: Object.entries(configs).map(([key, value]) => ({ name: key, value })),
    };
    const body = { topics: [topic], timeoutMs: 10_000, validateOnly: false };
    const answer = await this.connection.request(createTopicsApi, CREATE_TOPICS_VERSION, body);
    const { errorCode, errorMessage } = only(answer.topics);
    if (errorCode !== 0) throw new Error(`create ${name}: ${errorCode} ${errorMessage}`);
  }
}

/** A door to the leader of a partition. */
export async function leaderDoor(
  bootstrap: readonly string[],
  topic: string,
  partition = 0,
): Promise<Door> {
  const client = new KafkaClient(bootstrap, [topic], 'test');
  try {
    return await waitFor(`a leader of ${topic}-${partition}`, async () => {
      await client.refresh();
      const leader = client.leaderOf(topic, partition);
      const address = leader === null ? undefined : bootstrap[leader.nodeId - 1];
      return address === undefined ? null : Door.open(address);
    });
  } finally {
    await client.close();
  }
}

export function produceBody(
  topic: string,
  partition: number,
  batch: Buffer | null,
  acks = -1,
  timeoutMs = 5_000,
): EncodableFields<typeof produceApi.request.fields> {
  const records = batch === null ? null : { bytes: batch, start: 0, length: batch.length };
  const partitionData = [{ index: partition, records }];
  return { acks, timeoutMs, topicData: [{ name: topic, partitionData }] };
}

export function fetchBody(
  topics: readonly string[],
  shapes: readonly FetchShape[],
): EncodableFields<typeof fetchApi.request.fields> {
  const [first] = shapes;
  const { maxWaitMs = 0, minBytes = 1, maxBytes = 1 << 24 } = first ?? {};
  const partitions = shapes.map((shape) => ({
    partition: shape.partition ?? 0,
    fetchOffset: shape.offset ?? 0,
    partitionMaxBytes: shape.partitionMaxBytes ?? 1 << 20,
    currentLeaderEpoch: shape.currentLeaderEpoch ?? -1,
  }));
  return { maxWaitMs, minBytes, maxBytes, topics: topics.map((topic) => ({ topic, partitions })) };
}

/** The record bytes of a fetched partition. */
export function bytesOf({ records }: Fetched): Buffer {
  if (records === null) return Buffer.alloc(0);
  return records.bytes.subarray(records.start, records.start + records.length);
}

/** The batches in a fetched partition, whole ones only. */
export function batchesOf(fetched: Fetched): Buffer[] {
  const bytes = bytesOf(fetched);
  const batches: Buffer[] = [];
  for (let at = 0; at + 12 <= bytes.length; ) {
    const end = at + 12 + bytes.readInt32BE(at + 8);
    if (end > bytes.length) break;
    batches.push(bytes.subarray(at, end));
    at = end;
  }
  return batches;
}

export function only<T>(list: readonly T[]): T {
  if (list.length !== 1) throw new Error(`one element expected, not ${list.length}`);
  return list[0] as T;
}
