/**
 * What the generator process is asked to do and what it answers: plain objects, they travel between
 * processes as JSON.
 */
import type { Address } from './connection.js';

/** A partition and where its leader listens; each lane is a connection of its own. */
export type Lane = { readonly partition: number; readonly address: Address };

/** When to count: everything before `warmupMs` is load, but not part of the result. */
export type Window = { readonly warmupMs: number; readonly measureMs: number };

/** A connection, and the partitions that it writes to by turns. */
export type ProduceLane = { readonly partitions: readonly number[]; readonly address: Address };

/** Closed loop: every lane keeps `inFlight` requests on the way. */
export type ProduceJob = {
  readonly kind: 'produce';
  readonly topic: string;
  readonly lanes: readonly ProduceLane[];
  readonly inFlight: number;
  readonly recordsPerBatch: number;
  readonly recordBytes: number;
  readonly window: Window;
  /** A lane ends after this many batches, even before its time; null never. */
  readonly batchesMax: number | null;
};

/** Reads each lane's partition from offset 0 to `endOffset`, over and over. */
export type ConsumeJob = {
  readonly kind: 'consume';
  readonly topic: string;
  readonly lanes: readonly (Lane & { readonly endOffset: number })[];
  readonly fetchBytes: number;
  readonly recordBytes: number;
  readonly window: Window;
};

/**
 * One record in flight per partition, whatever happens. Ends when `settleMs` have passed since it
 * was told of the kill and every partition is being acknowledged again.
 */
export type FailoverJob = {
  readonly kind: 'failover';
  readonly bootstrap: readonly Address[];
  readonly topic: string;
  readonly partitions: number;
  readonly recordBytes: number;
  readonly settleMs: number;
};

export type Job = ProduceJob | ConsumeJob | FailoverJob;

export type Latencies = {
  readonly p50Us: number;
  readonly p99Us: number;
  readonly p999Us: number;
  readonly maxUs: number;
};

export type JobResult = {
  /** Inside the window: what was acknowledged or read. */
  readonly elapsedMs: number;
  readonly requests: number;
  readonly records: number;
  readonly latencies: Latencies;
  /** Records of each sixth of the window; empty when it ended with the load. */
  readonly recordsBySixth: readonly number[];
  /** Processor time of the generator itself. */
  readonly cpuSeconds: number;
  /** Over the whole run, warm-up included: records acknowledged or read. */
  readonly recordsPerPartition: readonly number[];
  /** Why the run does not count, each with how often; empty when it does. */
  readonly faults: Readonly<Record<string, number>>;
  /** Failover only: longest time without an acknowledgement that ended after the kill. */
  readonly gapsMs: readonly number[];
};

export type ToGenerator =
  | { readonly kind: 'job'; readonly job: Job }
  /** A node was killed just now. */
  | { readonly kind: 'killed' };

export type FromGenerator =
  /** The window opens, or closes: look at the brokers' CPU now. */
  | { readonly kind: 'window'; readonly isOpen: boolean }
  | { readonly kind: 'result'; readonly result: JobResult }
  | { readonly kind: 'failed'; readonly message: string };

/** Told while a job runs. */
export type JobEvents = { onWindow(isOpen: boolean): void };
