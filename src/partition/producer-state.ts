/**
 * Idempotent producers of one partition: what they appended last, so that a retry is recognised
 * and a gap refused. Promises: the state follows from the batches in the log (P2) - it changes only
 * by `applied`, on leader and followers alike, when a batch is appended (not when it is committed),
 * and `truncated` takes it back exactly; it is bounded. Pure; belongs to its shard's thread.
 *
 * `check` on the leader, against the producer's newest batch:
 *
 *     producer unknown                        any sequence is welcome: its history may have expired
 *                                             or been deleted (KIP-360, Kafka 2.5 and up)
 *     epoch below                             INVALID_PRODUCER_EPOCH
 *     epoch above                             must begin at sequence 0
 *     same epoch, one of the last five        duplicate of that batch, whole or not at all
 *     same epoch, next sequence               append; after 2^31-1 comes 0
 *     same epoch, anything else               OUT_OF_ORDER_SEQUENCE_NUMBER
 *
 * A duplicate is told with the original's offsets at once; whoever confirms it to the client waits
 * until the original is committed (its last offset below the high watermark).
 */
import { assert } from '../base/assert.js';
import type { Offset, WallMs } from '../base/units.js';

/** A client may have five requests in flight, so a retry is among the last five batches. */
const WINDOW_BATCHES = 5;
const SEQUENCE_MAX = 2 ** 31 - 1;

/** Producers remembered for one partition; the one that has been quiet for longest goes first. */
const PRODUCERS_MAX = 10_000;

/** Uncommitted batches that can be taken back without reading the log again. */
const UNDO_BATCHES_MAX = 4_096;

/** Header fields of a batch; `producerId` -1 means that it is not an idempotent producer's. */
export type ProducerBatch = {
  readonly producerId: number;
  readonly producerEpoch: number;
  readonly baseSequence: number;
  readonly lastOffsetDelta: number;
  readonly maxTimestamp: WallMs;
};

export type ProducerVerdict =
  | 'append'
  | 'OUT_OF_ORDER_SEQUENCE_NUMBER'
  | 'INVALID_PRODUCER_EPOCH'
  /** Already appended, as these offsets. */
  | { readonly duplicate: Offset; readonly lastOffset: Offset };

/** One batch of a producer's window; both sequences are of its records, inclusive. */
export type WindowBatch = {
  readonly firstSequence: number;
  readonly lastSequence: number;
  readonly baseOffset: Offset;
  readonly lastOffset: Offset;
  readonly timestamp: WallMs;
};

/** Never changed in place (but for `idleSinceMs`): truncation brings older versions back. */
export type ProducerEntry = {
  readonly producerEpoch: number;
  /** One to five, oldest first, all of `producerEpoch`. */
  readonly batches: readonly WindowBatch[];
  /** Since when it is quiet, as far as is known; -1 until `expire` saw this version. */
  idleSinceMs: WallMs;
};

/** What the entry of a producer was before the batch at `baseOffset`. */
type Undo = {
  readonly baseOffset: Offset;
  readonly producerId: number;
  readonly before: ProducerEntry | undefined;
};

export type ProducerStateOptions = {
  /** `producer.id.expiration.ms` */
  readonly expirationMs: number;
  readonly producersMax?: number;
  readonly undoBatchesMax?: number;
};

export class ProducerState {
  readonly #expirationMs: number;
  readonly #producersMax: number;
  readonly #undoMax: number;
  /** In the order of their newest batch, so that the first is the one quiet for longest. */
  #producers = new Map<number, ProducerEntry>();
  /** In the order of the log. `#undoStart` of them are forgotten and wait for removal. */
  #undo: Undo[] = [];
  #undoStart = 0;
  /** Truncation to this offset or above can be answered from `#undo`. Invariant: <= #end. */
  #floor: Offset = 0;
  /** Behind the last batch applied. */
  #end: Offset = 0;

