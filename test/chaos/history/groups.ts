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
};

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
    this.#open.begin(op, { group, joined: group.joined, assigned: group.assigned });
  }

  gaveUp(op: number): void {
    this.#open.end(op);
  }

  joined({ op, generation, leader }: EventOf<'joined'>): void {
    const { group, joined } = this.#open.end(op);
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
    this.#checkCurrent(group, generation, assigned, `${member} was confirmed`);
  }

  died({ group: name, member, atMs }: EventOf<'died'>): void {
    const group = this.#groupOf(name);
    const { assigned: generation, owners } = group;
    const isOwned = ([place, owner]: [string, string]): boolean =>
      owner === member && place.startsWith(`${generation} `);
    const owned = [...owners].filter(isOwned).length;
    group.deaths.push({ member, generation, owned, atMs });
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

  /** The run ended at `endMs`. */
  judge(endMs: number): void {
    for (const { name, deaths } of this.#groups.values()) {
      for (const death of deaths) this.#checkDeath(name, death, endMs);
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
      this.#checkDeath(group.name, death, atMs);
    }
    group.deaths = group.deaths.filter((death) => !isOver(death));
  }

  #checkDeath(group: string, { member, generation, owned, atMs }: Death, heirAtMs: number): void {
    const ms = heirAtMs - atMs;
    if (ms <= ORPHAN_MS_MAX) return;
    const what = `${owned} partitions of generation ${generation}`;
    const when = `died ${Math.round(atMs / 1_000)} s into the process`;
    this.#report(
      'G6',
      `${group}: ${Math.round(ms)} ms without an heir of ${member}, ${what}, ${when}`,
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
    };
    this.#groups.set(name, group);
    return group;
  }
}
