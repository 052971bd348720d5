/**
 * Reads a partition of __consumer_offsets into a ledger, a bounded step at a time, so that the
 * other partitions of the shard keep their turn. Complete when the high watermark is reached: that
 * covers every acknowledged record, because the leader's own epoch was committed before loading
 * began. Pure.
 */
import type { Offset } from '../base/units.js';
import {
  BATCH_HEADER_BYTES,
  type BatchHeader,
  CONTROL_BIT,
  emptyHeader,
  nextOffsetOf,
  readBatchHeader,
} from '../records/batch.js';
import { iterateRecords } from '../records/records.js';
import type { GroupLog } from './group-log.js';
import type { Ledger } from './ledger.js';

export class Loader {
  readonly #log: GroupLog;
  readonly #ledger: Ledger;
  readonly #header: BatchHeader = emptyHeader();
  #nextOffset: Offset;

  constructor(log: GroupLog, ledger: Ledger) {
    this.#log = log;
    this.#ledger = ledger;
    this.#nextOffset = log.logStartOffset;
  }

  /** Reads about `maxBytes` more. True when everything is read. */
  step(maxBytes: number): boolean {
    // The start may have moved since: what went is superseded by what is still to come.
    this.#nextOffset = Math.max(this.#nextOffset, this.#log.logStartOffset);
    if (this.#nextOffset >= this.#log.highWatermark) return true;
    const bytes = this.#log.read(this.#nextOffset, maxBytes);
    if (bytes === null) return false;
    let at = 0;
    while (at + BATCH_HEADER_BYTES <= bytes.length) {
      const header = readBatchHeader(bytes, at, this.#header);
      if (header.sizeBytes < BATCH_HEADER_BYTES || at + header.sizeBytes > bytes.length) break;
      this.#readBatch(bytes, at, header);
      at += header.sizeBytes;
    }
    return this.#nextOffset >= this.#log.highWatermark;
  }

  #readBatch(bytes: Uint8Array, at: number, header: BatchHeader): void {
    const next = nextOffsetOf(header);
    if ((header.attributes & CONTROL_BIT) === 0) {
      for (const record of iterateRecords(bytes, at)) {
        if (record.offset < this.#nextOffset) continue;
        this.#ledger.load(record.key, record.value);
      }
    }
    this.#ledger.logBytes += header.sizeBytes;
    this.#nextOffset = Math.max(this.#nextOffset, next);
  }
}
