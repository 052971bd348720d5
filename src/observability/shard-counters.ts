/**
 * What a thread counts, in memory that the main thread reads without asking: a scrape costs the
 * thread nothing. Promise: one writer per cell, the thread that was given the memory; a reader sees
 * each cell whole, and no cell goes back but for those of a topic that was deleted.
 *
 *     ┌ fields, in the order of FIELDS ──────────────┐┌ topics ───────────────────────────────┐
 *     │ counters: one cell each                      ││ slot 0: every topic without a slot    │
 *     │ histograms: buckets, over the last, sum (ms) ││ slot n: bytes in, records in, … out   │
 *     └──────────────────────────────────────────────┘└───────────────────────────────────────┘
 *
 * Cells are doubles: exact up to 2^53, and an aligned store of eight bytes is never seen by halves
 * on the machines that Node runs on.
 */
import { assert } from '../base/assert.js';
import type { TopicId } from '../base/units.js';

/** Upper ends of all histograms' buckets, in milliseconds. */
export const BUCKETS_MS = [
  0.25, 0.5, 1, 2.5, 5, 10, 25, 50, 100, 250, 500, 1_000, 2_500, 5_000, 10_000,
] as const;
/** The buckets, one for what is over the last, and the sum. */
const HISTOGRAM_CELLS = BUCKETS_MS.length + 2;

/** Why a replica stood in the election that it won. */
export const ELECTION_REASONS = [
  'start',
  'link-closed',
  'timeout',
  'transfer',
  'recovery',
] as const;
export const GC_KINDS = ['minor', 'major', 'incremental', 'weakcb'] as const;
/** Whom a door sent away: a connection over the bound, or one whose bytes made no sense. */
export const REFUSALS = ['kafka-connection', 'kafka-request', 'http-connection'] as const;
export const HTTP_KINDS = ['produce', 'stream', 'records'] as const;
/** Kafka APIs by their place in the list of all. */
const KAFKA_APIS_MAX = 64;

const counters = (members: readonly string[]) => ({ cells: 1, members: members.length });
const histograms = (members: number) => ({ cells: HISTOGRAM_CELLS, members });

const FIELDS = {
  elections: counters(ELECTION_REASONS),
  gcPauses: counters(GC_KINDS),
  gcMs: counters(GC_KINDS),
  refusals: counters(REFUSALS),
  syncs: histograms(1),
  commits: histograms(1),
  loopDelays: histograms(1),
  kafkaRequests: histograms(KAFKA_APIS_MAX),
  httpRequests: histograms(HTTP_KINDS.length),
} as const;

type Field = keyof typeof FIELDS;
export type CounterField = 'elections' | 'gcPauses' | 'gcMs' | 'refusals';
export type HistogramField = Exclude<Field, CounterField>;

/** First cell of each field, and where topics begin. */
const { starts: START, end: TOPICS_START } = place();

function place(): { starts: Readonly<Record<Field, number>>; end: number } {
  let end = 0;
  const starts = {} as Record<Field, number>;
  for (const [field, { cells, members }] of Object.entries(FIELDS)) {
    starts[field as Field] = end;
    end += cells * members;
  }
  return { starts, end };
}

/** Cells of one topic, in this order. */
export const TRAFFIC = ['bytesIn', 'recordsIn', 'bytesOut', 'recordsOut'] as const;
export type Traffic = { readonly [Name in (typeof TRAFFIC)[number]]: number };

export type HistogramCells = {
  /** One more than there are bounds; not cumulative. */
  readonly buckets: readonly number[];
  readonly count: number;
  readonly sumMs: number;
};

/** One topic's cells: looked up once, then additions. */
export class TopicTraffic {
  readonly #cells: Float64Array;
  /** First cell. */
  at: number;

  constructor(cells: Float64Array, at: number) {
    this.#cells = cells;
    this.at = at;
  }

  in(bytes: number, records: number): void {
    const { at } = this;
    const cells = this.#cells;
    cells[at] = (cells[at] as number) + bytes;
    cells[at + 1] = (cells[at + 1] as number) + records;
  }

  out(bytes: number, records: number): void {
    const at = this.at + 2;
    const cells = this.#cells;
    cells[at] = (cells[at] as number) + bytes;
    cells[at + 1] = (cells[at + 1] as number) + records;
  }
}

