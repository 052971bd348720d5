/**
 * Tells every linked node who leads the partitions of this node: changes at once, everything when a
 * link comes up, and a slice of it every few seconds in case something was lost. What waits for a
 * link is one entry per partition, the newest, so a slow node costs no queue.
 */
import { groupText } from '../base/group.js';
import type { MonotonicMs, NodeId, TopicId } from '../base/units.js';
import { LeaderTable } from './leader-table.js';
import { ANNOUNCE_ENTRIES_MAX, REFRESH_ENTRIES_MAX, REFRESH_INTERVAL_MS } from './limits.js';
import type { LeaderEntry, LeadersMessage } from './messages.js';

/** A leadership fact as a shard tells it; the announcer adds the version. */
export type LeaderFact = Omit<LeaderEntry, 'version'>;

type Entries = Map<string, LeaderEntry>;

export type AnnouncerOptions = {
  readonly self: NodeId;
  /** False: the link is over its bound, try again later. */
  readonly send: (to: NodeId, message: LeadersMessage) => boolean;
};

export class Announcer {
  readonly #options: AnnouncerOptions;
  /** What this node has told: partitions it leads, or gave up last. */
  readonly #own = new LeaderTable();
  /** What each linked node has not been told yet. */
  readonly #untold = new Map<NodeId, Entries>();
  #version = 0;
  /** Where the next refresh goes on. */
  #cursor: Iterator<LeaderEntry>;
  #refreshedAtMs: MonotonicMs = 0;

  constructor(options: AnnouncerOptions) {
    this.#options = options;
    this.#cursor = this.#own.entries();
  }

  /** Takes facts about partitions of this node; returns them as entries for its own table. */
  announce(facts: readonly LeaderFact[]): LeaderEntry[] {
    const entries = facts.map((fact) => ({ ...fact, version: ++this.#version }));
    this.#own.merge(entries);
    for (const untold of this.#untold.values()) addTo(untold, entries);
    return entries;
  }

  /** Forgets a deleted topic; entries on their way are ignored by whoever knows the deletion. */
  removeTopic(topicId: TopicId): void {
    this.#own.removeTopic(topicId);
  }

  onLinkUp(nodeId: NodeId): void {
    const untold: Entries = new Map();
    addTo(untold, this.#own.entries());
    this.#untold.set(nodeId, untold);
    this.#tell(nodeId);
  }

  onLinkDown(nodeId: NodeId): void {
    this.#untold.delete(nodeId);
  }

  /** Sends what is untold; at the end of a turn and on every tick. */
  flush(): void {
    for (const nodeId of this.#untold.keys()) this.#tell(nodeId);
  }

  tick(nowMs: MonotonicMs): void {
    if (nowMs - this.#refreshedAtMs >= REFRESH_INTERVAL_MS) {
      this.#refreshedAtMs = nowMs;
      this.#refreshSlice();
    }
    this.flush();
  }

  #refreshSlice(): void {
    const slice: LeaderEntry[] = [];
    while (slice.length < REFRESH_ENTRIES_MAX) {
      const next = this.#cursor.next();
      if (next.done === true) {
        this.#cursor = this.#own.entries();
        break;
      }
      slice.push(next.value);
    }
    for (const untold of this.#untold.values()) addTo(untold, slice);
  }

  #tell(nodeId: NodeId): void {
    const untold = this.#untold.get(nodeId);
    while (untold !== undefined && untold.size > 0) {
      const keys = [...untold.keys()].slice(0, ANNOUNCE_ENTRIES_MAX);
      const entries = keys.map((key) => untold.get(key) as LeaderEntry);
      if (!this.#options.send(nodeId, { kind: 'leaders', entries })) return;
      for (const key of keys) untold.delete(key);
    }
  }
}

function addTo(untold: Entries, entries: Iterable<LeaderEntry>): void {
  for (const entry of entries) untold.set(groupText(entry), entry);
}
