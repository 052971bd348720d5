/**
 * The coordinator's state as its log has it: the newest record of every key, offsets as values and
 * groups as the bytes of their record. All writing goes through here. Promise: a snapshot that
 * copies `newest` of every key leaves each key's last record in the log with the same meaning.
 * Pure; one per time as leader.
 */
import type { Offset } from '../base/units.js';
import type { GroupLog } from './group-log.js';
import {
  type CommittedOffset,
  type CoordinatorRecord,
  decodeKey,
  decodeOffsetValue,
  encodeGroupKey,
  encodeOffsetKey,
  encodeOffsetValue,
} from './group-records.js';
import type { CoordinatorKnobs } from './limits.js';
import { type OffsetKey, OffsetStore } from './offset-store.js';

/** One record to write; a null value removes the key. */
export type Change =
  | { readonly kind: 'offset'; readonly key: OffsetKey; readonly value: CommittedOffset | null }
  | { readonly kind: 'group'; readonly groupId: string; readonly value: Buffer | null };

/** `baseOffset` is that of the first batch; -1 with an error. */
export type WriteDone = (error: string | null, baseOffset: Offset) => void;

type Write = {
  left: number;
  error: string | null;
  baseOffset: Offset;
  readonly done: WriteDone | null;
};

type Part = { readonly changes: Change[]; readonly records: CoordinatorRecord[]; bytes: number };

/** Framing of a record in its batch, at most. */
const RECORD_FRAME_BYTES = 30;

export class Ledger {
  readonly offsets = new OffsetStore();
  readonly #log: GroupLog;
  readonly #knobs: CoordinatorKnobs;
  /** Newest record value of each group that has one. */
  readonly #groups = new Map<string, Buffer>();
  readonly #open = new Set<Write>();
  #groupBytes = 0;
  #isClosed = false;
  /** About the bytes of the log from its start on. */
  logBytes = 0;
  /** Writes that were answered with an error. */
  failures = 0;
  /** Records of a version that we do not know, left alone. */
  unknownRecords = 0;

  constructor(log: GroupLog, knobs: CoordinatorKnobs) {
    this.#log = log;
    this.#knobs = knobs;
  }

  /** Keys that live, and what their records take. */
  get liveRecords(): number {
    return this.#groups.size + this.offsets.liveCount;
  }

  get liveBytes(): number {
    return this.#groupBytes + this.offsets.liveBytes;
  }

  /** True when every write has been answered: the log's end holds nothing of ours in doubt. */
  get isSettled(): boolean {
    return this.#open.size === 0;
  }

  groupValue(groupId: string): Buffer | null {
    return this.#groups.get(groupId) ?? null;
  }

  /** Every group with a record or an offset. */
  groupIds(): Set<string> {
    return new Set([...this.#groups.keys(), ...this.offsets.groupIds()]);
  }

  /** One record of the log, in order. Throws CORRUPT when a known version does not parse. */
  load(keyBytes: Uint8Array | null, valueBytes: Uint8Array | null): void {
    // A record without a key is not Kafka's and not ours.
    if (keyBytes === null) {
      this.unknownRecords += 1;
      return;
    }
    const key = decodeKey(asBuffer(keyBytes));
    switch (key.kind) {
      case 'group':
        this.#setGroup(key.groupId, valueBytes === null ? null : Buffer.from(valueBytes));
        break;
      case 'offset':
        this.offsets.load(
          key,
          valueBytes === null ? null : decodeOffsetValue(asBuffer(valueBytes)),
        );
        break;
      default:
        this.unknownRecords += 1;
    }
  }

  /**
   * Writes in as few batches as the bounds allow; answers when a quorum has all of them. `done` is
   * null when nobody waits.
   */
  write(changes: readonly Change[], done: WriteDone | null): void {
    const parts = this.#split(changes);
    const write: Write = { left: parts.length, error: null, baseOffset: -1, done };
    this.#open.add(write);
    for (const [i, part] of parts.entries()) this.#append(part, i === 0, write);
    if (parts.length === 0) this.#finish(write);
  }

  /** Leadership is gone: whoever waits hears `error` now, later answers of the log are ignored. */
  close(error: string): void {
    this.#isClosed = true;
    for (const write of [...this.#open]) {
      write.error = error;
      this.#finish(write);
    }
  }

  #append(part: Part, isFirst: boolean, write: Write): void {
    const removed: [groupId: string, value: Buffer][] = [];
    for (const change of part.changes) {
      if (change.kind === 'offset') {
        this.offsets.appended(change.key, change.value);
        continue;
      }
      const old = this.groupValue(change.groupId);
      if (change.value === null && old !== null) removed.push([change.groupId, old]);
      this.#setGroup(change.groupId, change.value);
    }
    this.#log.append(part.records, (error, baseOffset) => {
      if (this.#isClosed) return;
      if (error === null) this.logBytes += part.bytes;
      for (const change of part.changes) {
        if (change.kind !== 'offset') continue;
        this.offsets.settled(change.key, change.value, error === null);
      }
      if (error !== null) this.#takeBack(removed);
      write.error ??= error;
      if (isFirst && error === null) write.baseOffset = baseOffset;
      write.left -= 1;
      if (write.left === 0) this.#finish(write);
    });
  }

  /** What was not removed for certain still has to be: until then it counts. */
  #takeBack(removed: readonly [groupId: string, value: Buffer][]): void {
    for (const [groupId, value] of removed) {
      if (!this.#groups.has(groupId)) this.#setGroup(groupId, value);
    }
  }

  #finish(write: Write): void {
    if (!this.#open.delete(write)) return;
    if (write.error !== null) this.failures += 1;
    write.done?.(write.error, write.error === null ? write.baseOffset : -1);
  }

  #split(changes: readonly Change[]): Part[] {
    const parts: Part[] = [];
    let part: Part | null = null;
    for (const change of changes) {
      const record = encodeChange(change);
      const bytes = RECORD_FRAME_BYTES + record.key.length + (record.value?.length ?? 0);
      if (
        part === null ||
        part.records.length >= this.#knobs.appendRecordsMax ||
        part.bytes + bytes > this.#knobs.appendBytesMax
      ) {
        part = { changes: [], records: [], bytes: 0 };
        parts.push(part);
      }
      part.changes.push(change);
      part.records.push(record);
      part.bytes += bytes;
    }
    return parts;
  }

  #setGroup(groupId: string, value: Buffer | null): void {
    const old = this.#groups.get(groupId);
    if (old !== undefined) this.#groupBytes -= RECORD_FRAME_BYTES + groupId.length + old.length;
    if (value === null) {
      this.#groups.delete(groupId);
      return;
    }
    this.#groups.set(groupId, value);
    this.#groupBytes += RECORD_FRAME_BYTES + groupId.length + value.length;
  }
}

function encodeChange(change: Change): CoordinatorRecord {
  if (change.kind === 'group') return { key: encodeGroupKey(change.groupId), value: change.value };
  const { key, value } = change;
  return {
    key: encodeOffsetKey(key.groupId, key.topic, key.partition),
    value: value === null ? null : encodeOffsetValue(value),
  };
}

function asBuffer(bytes: Uint8Array): Buffer {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}
