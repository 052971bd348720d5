/**
 * Record batches as they were served, at any time and to whomever: the same place shows the same
 * bytes (K3) of the same epoch, epochs never go back along a log (K9), checksums hold (K10),
 * nothing above the high watermark is served and nothing served vanishes (K8), and an idempotent
 * producer's sequences follow each other (P1). Pure; linear in the number of batches.
 */
import type { HistoryEvent, ProducerFields } from './events.js';
import type { Report } from './violation.js';

type Batch = Extract<HistoryEvent, { kind: 'batch' }>;

type Place = { readonly digest: string; readonly leaderEpoch: number; isFinal: boolean };

/** Sequences go round: after 2^31-1 comes 0. */
const SEQUENCES = 2 ** 31;

export class Places {
  readonly #report: Report;
  readonly #places = new Map<string, Place>();
  /** Of the last reading, per partition. */
  readonly #lastEpochs = new Map<string, number>();
  /** Next sequence per partition, producer and producer epoch, in the last reading. */
  readonly #sequences = new Map<string, number>();

  constructor(report: Report) {
    this.#report = report;
  }

  batch(batch: Batch): void {
    const { partition, baseOffset, nextOffset, highWatermark } = batch;
    const at = `${partition}@${baseOffset}`;
    if (!batch.isSound) {
      this.#report('K10', `${at}: bad checksum`);
      return;
    }
    if (nextOffset > highWatermark) {
      this.#report('K8', `${at}: served up to ${nextOffset}, high watermark ${highWatermark}`);
    }
    this.#compare(at, batch);
    if (!batch.isFinal) return;
    const lastEpoch = this.#lastEpochs.get(partition) ?? 0;
    if (batch.leaderEpoch < lastEpoch) {
      this.#report('K9', `${at}: epoch ${batch.leaderEpoch} behind epoch ${lastEpoch}`);
    }
    this.#lastEpochs.set(partition, Math.max(lastEpoch, batch.leaderEpoch));
    this.#checkSequence(at, batch);
  }

  judge(): void {
    for (const [at, { isFinal }] of this.#places) {
      if (!isFinal) this.#report('K8', `${at}: a batch was served, then vanished`);
    }
  }

  #compare(at: string, { digest, leaderEpoch, isFinal }: Batch): void {
    const before = this.#places.get(at);
    if (before === undefined) {
      this.#places.set(at, { digest, leaderEpoch, isFinal });
      return;
    }
    before.isFinal ||= isFinal;
    if (before.digest !== digest) this.#report('K3', `${at}: the batch was another one before`);
    else if (before.leaderEpoch !== leaderEpoch) {
      this.#report('K9', `${at}: of epoch ${leaderEpoch}, before of ${before.leaderEpoch}`);
    }
  }

  #checkSequence(at: string, { partition, baseOffset, nextOffset, producer }: Batch): void {
    const { producerId, producerEpoch, baseSequence }: ProducerFields = producer;
    if (producerId < 0) return;
    const name = `${partition} ${producerId} ${producerEpoch}`;
    const expected = this.#sequences.get(name) ?? 0;
    if (baseSequence !== expected) {
      const what = `producer ${producerId} epoch ${producerEpoch}: sequence ${baseSequence}`;
      this.#report('P1', `${at}: ${what} where ${expected} comes next`);
    }
    this.#sequences.set(name, (baseSequence + nextOffset - baseOffset) % SEQUENCES);
  }
}
