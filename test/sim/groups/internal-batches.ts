/**
 * Every batch that a coordinator has ever given to its partition: what may be found in that log,
 * and nothing else. It has no producer, so it is known by its checksum.
 */
import { readBatchHeader } from '#src/records/batch.js';
import type { KnownBatches, SentBatch } from '../batches.js';

export class InternalBatches implements KnownBatches {
  readonly #group: number;
  readonly #all = new Map<number, SentBatch>();

  /** `group`: index of the partition's Raft group. */
  constructor(group: number) {
    this.#group = group;
  }

  /** Before the batch goes to the log; the bytes are looked at, not kept. */
  add(batch: Uint8Array, start: number): void {
    const header = readBatchHeader(batch, start);
    const { crc, producerId, producerEpoch, baseSequence } = header;
    this.#all.set(crc, {
      group: this.#group,
      producerId,
      producerEpoch,
      baseSequence,
      records: header.lastOffsetDelta + 1,
      timestamp: header.maxTimestamp,
      crc,
      bytes: Buffer.alloc(0),
    });
  }

  find({ crc }: { readonly crc: number }): SentBatch | undefined {
    return this.#all.get(crc);
  }
}
