/**
 * Reads partitions of one topic from their leaders, one long poll per leader at a time. Its one
 * promise: records of a partition are delivered once each, in order of their offsets, through
 * failovers too; positions move only after delivery.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { LograftError } from '../../base/errors.js';
import { ERROR } from '../../protocol/errors.js';
import { fetchApi } from '../../protocol/messages/fetch.js';
import type { RecordsView } from '../../protocol/schema.js';
import {
  BATCH_HEADER_BYTES,
  CONTROL_BIT,
  nextOffsetOf,
  readBatchHeader,
} from '../../records/batch.js';
import { iterateRecords, type LogRecord } from '../../records/records.js';
import type { KafkaClient } from './client.js';
import { decompress } from '../../pool/codecs.js';
import { isRetriable, throwIfError } from './errors.js';
import { listOffsets } from './offsets.js';

const POLL_MS = 500;
const RETRY_FIRST_MS = 10;
const PARTITION_BYTES_MAX = 1024 * 1024;
const RESPONSE_BYTES_MAX = 16 * 1024 * 1024;
/** Without a single good answer for this long the reader gives up. */
const TROUBLE_MS_MAX = 30_000;

/** `false` stops the whole reader; what follows in the same answer is not delivered. */
export type Deliver = (partition: number, record: LogRecord) => boolean;

export type FetcherEvents = {
  readonly deliver: Deliver;
  /** After each answer that delivered something: a good moment to write and to wait. */
  readonly afterAnswer: () => Promise<void> | void;
  /** Records were removed by retention before they were read. */
  readonly onSkip: (partition: number, from: number, to: number) => void;
};

type Round = { isOver: boolean };

export class Fetcher {
  readonly #client: KafkaClient;
  readonly #topic: string;
  readonly #events: FetcherEvents;
  /** Partition → next offset to read. */
  readonly positions: Map<number, number>;
  /** Partition → offset to stop at; a partition without one is read for ever. */
  readonly #ends: ReadonlyMap<number, number>;
  #isStopped = false;
  #round: Round = { isOver: false };

  constructor(
    client: KafkaClient,
    topic: string,
    positions: ReadonlyMap<number, number>,
    ends: ReadonlyMap<number, number>,
    events: FetcherEvents,
  ) {
    this.#client = client;
    this.#topic = topic;
    this.positions = new Map(positions);
    this.#ends = ends;
    this.#events = events;
  }

