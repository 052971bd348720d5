/** Counts one HTTP load: all of its requests, and times of those that the window saw answered. */
import { LatencyHistogram } from '../latency-histogram.js';
import type { LoadResult } from './http-jobs.js';

const OK = 200;

export class LoadMeter {
  readonly #histogram = new LatencyHistogram();
  readonly #statuses: Record<string, number> = {};
  readonly #faults: Record<string, number> = {};
  #sent = 0;
  #answered = 0;
  #answeredInWindow = 0;
  #withoutRetryAfter = 0;
  #isOpen = false;
  #openedMs = 0;
  #elapsedMs = 0;
  #firstRefusedMs = 0;
  #lastRefusedMs = 0;
  #lastOkMs = 0;
  #gapMs = 0;

  /** Whether the window saw an answer. */
  get hasAnswers(): boolean {
    return this.#answeredInWindow > 0;
  }

  open(): void {
    this.#isOpen = true;
    this.#openedMs = performance.now();
    this.#lastOkMs = this.#openedMs;
  }

  close(): void {
    this.#isOpen = false;
    this.#elapsedMs = performance.now() - this.#openedMs;
  }

  sent(): void {
    this.#sent += 1;
  }

  answered(status: number, durationMs: number, hasRetryAfter: boolean): void {
    this.#answered += 1;
    this.#statuses[status] = (this.#statuses[status] ?? 0) + 1;
    const nowMs = performance.now();
    if (status === OK) {
      if (this.#lastOkMs > 0) this.#gapMs = Math.max(this.#gapMs, nowMs - this.#lastOkMs);
      this.#lastOkMs = nowMs;
    } else {
      this.#firstRefusedMs ||= nowMs;
      this.#lastRefusedMs = nowMs;
      if (!hasRetryAfter) this.#withoutRetryAfter += 1;
    }
    if (!this.#isOpen) return;
    this.#answeredInWindow += 1;
    this.#histogram.record(durationMs);
  }

  fault(what: string, count = 1): void {
    this.#faults[what] = (this.#faults[what] ?? 0) + count;
  }

  /** `counted` are the answers that autocannon itself counted. */
  result(counted: number): LoadResult {
    const lost = this.#sent - this.#answered;
    if (lost !== 0) this.fault('a request without an answer', lost);
    if (counted !== this.#answered) this.fault('autocannon counted other answers', counted);
    return {
      elapsedMs: this.#elapsedMs,
      answeredInWindow: this.#answeredInWindow,
      p50Us: this.#histogram.percentileUs(50),
      p99Us: this.#histogram.percentileUs(99),
      sent: this.#sent,
      statuses: this.#statuses,
      withoutRetryAfter: this.#withoutRetryAfter,
      refusedMs: this.#lastRefusedMs - this.#firstRefusedMs,
      gapMs: this.#gapMs,
      faults: this.#faults,
    };
  }
}
