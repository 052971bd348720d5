/**
 * One operation while it is decided: records are added one by one and each is applied to a private
 * image at once, so that the next item of the same operation sees it. The image handed in is not
 * touched; the draft becomes one batch, or nothing. Pure.
 */
import { applyRecord, type ClusterImage } from './image.js';
import { METADATA_BATCH_BYTES_MAX } from './limits.js';
import type { Refusal } from './operations.js';
import { encodeRecord, type MetadataRecord } from './records.js';

export class Draft {
  #image: ClusterImage;
  readonly #values: Uint8Array[] = [];
  #bytes = 0;

  constructor(image: ClusterImage) {
    this.#image = image;
  }

  /** The image with everything added so far. */
  get image(): ClusterImage {
    return this.#image;
  }

  /** Encoded records, in order. */
  get values(): readonly Uint8Array[] {
    return this.#values;
  }

  /** Adds a record, unless the batch would grow beyond its bound: then says so and adds nothing. */
  add(record: MetadataRecord): Refusal | null {
    const value = encodeRecord(record);
    if (this.#bytes + value.length > METADATA_BATCH_BYTES_MAX) {
      return {
        error: 'POLICY_VIOLATION',
        message: 'Too many changes in one request; split it into smaller ones.',
      };
    }
    this.#push(record, value);
    return null;
  }

  /** The answer belongs to the batch whatever its size; it is bounded by the request's frame. */
  addOutcome(requestId: string, result: Uint8Array): void {
    const record = { kind: 'outcome', requestId, result } as const;
    this.#push(record, encodeRecord(record));
  }

  #push(record: MetadataRecord, value: Uint8Array): void {
    this.#image = applyRecord(this.#image, record);
    this.#values.push(value);
    this.#bytes += value.length;
  }
}