  /** Resolves when stopped, or when every partition has reached its end. */
  async run(): Promise<void> {
    let troubles = 0;
    let lastGood = performance.now();
    while (!this.#isStopped && this.#unfinished().length > 0) {
      try {
        if (troubles > 0) await this.#client.refresh([this.#topic]);
        await this.#readRound(() => {
          troubles = 0;
          lastGood = performance.now();
        });
      } catch (error) {
        if (!isRetriable(error) || performance.now() - lastGood > TROUBLE_MS_MAX) throw error;
        troubles += 1;
        await sleep(Math.min(RETRY_FIRST_MS * 2 ** troubles, POLL_MS));
      }
    }
  }

  stop(): void {
    this.#isStopped = true;
    this.#round.isOver = true;
  }

  #unfinished(): number[] {
    return [...this.positions]
      .filter(([partition, next]) => next < (this.#ends.get(partition) ?? Infinity))
      .map(([partition]) => partition);
  }

  /** Reads from the leaders as they are now, until one of them fails or all is read. */
  async #readRound(onGood: () => void): Promise<void> {
    const round: Round = { isOver: this.#isStopped };
    this.#round = round;
    const byLeader = new Map<number, number[]>();
    for (const partition of this.#unfinished()) {
      const leader = await this.#client.leaderOf(this.#topic, partition);
      byLeader.set(leader, [...(byLeader.get(leader) ?? []), partition]);
    }
    const loops = [...byLeader].map(async ([leader, partitions]) => {
      try {
        await this.#readFrom(leader, partitions, round, onGood);
      } finally {
        // The others come back at the end of their poll, and all look at the metadata again.
        if (this.#unfinished().some((partition) => partitions.includes(partition))) {
          round.isOver = true;
        }
      }
    });
    const outcomes = await Promise.allSettled(loops);
    const failed = outcomes.filter((o) => o.status === 'rejected').map((o) => o.reason as unknown);
    const final = failed.find((error) => !isRetriable(error)) ?? failed[0];
    if (final !== undefined) throw final;
  }

  async #readFrom(
    leader: number,
    partitions: readonly number[],
    round: Round,
    onGood: () => void,
  ): Promise<void> {
    let first = 0;
    while (!round.isOver) {
      const wanted = partitions.filter((p) => this.#unfinished().includes(p));
      if (wanted.length === 0) return;
      // Whoever stands first is served first, so take turns.
      first = (first + 1) % wanted.length;
      const inTurn = [...wanted.slice(first), ...wanted.slice(0, first)];
      const body = await this.#client.toLeader(this.#topic, inTurn[0] as number, (connection) =>
        connection.request(fetchApi, this.#request(inTurn)),
      );
      throwIfError(body.errorCode, `fetch from node ${leader}`);
      let isDelivered = false;
      for (const answer of body.responses[0]?.partitions ?? []) {
        const partition = answer.partitionIndex;
        if (answer.errorCode === ERROR.OFFSET_OUT_OF_RANGE) {
          await this.#reposition(partition);
          continue;
        }
        throwIfError(answer.errorCode, `${this.#topic}-${partition}`);
        onGood();
        if (answer.records === null || this.#isStopped) continue;
        isDelivered = this.#deliverAll(partition, answer.records) || isDelivered;
      }
      if (isDelivered) await this.#events.afterAnswer();
    }
  }

  #request(partitions: readonly number[]) {
    return {
      maxWaitMs: POLL_MS,
      minBytes: 1,
      maxBytes: RESPONSE_BYTES_MAX,
      topics: [
        {
          topic: this.#topic,
          partitions: partitions.map((partition) => ({
            partition,
            fetchOffset: this.positions.get(partition) as number,
            partitionMaxBytes: PARTITION_BYTES_MAX,
          })),
        },
      ],
    };
  }

  /** Says whether anything was delivered. The last batch may be cut short and comes again. */
  #deliverAll(partition: number, view: RecordsView): boolean {
    const end = view.start + view.length;
    let isDelivered = false;
    for (let at = view.start; at + BATCH_HEADER_BYTES <= end; ) {
      const header = readBatchHeader(view.bytes, at);
      if (header.sizeBytes < BATCH_HEADER_BYTES || at + header.sizeBytes > end) break;
      if ((header.attributes & CONTROL_BIT) === 0) {
        for (const record of iterateRecords(view.bytes, at, decompress)) {
          // A batch is served whole, even when the position lies in its middle.
          if (record.offset < (this.positions.get(partition) as number)) continue;
          if (record.offset >= (this.#ends.get(partition) ?? Infinity)) break;
          this.positions.set(partition, record.offset + 1);
          isDelivered = true;
          if (!this.#events.deliver(partition, record)) {
            this.stop();
            return true;
          }
        }
      }
      const next = nextOffsetOf(header);
      if (next > (this.positions.get(partition) as number)) this.positions.set(partition, next);
      at += header.sizeBytes;
    }
    return isDelivered;
  }

  async #reposition(partition: number): Promise<void> {
    const deadline = performance.now() + TROUBLE_MS_MAX;
    const from = this.positions.get(partition) as number;
    const list = (at: 'earliest' | 'latest') =>
      listOffsets(this.#client, this.#topic, [partition], at, deadline);
    const start = (await list('earliest')).get(partition) as number;
    if (from < start) {
      this.#events.onSkip(partition, from, start);
      this.positions.set(partition, start);
      return;
    }
    const end = (await list('latest')).get(partition) as number;
    throw new LograftError(
      'INVALID_REQUEST',
      `${this.#topic}-${partition} has no offset ${from}: its records are [${start}, ${end})`,
    );
  }
}
