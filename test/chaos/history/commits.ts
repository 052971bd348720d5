/**
 * Committed positions: each is a register that returns the last acknowledged commit (G4), of no
 * older a generation than the one that has owners (G3). A commit without an answer may take effect
 * at any time after it began, or never. Pure; a register keeps only the commits that can still be
 * read.
 */
import type { EventOf } from './events.js';
import type { Groups } from './groups.js';
import { OpenOperations } from './open-operations.js';
import type { Report } from './violation.js';

/** `start` and `end` are numbers of events: their order is that of real time. */
type Commit = {
  readonly offset: number;
  readonly token: string;
  readonly start: number;
  /** Infinity while nobody knows that it took effect. */
  end: number;
};

type Register = {
  readonly name: string;
  readonly group: string;
  readonly partition: string;
  /** Commits that may be the one in force. */
  candidates: Commit[];
  readonly reads: Set<Read>;
};

/** `allowed`: what was a candidate at any time since the read began. */
type Read = { readonly register: Register; readonly allowed: Set<Commit> };

type OpenCommit = {
  readonly register: Register;
  readonly commit: Commit;
  readonly generation: number;
  readonly assigned: number;
};

export class Commits {
  readonly #report: Report;
  readonly #groups: Groups;
  readonly #registers = new Map<string, Register>();
  readonly #commits = new OpenOperations<OpenCommit>();
  readonly #reads = new OpenOperations<Read>();
  #now = 0;

  constructor(report: Report, groups: Groups) {
    this.#report = report;
    this.#groups = groups;
  }

  commit({ op, group, partition, offset, token, generation }: EventOf<'commit'>): void {
    this.#now += 1;
    const register = this.#registerOf(group, partition);
    const commit: Commit = { offset, token, start: this.#now, end: Infinity };
    register.candidates.push(commit);
    for (const { allowed } of register.reads) allowed.add(commit);
    const assigned = this.#groups.assignedIn(group);
    this.#commits.begin(op, { register, commit, generation, assigned });
  }

  committed({ op }: EventOf<'committed'>): void {
    this.#now += 1;
    const { register, commit, generation, assigned } = this.#commits.end(op);
    commit.end = this.#now;
    overwriteBefore(register, commit);
    this.#groups.committed(register.group, generation, assigned);
  }

  refused({ op }: EventOf<'commit-refused'>): void {
    const { register, commit } = this.#commits.end(op);
    register.candidates = register.candidates.filter((candidate) => candidate !== commit);
    for (const { allowed } of register.reads) allowed.delete(commit);
  }

  unknown({ op }: EventOf<'commit-unknown'>): void {
    this.#commits.end(op);
  }

  positionAsked({ op, group, partition }: EventOf<'position-asked'>): void {
    const register = this.#registerOf(group, partition);
    const read: Read = { register, allowed: new Set(register.candidates) };
    register.reads.add(read);
    this.#reads.begin(op, read);
  }

  position({ op, offset, token }: EventOf<'position'>): void {
    const { register, allowed } = this.#endRead(op);
    const found = [...allowed].find((commit) => commit.token === token);
    if (found === undefined || found.offset !== offset) {
      const wanted = [...allowed].map((commit) => `${commit.offset} (${commit.token})`).join(', ');
      this.#report('G4', `${register.name}: read ${offset} (${token}), committed was ${wanted}`);
      return;
    }
    overwriteBefore(register, found);
    this.#groups.positioned(register.group, register.partition, offset);
  }

  positionGaveUp({ op }: EventOf<'position-gave-up'>): void {
    this.#endRead(op);
  }

  #endRead(op: number): Read {
    const read = this.#reads.end(op);
    read.register.reads.delete(read);
    return read;
  }

  #registerOf(group: string, partition: string): Register {
    const name = `${group} ${partition}`;
    const known = this.#registers.get(name);
    if (known !== undefined) return known;
    const none: Commit = { offset: -1, token: '', start: 0, end: 0 };
    const register = { name, group, partition, candidates: [none], reads: new Set<Read>() };
    this.#registers.set(name, register);
    return register;
  }
}

/** `commit` took effect: what was over before it began is not in force any more. */
function overwriteBefore(register: Register, commit: Commit): void {
  register.candidates = register.candidates.filter(({ end }) => end >= commit.start);
}
