/**
 * Every batch that a simulated client has ever made: what may be found in a log, and nothing else.
 */

export type SentBatch = {
  readonly group: number;
  readonly producerId: number;
  readonly producerEpoch: number;
  readonly baseSequence: number;
  readonly records: number;
  /** Of every record in it. */
  readonly timestamp: number;
  readonly crc: number;
  readonly bytes: Buffer;
};

/** How a batch in a log is known. */
export type BatchName = {
  readonly producerId: number;
  readonly producerEpoch: number;
  readonly baseSequence: number;
  readonly crc: number;
};

/** What may be found in a log. */
export type KnownBatches = { find(name: BatchName): SentBatch | undefined };

const SEQUENCES = 2 ** 24;
const EPOCHS = 2 ** 8;

export class Batches implements KnownBatches {
  readonly #all = new Map<number, SentBatch>();

  add(batch: SentBatch): void {
    this.#all.set(keyOf(batch.producerId, batch.producerEpoch, batch.baseSequence), batch);
  }

  find({ producerId, producerEpoch, baseSequence }: BatchName): SentBatch | undefined {
    return this.#all.get(keyOf(producerId, producerEpoch, baseSequence));
  }
}

function keyOf(producerId: number, producerEpoch: number, baseSequence: number): number {
  return (producerId * EPOCHS + producerEpoch) * SEQUENCES + baseSequence;
}
