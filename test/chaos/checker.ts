/**
 * The history checker: what was sent and how it was answered, held against what is read. Pure, and
 * linear in the number of records. Its promise: a violation is never explained away; an answer that
 * proves nothing (indefinite) is the only excuse for a record to be there or not.
 *
 *     K1 lost          an acknowledged record is not read
 *     K2 invented      a record that nobody sent, or whose refusal was definite, is read
 *     K3 changed       bytes, offset or neighbours differ from what was sent, acknowledged or read
 *     K4 out of order  a record sent after an ack got a lower offset than the acknowledged one
 *     K5 skipped       a reader's next offset is not the one after its last
 *     P1 duplicated    a record is read at two offsets
 *     R3 replicas      two copies of a partition differ below the high watermark
 */
import { parseTag, tagValue } from './tag.js';

export type ViolationId = 'K1' | 'K2' | 'K3' | 'K4' | 'K5' | 'P1' | 'R3';
export type Violation = { readonly id: ViolationId; readonly text: string };

export type BatchKey = { readonly writer: number; readonly batch: number };

/** What the answer to a produce proves; the marks are those of src/protocol/errors.ts. */
export type Outcome = 'pending' | 'acked' | 'refused' | 'unknown';

export const BATCH_RECORDS_MAX = 30;

type Sent = BatchKey & {
  readonly partition: string;
  readonly recordCount: number;
  /** End of everything acknowledged in this partition when the batch was sent. */
  readonly floor: number;
  outcome: Outcome;
  /** From the ack or, without one, from the first record read; -1 before either. */
  baseOffset: number;
  /** Bit i: record i was read. */
  seen: number;
};

export type Verdict = {
  /** Records whose ack arrived. */
  readonly acked: number;
  /** Records whose answer proved nothing, and how many of them are there. */
  readonly unknown: number;
  readonly unknownFound: number;
  readonly lost: number;
  readonly changed: number;
  readonly duplicated: number;
  readonly violations: readonly Violation[];
};

export class History {
  readonly #sent = new Map<string, Sent>();
  readonly #ackedEnds = new Map<string, number>();
  readonly #cursors = new Map<string, number>();
  readonly #violations: Violation[] = [];
  #changed = 0;
  #duplicated = 0;

  sent(key: BatchKey, partition: string, recordCount: number): void {
    const name = nameOf(key);
    if (this.#sent.has(name) || recordCount < 1 || recordCount > BATCH_RECORDS_MAX) {
      throw new Error(`batch ${name} of ${recordCount} records can not be noted`);
    }
    const floor = this.#ackedEnds.get(partition) ?? 0;
    const state = { outcome: 'pending', baseOffset: -1, seen: 0 } as const;
    this.#sent.set(name, { ...key, partition, recordCount, floor, ...state });
  }

  acked(key: BatchKey, baseOffset: number): void {
    const batch = this.#pending(key);
    batch.outcome = 'acked';
    batch.baseOffset = baseOffset;
    if (baseOffset < batch.floor) {
      const where = `${batch.partition} acknowledged at ${baseOffset}`;
      this.#report('K4', `${nameOf(key)}: ${where}, sent after an ack up to ${batch.floor}`);
    }
    const end = baseOffset + batch.recordCount;
    const before = this.#ackedEnds.get(batch.partition) ?? 0;
    this.#ackedEnds.set(batch.partition, Math.max(before, end));
  }

  /** Refused for certain: it must never be read. */
  refused(key: BatchKey): void {
    this.#pending(key).outcome = 'refused';
  }

  /** No answer, or one that proves nothing. */
  unknown(key: BatchKey): void {
    this.#pending(key).outcome = 'unknown';
  }

  /** Records that were acknowledged so far. */
  get ackedRecords(): number {
    return this.#countRecords('acked');
  }

  startReading(partition: string, logStartOffset: number): void {
    this.#cursors.set(partition, logStartOffset);
  }

