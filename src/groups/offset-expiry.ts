/**
 * Drops offsets that nobody has used for `offsets.retention.minutes`, and groups that are empty and
 * have no offset left (KIP-211). A round looks at every group, some per tick. Pure.
 */
import type { WallMs } from '../base/units.js';
import type { ClassicGroup } from './classic-group.js';
import type { CommittedOffset } from './group-records.js';
import type { Change, Ledger } from './ledger.js';
import { EXPIRY_INTERVAL_MS, EXPIRY_STEP_GROUPS } from './limits.js';

type Groups = Map<string, ClassicGroup>;

export class OffsetExpiry {
  readonly #ledger: Ledger;
  #round: IterableIterator<ClassicGroup> | null = null;
  /** Group time of the next round; the first comes one interval after loading. */
  #nextRoundAt: number | null = null;

  constructor(ledger: Ledger) {
    this.#ledger = ledger;
  }

  /** One bounded step. `now` is group time, `wallMs` is what records are stamped with. */
  step(now: number, wallMs: WallMs, retentionMs: number, groups: Groups): void {
    this.#nextRoundAt ??= now + EXPIRY_INTERVAL_MS;
    if (this.#round === null) {
      if (now < this.#nextRoundAt) return;
      this.#nextRoundAt = now + EXPIRY_INTERVAL_MS;
      this.#round = groups.values();
    }
    const changes: Change[] = [];
    for (let i = 0; i < EXPIRY_STEP_GROUPS; i++) {
      const { value: group, done } = this.#round.next();
      if (done === true) {
        this.#round = null;
        break;
      }
      for (const change of this.#expire(group, wallMs, retentionMs, groups)) changes.push(change);
    }
    if (changes.length > 0) this.#ledger.write(changes, null);
  }

  /** Everything a group has in the log, as removals. */
  removalOf(groupId: string): Change[] {
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

  #expire(group: ClassicGroup, wallMs: WallMs, retentionMs: number, groups: Groups): Change[] {
    const { offsets } = this.#ledger;
    const { groupId } = group;
    const changes: Change[] = [];
    let isInUse = false;
    for (const key of offsets.keysOf(groupId)) {
      const newest = offsets.newest(key);
      // A commit that is in flight counts as use; a removal in flight needs no second one.
      if (newest === null) continue;
      if (
        newest !== offsets.committed(key) ||
        !isExpired(group, key.topic, newest, wallMs, retentionMs)
      ) {
        isInUse = true;
      } else {
        changes.push({ kind: 'offset', key, value: null });
      }
    }
    if (isInUse || !group.isDeserted) return changes;
    groups.delete(groupId);
    group.kill('COORDINATOR_NOT_AVAILABLE');
    return this.removalOf(groupId);
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
