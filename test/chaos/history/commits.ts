/**
 * Committed positions: each is a register that returns the last acknowledged commit (G4), of no
 * older a generation than the one that has owners (G3). A commit without an answer may take effect
 * at any time after it began, or never. Pure; a register keeps only the commits that can still be
 * read.
 */
import type { HistoryEvent } from './events.js';
import type { Groups } from './groups.js';
import type { Report } from './violation.js';

type Event<K extends HistoryEvent['kind']> = Extract<HistoryEvent, { kind: K }>;

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
  readonly #commits = new Map<number, OpenCommit>();
  readonly #reads = new Map<number, Read>();
  #now = 0;

  constructor(report: Report, groups: Groups) {
    this.#report = report;
    this.#groups = groups;
  }

  commit({ op, group, partition, offset, token, generation }: Event<'commit'>): void {
    this.#now += 1;
    const register = this.#registerOf(group, partition);
    const commit: Commit = { offset, token, start: this.#now, end: Infinity };
    register.candidates.push(commit);
    for (const { allowed } of register.reads) allowed.add(commit);
    const assigned = this.#groups.assignedIn(group);
    this.#commits.set(op, { register, commit, generation, assigned });
  }

  committed({ op }: Event<'committed'>): void {
    this.#now += 1;
    const { register, commit, generation, assigned } = this.#takeCommit(op);
    commit.end = this.#now;
    overwriteBefore(register, commit);
    this.#groups.committed(register.group, generation, assigned);
  }

  refused({ op }: Event<'commit-refused'>): void {
    const { register, commit } = this.#takeCommit(op);
    register.candidates = register.candidates.filter((candidate) => candidate !== commit);
    for (const { allowed } of register.reads) allowed.delete(commit);
  }

  unknown({ op }: Event<'commit-unknown'>): void {
    this.#takeCommit(op);
  }

  positionAsked({ op, group, partition }: Event<'position-asked'>): void {
    const register = this.#registerOf(group, partition);
    const read: Read = { register, allowed: new Set(register.candidates) };
    register.reads.add(read);
    this.#reads.set(op, read);
  }

  position({ op, offset, token }: Event<'position'>): void {
    const { register, allowed } = this.#takeRead(op);
    const found = [...allowed].find((commit) => commit.token === token);
    if (found === undefined || found.offset !== offset) {
      const wanted = [...allowed].map((commit) => `${commit.offset} (${commit.token})`).join(', ');
      this.#report('G4', `${register.name}: read ${offset} (${token}), committed was ${wanted}`);
      return;
    }
    overwriteBefore(register, found);
    this.#groups.positioned(register.group, register.partition, offset);
  }

  positionGaveUp({ op }: Event<'position-gave-up'>): void {
    this.#takeRead(op);
  }

  #takeCommit(op: number): OpenCommit {
    const open = this.#commits.get(op);
    if (open === undefined) throw new Error(`commit ${op} did not begin`);
    this.#commits.delete(op);
    return open;
  }

  #takeRead(op: number): Read {
    const read = this.#reads.get(op);
    if (read === undefined) throw new Error(`operation ${op} was not asked`);
    this.#reads.delete(op);
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
