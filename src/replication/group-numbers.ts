/**
 * Short names for groups on one connection: the first message about a group tells its number, later
 * ones say the number only. Both ends count alike and forget with the connection. Promise: a number
 * means one group as long as the connection lives, whatever the peer sends. Pure.
 */
import type { GroupKey } from '../base/group.js';
import { GroupMap } from '../base/group-map.js';

/** Groups beyond are told in full each time. */
const NUMBERS_MAX = 65_536;

/** What we have told. */
export class ToldGroups {
  readonly #numbers = new GroupMap<number>();

  /** The number that the other side knows, or null. */
  find(group: GroupKey): number | null {
    return this.#numbers.get(group) ?? null;
  }

  /** The number to tell with this message; null: no more are given. */
  tell(group: GroupKey): number | null {
    const number = this.#numbers.size;
    if (number >= NUMBERS_MAX) return null;
    this.#numbers.set(group, number);
    return number;
  }

  clear(): void {
    this.#numbers.clear();
  }
}

/** What we were told. */
export class HeardGroups {
  #groups: GroupKey[] = [];

  find(number: number): GroupKey | null {
    return this.#groups[number] ?? null;
  }

  /** False when this is not the number that comes next. */
  hear(number: unknown, group: GroupKey): boolean {
    if (number !== this.#groups.length || number >= NUMBERS_MAX) return false;
    this.#groups.push(group);
    return true;
  }

  clear(): void {
    this.#groups = [];
  }
}
