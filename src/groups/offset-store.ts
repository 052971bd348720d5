/**
 * The committed offsets of a coordinator's groups. Two values are kept of each: `committed`, which
 * a quorum has and readers see, and `newest`, the last one appended, which a snapshot of the
 * coordinator must copy so that the newest record of a key stays the newest. Pure.
 *
 * Promise: after every append is answered, `committed` equals what a fresh load of the log gives,
 * and `newest` equals `committed`.
 */
import { assert } from '../base/assert.js';
import { type CommittedOffset, offsetValueBytes } from './group-records.js';

/** Key bytes besides the names: version, two lengths, partition; and a record's own framing. */
const RECORD_OVERHEAD_BYTES = 10 + 12;

type Slot = {
  /** Null: no offset, or removed. */
  committed: CommittedOffset | null;
  newest: CommittedOffset | null;
  /** Appends that are not answered yet. */
  inFlight: number;
};

type Topics = Map<string, Map<number, Slot>>;

export type OffsetKey = {
  readonly groupId: string;
  readonly topic: string;
  readonly partition: number;
};

export class OffsetStore {
  readonly #groups = new Map<string, Topics>();
  #liveCount = 0;
  #liveBytes = 0;
  #inFlight = 0;

  /** Offsets whose newest value lives: what a snapshot has to copy. */
  get liveCount(): number {
    return this.#liveCount;
  }

  /** About what those take in the log. */
  get liveBytes(): number {
    return this.#liveBytes;
  }

  get inFlight(): number {
    return this.#inFlight;
  }

  groupIds(): IterableIterator<string> {
    return this.#groups.keys();
  }

  hasGroup(groupId: string): boolean {
    return this.#groups.has(groupId);
  }

  committed(key: OffsetKey): CommittedOffset | null {
    return this.#slot(key)?.committed ?? null;
  }

  newest(key: OffsetKey): CommittedOffset | null {
    return this.#slot(key)?.newest ?? null;
  }

  /** Topics and partitions with a committed offset, in the order of their first commit. */
  *committedOf(groupId: string): Generator<[string, Array<[number, CommittedOffset]>]> {
    for (const [topic, partitions] of this.#groups.get(groupId) ?? []) {
      const offsets: Array<[number, CommittedOffset]> = [];
      for (const [partition, { committed }] of partitions) {
        if (committed !== null) offsets.push([partition, committed]);
      }
      if (offsets.length > 0) yield [topic, offsets];
    }
  }

  /** All keys of a group, also those whose newest value is a removal in flight. */
  *keysOf(groupId: string): Generator<OffsetKey> {
    for (const [topic, partitions] of this.#groups.get(groupId) ?? []) {
      for (const partition of partitions.keys()) yield { groupId, topic, partition };
    }
  }

  /** Read from the log: committed by definition. Null removes. */
  load(key: OffsetKey, value: CommittedOffset | null): void {
    const slot = this.#makeSlot(key);
    slot.committed = value;
    this.#setNewest(key, slot, value);
    this.#dropIfUnused(key, slot);
  }

  /** A record with this value was given to the log. One `settled` must follow. */
  appended(key: OffsetKey, value: CommittedOffset | null): void {
    const slot = this.#makeSlot(key);
    slot.inFlight += 1;
    this.#inFlight += 1;
    this.#setNewest(key, slot, value);
  }

  /** The log answered that append; answers come in the order of the appends that succeed. */
  settled(key: OffsetKey, value: CommittedOffset | null, isCommitted: boolean): void {
    const slot = this.#slot(key);
    assert(slot !== undefined && slot.inFlight > 0, 'an offset commit is answered twice');
    if (isCommitted) slot.committed = value;
    slot.inFlight -= 1;
    this.#inFlight -= 1;
    if (slot.inFlight > 0) return;
    // A failed append may still be committed one day; nobody was told so, and until it is read
    // from the log again what is committed for certain counts.
    this.#setNewest(key, slot, slot.committed);
    this.#dropIfUnused(key, slot);
  }

  clear(): void {
    this.#groups.clear();
    this.#liveCount = 0;
    this.#liveBytes = 0;
    this.#inFlight = 0;
  }

  #slot({ groupId, topic, partition }: OffsetKey): Slot | undefined {
    return this.#groups.get(groupId)?.get(topic)?.get(partition);
  }

  #makeSlot({ groupId, topic, partition }: OffsetKey): Slot {
    let topics = this.#groups.get(groupId);
    if (topics === undefined) this.#groups.set(groupId, (topics = new Map()));
    let partitions = topics.get(topic);
    if (partitions === undefined) topics.set(topic, (partitions = new Map()));
    let slot = partitions.get(partition);
    if (slot === undefined) {
      slot = { committed: null, newest: null, inFlight: 0 };
      partitions.set(partition, slot);
    }
    return slot;
  }

  #setNewest(key: OffsetKey, slot: Slot, value: CommittedOffset | null): void {
    if (slot.newest !== null) {
      this.#liveCount -= 1;
      this.#liveBytes -= recordBytes(key, slot.newest);
    }
    slot.newest = value;
    if (value === null) return;
    this.#liveCount += 1;
    this.#liveBytes += recordBytes(key, value);
  }

  #dropIfUnused({ groupId, topic, partition }: OffsetKey, slot: Slot): void {
    if (slot.committed !== null || slot.newest !== null || slot.inFlight > 0) return;
    const topics = this.#groups.get(groupId);
    const partitions = topics?.get(topic);
    if (topics === undefined || partitions === undefined) return;
    partitions.delete(partition);
    if (partitions.size === 0) topics.delete(topic);
    if (topics.size === 0) this.#groups.delete(groupId);
  }
}

function recordBytes({ groupId, topic }: OffsetKey, value: CommittedOffset): number {
  return RECORD_OVERHEAD_BYTES + groupId.length + topic.length + offsetValueBytes(value);
}
