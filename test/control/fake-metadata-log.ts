/** A metadata log in memory, one per node: batches by base offset, a start that can be trimmed. */

import { Packr } from 'msgpackr';
import type { MetadataBatch, MetadataLog } from '#src/control/ports.js';

const packr = new Packr({ useRecords: false });

export class FakeMetadataLog implements MetadataLog {
  logStartOffset = 0;
  batches: MetadataBatch[] = [];
  /** Where an empty log begins (after a reset to a snapshot). */
  #emptyEnd = 0;

  get logEndOffset(): number {
    const last = this.batches.at(-1);
    return last === undefined ? this.#emptyEnd : last.baseOffset + last.values.length;
  }

  append(batch: MetadataBatch): void {
    this.batches.push(batch);
  }

  read(from: number, end: number, maxBytes: number): MetadataBatch[] {
    if (from < this.logStartOffset) throw new Error(`read at ${from} < ${this.logStartOffset}`);
    const found: MetadataBatch[] = [];
    let bytes = 0;
    for (const batch of this.batches) {
      if (batch.baseOffset < from) continue;
      if (batch.baseOffset + batch.values.length > end || bytes >= maxBytes) break;
      found.push(batch);
      bytes += batch.sizeBytes;
    }
    return found;
  }

  trimTo(offset: number): void {
    this.logStartOffset = Math.max(this.logStartOffset, offset);
    this.batches = this.batches.filter((b) => b.baseOffset >= offset);
  }

  truncateTo(offset: number): void {
    this.batches = this.batches.filter((b) => b.baseOffset < offset);
  }

  resetTo(offset: number): void {
    this.batches = [];
    this.logStartOffset = offset;
    this.#emptyEnd = offset;
  }

  encodeBatch(values: readonly Uint8Array[]): Uint8Array {
    return packr.pack(values);
  }
}

export function decodeFakeBatch(bytes: Uint8Array, baseOffset: number): MetadataBatch {
  return { baseOffset, values: packr.unpack(bytes) as Uint8Array[], sizeBytes: bytes.length };
}
