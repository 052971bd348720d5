/**
 * Which partition a record goes to, as the Java client decides: by murmur2 of the key, any without
 * a key. Pure.
 */

const SEED = 0x9747b28c;
const M = 0x5bd1e995;

/** Kafka's 32-bit MurmurHash2 (Austin Appleby, public domain), as a signed integer. */
export function murmur2(key: Uint8Array): number {
  const whole = key.length & ~3;
  let h = SEED ^ key.length;
  for (let i = 0; i < whole; i += 4) {
    let k = byteAt(key, i) | (byteAt(key, i + 1) << 8);
    k |= (byteAt(key, i + 2) << 16) | (byteAt(key, i + 3) << 24);
    k = Math.imul(k, M);
    k ^= k >>> 24;
    h = Math.imul(h, M) ^ Math.imul(k, M);
  }
  const rest = key.length - whole;
  if (rest === 3) h ^= byteAt(key, whole + 2) << 16;
  if (rest >= 2) h ^= byteAt(key, whole + 1) << 8;
  if (rest >= 1) h = Math.imul(h ^ byteAt(key, whole), M);
  h ^= h >>> 13;
  h = Math.imul(h, M);
  return (h ^ (h >>> 15)) | 0;
}

export function partitionOfKey(key: Uint8Array, partitions: number): number {
  return (murmur2(key) & 0x7fffffff) % partitions;
}

/** Records without a key fill a batch of one partition, then go on with the next. */
export class StickyPartitioner {
  readonly #partitions: number;
  readonly #batchBytes: number;
  #partition: number;
  #bytes = 0;

  /** `first` spreads producers: any whole number. */
  constructor(partitions: number, batchBytes: number, first: number) {
    this.#partitions = partitions;
    this.#batchBytes = batchBytes;
    this.#partition = first % partitions;
  }

  next(recordBytes: number): number {
    if (this.#bytes > 0 && this.#bytes + recordBytes > this.#batchBytes) this.turn();
    this.#bytes += recordBytes;
    return this.#partition;
  }

  /** The batch is on its way: the next record begins another one. */
  turn(): void {
    this.#partition = (this.#partition + 1) % this.#partitions;
    this.#bytes = 0;
  }
}

function byteAt(bytes: Uint8Array, i: number): number {
  return bytes[i] as number;
}
