/**
 * Sends records to one topic: a lane per partition with one batch in flight, so order is kept
 * through every retry. With acks=all each lane is an idempotent producer of its own and a batch is
 * appended once however often it is sent. Its one promise: every record ends in exactly one
 * outcome, and one that is reported as acknowledged was acknowledged by the leader.
 */
import { recordChecksum } from '../../broker/checksum.js';
import { ERROR } from '../../protocol/errors.js';
import { initProducerIdApi } from '../../protocol/messages/init-producer-id.js';
import { produceApi } from '../../protocol/messages/produce.js';
import { encodeBatch, type RecordInput } from '../../records/batch.js';
import { type KafkaClient, retrying } from './client.js';
import { KafkaError, throwIfError } from './errors.js';

/** Estimated size of a record beside its key and value. */
const RECORD_OVERHEAD_BYTES = 32;

export type Acks = 0 | 1 | -1;

export type ProducerOptions = {
  readonly topic: string;
  readonly acks: Acks;
  /** A batch that is not acknowledged this long after its first attempt has failed. */
  readonly deliveryTimeoutMs: number;
  /** One attempt: the broker's time to replicate, then as much again for the answer. */
  readonly requestTimeoutMs: number;
  readonly batchBytesMax: number;
  /** Called once for every batch, in order for each partition. */
  readonly onOutcome: (outcome: BatchOutcome) => void;
};

export type BatchOutcome = {
  readonly partition: number;
  readonly records: readonly RecordInput[];
  /** Offset of the first record; -1 when it failed, or with acks=0. */
  readonly baseOffset: number;
  /** Null when acknowledged. */
  readonly error: Error | null;
  /** Whether a failed batch may be in the log nevertheless. */
  readonly isIndefinite: boolean;
};

type Lane = {
  readonly partition: number;
  readonly queue: RecordInput[];
  isSending: boolean;
  /** Null until it is needed, and after a batch failed: its sequence numbers are spent. */
  identity: { readonly producerId: number; readonly producerEpoch: number } | null;
  nextSequence: number;
};

export class Producer {
  readonly #client: KafkaClient;
  readonly #options: ProducerOptions;
  readonly #lanes = new Map<number, Lane>();
  #pendingBytes = 0;
  #waiting: { readonly belowBytes: number; readonly resolve: () => void }[] = [];

  constructor(client: KafkaClient, options: ProducerOptions) {
    this.#client = client;
    this.#options = options;
  }

  /** Queues a record; it leaves as soon as its lane is free. */
  send(partition: number, record: RecordInput): void {
    const lane = this.#lane(partition);
    lane.queue.push(record);
    this.#pendingBytes += recordBytes(record);
    if (!lane.isSending) this.#run(lane);
  }

