/**
 * Closed-loop producers: each lane keeps its number of requests in flight on a connection of its
 * own. Its promise: every request is answered by the one response that belongs to it, without an
 * error and at a growing offset, or the run has a fault.
 */
import { ERROR, errorInfo } from '#src/protocol/errors.js';
import { decodeResponse } from '#src/protocol/frame.js';
import { produceApi } from '#src/protocol/messages/produce.js';
import { Connection } from './connection.js';
import type { JobEvents, JobResult, ProduceJob, ProduceLane } from './jobs.js';
import { Meter } from './meter.js';
import { PRODUCE_VERSION, PreparedProduce, recordBatch } from './requests.js';

const PRODUCE_TIMEOUT_MS = 20_000;
/** A broker that answers nothing for this long has lost a request. */
const SILENCE_MS_MAX = 30_000;
const SILENCE_CHECK_MS = 500;

export async function runProduce(job: ProduceJob, events: JobEvents): Promise<JobResult> {
  const meter = new Meter(partitionsOf(job), events);
  const batch = recordBatch(job.recordsPerBatch, job.recordBytes);
  const lanes = job.lanes.map((lane) => new LaneWriter(job, lane, batch, meter));
  await Promise.all(lanes.map((lane) => lane.open()));
  if (job.batchesMax === null) {
    meter.start(job.window, () => {
      for (const lane of lanes) lane.stop();
    });
  } else {
    meter.open();
  }
  await Promise.all(lanes.map((lane) => lane.run()));
  meter.close();
  return meter.result();
}

function partitionsOf({ lanes }: ProduceJob): number {
  return 1 + lanes.flatMap(({ partitions }) => partitions).reduce((a, b) => Math.max(a, b), 0);
}

class LaneWriter {
  readonly #job: ProduceJob;
  readonly #lane: ProduceLane;
  readonly #meter: Meter;
  /** One request for each place in flight: a place is used again once it was answered. */
  readonly #frames: readonly PreparedProduce[];
  readonly #sentMs: Float64Array;
  /** Partition → the least base offset that its next answer may have. */
  readonly #nextOffsets = new Map<number, number>();
  #connection: Connection | null = null;
  /** Requests sent and answered so far; their difference is in flight. Also correlation ids. */
  #sent = 0;
  #answered = 0;
  #isStopping = false;
  #onEnd: () => void = () => undefined;

  constructor(job: ProduceJob, lane: ProduceLane, batch: Buffer, meter: Meter) {
    this.#job = job;
    this.#lane = lane;
    this.#meter = meter;
    this.#frames = Array.from(
      { length: job.inFlight },
      () => new PreparedProduce(job.topic, batch, PRODUCE_TIMEOUT_MS),
    );
    this.#sentMs = new Float64Array(job.inFlight);
  }

  async open(): Promise<void> {
    this.#connection = await Connection.open(this.#lane.address, {
      onFrame: (bytes, start, end) => this.#onFrame(bytes, start, end),
      onClosed: (reason) => this.#abandon(reason),
    });
  }

  /** Resolves when everything that was sent is answered, or given up as a fault. */
  async run(): Promise<void> {
    const watch = setInterval(() => this.#checkSilence(), SILENCE_CHECK_MS);
    await new Promise<void>((resolve) => {
      this.#onEnd = resolve;
      this.#connection?.together(() => {
        for (let i = 0; i < this.#job.inFlight; i++) this.#sendNext();
      });
    });
    clearInterval(watch);
    this.#connection?.close();
  }

  stop(): void {
    this.#isStopping = true;
  }

  #sendNext(): void {
    const { batchesMax } = this.#job;
    if (batchesMax !== null && this.#sent >= batchesMax) this.#isStopping = true;
    if (this.#isStopping) {
      if (this.#answered === this.#sent) this.#onEnd();
      return;
    }
    const place = this.#sent % this.#frames.length;
    const frame = this.#frames[place] as PreparedProduce;
    const bytes = frame.stamp(this.#sent, this.#partitionOf(this.#sent));
    this.#sent += 1;
    this.#sentMs[place] = performance.now();
    this.#connection?.send(bytes);
  }

  #partitionOf(request: number): number {
    const { partitions } = this.#lane;
    return partitions[request % partitions.length] as number;
  }

  #onFrame(bytes: Buffer, start: number, end: number): void {
    if (this.#answered === this.#sent) return this.#abandon('an answer that nobody asked for');
    const { correlationId, body } = decodeResponse(produceApi, PRODUCE_VERSION, bytes, start, end);
    if (correlationId !== this.#answered) return this.#abandon('answers out of order');
    const outcome = body.responses[0]?.partitionResponses[0];
    const errorCode = outcome?.errorCode ?? ERROR.UNKNOWN_SERVER_ERROR;
    if (outcome === undefined || errorCode !== ERROR.NONE) {
      return this.#abandon(errorInfo(errorCode).name);
    }
    const partition = this.#partitionOf(this.#answered);
    if (outcome.index !== partition) return this.#abandon('an answer of another partition');
    const offsetMin = this.#nextOffsets.get(partition) ?? 0;
    if (outcome.baseOffset < offsetMin) return this.#abandon('an offset given twice');
    const { recordsPerBatch } = this.#job;
    this.#nextOffsets.set(partition, outcome.baseOffset + recordsPerBatch);
    const sentMs = this.#sentMs[this.#answered % this.#frames.length] as number;
    this.#answered += 1;
    this.#meter.done(partition, recordsPerBatch, sentMs);
    this.#sendNext();
  }

  #checkSilence(): void {
    const oldest = this.#sentMs[this.#answered % this.#frames.length] as number;
    const isWaiting = this.#answered < this.#sent;
    if (isWaiting && performance.now() - oldest > SILENCE_MS_MAX)
      this.#abandon('no answer in time');
  }

  /** The run is not worth anything any more: says why, counts what was not answered, ends. */
  #abandon(reason: string): void {
    this.#isStopping = true;
    this.#meter.fault(reason);
    const missing = this.#sent - this.#answered;
    if (missing > 0) this.#meter.fault('requests without an acknowledgement', missing);
    this.#connection?.close();
    this.#onEnd();
  }
}
