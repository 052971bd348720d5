/**
 * An immutable map with string keys: fixed buckets, copied on write. Changing one key copies the
 * bucket table (a few KiB) and one small bucket, never the other entries, so an old version stays
 * valid for whoever holds it. Reads like a `ReadonlyMap`; the iteration order is unspecified.
 */
import { fnv1a } from '../base/hash.js';

const BUCKETS = 512;

type Buckets<V> = readonly (ReadonlyMap<string, V> | undefined)[];

export class PersistentMap<V> implements ReadonlyMap<string, V> {
  readonly #buckets: Buckets<V>;
  readonly size: number;

  private constructor(buckets: Buckets<V>, size: number) {
    this.#buckets = buckets;
    this.size = size;
  }

  static empty<V>(): PersistentMap<V> {
    return new PersistentMap<V>(new Array(BUCKETS).fill(undefined), 0);
  }

  /** Builds from entries in one go; a later entry wins over an earlier one of the same key. */
  static from<V>(entries: Iterable<readonly [string, V]>): PersistentMap<V> {
    const buckets: (Map<string, V> | undefined)[] = new Array(BUCKETS).fill(undefined);
    let size = 0;
    for (const [key, value] of entries) {
      const index = bucketOf(key);
      const bucket = buckets[index] ?? new Map<string, V>();
      if (!bucket.has(key)) size++;
      bucket.set(key, value);
      buckets[index] = bucket;
    }
    return new PersistentMap<V>(buckets, size);
  }

  get(key: string): V | undefined {
    return this.#buckets[bucketOf(key)]?.get(key);
  }

  has(key: string): boolean {
    return this.#buckets[bucketOf(key)]?.has(key) ?? false;
  }

  /** A map that also holds `key` → `value`; this one is unchanged. */
  with(key: string, value: V): PersistentMap<V> {
    const index = bucketOf(key);
    const old = this.#buckets[index];
    const bucket = new Map(old);
    bucket.set(key, value);
    const grown = old?.has(key) === true ? 0 : 1;
    return new PersistentMap(this.#buckets.with(index, bucket), this.size + grown);
  }

  /** A map without `key`; this one is unchanged. */
  without(key: string): PersistentMap<V> {
    const index = bucketOf(key);
    const old = this.#buckets[index];
    if (old === undefined || !old.has(key)) return this;
    const bucket = new Map(old);
    bucket.delete(key);
    return new PersistentMap(this.#buckets.with(index, bucket), this.size - 1);
  }

  *entries(): MapIterator<[string, V]> {
    for (const bucket of this.#buckets) if (bucket !== undefined) yield* bucket.entries();
  }

  *keys(): MapIterator<string> {
    for (const bucket of this.#buckets) if (bucket !== undefined) yield* bucket.keys();
  }

  *values(): MapIterator<V> {
    for (const bucket of this.#buckets) if (bucket !== undefined) yield* bucket.values();
  }

  [Symbol.iterator](): MapIterator<[string, V]> {
    return this.entries();
  }

  forEach(visit: (value: V, key: string, map: ReadonlyMap<string, V>) => void): void {
    for (const [key, value] of this.entries()) visit(value, key, this);
  }
}

function bucketOf(key: string): number {
  return fnv1a(key) % BUCKETS;
}