  constructor(options: ProducerStateOptions) {
    this.#expirationMs = options.expirationMs;
    this.#producersMax = options.producersMax ?? PRODUCERS_MAX;
    this.#undoMax = options.undoBatchesMax ?? UNDO_BATCHES_MAX;
  }

  get size(): number {
    return this.#producers.size;
  }

  /** Batches applied so far end here; 0 before the first. */
  get endOffset(): Offset {
    return this.#end;
  }

  entries(): IterableIterator<[number, ProducerEntry]> {
    return this.#producers.entries();
  }

  /** May the leader append this batch? Batches appended but not committed count. */
  check(batch: ProducerBatch): ProducerVerdict {
    if (batch.producerId < 0) return 'append';
    const entry = this.#producers.get(batch.producerId);
    if (entry === undefined) return 'append';
    const { producerEpoch, baseSequence } = batch;
    if (producerEpoch < entry.producerEpoch) return 'INVALID_PRODUCER_EPOCH';
    if (producerEpoch > entry.producerEpoch) {
      return baseSequence === 0 ? 'append' : 'OUT_OF_ORDER_SEQUENCE_NUMBER';
    }
    const lastSequence = sequenceAfter(baseSequence, batch.lastOffsetDelta);
    for (const known of entry.batches) {
      if (known.firstSequence === baseSequence && known.lastSequence === lastSequence) {
        return { duplicate: known.baseOffset, lastOffset: known.lastOffset };
      }
    }
    const newest = newestOf(entry);
    return baseSequence === sequenceAfter(newest.lastSequence, 1)
      ? 'append'
      : 'OUT_OF_ORDER_SEQUENCE_NUMBER';
  }

  /** A batch was appended here, by this leader or by replication. */
  applied(batch: ProducerBatch, baseOffset: Offset): void {
    this.#apply(batch, baseOffset, -1);
  }

  /** A batch that was appended before a restart or below a truncation is read again. */
  replayed(batch: ProducerBatch, baseOffset: Offset): void {
    this.#apply(batch, baseOffset, batch.maxTimestamp);
  }