export class ShardCounters {
  readonly memory: SharedArrayBuffer;
  readonly #cells: Float64Array;
  readonly #topicsMax: number;
  readonly #topics = new Map<TopicId, TopicTraffic>();
  /** By slot; null for one that is free. Slot 0 has no owner. */
  readonly #owners: (TopicId | null)[] = [null];
  readonly #others: TopicTraffic;

  /** `topicsMax` topics get a slot of their own. `memory`: what another thread reads, or made. */
  constructor(topicsMax: number, memory = new SharedArrayBuffer(memoryBytes(topicsMax))) {
    assert(memory.byteLength === memoryBytes(topicsMax), 'both ends know the layout', {
      byteLength: memory.byteLength,
      topicsMax,
    });
    this.memory = memory;
    this.#cells = new Float64Array(memory);
    this.#topicsMax = topicsMax;
    this.#others = new TopicTraffic(this.#cells, TOPICS_START);
  }

  // --- the writing thread --------------------------------------------------------------------

  add(field: CounterField, index: number, by = 1): void {
    const at = START[field] + index;
    this.#cells[at] = (this.#cells[at] as number) + by;
  }

  observe(field: HistogramField, index: number, ms: number): void {
    const cells = this.#cells;
    const start = START[field] + index * HISTOGRAM_CELLS;
    let bucket = 0;
    // Nearly always one of the first few.
    while (bucket < BUCKETS_MS.length && ms > (BUCKETS_MS[bucket] as number)) bucket++;
    cells[start + bucket] = (cells[start + bucket] as number) + 1;
    const sum = start + HISTOGRAM_CELLS - 1;
    cells[sum] = (cells[sum] as number) + ms;
  }

  /** To be kept by who counts often; it stays good until {@link retain} leaves its topic out. */
  topic(topicId: TopicId): TopicTraffic {
    return this.#topics.get(topicId) ?? this.#admit(topicId);
  }

  /** Frees the slots of all other topics; what they counted goes on in that of the others. */
  retain(isThere: (topicId: TopicId) => boolean): void {
    for (const [topicId, traffic] of this.#topics) {
      if (isThere(topicId)) continue;
      const { at } = traffic;
      const slot = (at - TOPICS_START) / TRAFFIC.length;
      const { bytesIn, recordsIn, bytesOut, recordsOut } = this.traffic(slot);
      this.#others.in(bytesIn, recordsIn);
      this.#others.out(bytesOut, recordsOut);
      this.#cells.fill(0, at, at + TRAFFIC.length);
      // Who still holds it counts there, too.
      traffic.at = TOPICS_START;
      this.#topics.delete(topicId);
      this.#owners[slot] = null;
    }
  }

  /** Whose each slot is; of slot 0 nobody's. */
  get owners(): readonly (TopicId | null)[] {
    return this.#owners;
  }

  #admit(topicId: TopicId): TopicTraffic {
    const free = this.#owners.indexOf(null, 1);
    const slot = free === -1 ? this.#owners.length : free;
    if (slot > this.#topicsMax) return this.#others;
    const traffic = new TopicTraffic(this.#cells, TOPICS_START + slot * TRAFFIC.length);
    this.#owners[slot] = topicId;
    this.#topics.set(topicId, traffic);
    return traffic;
  }

  // --- the reading thread --------------------------------------------------------------------

  count(field: CounterField, index: number): number {
    return this.#cells[START[field] + index] as number;
  }

  histogram(field: HistogramField, index: number): HistogramCells {
    const start = START[field] + index * HISTOGRAM_CELLS;
    const end = start + HISTOGRAM_CELLS - 1;
    const buckets = [...this.#cells.subarray(start, end)];
    const count = buckets.reduce((sum, n) => sum + n, 0);
    return { buckets, count, sumMs: this.#cells[end] as number };
  }

  traffic(slot: number): Traffic {
    const at = TOPICS_START + slot * TRAFFIC.length;
    const [bytesIn = 0, recordsIn = 0, bytesOut = 0, recordsOut = 0] = this.#cells.subarray(at);
    return { bytesIn, recordsIn, bytesOut, recordsOut };
  }
}

function memoryBytes(topicsMax: number): number {
  return (TOPICS_START + (1 + topicsMax) * TRAFFIC.length) * Float64Array.BYTES_PER_ELEMENT;
}