  /** Resolves once fewer than `belowBytes` wait for their outcome. */
  async drained(belowBytes = 1): Promise<void> {
    if (this.#pendingBytes < belowBytes) return;
    await new Promise<void>((resolve) => this.#waiting.push({ belowBytes, resolve }));
  }

  #lane(partition: number): Lane {
    let lane = this.#lanes.get(partition);
    if (lane === undefined) {
      lane = { partition, queue: [], isSending: false, identity: null, nextSequence: 0 };
      this.#lanes.set(partition, lane);
    }
    return lane;
  }

  #run(lane: Lane): void {
    lane.isSending = true;
    // Records that are queued in the same turn travel together.
    queueMicrotask(() => {
      this.#sendNext(lane).catch((error: unknown) => {
        // Outcomes are reported inside; what arrives here is a defect of the caller's callback.
        queueMicrotask(() => {
          throw error;
        });
      });
    });
  }

  async #sendNext(lane: Lane): Promise<void> {
    while (lane.queue.length > 0) {
      const records = takeBatch(lane.queue, this.#options.batchBytesMax);
      await this.#deliver(lane, records);
      this.#settle(records);
    }
    lane.isSending = false;
  }

  async #deliver(lane: Lane, records: readonly RecordInput[]): Promise<void> {
    const { partition } = lane;
    const deadline = performance.now() + this.#options.deliveryTimeoutMs;
    try {
      const baseOffset = await retrying(deadline, (n) => this.#attempt(lane, records, n > 0));
      lane.nextSequence += records.length;
      const outcome = { partition, records, baseOffset, error: null, isIndefinite: false };
      this.#options.onOutcome(outcome);
    } catch (error) {
      if (isTooLarge(error) && records.length > 1) {
        const half = records.length >> 1;
        await this.#deliver(lane, records.slice(0, half));
        return this.#deliver(lane, records.slice(half));
      }
      lane.identity = null;
      this.#options.onOutcome({
        partition,
        records,
        baseOffset: -1,
        error: error as Error,
        isIndefinite: !(error instanceof KafkaError) || error.info.outcome !== 'definite',
      });
    }
  }

  /** One try; returns the base offset. Throws what `retrying` tells apart. */
  async #attempt(lane: Lane, records: readonly RecordInput[], isRetry: boolean): Promise<number> {
    const { topic, acks, requestTimeoutMs } = this.#options;
    if (isRetry) await this.#client.refresh([topic]);
    const isIdempotent = acks === -1;
    if (isIdempotent && lane.identity === null) await this.#identify(lane);
    const { producerId, producerEpoch } = lane.identity ?? { producerId: -1, producerEpoch: -1 };
    const baseSequence = isIdempotent ? lane.nextSequence : -1;
    const batch = encodeBatch({ records, producerId, producerEpoch, baseSequence }, recordChecksum);
    const body = {
      acks,
      timeoutMs: requestTimeoutMs,
      topicData: [
        {
          name: topic,
          partitionData: [
            { index: lane.partition, records: { bytes: batch, start: 0, length: batch.length } },
          ],
        },
      ],
    };
    if (acks === 0) {
      await this.#client.toLeader(topic, lane.partition, (c) => c.post(produceApi, body));
      return -1;
    }
    const response = await this.#client.toLeader(topic, lane.partition, (connection) =>
      connection.request(produceApi, body, 2 * requestTimeoutMs),
    );
    const answer = response.responses[0]?.partitionResponses[0];
    const errorCode = answer?.errorCode ?? ERROR.UNKNOWN_SERVER_ERROR;
    if (isIdempotent && errorCode === ERROR.DUPLICATE_SEQUENCE_NUMBER) return -1;
    throwIfError(errorCode, `${topic}-${lane.partition}`, answer?.errorMessage);
    return answer?.baseOffset ?? -1;
  }

  async #identify(lane: Lane): Promise<void> {
    const body = await this.#client.any(initProducerIdApi, {
      transactionalId: null,
      transactionTimeoutMs: 0,
    });
    throwIfError(body.errorCode, 'producer id');
    lane.identity = { producerId: body.producerId, producerEpoch: body.producerEpoch };
    lane.nextSequence = 0;
  }

  #settle(records: readonly RecordInput[]): void {
    for (const record of records) this.#pendingBytes -= recordBytes(record);
    const ready = this.#waiting.filter((w) => this.#pendingBytes < w.belowBytes);
    this.#waiting = this.#waiting.filter((w) => this.#pendingBytes >= w.belowBytes);
    for (const { resolve } of ready) resolve();
  }
}

/** What a record counts against bounds. */
export function recordBytes(record: RecordInput): number {
  return RECORD_OVERHEAD_BYTES + (record.key?.length ?? 0) + (record.value?.length ?? 0);
}

function takeBatch(queue: RecordInput[], bytesMax: number): RecordInput[] {
  let bytes = 0;
  let count = 0;
  while (count < queue.length) {
    bytes += recordBytes(queue[count] as RecordInput);
    if (count > 0 && bytes > bytesMax) break;
    count += 1;
  }
  return queue.splice(0, count);
}

function isTooLarge(error: unknown): boolean {
  return error instanceof KafkaError && error.info.name === 'MESSAGE_TOO_LARGE';
}
