/**
 * Counts one run: what was done inside the measuring window, how long each request took, and every
 * fault of the whole run. Its promise: a run with a fault can not look like a good one.
 */
import type { JobEvents, JobResult, Latencies, Window } from './jobs.js';
import { LatencyHistogram } from './latency-histogram.js';

const PARTS = 6;

export class Meter {
  readonly #events: JobEvents;
  readonly #histogram = new LatencyHistogram();
  readonly #faults: Record<string, number> = {};
  readonly #recordsPerPartition: number[];
  /** Records of each part of the window. */
  readonly #parts: number[] = [];
  #partMs = Infinity;
  #openedMs = 0;
  #openedCpuUs = 0;
  #cpuUs = 0;
  #elapsedMs = 0;
  #requests = 0;
  #records = 0;
  #isOpen = false;

  constructor(partitions: number, events: JobEvents) {
    this.#recordsPerPartition = new Array<number>(partitions).fill(0);
    this.#events = events;
  }

  /** Opens and closes the window in its time; calls `onEnd` after that. */
  start(window: Window, onEnd: () => void): void {
    setTimeout(() => {
      this.#partMs = window.measureMs / PARTS;
      this.#parts.push(...new Array<number>(PARTS).fill(0));
      this.open();
      setTimeout(() => {
        this.close();
        onEnd();
      }, window.measureMs);
    }, window.warmupMs);
  }

  open(): void {
    this.#isOpen = true;
    this.#openedMs = performance.now();
    this.#openedCpuUs = cpuUs();
    this.#events.onWindow(true);
  }

  /** A second call changes nothing. */
  close(): void {
    if (!this.#isOpen) return;
    this.#isOpen = false;
    this.#elapsedMs = performance.now() - this.#openedMs;
    this.#cpuUs = cpuUs() - this.#openedCpuUs;
    this.#events.onWindow(false);
  }

  /** A request was answered well and did its `records`. */
  done(partition: number, records: number, sentMs: number): void {
    (this.#recordsPerPartition[partition] as number) += records;
    if (!this.#isOpen) return;
    this.#requests += 1;
    this.#records += records;
    const nowMs = performance.now();
    this.#histogram.record(nowMs - sentMs);
    const part = Math.floor((nowMs - this.#openedMs) / this.#partMs);
    // What comes while the window closes late belongs to its last part.
    const last = this.#parts.length - 1;
    if (last >= 0) (this.#parts[Math.min(part, last)] as number) += records;
  }

  fault(what: string, count = 1): void {
    this.#faults[what] = (this.#faults[what] ?? 0) + count;
  }

  result(gapsMs: readonly number[] = []): JobResult {
    return {
      elapsedMs: this.#elapsedMs,
      requests: this.#requests,
      records: this.#records,
      latencies: this.#latencies(),
      recordsBySixth: this.#parts,
      cpuSeconds: this.#cpuUs / 1e6,
      recordsPerPartition: this.#recordsPerPartition,
      faults: this.#faults,
      gapsMs,
    };
  }

  #latencies(): Latencies {
    const at = (percentile: number): number => this.#histogram.percentileUs(percentile);
    return { p50Us: at(50), p99Us: at(99), p999Us: at(99.9), maxUs: at(100) };
  }
}

/** Of this process, all threads. */
function cpuUs(): number {
  const { user, system } = process.cpuUsage();
  return user + system;
}
