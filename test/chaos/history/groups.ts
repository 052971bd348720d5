/**
 * Consumer groups as their members see them: generations rise and have one leader (G2), in each a
 * partition has one owner and no owner is confirmed when a later generation has owners (G1), an old
 * generation commits nothing (G3), positions are not ahead of what was read (G5), and what a dead
 * member owned is owned again in time (G6). Pure.
 */
import { Coverage } from './coverage.js';
import type { EventOf } from './events.js';
import { OpenOperations } from './open-operations.js';
import type { Report } from './violation.js';

/** Session and rebalance of the members in a run, and the failover of a coordinator, twice over. */
export const ORPHAN_MS_MAX = 40_000;

type Death = {
  readonly member: string;
  /** The newest that had owners when it died, and partitions it owned there. */
  readonly generation: number;
  readonly owned: number;
  readonly atMs: number;
  /** What the group had heard by then. */
  readonly heard: Heard;
};

/** Questions of the members and what came of them: says how alive a group was that took long. */
type Heard = { asked: number; joined: number; assigned: number; confirmed: number };

type Group = {
  readonly name: string;
  /** Highest generation of an answered join, and of an answered sync. */
  joined: number;
  assigned: number;
  readonly leaders: Map<number, string>;
  /** `generation partition` → member. */
  readonly owners: Map<string, string>;
  readonly reads: Map<string, Coverage>;
  deaths: Death[];
  readonly heard: Heard;
};

/** What was over when the operation began. */
type Asked = { readonly group: Group; readonly joined: number; readonly assigned: number };

export class Groups {
  readonly #report: Report;
  readonly #groups = new Map<string, Group>();
  readonly #open = new OpenOperations<Asked>();

  constructor(report: Report) {
    this.#report = report;
  }

  asked({ op, group: name }: EventOf<'group-asked'>): void {
    const group = this.#groupOf(name);
    group.heard.asked += 1;
    this.#open.begin(op, { group, joined: group.joined, assigned: group.assigned });
  }

  gaveUp(op: number): void {
    this.#open.end(op);
  }

  joined({ op, generation, leader }: EventOf<'joined'>): void {
    const { group, joined } = this.#open.end(op);
    group.heard.joined += 1;
    if (generation < joined) {
      this.#report('G2', `${group.name}: generation ${generation} after ${joined}`);
    }
    const known = group.leaders.get(generation);
    if (known === undefined) group.leaders.set(generation, leader);
    else if (known !== leader) {
      const what = `generation ${generation} is led by ${known} and by ${leader}`;
      this.#report('G2', `${group.name}: ${what}`);
    }
    group.joined = Math.max(group.joined, generation);
  }

  assigned(event: EventOf<'assigned'>): void {
    const { generation, member, partitions, atMs } = event;
    const { group, assigned } = this.#open.end(event.op);
    group.heard.assigned += 1;
    this.#checkCurrent(group, generation, assigned, `${member} was given its partitions`);
    for (const partition of partitions) {
      const name = `${generation} ${partition}`;
      const owner = group.owners.get(name) ?? member;
      group.owners.set(name, owner);
      if (owner === member) continue;
      const what = `generation ${generation}: ${partition} belongs to ${owner} and to ${member}`;
      this.#report('G1', `${group.name}: ${what}`);
    }
    group.assigned = Math.max(group.assigned, generation);
    if (partitions.length > 0) this.#bury(group, member, generation, atMs);
  }

  confirmed({ op, generation, member }: EventOf<'confirmed'>): void {
    const { group, assigned } = this.#open.end(op);
    group.heard.confirmed += 1;
    this.#checkCurrent(group, generation, assigned, `${member} was confirmed`);
  }

  died({ group: name, member, atMs }: EventOf<'died'>): void {
    const group = this.#groupOf(name);
    const { assigned: generation, owners, heard } = group;
    const isOwned = ([place, owner]: [string, string]): boolean =>
      owner === member && place.startsWith(`${generation} `);
    const owned = [...owners].filter(isOwned).length;
    group.deaths.push({ member, generation, owned, atMs, heard: { ...heard } });
  }

  read({ group, partition, from, to }: EventOf<'group-read'>): void {
    const { reads } = this.#groupOf(group);
    const coverage = reads.get(partition) ?? new Coverage();
    coverage.add(from, to);
    reads.set(partition, coverage);
  }

  /** A commit of `generation` was taken; `assigned` as {@link assignedIn} was when it began. */
  committed(name: string, generation: number, assigned: number): void {
    if (generation >= assigned) return;
    this.#report('G3', `${name}: commit of generation ${generation} after ${assigned} began`);
  }

  /** The newest generation that has owners. */
  assignedIn(group: string): number {
    return this.#groupOf(group).assigned;
  }

  /** The group's position is `offset`. */
  positioned(name: string, partition: string, offset: number): void {
    const gap = this.#groupOf(name).reads.get(partition)?.firstGap ?? 0;
    if (offset <= gap) return;
    this.#report('G5', `${name}: ${partition} is at ${offset}, ${gap} was read by nobody`);
  }

  /** Members were told to end at `endMs`: what died before may have no heir since. */
  judge(endMs: number): void {
    for (const group of this.#groups.values()) {
      for (const death of group.deaths) this.#checkDeath(group, death, endMs);
    }
  }

  #checkCurrent(group: Group, generation: number, assigned: number, what: string): void {
    if (generation >= assigned) return;
    this.#report('G1', `${group.name}: ${what} in ${generation} after ${assigned} had owners`);
  }

  /** Somebody else owns partitions in a later generation: who died before it has no more. */
  #bury(group: Group, heir: string, generation: number, atMs: number): void {
    const isOver = (death: Death): boolean =>
      death.member !== heir && generation > death.generation;
    for (const death of group.deaths.filter(isOver)) {
      this.#checkDeath(group, death, atMs);
    }
    group.deaths = group.deaths.filter((death) => !isOver(death));
  }

  #checkDeath({ name, heard }: Group, death: Death, heirAtMs: number): void {
    const { member, generation, owned, atMs, heard: before } = death;
    const ms = heirAtMs - atMs;
    if (ms <= ORPHAN_MS_MAX) return;
    const since = (kind: keyof Heard): string => `${heard[kind] - before[kind]} ${kind}`;
    this.#report(
      'G6',
      [
        `${name}: ${Math.round(ms)} ms without an heir of ${member}`,
        `${owned} partitions of generation ${generation}`,
        `died ${Math.round(atMs / 1_000)} s into the process`,
        `since then ${since('asked')}, ${since('joined')}, ${since('assigned')}`,
        since('confirmed'),
      ].join(', '),
    );
  }

  #groupOf(name: string): Group {
    const known = this.#groups.get(name);
    if (known !== undefined) return known;
    const group: Group = {
      name,
      joined: -1,
      assigned: -1,
      leaders: new Map(),
      owners: new Map(),
      reads: new Map(),
      deaths: [],
      heard: { asked: 0, joined: 0, assigned: 0, confirmed: 0 },
    };
    this.#groups.set(name, group);
    return group;
  }
}
