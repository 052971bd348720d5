/**
 * How a thread's event loop fares: how late its ticks come, and, once somebody wants to know, how
 * long its garbage collections take. Before that it costs a subtraction a tick. Any thread.
 */
import type { NodeGCPerformanceDetail, PerformanceEntry } from 'node:perf_hooks';
import { GC_KINDS, type ShardCounters } from './shard-counters.js';

/**
 * By the bit that V8 gives each kind; a minor one may be of either of two sorts. Written out,
 * because the module that names them takes memory that a node nobody scrapes need not have.
 */
export const GC_KIND_BITS: ReadonlyMap<number, (typeof GC_KINDS)[number]> = new Map([
  [1, 'minor'],
  [2, 'minor'],
  [4, 'major'],
  [8, 'incremental'],
  [16, 'weakcb'],
]);

export class LoopMeter {
  readonly #counters: ShardCounters;
  readonly #tickMs: number;
  #lastMs: number;
  #observer: InstanceType<typeof PerformanceObserver> | null = null;

  /** `tickMs`: how often {@link tick} should be called. */
  constructor(counters: ShardCounters, tickMs: number, nowMs: number) {
    this.#counters = counters;
    this.#tickMs = tickMs;
    this.#lastMs = nowMs;
  }

  tick(nowMs: number): void {
    // Timers are rounded to whole milliseconds, so a tick may come a little early.
    this.#counters.observe('loopDelays', 0, Math.max(0, nowMs - this.#lastMs - this.#tickMs));
    this.#lastMs = nowMs;
  }

  /** Counts garbage collections from now on; further calls change nothing. */
  watchGc(): void {
    if (this.#observer !== null) return;
    this.#observer = new PerformanceObserver((list) => {
      for (const entry of list.getEntries()) {
        const { duration, detail } = entry as PerformanceEntry & {
          detail?: NodeGCPerformanceDetail;
        };
        const kind = GC_KIND_BITS.get(detail?.kind ?? 0);
        if (kind === undefined) continue;
        const index = GC_KINDS.indexOf(kind);
        this.#counters.add('gcPauses', index);
        this.#counters.add('gcMs', index, duration);
      }
    });
    this.#observer.observe({ entryTypes: ['gc'] });
  }
}
