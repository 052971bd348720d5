/**
 * Asks every node about every partition all the time: Metadata, ListOffsets(latest and earliest)
 * and a Fetch at the acknowledged end. It sends on while answers are outstanding, so that a node
 * that stood still, or was cut off, finds questions in its sockets that were asked after others had
 * moved on: what it answers then must not be wrong.
 */
import { ERROR } from '#src/protocol/errors.js';
import { fetchApi } from '#src/protocol/messages/fetch.js';
import {
  TIMESTAMP_EARLIEST,
  TIMESTAMP_LATEST,
  listOffsetsApi,
} from '#src/protocol/messages/list-offsets.js';
import { metadataApi } from '#src/protocol/messages/metadata.js';
import type { Api, DecodedFields, EncodableFields, Fields } from '#src/protocol/schema.js';
import { parseAddress } from '../../support/kafka-client.js';
import { ConnectionLost, KafkaConnection } from '../../support/kafka-connection.js';
import { sleep } from '../../support/wait-for.js';
import type { Question } from '../history/events.js';
import type { History } from '../history/history.js';
import { noteFetchAnswer, type PartitionName, keyOf } from '../reader.js';
import type { Worker } from './worker.js';

const METADATA_VERSION = 9;
const LIST_OFFSETS_VERSION = 5;
const FETCH_VERSION = 11;
const EVERY_MS = 150;
const CONNECT_MS = 1_000;
/** Longer than a pause lasts. */
const ANSWER_MS = 10_000;
const IN_FLIGHT_MAX = 100;

export type ProberOptions = {
  readonly nodeId: number;
  readonly address: string;
  readonly names: readonly PartitionName[];
  readonly history: History;
  /** Newest leader epoch that any prober knows. */
  readonly epochs: Map<string, number>;
};

/** The prober of one node. */
export class Prober implements Worker {
  readonly #options: ProberOptions;
  readonly #running = new Set<Promise<void>>();
  #connection: KafkaConnection | null = null;
  #connections = 0;
  #turns = 0;
  #isStopped = false;

  constructor(options: ProberOptions) {
    this.#options = options;
  }

  async run(): Promise<void> {
    while (!this.#isStopped) {
      const connection = await this.#connect();
      if (connection !== null && connection.inFlight < IN_FLIGHT_MAX) {
        this.#turns += 1;
        this.#start(this.#askMetadata(connection));
        this.#start(this.#askOffsets(connection, 'latest'));
        this.#start(this.#askOffsets(connection, 'earliest'));
        this.#start(this.#fetch(connection));
      }
      await sleep(EVERY_MS);
    }
    this.#connection?.close();
    await Promise.all(this.#running);
  }

  stop(): void {
    this.#isStopped = true;
  }

  #start(question: Promise<void>): void {
    const work = question.finally(() => this.#running.delete(work));
    this.#running.add(work);
  }

  async #connect(): Promise<KafkaConnection | null> {
    if (this.#connection?.isOpen === true) return this.#connection;
    try {
      const address = parseAddress(this.#options.address);
      this.#connection = await KafkaConnection.open(address, 'prober', CONNECT_MS);
      this.#connections += 1;
      return this.#connection;
    } catch (error) {
      if (error instanceof ConnectionLost) return null;
      throw error;
    }
  }

  /** One connection reaches one process: what it tells may not go back. */
  async #askMetadata(connection: KafkaConnection): Promise<void> {
    const { names, history, nodeId, epochs } = this.#options;
    const source = `connection ${this.#connections} to node ${nodeId}`;
    const topics = [...new Set(names.map(({ topic }) => topic))].map((name) => ({ name }));
    const body = { topics, allowAutoTopicCreation: false };
    const answer = await askQuietly(connection, metadataApi, METADATA_VERSION, body);
    for (const { name, partitions } of answer?.topics ?? []) {
      for (const { partitionIndex, leaderId: node, leaderEpoch: epoch } of partitions) {
        const partition = `${name}:${partitionIndex}`;
        history.note({ kind: 'leader', source, partition, epoch, node });
        epochs.set(partition, Math.max(epoch, epochs.get(partition) ?? -1));
      }
    }
  }

  async #askOffsets(connection: KafkaConnection, question: 'latest' | 'earliest'): Promise<void> {
    const { history, nodeId } = this.#options;
    const isLatest = question === 'latest';
    const asked = this.#ask(question);
    const timestamp = isLatest ? TIMESTAMP_LATEST : TIMESTAMP_EARLIEST;
    const topics = byTopic(asked, ({ name, epoch }) => ({
      partitionIndex: name.partition,
      currentLeaderEpoch: isLatest ? -1 : epoch,
      timestamp,
    })).map(([name, partitions]) => ({ name, partitions }));
    const body = { replicaId: -1, isolationLevel: 0, topics };
    const answer = await askQuietly(connection, listOffsetsApi, LIST_OFFSETS_VERSION, body);
    const found = new Map(
      (answer?.topics ?? []).flatMap(({ name, partitions }) =>
        partitions.map(
          (found) => [keyOf({ topic: name, partition: found.partitionIndex }), found] as const,
        ),
      ),
    );
    for (const { op, partition } of asked) {
      const told = found.get(partition);
      if (told === undefined || told.errorCode !== ERROR.NONE) {
        history.note({ kind: 'gave-up', op });
        continue;
      }
      const { offset, leaderEpoch: epoch } = told;
      const [end, start] = isLatest ? [offset, -1] : [-1, offset];
      const ends = { highWatermark: end, lastStableOffset: end, logStartOffset: start };
      history.note({ kind: 'told', op, ...ends, epoch });
      history.note({ kind: 'leader', source: null, partition, epoch, node: nodeId });
    }
  }

