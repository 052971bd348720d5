/**
 * The members of one classic group and what they can agree on. Promise: the counts (who waits for a
 * join, who speaks which protocol, bytes) always equal what a walk over the members would give.
 * Pure; knows nothing of states, generations or time.
 */
import { assert } from '../base/assert.js';
import type { Deadline } from './deadlines.js';
import {
  EMPTY_BYTES,
  type JoinProtocol,
  type JoinResponse,
  type SyncResponse,
} from './group-types.js';

export type JoinDone = (response: JoinResponse) => void;
export type SyncDone = (response: SyncResponse) => void;

export type MemberIdentity = {
  readonly memberId: string;
  readonly groupInstanceId: string | null;
  readonly clientId: string;
  readonly clientHost: string;
};

export type MemberTerms = {
  readonly rebalanceTimeoutMs: number;
  readonly sessionTimeoutMs: number;
  /** In the member's order of preference; each name once. */
  readonly protocols: ReadonlyMap<string, Buffer>;
};

export type GroupMember = MemberIdentity & {
  terms: MemberTerms;
  assignment: Buffer;
  /** Its JoinGroup that waits for an answer; set through {@link Members} only. */
  join: JoinDone | null;
  /** Its SyncGroup that waits for the leader's assignment. */
  sync: SyncDone | null;
  /** True until its first join is answered: it knows no id yet and cannot heartbeat. */
  isNew: boolean;
  readonly session: Deadline;
};

export function newMember(
  { memberId, groupInstanceId, clientId, clientHost }: MemberIdentity,
  { rebalanceTimeoutMs, sessionTimeoutMs, protocols }: MemberTerms,
  session: Deadline,
): GroupMember {
  const identity = { memberId, groupInstanceId, clientId, clientHost };
  const terms = { rebalanceTimeoutMs, sessionTimeoutMs, protocols };
  return {
    ...identity,
    terms,
    assignment: EMPTY_BYTES,
    join: null,
    sync: null,
    isNew: true,
    session,
  };
}

export class Members {
  /** In the order of joining; the first takes over when a leader goes. */
  readonly #byId = new Map<string, GroupMember>();
  readonly #staticIds = new Map<string, string>();
  /** How many members support each protocol. */
  readonly #support = new Map<string, number>();
  #awaitingJoin = 0;
  #bytes = 0;

  get size(): number {
    return this.#byId.size;
  }

  /** Members whose JoinGroup waits. */
  get awaitingJoin(): number {
    return this.#awaitingJoin;
  }

  /** Upper bound of what the members take in the group's record, assignments excluded. */
  get bytes(): number {
    return this.#bytes;
  }

  all(): IterableIterator<GroupMember> {
    return this.#byId.values();
  }

  get(memberId: string): GroupMember | undefined {
    return this.#byId.get(memberId);
  }

  has(memberId: string): boolean {
    return this.#byId.has(memberId);
  }

  /** The member that holds a `group.instance.id` now. */
  staticMemberId(groupInstanceId: string): string | undefined {
    return this.#staticIds.get(groupInstanceId);
  }

  add(member: GroupMember): void {
    const { memberId, groupInstanceId } = member;
    assert(!this.#byId.has(memberId), 'member joins twice', { memberId });
    if (groupInstanceId !== null) {
      assert(!this.#staticIds.has(groupInstanceId), 'instance has a member', { groupInstanceId });
      this.#staticIds.set(groupInstanceId, memberId);
    }
    this.#byId.set(memberId, member);
    this.#count(member, 1);
    if (member.join !== null) this.#awaitingJoin += 1;
  }

  /** The caller has answered its waiters. */
  remove(member: GroupMember): void {
    assert(member.join === null && member.sync === null, 'a removed member waits', {
      memberId: member.memberId,
    });
    if (!this.#byId.delete(member.memberId)) return;
    if (member.groupInstanceId !== null) this.#staticIds.delete(member.groupInstanceId);
    this.#count(member, -1);
  }

  setTerms(member: GroupMember, terms: MemberTerms): void {
    this.#count(member, -1);
    member.terms = terms;
    this.#count(member, 1);
  }

  awaitJoin(member: GroupMember, done: JoinDone): void {
    if (member.join === null) this.#awaitingJoin += 1;
    member.join = done;
  }

  /** Takes the waiting JoinGroup, if there is one, so that it is answered once. */
  takeJoin(member: GroupMember): JoinDone | null {
    const done = member.join;
    if (done !== null) this.#awaitingJoin -= 1;
    member.join = null;
    return done;
  }

  /** A leader must be one that joined: `preferred` if it waits, else the first that does. */
  firstWaiting(preferred: string | null): string | null {
    if (preferred !== null && (this.get(preferred)?.join ?? null) !== null) return preferred;
    for (const { memberId, join } of this.all()) if (join !== null) return memberId;
    return null;
  }

  /** True when a member that offers `names` could join those who are here. */
  supportsAny(names: Iterable<string>): boolean {
    for (const name of names) if ((this.#support.get(name) ?? 0) === this.size) return true;
    return false;
  }

  /** The protocol that everybody supports and most prefer; the first voted for in a tie. */
  selectProtocol(): string {
    const votes = new Map<string, number>();
    for (const member of this.all()) {
      for (const name of member.terms.protocols.keys()) {
        if (this.#support.get(name) !== this.size) continue;
        votes.set(name, (votes.get(name) ?? 0) + 1);
        break;
      }
    }
    let best: string | null = null;
    let bestVotes = 0;
    for (const [name, count] of votes) {
      if (count <= bestVotes) continue;
      best = name;
      bestVotes = count;
    }
    assert(best !== null, 'no protocol in common', { members: this.size });
    return best;
  }

  /** The longest a member may take to rejoin. */
  rebalanceTimeoutMs(): number {
    let longest = 0;
    for (const { terms } of this.all()) longest = Math.max(longest, terms.rebalanceTimeoutMs);
    return longest;
  }

  #count(member: GroupMember, step: 1 | -1): void {
    for (const name of member.terms.protocols.keys()) {
      const count = (this.#support.get(name) ?? 0) + step;
      if (count === 0) this.#support.delete(name);
      else this.#support.set(name, count);
    }
    this.#bytes += step * memberBytes(member, member.terms);
  }
}

/** What a member takes in memory, and at most in the group's record (which has one protocol). */
export function memberBytes(identity: MemberIdentity, terms: MemberTerms): number {
  let metadata = 0;
  for (const bytes of terms.protocols.values()) metadata += bytes.length;
  return (
    24 +
    Buffer.byteLength(identity.memberId) +
    Buffer.byteLength(identity.groupInstanceId ?? '') +
    Buffer.byteLength(identity.clientId) +
    Buffer.byteLength(identity.clientHost) +
    metadata
  );
}

/** Copies the metadata out of the request; a name that comes twice counts once. */
export function copyProtocols(protocols: readonly JoinProtocol[]): Map<string, Buffer> {
  const copies = new Map<string, Buffer>();
  for (const { name, metadata } of protocols) {
    if (!copies.has(name)) copies.set(name, Buffer.from(metadata));
  }
  return copies;
}

/** Kafka's "the same metadata": names, their order and their bytes. */
export function isSameProtocols(
  a: ReadonlyMap<string, Buffer>,
  b: ReadonlyMap<string, Buffer>,
): boolean {
  if (a.size !== b.size) return false;
  const others = b.entries();
  for (const [name, metadata] of a) {
    const other = others.next().value;
    if (other === undefined || other[0] !== name || !other[1].equals(metadata)) return false;
  }
  return true;
}
