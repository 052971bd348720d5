/**
 * Writes to every partition of the demo's topic without a pause, as an idempotent producer with
 * acks=all, and notes each acknowledgement and the longest silence of each partition.
 */
import type { KafkaClient } from '../kafka/client.js';
import { type BatchOutcome, Producer } from '../kafka/producer.js';
import { type JournalEntry, valueOf } from './journal.js';

const TICK_MS = 5;
const RECORDS_PER_TICK = 4;
/** Records of a partition that may wait for their acknowledgement. */
const WAITING_MAX = 400;
const REQUEST_TIMEOUT_MS = 1_500;
const DELIVERY_TIMEOUT_MS = 30_000;
const BATCH_BYTES_MAX = 128 * 1024;

type Lane = {
  nextNumber: number;
  waiting: number;
  lastAckAt: number;
  /** Longest time without an acknowledgement since it was last taken. */
  longestGapMs: number;
  lastOffset: number;
};

export class DemoWriter {
  readonly journal: JournalEntry[] = [];
  /** Batches that were given up; they may be in the log or not. */
  failed = 0;
  /** Acknowledged offsets that went back although the record came later (never, if all is well). */
  reordered = 0;
  readonly #producer: Producer;
  readonly #lanes: Lane[];
  #timer: NodeJS.Timeout | null = null;

  constructor(client: KafkaClient, topic: string, partitions: number) {
    this.#lanes = Array.from({ length: partitions }, () => ({
      nextNumber: 0,
      waiting: 0,
      lastAckAt: performance.now(),
      longestGapMs: 0,
      lastOffset: -1,
    }));
    this.#producer = new Producer(client, {
      topic,
      acks: -1,
      deliveryTimeoutMs: DELIVERY_TIMEOUT_MS,
      requestTimeoutMs: REQUEST_TIMEOUT_MS,
      batchBytesMax: BATCH_BYTES_MAX,
      onOutcome: (outcome) => this.#note(outcome),
    });
  }

  start(): void {
    for (const lane of this.#lanes) lane.lastAckAt = performance.now();
    this.#timer = setInterval(() => this.#tick(), TICK_MS);
  }

  /** Stops writing and waits for what is under way. */
  async stop(): Promise<void> {
    if (this.#timer !== null) clearInterval(this.#timer);
    await this.#producer.drained();
  }

  /** Longest silence of a partition since the last call, the one that still lasts included. */
  takeGapMs(partition: number): number {
    const lane = this.#lanes[partition] as Lane;
    const gap = Math.max(lane.longestGapMs, performance.now() - lane.lastAckAt);
    lane.longestGapMs = 0;
    return gap;
  }

  lastAckAt(partition: number): number {
    return (this.#lanes[partition] as Lane).lastAckAt;
  }

  #tick(): void {
    for (const [partition, lane] of this.#lanes.entries()) {
      for (let i = 0; i < RECORDS_PER_TICK && lane.waiting < WAITING_MAX; i++) {
        const value = valueOf(partition, lane.nextNumber);
        lane.nextNumber += 1;
        lane.waiting += 1;
        this.#producer.send(partition, { value, timestamp: Date.now() });
      }
    }
  }

  #note({ partition, records, baseOffset, error }: BatchOutcome): void {
    const lane = this.#lanes[partition] as Lane;
    const firstNumber = lane.nextNumber - lane.waiting;
    lane.waiting -= records.length;
    if (error !== null) {
      this.failed += records.length;
      return;
    }
    const now = performance.now();
    lane.longestGapMs = Math.max(lane.longestGapMs, now - lane.lastAckAt);
    lane.lastAckAt = now;
    if (baseOffset !== -1) {
      if (baseOffset <= lane.lastOffset) this.reordered += 1;
      lane.lastOffset = baseOffset + records.length - 1;
    }
    for (let i = 0; i < records.length; i++) {
      const offset = baseOffset === -1 ? -1 : baseOffset + i;
      this.journal.push({ partition, offset, number: firstNumber + i });
    }
  }
}
