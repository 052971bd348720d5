/** How long requests took, to three digits, in memory that does not grow with their number. */
import { type Histogram, build } from 'hdr-histogram-js';

const LATENCY_NS_MAX = 120e9;
const NS_PER_MS = 1e6;
const NS_PER_US = 1e3;

export class LatencyHistogram {
  readonly #histogram: Histogram = build({
    bitBucketSize: 32,
    autoResize: false,
    lowestDiscernibleValue: 256,
    highestTrackableValue: LATENCY_NS_MAX,
    numberOfSignificantValueDigits: 3,
  });

  /** What took longer than two minutes counts as two minutes. */
  record(ms: number): void {
    this.#histogram.recordValue(Math.min(Math.round(ms * NS_PER_MS), LATENCY_NS_MAX));
  }

  percentileUs(percentile: number): number {
    return this.#histogram.getValueAtPercentile(percentile) / NS_PER_US;
  }
}
