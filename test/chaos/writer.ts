/**
 * A writer that never idles: it goes round all partitions with several requests in flight to each
 * node, and notes what every answer proves. Two kinds:
 *
 *     plain        sends each batch once; no answer means nobody knows
 *     idempotent   sends a batch again, same sequence, until the answer is final, so that a retry
 *                  over a failover must find the original; one batch in flight per partition.
 *                  Now and then a batch is sent again although it was acknowledged
 */
import { ERROR, errorInfo } from '#src/protocol/errors.js';
import { initProducerIdApi } from '#src/protocol/messages/init-producer-id.js';
import { ConnectionLost, type KafkaConnection } from '../support/kafka-connection.js';
import type { KafkaClient } from '../support/kafka-client.js';
import { type ProduceAnswer, produceBytes } from '../support/produce.js';
import { sleep } from '../support/wait-for.js';
import type { AckGaps } from './ack-gaps.js';
import type { BatchKey } from './history/events.js';
import type { History } from './history/history.js';
import { encodeTagged } from './tag.js';

const INIT_PRODUCER_ID_VERSION = 1;
const PRODUCE_TIMEOUT_MS = 3_000;
const ANSWER_TIMEOUT_MS = 4_000;
const IN_FLIGHT_PER_NODE = 4;
const RETRY_MS = 40;
/** Every so many batches an acknowledged one is sent again. */
const AGAIN_EVERY = 16;

/** What a broker says to a sequence that it does not expect, or expects no more. */
const SEQUENCE_ERRORS: ReadonlySet<string> = new Set([
  'OUT_OF_ORDER_SEQUENCE_NUMBER',
  'DUPLICATE_SEQUENCE_NUMBER',
  'INVALID_PRODUCER_EPOCH',
  'UNKNOWN_PRODUCER_ID',
]);

export type WriterOptions = {
  readonly writer: number;
  readonly isIdempotent: boolean;
  readonly client: KafkaClient;
  readonly history: History;
  readonly gaps: AckGaps;
  /** Pause between two sends; the load of the whole run follows from it. */
  readonly everyMs: number;
  readonly recordsPerBatch: number;
};

type Batch = BatchKey & {
  readonly topic: string;
  readonly partition: number;
  readonly bytes: Buffer;
};

/** `epoch`: the leader epoch we knew of the node that answered. */
type Answered = ProduceAnswer & { readonly epoch: number };

/** What ends an attempt without an answer: the request never left, or nobody knows. */
type Failure = { readonly wasSent: boolean };

export class Writer {
  readonly #options: WriterOptions;
  readonly #inFlight = new Map<number, number>();
  readonly #busyPartitions = new Set<string>();
  readonly #sequences = new Map<string, number>();
  readonly #running = new Set<Promise<void>>();
  readonly outcomes = new Map<string, number>();
  #producerId = -1;
  #batches = 0;
  /** Whose turn comes first; partitions that a busy node makes wait keep their place. */
  #queue: string[] = [];
  #isStopping = false;

  constructor(options: WriterOptions) {
    this.#options = options;
  }

  async run(): Promise<void> {
    const { client, everyMs, isIdempotent } = this.#options;
    if (isIdempotent) this.#producerId = await this.#takeProducerId();
    while (!this.#isStopping) {
      if (this.#queue.length !== client.partitions.length) this.#fillQueue();
      const place = this.#queue.findIndex((key) => this.#tryStart(key));
      if (place !== -1) this.#queue.push(...this.#queue.splice(place, 1));
      await sleep(everyMs);
    }
    await Promise.all(this.#running);
  }

  /** Takes no new batch; what is in flight gets its answer or its time-out. */
  stop(): void {
    this.#isStopping = true;
  }

  /** Each writer begins somewhere else. */
  #fillQueue(): void {
    const { client, writer } = this.#options;
    const { partitions } = client;
    const first = writer % Math.max(1, partitions.length);
    this.#queue = [...partitions.slice(first), ...partitions.slice(0, first)];
  }

  /** False when this partition can not take one more batch of ours now. */
  #tryStart(key: string): boolean {
    const { client, isIdempotent } = this.#options;
    const colon = key.lastIndexOf(':');
    const topic = key.slice(0, colon);
    const partition = Number(key.slice(colon + 1));
    const leader = client.leaderOf(topic, partition);
    if (leader === null || this.#inFlightTo(leader.nodeId) >= IN_FLIGHT_PER_NODE) return false;
    if (isIdempotent && this.#busyPartitions.has(key)) return false;
    this.#busyPartitions.add(key);
    const work = this.#write(topic, partition).finally(() => {
      this.#busyPartitions.delete(key);
      this.#running.delete(work);
    });
    this.#running.add(work);
    return true;
  }

