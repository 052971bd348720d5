/**
 * Drops offsets that nobody has used for `offsets.retention.minutes`, and groups that are empty and
 * have no offset left (KIP-211), or that somebody wants deleted. A round looks at every group, some
 * per tick. Promise: a group whose removal the log did not take is handed back. Pure.
 */
import type { WallMs } from '../base/units.js';
import type { ClassicGroup } from './classic-group.js';
import type { CommittedOffset } from './group-records.js';
import type { Change, Ledger, WriteDone } from './ledger.js';
import { EXPIRY_INTERVAL_MS, EXPIRY_STEP_GROUPS } from './limits.js';

type Groups = Map<string, ClassicGroup>;

export class OffsetExpiry {
  readonly #ledger: Ledger;
  readonly #takeBack: (groupId: string) => void;
  #round: IterableIterator<ClassicGroup> | null = null;
  /** Group time of the next round; the first comes one interval after loading. */
  #nextRoundAt: number | null = null;

  /** `takeBack`: the group is not removed after all. */
  constructor(ledger: Ledger, takeBack: (groupId: string) => void) {
    this.#ledger = ledger;
    this.#takeBack = takeBack;
  }

  /** One bounded step. `now` is group time, `wallMs` is what records are stamped with. */
  step(now: number, wallMs: WallMs, retentionMs: number, groups: Groups): void {
    this.#nextRoundAt ??= now + EXPIRY_INTERVAL_MS;
    if (this.#round === null) {
      if (now < this.#nextRoundAt) return;
      this.#nextRoundAt = now + EXPIRY_INTERVAL_MS;
      // Those that are there now: one that is handed back waits for the next round.
      this.#round = [...groups.values()].values();
    }
    const changes: Change[] = [];
    const removed: string[] = [];
    for (let i = 0; i < EXPIRY_STEP_GROUPS; i++) {
      const { value: group, done } = this.#round.next();
      if (done === true) {
        this.#round = null;
        break;
      }
      if (groups.get(group.groupId) !== group) continue;
      const { offsets, isInUse } = this.#expired(group, wallMs, retentionMs);
      const isOver = !isInUse && group.isDeserted;
      for (const change of isOver ? this.#end(group, groups) : offsets) changes.push(change);
      if (isOver) removed.push(group.groupId);
    }
    if (changes.length > 0) this.#write(changes, removed, null);
  }

  /** Removes a deserted group with its offsets. */
  remove(group: ClassicGroup, groups: Groups, done: WriteDone): void {
    this.#write(this.#end(group, groups), [group.groupId], done);
  }

  #write(changes: readonly Change[], removed: readonly string[], done: WriteDone | null): void {
    this.#ledger.write(changes, (error, baseOffset) => {
      if (error !== null) for (const groupId of removed) this.#takeBack(groupId);
      done?.(error, baseOffset);
    });
  }

  /** Out of memory; what it has in the log is given as removals. */
  #end(group: ClassicGroup, groups: Groups): Change[] {
    const { groupId } = group;
    groups.delete(groupId);
    group.kill('COORDINATOR_NOT_AVAILABLE');
    const changes: Change[] = [];
    for (const key of this.#ledger.offsets.keysOf(groupId)) {
      if (this.#ledger.offsets.newest(key) === null) continue;
      changes.push({ kind: 'offset', key, value: null });
    }
    if (this.#ledger.groupValue(groupId) !== null) {
      changes.push({ kind: 'group', groupId, value: null });
    }
    return changes;
  }

  #expired(group: ClassicGroup, wallMs: WallMs, retentionMs: number) {
    const store = this.#ledger.offsets;
    const offsets: Change[] = [];
    let isInUse = false;
    for (const key of store.keysOf(group.groupId)) {
      const newest = store.newest(key);
      // A commit that is in flight counts as use; a removal in flight needs no second one.
      if (newest === null) continue;
      if (
        newest !== store.committed(key) ||
        !isExpired(group, key.topic, newest, wallMs, retentionMs)
      ) {
        isInUse = true;
      } else {
        offsets.push({ kind: 'offset', key, value: null });
      }
    }
    return { offsets, isInUse };
  }
}

function isExpired(
  group: ClassicGroup,
  topic: string,
  { commitTimestamp, expireTimestamp }: CommittedOffset,
  wallMs: WallMs,
  retentionMs: number,
): boolean {
  const since = group.unusedSince(topic, commitTimestamp);
  if (since === null) return false;
  return expireTimestamp === -1 ? wallMs - since >= retentionMs : wallMs >= expireTimestamp;
}
