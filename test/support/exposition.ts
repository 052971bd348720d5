/**
 * Prometheus' text format, read strictly: every sample belongs to a family that was announced with
 * HELP and TYPE, stands once, and histograms add up. Throws an error that names the line.
 */
export type Sample = {
  readonly name: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly value: number;
};

export class Exposition {
  readonly samples: readonly Sample[];
  readonly types: ReadonlyMap<string, string>;

  constructor(text: string) {
    const types = new Map<string, string>();
    const helped = new Set<string>();
    const samples: Sample[] = [];
    const seen = new Set<string>();
    if (!text.endsWith('\n')) throw new Error('the page does not end with a line feed');
    for (const line of text.split('\n')) {
      if (line === '') continue;
      const comment = /^# (HELP|TYPE) ([a-z_:][a-z0-9_:]*) (.+)$/i.exec(line);
      if (comment !== null) {
        const [, kind, name, rest] = comment as unknown as [string, string, string, string];
        if (kind === 'HELP') helped.add(name);
        else types.set(name, rest);
        continue;
      }
      const sample = parseSample(line);
      const family = types.has(sample.name) ? sample.name : familyOf(sample.name);
      if (!types.has(family) || !helped.has(family)) throw new Error(`unannounced: ${line}`);
      const key = line.slice(0, line.lastIndexOf(' '));
      if (seen.has(key)) throw new Error(`twice: ${line}`);
      seen.add(key);
      samples.push(sample);
    }
    this.samples = samples;
    this.types = types;
    for (const [name, type] of types) if (type === 'histogram') this.#checkHistogram(name);
  }

  /** The sum of all samples with these labels. */
  sum(name: string, labels: Readonly<Record<string, string>> = {}): number {
    return this.of(name, labels).reduce((sum, { value }) => sum + value, 0);
  }

  of(name: string, labels: Readonly<Record<string, string>> = {}): readonly Sample[] {
    const wanted = Object.entries(labels);
    return this.samples.filter(
      (sample) => sample.name === name && wanted.every(([key, of]) => sample.labels[key] === of),
    );
  }

  #checkHistogram(name: string): void {
    for (const { labels, value } of this.of(`${name}_count`)) {
      const buckets = this.of(`${name}_bucket`, labels);
      const bounds = buckets.map(({ labels: { le } }) => (le === '+Inf' ? Infinity : Number(le)));
      const isRising = buckets.every(
        (bucket, i) =>
          i === 0 ||
          (bucket.value >= (buckets[i - 1] as Sample).value &&
            (bounds[i] as number) > (bounds[i - 1] as number)),
      );
      const isWhole = bounds.at(-1) === Infinity && buckets.at(-1)?.value === value;
      const sums = this.of(`${name}_sum`, labels);
      if (!isRising || !isWhole || sums.length !== 1) throw new Error(`histogram ${name}`);
    }
  }
}

function familyOf(name: string): string {
  return name.replace(/_(bucket|sum|count)$/, '');
}

function parseSample(line: string): Sample {
  const match = /^([a-zA-Z_:][a-zA-Z0-9_:]*)(?:\{(.*)\})? (\S+)$/.exec(line);
  if (match === null) throw new Error(`no sample: ${line}`);
  const [, name = '', inner = '', number = ''] = match;
  const labels: Record<string, string> = {};
  const label = /([a-zA-Z_]\w*)="((?:[^"\\]|\\.)*)"(,|$)/y;
  while (label.lastIndex < inner.length) {
    const found = label.exec(inner);
    if (found === null) throw new Error(`labels: ${line}`);
    labels[found[1] as string] = (found[2] as string).replaceAll(/\\(.)/g, (_, c: string) =>
      c === 'n' ? '\n' : c,
    );
  }
  const value = number === '+Inf' ? Infinity : Number(number);
  if (Number.isNaN(value) && number !== 'NaN') throw new Error(`value: ${line}`);
  return { name, labels, value };
}