  async #write(topic: string, partition: number): Promise<void> {
    const { history, isIdempotent, recordsPerBatch, writer } = this.#options;
    const batch = this.#makeBatch(topic, partition);
    const key = { writer, batch: batch.batch };
    const name = `${topic}:${partition}`;
    history.note({ kind: 'sent', ...key, partition: name, records: recordsPerBatch });
    const outcome = await this.#writeUntilFinal(batch);
    if (typeof outcome === 'string') {
      history.note({ kind: outcome, ...key });
      return;
    }
    const { baseOffset, epoch } = outcome;
    history.note({ kind: 'acked', ...key, baseOffset, epoch });
    if (isIdempotent && batch.batch % AGAIN_EVERY === 0) await this.#writeAgain(batch);
  }

  async #writeUntilFinal(batch: Batch): Promise<Answered | 'refused' | 'unknown'> {
    const { gaps, history, isIdempotent } = this.#options;
    let wasSent = false;
    for (;;) {
      const sentMs = performance.now();
      const result = await this.#attempt(batch);
      if ('errorCode' in result) {
        const { name, isRetriable, outcome } = errorInfo(result.errorCode);
        this.#count(name);
        if (outcome === 'none') {
          gaps.acked(`${batch.topic}:${batch.partition}`, sentMs, performance.now());
          return result;
        }
        if (outcome === 'indefinite') wasSent = true;
        if (!isIdempotent || !(isRetriable || outcome === 'indefinite')) {
          const { writer, batch: number } = batch;
          const isSequence = isIdempotent && SEQUENCE_ERRORS.has(name);
          if (isSequence) history.note({ kind: 'sequence-refused', writer, batch: number });
          return wasSent ? 'unknown' : 'refused';
        }
      } else {
        this.#count(result.wasSent ? 'no answer' : 'no connection');
        wasSent ||= result.wasSent;
        if (!isIdempotent) return wasSent ? 'unknown' : 'refused';
      }
      if (this.#isStopping) return wasSent ? 'unknown' : 'refused';
      await sleep(RETRY_MS);
    }
  }

  /** The newest batch of a partition is within the window: it must be found where it is. */
  async #writeAgain(batch: Batch): Promise<void> {
    const { history, writer } = this.#options;
    const key = { writer, batch: batch.batch };
    while (!this.#isStopping) {
      const result = await this.#attempt(batch);
      if ('errorCode' in result) {
        const { name, outcome } = errorInfo(result.errorCode);
        if (outcome === 'none' || SEQUENCE_ERRORS.has(name)) {
          const baseOffset = outcome === 'none' ? result.baseOffset : -1;
          history.note({ kind: 'answered-again', ...key, baseOffset });
          return;
        }
      }
      await sleep(RETRY_MS);
    }
  }

  async #attempt(batch: Batch): Promise<Answered | Failure> {
    const { client } = this.#options;
    const { topic, partition } = batch;
    const leader = client.leaderOf(topic, partition);
    if (leader === null) return { wasSent: false };
    this.#inFlight.set(leader.nodeId, this.#inFlightTo(leader.nodeId) + 1);
    try {
      const connection = await this.#connect(leader.nodeId);
      if (connection === null) return { wasSent: false };
      const answer = await produce(connection, batch);
      if (answer === null || answer.errorCode !== ERROR.NONE) await this.#refresh();
      return answer === null ? { wasSent: true } : { ...answer, epoch: leader.leaderEpoch };
    } finally {
      this.#inFlight.set(leader.nodeId, this.#inFlightTo(leader.nodeId) - 1);
    }
  }

  async #connect(nodeId: number): Promise<KafkaConnection | null> {
    try {
      return await this.#options.client.connectionTo(nodeId);
    } catch (error) {
      if (!(error instanceof ConnectionLost)) throw error;
      await this.#refresh();
      return null;
    }
  }

  async #refresh(): Promise<void> {
    await this.#options.client.tryRefresh();
    await sleep(RETRY_MS);
  }

  async #takeProducerId(): Promise<number> {
    const body = { transactionalId: null, transactionTimeoutMs: 60_000 };
    for (;;) {
      try {
        const connection = await this.#options.client.anyConnection();
        const answer = await connection.request(initProducerIdApi, INIT_PRODUCER_ID_VERSION, body);
        if (answer.errorCode === ERROR.NONE) return answer.producerId;
      } catch (error) {
        if (!(error instanceof ConnectionLost)) throw error;
      }
      await sleep(RETRY_MS);
    }
  }

  #makeBatch(topic: string, partition: number): Batch {
    const { isIdempotent, recordsPerBatch, writer } = this.#options;
    const batch = this.#batches;
    this.#batches += 1;
    const key = `${topic}:${partition}`;
    const baseSequence = isIdempotent ? (this.#sequences.get(key) ?? 0) : -1;
    if (isIdempotent) this.#sequences.set(key, baseSequence + recordsPerBatch);
    const producer = {
      producerId: this.#producerId,
      producerEpoch: isIdempotent ? 0 : -1,
      baseSequence,
    };
    const bytes = encodeTagged({ writer, batch }, recordsPerBatch, producer);
    return { writer, batch, topic, partition, bytes };
  }

  #inFlightTo(nodeId: number): number {
    return this.#inFlight.get(nodeId) ?? 0;
  }

  #count(outcome: string): void {
    this.outcomes.set(outcome, (this.outcomes.get(outcome) ?? 0) + 1);
  }
}

/** Null when the answer did not come. */
async function produce(
  connection: KafkaConnection,
  { topic, partition, bytes }: Batch,
): Promise<ProduceAnswer | null> {
  const call = { topic, partition, bytes, acks: -1, timeoutMs: PRODUCE_TIMEOUT_MS } as const;
  try {
    return await produceBytes(connection, call, ANSWER_TIMEOUT_MS);
  } catch (error) {
    if (error instanceof ConnectionLost) return null;
    throw error;
  }
}
