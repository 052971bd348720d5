/**
 * How far a replica's owner has been told of commits. Invariant: it never goes back, and marks are
 * told before the high watermark that lies behind them. Shard thread.
 */
import { assert } from '../base/assert.js';
import { comparePositions, type Position } from '../base/position.js';
import type { PartitionLog } from '../log/partition-log.js';
import type { ReplicaEvents } from './replica-ports.js';

export class Applied {
  readonly #log: PartitionLog;
  readonly #events: ReplicaEvents;
  #position: Position;

  constructor(log: PartitionLog, events: ReplicaEvents, position: Position) {
    this.#log = log;
    this.#events = events;
    this.#position = position;
  }

  get position(): Position {
    return this.#position;
  }

  /** A snapshot replaced the log: everything below `to` is committed, and in the snapshot. */
  resetTo(to: Position): void {
    assert(comparePositions(this.#position, to) <= 0, 'a snapshot is news', { to });
    this.#position = to;
    this.#events.onReset();
  }

  advance(commit: Position): void {
    const before = this.#position;
    assert(comparePositions(before, commit) < 0, 'commit never goes back', { before, commit });
    this.#position = commit;
    if (commit.marks > before.marks) {
      for (const mark of this.#log.marksBetween(before, commit)) this.#events.onMarkCommitted(mark);
    }
    if (commit.offset > before.offset) this.#events.onCommitted(commit.offset);
  }
}
