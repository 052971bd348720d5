/**
 * Catch-up consumers: each lane reads its partition from offset 0 to the end, one fetch in flight,
 * again and again. Its promise: every byte that counts belongs to a whole batch that begins exactly
 * where the one before it ended; a gap or a repetition is a fault.
 */
import { ERROR, errorInfo } from '#src/protocol/errors.js';
import { decodeResponse } from '#src/protocol/frame.js';
import { fetchApi } from '#src/protocol/messages/fetch.js';
import type { RecordsView } from '#src/protocol/schema.js';
import {
  BATCH_HEADER_BYTES,
  emptyHeader,
  nextOffsetOf,
  readBatchHeader,
} from '#src/records/batch.js';
import { Connection } from './connection.js';
import type { ConsumeJob, JobEvents, JobResult } from './jobs.js';
import { Meter } from './meter.js';
import { FETCH_VERSION, fetchFrame } from './requests.js';

type ConsumeLane = ConsumeJob['lanes'][number];

const SILENCE_MS_MAX = 30_000;

export async function runConsume(job: ConsumeJob, events: JobEvents): Promise<JobResult> {
  const partitions = Math.max(...job.lanes.map(({ partition }) => partition + 1));
  const meter = new Meter(partitions, events);
  const readers = job.lanes.map((lane) => new LaneReader(job, lane, meter));
  await Promise.all(readers.map((reader) => reader.open()));
  meter.start(job.window, () => {
    for (const reader of readers) reader.stop();
  });
  await Promise.all(readers.map((reader) => reader.run()));
  meter.close();
  return meter.result();
}

class LaneReader {
  readonly #job: ConsumeJob;
  readonly #lane: ConsumeLane;
  readonly #meter: Meter;
  readonly #header = emptyHeader();
  #connection: Connection | null = null;
  /** Offset of the next record to read. */
  #position = 0;
  #correlationId = 0;
  #sentMs = 0;
  #isStopping = false;
  #silence: NodeJS.Timeout | undefined;
  #onEnd: () => void = () => undefined;

  constructor(job: ConsumeJob, lane: ConsumeLane, meter: Meter) {
    this.#job = job;
    this.#lane = lane;
    this.#meter = meter;
  }

  async open(): Promise<void> {
    this.#connection = await Connection.open(this.#lane.address, {
      onFrame: (bytes, start, end) => this.#onFrame(bytes, start, end),
      onClosed: (reason) => this.#abandon(reason),
    });
  }

  async run(): Promise<void> {
    await new Promise<void>((resolve) => {
      this.#onEnd = resolve;
      this.#silence = setTimeout(() => this.#abandon('no answer in time'), SILENCE_MS_MAX);
      this.#sendNext();
    });
    clearTimeout(this.#silence);
    this.#connection?.close();
  }

  stop(): void {
    this.#isStopping = true;
  }

  #sendNext(): void {
    if (this.#isStopping) return this.#onEnd();
    if (this.#position >= this.#lane.endOffset) this.#position = 0;
    const { topic, fetchBytes } = this.#job;
    const { partition } = this.#lane;
    this.#correlationId += 1;
    this.#sentMs = performance.now();
    this.#connection?.send(
      fetchFrame(topic, partition, this.#position, fetchBytes, this.#correlationId),
    );
  }

  #onFrame(bytes: Buffer, start: number, end: number): void {
    this.#silence?.refresh();
    const { correlationId, body } = decodeResponse(fetchApi, FETCH_VERSION, bytes, start, end);
    if (correlationId !== this.#correlationId) return this.#abandon('an answer to something else');
    const found = body.responses[0]?.partitions[0];
    const errorCode = body.errorCode || (found?.errorCode ?? ERROR.UNKNOWN_SERVER_ERROR);
    if (found === undefined || errorCode !== ERROR.NONE) {
      return this.#abandon(errorInfo(errorCode).name);
    }
    const records = found.records === null ? 0 : this.#walk(found.records);
    if (records === 0) return this.#abandon('a fetch without a whole batch');
    if (records < 0) return this.#abandon('batches that do not follow each other');
    this.#meter.done(this.#lane.partition, records, this.#sentMs);
    this.#sendNext();
  }

  /** Records of the whole batches; -1 unless they begin at the position. A cut tail is allowed. */
  #walk(view: RecordsView): number {
    const end = view.start + view.length;
    let records = 0;
    for (let at = view.start; at + BATCH_HEADER_BYTES <= end; ) {
      const header = readBatchHeader(view.bytes, at, this.#header);
      at += header.sizeBytes;
      if (header.baseOffset !== this.#position || header.sizeBytes < BATCH_HEADER_BYTES) return -1;
      if (at > end) break;
      records += header.recordCount;
      this.#position = nextOffsetOf(header);
    }
    return records;
  }

  #abandon(reason: string): void {
    this.#isStopping = true;
    this.#meter.fault(reason);
    this.#onEnd();
  }
}
