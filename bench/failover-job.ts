/**
 * Producers that live through the death of a node: one record in flight per partition; on an error
 * or a lost connection the partition's leader is looked up again and the record is sent again, with
 * hardly a pause. Its promise: a gap is the time between two acknowledgements as a client sees it,
 * with everything that a client must do in between.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { ERROR, errorInfo } from '#src/protocol/errors.js';
import { decodeResponse } from '#src/protocol/frame.js';
import { produceApi } from '#src/protocol/messages/produce.js';
import { type Address, Connection } from './connection.js';
import type { FailoverJob, JobEvents, JobResult } from './jobs.js';
import { describeTopic } from './kafka-calls.js';
import { Meter } from './meter.js';
import { PRODUCE_VERSION, PreparedProduce, recordBatch } from './requests.js';

/** Longer than any peer needs to give a dead replica up. */
const PRODUCE_TIMEOUT_MS = 30_000;
const RECOVERY_TIMEOUT_MS = 60_000;
const RETRY_MS = 5;
const CHECK_MS = 20;
/** A partition is well when its last acknowledgement is not older than this. */
const FRESH_MS = 500;

/** `killed` resolves at the moment of the kill. */
export async function runFailover(
  job: FailoverJob,
  events: JobEvents,
  killed: Promise<void>,
): Promise<JobResult> {
  const meter = new Meter(job.partitions, events);
  const partitions = Array.from({ length: job.partitions }, (_, i) => i);
  const writers = partitions.map((partition) => new PartitionWriter(job, partition, meter));
  const running = writers.map((writer) => writer.run());
  await Promise.race([allAcknowledged(writers), ...running]);
  meter.open();
  await killed;
  const killedMs = performance.now();
  for (const writer of writers) writer.onKilled(killedMs);
  while (!writers.every((writer) => writer.isFresh()) || elapsed(killedMs) < job.settleMs) {
    if (elapsed(killedMs) > RECOVERY_TIMEOUT_MS) {
      meter.fault('no acknowledgements within a minute of the kill');
      break;
    }
    await sleep(CHECK_MS);
  }
  meter.close();
  for (const writer of writers) writer.stop();
  await Promise.all(running);
  return meter.result(writers.map((writer) => writer.gapMs));
}

async function allAcknowledged(writers: readonly PartitionWriter[]): Promise<void> {
  while (!writers.every((writer) => writer.isFresh())) await sleep(CHECK_MS);
}

function elapsed(sinceMs: number): number {
  return performance.now() - sinceMs;
}

class PartitionWriter {
  readonly #job: FailoverJob;
  readonly #partition: number;
  readonly #meter: Meter;
  readonly #frame: PreparedProduce;
  #connection: Connection | null = null;
  #correlationId = 0;
  /** Ends the wait for the answer that is on the way: null is well, else the reason. */
  #settle: (fault: string | null) => void = () => undefined;
  #isStopping = false;
  #lastAckMs = -Infinity;
  #killedMs = Infinity;
  #gapMs = 0;

  constructor(job: FailoverJob, partition: number, meter: Meter) {
    this.#job = job;
    this.#partition = partition;
    this.#meter = meter;
    const batch = recordBatch(1, job.recordBytes);
    this.#frame = new PreparedProduce(job.topic, batch, PRODUCE_TIMEOUT_MS);
  }

  /** Longest time without an acknowledgement that ended after the kill. */
  get gapMs(): number {
    return this.#gapMs;
  }

  isFresh(): boolean {
    return elapsed(this.#lastAckMs) < FRESH_MS;
  }

  onKilled(killedMs: number): void {
    this.#killedMs = killedMs;
  }

  stop(): void {
    this.#isStopping = true;
    this.#settle('stopped');
  }

  /** Errors are what this job is about: they are tried again, not counted. */
  async run(): Promise<void> {
    while (!this.#isStopping) {
      const sentMs = performance.now();
      const fault = await this.#sendOne();
      if (fault === null) {
        this.#onAck(sentMs);
        continue;
      }
      this.#disconnect();
      if (!this.#isStopping) await sleep(RETRY_MS);
    }
    this.#disconnect();
  }

  async #sendOne(): Promise<string | null> {
    try {
      this.#connection ??= await this.#connect();
    } catch (error) {
      return String(error);
    }
    if (this.#isStopping) return 'stopped';
    this.#correlationId += 1;
    const bytes = this.#frame.stamp(this.#correlationId, this.#partition);
    return new Promise((resolve) => {
      const timer = setTimeout(resolve, PRODUCE_TIMEOUT_MS, 'no answer in time');
      this.#settle = (fault) => {
        clearTimeout(timer);
        resolve(fault);
      };
      this.#connection?.send(bytes);
    });
  }

  #onAck(sentMs: number): void {
    const nowMs = performance.now();
    if (nowMs > this.#killedMs) this.#gapMs = Math.max(this.#gapMs, nowMs - this.#lastAckMs);
    this.#lastAckMs = nowMs;
    this.#meter.done(this.#partition, 1, sentMs);
  }

  async #connect(): Promise<Connection> {
    const leader = await this.#findLeader();
    return Connection.open(leader, {
      onFrame: (bytes, start, end) => this.#onFrame(bytes, start, end),
      onClosed: (reason) => this.#settle(reason),
    });
  }

  async #findLeader(): Promise<Address> {
    const { bootstrap, topic } = this.#job;
    const views = await describeTopic(bootstrap, topic);
    const leader = views[this.#partition]?.leader;
    if (leader == null) throw new Error('no leader');
    return leader;
  }

  #disconnect(): void {
    this.#connection?.close();
    this.#connection = null;
  }

  #onFrame(bytes: Buffer, start: number, end: number): void {
    const { correlationId, body } = decodeResponse(produceApi, PRODUCE_VERSION, bytes, start, end);
    const errorCode = body.responses[0]?.partitionResponses[0]?.errorCode ?? -1;
    if (correlationId !== this.#correlationId) this.#settle('an answer to something else');
    else this.#settle(errorCode === ERROR.NONE ? null : errorInfo(errorCode).name);
  }
}