  read(partition: string, offset: number, value: string): void {
    const expected = this.#cursors.get(partition);
    if (offset !== expected) {
      this.#report('K5', `${partition}: offset ${offset} read where ${expected} comes next`);
    }
    this.#cursors.set(partition, offset + 1);
    const tag = parseTag(value);
    const batch = tag === null ? undefined : this.#sent.get(nameOf(tag));
    if (tag === null || batch === undefined || tag.index >= batch.recordCount) {
      this.#report('K2', `${partition}@${offset}: nobody sent "${value.slice(0, 40)}"`);
      return;
    }
    if (batch.partition !== partition) {
      this.#report('K2', `${partition}@${offset}: ${nameOf(tag)} was sent to ${batch.partition}`);
      return;
    }
    if (batch.outcome === 'refused') {
      this.#report('K2', `${partition}@${offset}: ${nameOf(tag)} had been refused`);
    }
    if (value !== tagValue(tag)) {
      this.#changed += 1;
      this.#report('K3', `${partition}@${offset}: bytes of ${nameOf(tag)}#${tag.index} differ`);
    }
    this.#place(batch, tag.index, offset);
  }

  finishReading(partition: string, highWatermark: number): void {
    const cursor = this.#cursors.get(partition);
    if (cursor === highWatermark) return;
    this.#report('K5', `${partition}: reading ended at ${cursor}, high watermark ${highWatermark}`);
  }

  /** Call it once everything was read. */
  verdict(): Verdict {
    let lost = 0;
    let unknownFound = 0;
    const violations = [...this.#violations];
    for (const batch of this.#sent.values()) {
      const missing = batch.recordCount - countBits(batch.seen);
      const where = `${nameOf(batch)} in ${batch.partition}`;
      if (batch.outcome === 'acked' && missing > 0) {
        lost += missing;
        const what = `acknowledged at ${batch.baseOffset}, ${missing} records not read`;
        violations.push({ id: 'K1', text: `${where}: ${what}` });
      } else if (batch.outcome !== 'acked' && batch.seen !== 0) {
        unknownFound += batch.recordCount - missing;
        if (missing > 0) violations.push({ id: 'K3', text: `${where}: read in part` });
      }
    }
    return {
      acked: this.#countRecords('acked'),
      unknown: this.#countRecords('unknown') + this.#countRecords('pending'),
      unknownFound,
      lost,
      changed: this.#changed,
      duplicated: this.#duplicated,
      violations,
    };
  }

  #place(batch: Sent, index: number, offset: number): void {
    const bit = 1 << index;
    const name = `${nameOf(batch)}#${index}`;
    if ((batch.seen & bit) !== 0) {
      this.#duplicated += 1;
      this.#report('P1', `${batch.partition}@${offset}: ${name} was read before`);
      return;
    }
    batch.seen |= bit;
    if (batch.baseOffset === -1) batch.baseOffset = offset - index;
    if (batch.baseOffset + index === offset) return;
    this.#changed += 1;
    const expected = batch.baseOffset + index;
    this.#report('K3', `${batch.partition}@${offset}: ${name} belongs at ${expected}`);
  }

  #pending(key: BatchKey): Sent {
    const batch = this.#sent.get(nameOf(key));
    if (batch?.outcome === 'pending') return batch;
    throw new Error(`batch ${nameOf(key)} is ${batch?.outcome ?? 'not sent'}, not pending`);
  }

  #countRecords(outcome: Outcome): number {
    let count = 0;
    for (const batch of this.#sent.values()) {
      if (batch.outcome === outcome) count += batch.recordCount;
    }
    return count;
  }

  #report(id: ViolationId, text: string): void {
    this.#violations.push({ id, text });
  }
}

/**
 * Batches as readers saw them at different times: the same place must always show the same bytes,
 * and each reader must walk without a gap.
 */
export class Witness {
  readonly #digests = new Map<string, string>();
  readonly violations: Violation[] = [];
  /** Answers that a client refuses and asks for again are no violation, as long as that ends. */
  readonly toleratesDamage: boolean;
  damaged = 0;