  async #fetch(connection: KafkaConnection): Promise<void> {
    const { history } = this.#options;
    const asked = this.#ask('fetch').filter(({ epoch }) => epoch >= 0);
    const topics = byTopic(asked, ({ name, epoch, offset }) => ({
      partition: name.partition,
      currentLeaderEpoch: epoch,
      fetchOffset: offset,
      partitionMaxBytes: 1,
    })).map(([topic, partitions]) => ({ topic, partitions }));
    const body = { maxWaitMs: 0, minBytes: 0, maxBytes: 1, topics };
    const answer = await askQuietly(connection, fetchApi, FETCH_VERSION, body);
    const found = new Map(
      (answer?.responses ?? []).flatMap(({ topic, partitions }) =>
        partitions.map(
          (found) => [keyOf({ topic, partition: found.partitionIndex }), found] as const,
        ),
      ),
    );
    for (const { op, partition, offset } of asked) {
      const told = found.get(partition);
      if (told === undefined) history.note({ kind: 'gave-up', op });
      else
        noteFetchAnswer(told, { op, key: partition, fetchOffset: offset, isFinal: false }, history);
    }
  }

  /** Every other time the next epoch: who was elected a moment ago is asked by its own. */
  #guess(epoch: number): number {
    return epoch >= 0 && this.#turns % 2 === 1 ? epoch + 1 : epoch;
  }

  /** Notes the question about every partition. */
  #ask(question: Question): Asked[] {
    const { names, history, epochs } = this.#options;
    return names.map((name) => {
      const partition = keyOf(name);
      const op = history.nextOp();
      const epoch = question === 'latest' ? -1 : this.#guess(epochs.get(partition) ?? -1);
      const offset = history.ackedEnd(partition);
      history.note({ kind: 'asked', op, partition, question, epoch, offset });
      return { op, name, partition, epoch, offset };
    });
  }
}

type Asked = {
  readonly op: number;
  readonly name: PartitionName;
  readonly partition: string;
  readonly epoch: number;
  readonly offset: number;
};

function byTopic<T>(asked: readonly Asked[], describe: (one: Asked) => T): [string, T[]][] {
  const topics = new Map<string, T[]>();
  for (const one of asked) {
    const { topic } = one.name;
    topics.set(topic, [...(topics.get(topic) ?? []), describe(one)]);
  }
  return [...topics];
}

/** Null when the answer can not come any more. */
export async function askQuietly<Q extends Fields, S extends Fields>(
  connection: KafkaConnection,
  api: Api<Q, S>,
  version: number,
  body: EncodableFields<Q>,
  timeoutMs = ANSWER_MS,
): Promise<DecodedFields<S> | null> {
  try {
    return await connection.request(api, version, body, timeoutMs);
  } catch (error) {
    if (error instanceof ConnectionLost) return null;
    throw error;
  }
}
