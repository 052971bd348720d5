/**
 * One scrape as text: samples are put in under the names of the table, prom-client writes them
 * down. Promise: no sample without its labels, no label that the table does not name. Loaded by the
 * first scrape; main thread.
 */
import { Gauge, type MetricObjectWithValues, type MetricValue, Registry } from 'prom-client';
import {
  METRICS,
  type MetricLabels,
  type MetricName,
  type MetricNameOf,
  type MetricShape,
} from './metric-table.js';
import { BUCKETS_MS, type HistogramCells } from './shard-counters.js';

type Sample = {
  readonly metricName?: string;
  readonly labels: Readonly<Record<string, string | number>>;
  readonly value: number;
};

/**
 * prom-client asks each metric for its values when it writes a page. Ours have them already: they
 * were counted elsewhere, and are put in whole.
 */
class Family extends Gauge<string> {
  readonly #name: string;
  readonly #shape: MetricShape;
  readonly samples: Sample[] = [];

  constructor(name: string, shape: MetricShape, registry: Registry) {
    super({ name, help: shape.help, labelNames: [...shape.labels], registers: [registry] });
    this.#name = name;
    this.#shape = shape;
  }

  override get(): Promise<MetricObjectWithValues<MetricValue<string>>> {
    const { help, type } = this.#shape;
    // Its types name metrics by numbers, its code by words.
    const found: unknown = {
      ...{ name: this.#name, help, type },
      ...{ values: this.samples, aggregator: 'sum' },
    };
    return Promise.resolve(found as MetricObjectWithValues<MetricValue<string>>);
  }
}

export class MetricPage {
  readonly #registry = new Registry();
  readonly #families: ReadonlyMap<string, Family>;

  constructor() {
    this.#families = new Map(
      Object.entries(METRICS).map(([name, shape]) => [
        name,
        new Family(name, shape, this.#registry),
      ]),
    );
  }

  set<Name extends MetricNameOf<'counter' | 'gauge'>>(
    name: Name,
    labels: MetricLabels<Name>,
    value: number,
  ): void {
    this.#family(name).samples.push({ labels, value });
  }

  histogram<Name extends MetricNameOf<'histogram'>>(
    name: Name,
    labels: MetricLabels<Name>,
    { buckets, count, sumMs }: HistogramCells,
  ): void {
    const { samples } = this.#family(name);
    let below = 0;
    buckets.forEach((inBucket, i) => {
      below += inBucket;
      const boundMs = BUCKETS_MS[i];
      const le = boundMs === undefined ? '+Inf' : boundMs / 1_000;
      samples.push({ metricName: `${name}_bucket`, labels: { ...labels, le }, value: below });
    });
    samples.push({ metricName: `${name}_sum`, labels, value: sumMs / 1_000 });
    samples.push({ metricName: `${name}_count`, labels, value: count });
  }

  text(): Promise<string> {
    return this.#registry.metrics();
  }

  #family(name: MetricName): Family {
    return this.#families.get(name) as Family;
  }
}