  constructor(toleratesDamage = false) {
    this.toleratesDamage = toleratesDamage;
  }

  saw(partition: string, baseOffset: number, digest: string): void {
    const place = `${partition}@${baseOffset}`;
    const before = this.#digests.get(place);
    if (before === undefined) this.#digests.set(place, digest);
    else if (before !== digest) {
      this.violations.push({ id: 'K3', text: `${place}: the batch was another one before` });
    }
  }

  /** A reader that expected `expected` got a batch that begins at `baseOffset`. */
  followed(partition: string, expected: number, baseOffset: number): void {
    if (expected === baseOffset) return;
    const text = `${partition}: a reader at ${expected} was given ${baseOffset}`;
    this.violations.push({ id: 'K5', text });
  }
}

export type Copy = {
  readonly node: number;
  /** Record batches one after another, as they lie in the segments. */
  readonly bytes: Buffer;
};

const BASE_OFFSET_AT = 0;
const LENGTH_AT = 8;
const LAST_OFFSET_DELTA_AT = 23;
const HEADER_BYTES = 61;
/** `batchLength` counts what comes after itself. */
const LENGTH_OVERHEAD = 12;

export type Readable = { readonly logStartOffset: number; readonly highWatermark: number };

/**
 * Compares every copy of a partition with the first one, byte for byte, over all that a client may
 * read. A copy that begins late or ends early is a violation, too.
 */
export function compareCopies(
  partition: string,
  { logStartOffset, highWatermark }: Readable,
  copies: readonly Copy[],
): Violation[] {
  const violations: Violation[] = [];
  const report = (text: string): void => {
    violations.push({ id: 'R3', text: `${partition}: ${text}` });
  };
  if (logStartOffset === highWatermark) return violations;
  const ranges = copies.map(({ node, bytes }) => {
    const range = sliceBetween(bytes, logStartOffset, highWatermark);
    if (range.firstOffset !== logStartOffset || range.nextOffset !== highWatermark) {
      const has = `node ${node} has ${range.firstOffset} to ${range.nextOffset}`;
      report(`${has}, readable is ${logStartOffset} to ${highWatermark}`);
    }
    return { node, bytes: range.bytes };
  });
  const [model, ...others] = ranges;
  for (const other of others) {
    if (model === undefined || model.bytes.equals(other.bytes)) continue;
    const at = firstDifference(model.bytes, other.bytes);
    report(`nodes ${model.node} and ${other.node} differ ${at} bytes after the log start`);
  }
  return violations;
}

/** Batches from the one that begins at or after `from`, up to the one that ends at `to`. */
function sliceBetween(bytes: Buffer, from: number, to: number) {
  let begin = 0;
  let at = 0;
  let firstOffset = -1;
  let nextOffset = -1;
  while (bytes.length - at >= HEADER_BYTES) {
    const baseOffset = Number(bytes.readBigInt64BE(at + BASE_OFFSET_AT));
    const end = at + LENGTH_OVERHEAD + bytes.readInt32BE(at + LENGTH_AT);
    if (baseOffset >= to || end > bytes.length || end <= at) break;
    if (firstOffset < 0 && baseOffset >= from) {
      begin = at;
      firstOffset = baseOffset;
    }
    nextOffset = baseOffset + bytes.readInt32BE(at + LAST_OFFSET_DELTA_AT) + 1;
    at = end;
  }
  const isFound = firstOffset >= 0;
  return { bytes: bytes.subarray(isFound ? begin : at, at), firstOffset, nextOffset };
}

function firstDifference(a: Buffer, b: Buffer): number {
  const length = Math.min(a.length, b.length);
  for (let i = 0; i < length; i++) if (a[i] !== b[i]) return i;
  return length;
}

function countBits(bits: number): number {
  let count = 0;
  for (let rest = bits; rest !== 0; rest &= rest - 1) count += 1;
  return count;
}

function nameOf({ writer, batch }: BatchKey): string {
  return `w${writer}.b${batch}`;
}
