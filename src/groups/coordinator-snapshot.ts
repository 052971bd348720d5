/**
 * Bounds the reload of a coordinator without compaction: its whole live state is appended once more
 * as ordinary records, and when a quorum has them, everything in front of the first is superseded
 * and the log may start there.
 *
 *     log start                      first copy                                 high watermark
 *        │ superseded or copied ......... │ copy │ commit │ copy │ copy │ commit │ ...
 *        └──────── goes ──────────────────┘
 *
 * Why nothing is lost: a key that lived when the snapshot began is either copied with the newest
 * value appended by then, or was removed since; a key or value that came later lies behind the
 * first copy by itself. A copy never overtakes a commit that is in flight, because it copies that
 * very value. A failover in the middle leaves some ordinary records and nothing to clean up. Pure.
 */
import type { Offset } from '../base/units.js';
import type { GroupLog } from './group-log.js';
import type { Change, Ledger } from './ledger.js';
import { type CoordinatorKnobs, SNAPSHOT_RETRY_MS } from './limits.js';

type Run = {
  readonly source: Iterator<Change>;
  /** Log bytes when the run began: what the move of the log start will free. */
  readonly bytesBefore: number;
  /** A write that fails leaves its key in doubt, and a doubtful key may have been left out. */
  readonly failuresBefore: number;
  /** Offset of the first copy; -1 until it is committed. */
  firstOffset: Offset;
  isWaiting: boolean;
};

export class CoordinatorSnapshot {
  readonly #log: GroupLog;
  readonly #ledger: Ledger;
  readonly #knobs: CoordinatorKnobs;
  #run: Run | null = null;
  /** No new run before this group time. */
  #notBefore = 0;
  /** Runs that ended with a proposal. */
  completed = 0;

  constructor(log: GroupLog, ledger: Ledger, knobs: CoordinatorKnobs) {
    this.#log = log;
    this.#ledger = ledger;
    this.#knobs = knobs;
  }

  /** One bounded step, from the coordinator's tick. */
  step(now: number): void {
    if (this.#run === null && now >= this.#notBefore && this.#isWorthIt()) {
      this.#run = {
        source: this.#copies(),
        bytesBefore: this.#ledger.logBytes,
        failuresBefore: this.#ledger.failures,
        firstOffset: -1,
        isWaiting: false,
      };
    }
    const run = this.#run;
    if (run === null || run.isWaiting) return;
    const changes = this.#take(run.source);
    if (changes.length === 0) {
      this.#finish(run, now);
      return;
    }
    run.isWaiting = true;
    this.#ledger.write(changes, (error, baseOffset) => {
      run.isWaiting = false;
      if (error !== null) {
        this.#run = null;
        this.#notBefore = now + SNAPSHOT_RETRY_MS;
      }
      if (run.firstOffset === -1) run.firstOffset = baseOffset;
    });
  }

  #isWorthIt(): boolean {
    const { snapshotRecordsMin, snapshotBytesMin, snapshotLiveRatio } = this.#knobs;
    const { liveRecords, liveBytes, logBytes } = this.#ledger;
    const records = this.#log.highWatermark - this.#log.logStartOffset;
    return (
      (records > snapshotRecordsMin && records > snapshotLiveRatio * liveRecords) ||
      (logBytes > snapshotBytesMin && logBytes > snapshotLiveRatio * liveBytes)
    );
  }

  #finish(run: Run, now: number): void {
    this.#run = null;
    this.#notBefore = now + SNAPSHOT_RETRY_MS;
    if (this.#ledger.failures !== run.failuresBefore) return;
    if (run.firstOffset === -1) {
      // Nothing lives. The log is all leftovers, unless a record is on its way.
      if (!this.#ledger.isSettled) return;
      run.firstOffset = this.#log.highWatermark;
    }
    this.completed += 1;
    this.#ledger.logBytes = Math.max(0, this.#ledger.logBytes - run.bytesBefore);
    this.#log.proposeLogStart(run.firstOffset);
  }

  #take(source: Iterator<Change>): Change[] {
    const changes: Change[] = [];
    let bytes = 0;
    while (changes.length < this.#knobs.appendRecordsMax && bytes < this.#knobs.appendBytesMax) {
      const { value, done } = source.next();
      if (done === true) break;
      changes.push(value);
      bytes += value.kind === 'group' ? (value.value?.length ?? 0) : value.key.topic.length + 64;
    }
    return changes;
  }

  /** The newest value of every key, read when its turn comes. */
  *#copies(): Generator<Change> {
    for (const groupId of this.#ledger.groupIds()) {
      const value = this.#ledger.groupValue(groupId);
      if (value !== null) yield { kind: 'group', groupId, value };
      for (const key of this.#ledger.offsets.keysOf(groupId)) {
        const offset = this.#ledger.offsets.newest(key);
        if (offset !== null) yield { kind: 'offset', key, value: offset };
      }
    }
  }
}