  #apply(batch: ProducerBatch, baseOffset: Offset, idleSinceMs: WallMs): void {
    assert(baseOffset >= this.#end, 'batches are applied in order', { baseOffset, end: this.#end });
    const lastOffset = baseOffset + batch.lastOffsetDelta;
    this.#end = lastOffset + 1;
    const { producerId, producerEpoch } = batch;
    if (producerId < 0) return;
    const before = this.#producers.get(producerId);
    const added: WindowBatch = {
      firstSequence: batch.baseSequence,
      lastSequence: sequenceAfter(batch.baseSequence, batch.lastOffsetDelta),
      baseOffset,
      lastOffset,
      timestamp: batch.maxTimestamp,
    };
    const isSameEpoch = before?.producerEpoch === producerEpoch;
    const batches = isSameEpoch ? [...before.batches.slice(1 - WINDOW_BATCHES), added] : [added];
    this.#remember({ baseOffset, producerId, before });
    this.#producers.delete(producerId);
    this.#producers.set(producerId, { producerEpoch, batches, idleSinceMs });
    if (this.#producers.size > this.#producersMax) this.#evictQuietest(baseOffset);
  }

  /** Nothing below the high watermark is ever truncated: older states need not be kept. */
  committed(highWatermark: Offset): void {
    if (highWatermark <= this.#floor) return;
    this.#floor = Math.min(highWatermark, this.#end);
    while (this.#undoStart < this.#undo.length) {
      if ((this.#undo[this.#undoStart] as Undo).baseOffset >= this.#floor) break;
      this.#undoStart += 1;
    }
    this.#compactUndo();
  }

  /**
   * The log now ends at `toOffset`. True: the state is again what it was there. False: that lies
   * too far back, the state is empty, and the caller gives the batches of the log to `replayed`,
   * from its start (or from a parsed snapshot's offset) to `toOffset`, before the next batch.
   */
  truncated(toOffset: Offset): boolean {
    if (toOffset >= this.#end) return true;
    if (toOffset < this.#floor) {
      this.reset();
      return false;
    }
    const undone = this.#undo.length;
    while (this.#undo.length > this.#undoStart) {
      const { baseOffset, producerId, before } = this.#undo[this.#undo.length - 1] as Undo;
      if (baseOffset < toOffset) break;
      this.#undo.pop();
      if (before === undefined) this.#producers.delete(producerId);
      else this.#producers.set(producerId, before);
    }
    this.#end = toOffset;
    if (this.#undo.length < undone) this.#sortByNewestBatch();
    return true;
  }

  /** Forgets everything: the log was replaced, or is about to be read again. */
  reset(): void {
    this.#producers.clear();
    this.#undo = [];
    this.#undoStart = 0;
    this.#floor = 0;
    this.#end = 0;
  }

  /**
   * The log starts at `offset` now. Producers whose batches are gone stay known until they expire,
   * so that their next batch is still checked (KIP-360); `offset` is committed.
   */
  logStartMoved(offset: Offset): void {
    this.committed(offset);
  }

  /**
   * Forgets producers that have been quiet for `producer.id.expiration.ms`. Of one that lives, the
   * quiet is counted from the first call that sees it: the timestamps of its batches are its own
   * word and may be years old when history is copied. Only for batches that were read again there
   * is nothing but their timestamps. Returns how many went.
   */
  expire(nowMs: WallMs): number {
    const { size } = this.#producers;
    for (const [producerId, entry] of this.#producers) {
      if (entry.idleSinceMs < 0 || entry.idleSinceMs > nowMs) entry.idleSinceMs = nowMs;
      if (nowMs - entry.idleSinceMs >= this.#expirationMs) this.#producers.delete(producerId);
    }
    return size - this.#producers.size;
  }

  /**
   * Puts back what a clean stop saved. Batches from `endOffset` on have to be applied after it.
   * Nothing before `endOffset` can be taken back.
   */
  restore(endOffset: Offset, producers: Iterable<readonly [number, ProducerEntry]>): void {
    this.reset();
    for (const [producerId, entry] of producers) this.#producers.set(producerId, entry);
    this.#end = endOffset;
    this.#floor = endOffset;
    this.#sortByNewestBatch();
  }

  #remember(undo: Undo): void {
    this.#undo.push(undo);
    if (this.#undo.length - this.#undoStart <= this.#undoMax) return;
    const dropped = this.#undo[this.#undoStart] as Undo;
    this.#undoStart += 1;
    this.#compactUndo();
    // What came before the dropped batch is known no longer; what came after it still is.
    this.#floor = Math.max(this.#floor, dropped.baseOffset + 1);
  }

  #compactUndo(): void {
    if (this.#undoStart < 1_024 && this.#undoStart < this.#undo.length) return;
    if (this.#undoStart === 0) return;
    this.#undo.splice(0, this.#undoStart);
    this.#undoStart = 0;
  }

  #evictQuietest(baseOffset: Offset): void {
    for (const [producerId, before] of this.#producers) {
      this.#producers.delete(producerId);
      this.#remember({ baseOffset, producerId, before });
      return;
    }
  }

  /** Undoing puts entries back at the end of the map; their place is that of their newest batch. */
  #sortByNewestBatch(): void {
    const sorted = [...this.#producers].sort(
      ([, a], [, b]) => newestOf(a).lastOffset - newestOf(b).lastOffset,
    );
    this.#producers = new Map(sorted);
  }
}

/** The sequence `count` after `sequence`; sequences go round at 2^31 (they are never negative). */
function sequenceAfter(sequence: number, count: number): number {
  const next = sequence + count;
  return next > SEQUENCE_MAX ? next - SEQUENCE_MAX - 1 : next;
}

function newestOf(entry: ProducerEntry): WindowBatch {
  const newest = entry.batches[entry.batches.length - 1];
  assert(newest !== undefined, 'a producer has a batch');
  return newest;
}
