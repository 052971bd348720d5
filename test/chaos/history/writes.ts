/**
 * What was sent and how it was answered, held against the records that are read: lost, invented,
 * moved, out of order, twice (K1 to K4, P1), vanished after it was read (K8), and what a retry was
 * told (P3). Promise: an answer that proves nothing is the only excuse for a record to be there or
 * not. Pure; linear in the number of records.
 */
import { parseTag, tagValue } from '../tag.js';
import type { BatchKey, EventOf } from './events.js';
import type { Report } from './violation.js';

/** What the answer to a produce proves; the marks are those of src/protocol/errors.ts. */
export type Outcome = 'pending' | 'acked' | 'refused' | 'unknown';

/** Records of a batch are bits of one number. */
const BATCH_RECORDS_MAX = 30;

type Sent = BatchKey & {
  /** The how manieth batch of the run. */
  readonly ordinal: number;
  readonly partition: string;
  readonly records: number;
  /** End of everything acknowledged in this partition when the batch was sent. */
  readonly floor: number;
  outcome: Outcome;
  /** From the ack or, without one, from the first record read; -1 before either. */
  baseOffset: number;
  /** Bit i: record i is there in the last reading. */
  seen: number;
  /** Bit i: somebody read record i at some time. */
  observed: number;
};

export type WriteCounts = {
  /** Records whose ack arrived. */
  readonly acked: number;
  /** Records whose answer proved nothing, and how many of them are there. */
  readonly unknown: number;
  readonly unknownFound: number;
  readonly lost: number;
  readonly changed: number;
  readonly duplicated: number;
};

export class Writes {
  readonly #report: Report;
  readonly #sent = new Map<string, Sent>();
  readonly #ackedEnds = new Map<string, number>();
  /** Per partition: offset → the record that was read there first. */
  readonly #owners = new Map<string, number[]>();
  ackedRecords = 0;
  #changed = 0;
  #duplicated = 0;

  constructor(report: Report) {
    this.#report = report;
  }

  sent({ writer, batch, partition, records }: EventOf<'sent'>): void {
    const name = nameOf({ writer, batch });
    if (this.#sent.has(name) || records < 1 || records > BATCH_RECORDS_MAX) {
      throw new Error(`batch ${name} of ${records} records can not be noted`);
    }
    const floor = this.ackedEnd(partition);
    const ordinal = this.#sent.size;
    const state = { outcome: 'pending', baseOffset: -1, seen: 0, observed: 0 } as const;
    this.#sent.set(name, { writer, batch, ordinal, partition, records, floor, ...state });
  }

  /** End of what is acknowledged in the partition so far. */
  ackedEnd(partition: string): number {
    return this.#ackedEnds.get(partition) ?? 0;
  }

  partitionOf(key: BatchKey): string {
    return this.#find(key).partition;
  }

  /** Returns the end of the batch; -1 when the client was not told where it is. */
  acked(event: EventOf<'acked'>): number {
    const batch = this.#pending(event);
    const { partition, records, floor } = batch;
    batch.outcome = 'acked';
    this.ackedRecords += records;
    if (event.baseOffset < 0) return -1;
    if (batch.baseOffset >= 0 && batch.baseOffset !== event.baseOffset) {
      const where = `acknowledged at ${event.baseOffset}, read at ${batch.baseOffset}`;
      this.#report('K3', `${nameOf(batch)} in ${partition}: ${where}`);
    }
    batch.baseOffset = event.baseOffset;
    if (event.baseOffset < floor) {
      const where = `${partition} acknowledged at ${event.baseOffset}`;
      this.#report('K4', `${nameOf(batch)}: ${where}, sent after an ack up to ${floor}`);
    }
    const end = event.baseOffset + records;
    this.#ackedEnds.set(partition, Math.max(this.ackedEnd(partition), end));
    return end;
  }

  refused(key: BatchKey): void {
    const batch = this.#pending(key);
    batch.outcome = 'refused';
    if (batch.observed !== 0) this.#report('K2', `${nameOf(batch)}: refused after it was read`);
  }

  unknown(key: BatchKey): void {
    this.#pending(key).outcome = 'unknown';
  }

  sequenceRefused(key: BatchKey): void {
    const { partition } = this.#find(key);
    this.#report('P1', `${nameOf(key)} in ${partition}: the next sequence was refused`);
  }

  answeredAgain({ baseOffset, ...key }: EventOf<'answered-again'>): void {
    const batch = this.#find(key);
    if (baseOffset === batch.baseOffset) return;
    const was = `${nameOf(batch)} in ${batch.partition}: acknowledged at ${batch.baseOffset}`;
    this.#report('P3', `${was}, the retry ${baseOffset < 0 ? 'was refused' : `at ${baseOffset}`}`);
  }

  record({ partition, offset, value, isFinal }: EventOf<'record'>): void {
    const tag = parseTag(value);
    const batch = tag === null ? undefined : this.#sent.get(nameOf(tag));
    const at = `${partition}@${offset}`;
    if (tag === null || batch === undefined || tag.index >= batch.records) {
      this.#report('K2', `${at}: nobody sent "${value.slice(0, 40)}"`);
      return;
    }
    if (batch.partition !== partition) {
      this.#report('K2', `${at}: ${nameOf(tag)} was sent to ${batch.partition}`);
      return;
    }
    if (batch.outcome === 'refused') this.#report('K2', `${at}: ${nameOf(tag)} had been refused`);
    if (value !== tagValue(tag)) {
      this.#changed += 1;
      this.#report('K3', `${at}: bytes of ${nameOf(tag)}#${tag.index} differ`);
    }
    this.#place(batch, tag.index, offset, isFinal);
  }

  /** Call it once the last reading is over. */
  judge(): WriteCounts {
    let lost = 0;
    let unknown = 0;
    let unknownFound = 0;
    for (const batch of this.#sent.values()) {
      const { outcome, records, seen, observed } = batch;
      const missing = records - countBits(seen);
      const where = `${nameOf(batch)} in ${batch.partition}`;
      if (outcome === 'acked') {
        lost += missing;
        const what = `acknowledged at ${batch.baseOffset}, ${missing} records not read`;
        if (missing > 0) this.#report('K1', `${where}: ${what}`);
        continue;
      }
      // Whatever was read of a refused batch is reported already.
      if (outcome === 'refused') continue;
      unknown += records;
      unknownFound += records - missing;
      if (seen !== 0 && missing > 0) this.#report('K3', `${where}: read in part`);
      else if ((observed & ~seen) !== 0) this.#report('K8', `${where}: was read, then vanished`);
    }
    const { ackedRecords: acked } = this;
    const counts = { acked, unknown, unknownFound, lost };
    return { ...counts, changed: this.#changed, duplicated: this.#duplicated };
  }

  #place(batch: Sent, index: number, offset: number, isFinal: boolean): void {
    const bit = 1 << index;
    const at = `${batch.partition}@${offset}: ${nameOf(batch)}#${index}`;
    if (isFinal && (batch.seen & bit) !== 0) {
      this.#duplicated += 1;
      this.#report('P1', `${at} was read before`);
      return;
    }
    batch.observed |= bit;
    if (isFinal) batch.seen |= bit;
    if (batch.baseOffset === -1) batch.baseOffset = offset - index;
    if (batch.baseOffset + index !== offset) {
      this.#changed += 1;
      this.#report('K3', `${at} belongs at ${batch.baseOffset + index}`);
    } else if (!this.#isOwner(batch, index, offset)) {
      this.#changed += 1;
      this.#report('K3', `${at}: another record was read there`);
    }
  }

  #isOwner({ partition, ordinal }: Sent, index: number, offset: number): boolean {
    const owners = this.#owners.get(partition) ?? [];
    this.#owners.set(partition, owners);
    const record = ordinal * BATCH_RECORDS_MAX + index;
    owners[offset] ??= record;
    return owners[offset] === record;
  }

  #find(key: BatchKey): Sent {
    const batch = this.#sent.get(nameOf(key));
    if (batch === undefined) throw new Error(`batch ${nameOf(key)} is not sent`);
    return batch;
  }

  #pending(key: BatchKey): Sent {
    const batch = this.#find(key);
    if (batch.outcome === 'pending') return batch;
    throw new Error(`batch ${nameOf(key)} is ${batch.outcome}, not pending`);
  }
}

function countBits(bits: number): number {
  let count = 0;
  for (let rest = bits; rest !== 0; rest &= rest - 1) count += 1;
  return count;
}

function nameOf({ writer, batch }: BatchKey): string {
  return `w${writer}.b${batch}`;
}
