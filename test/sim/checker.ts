/**
 * The judge. It sees every entry that any replica takes, every commit, every leader, every
 * acknowledgement, and keeps one truth for all of them. Entries are known by a chain hash over the
 * whole prefix, so that "the same entry" means "the same log up to here".
 */
import { groupText, type GroupKey } from '#src/base/group.js';
import { comparePositions, formatPosition, type Position } from '#src/base/position.js';
import { Violation, type World } from './world.js';

/** One entry of a replica's log. */
export type Link = {
  readonly end: Position;
  readonly epoch: number;
  /** Hash of everything up to and with this entry. */
  readonly chain: number;
};

/** What the checker asks of a replica. */
export type Witness = {
  readonly nodeId: number;
  /** Entries in order; `base` is the chain below the first. */
  readonly links: readonly Link[];
  /** Everything below is durable in the eyes of the log itself, also while the node is down. */
  readonly durableEnd: Position;
};

export class Checker {
  readonly #world: World;
  readonly #voters: number;
  readonly #group: string;
  /** (epoch, end position) → chain: R3 and R11. */
  readonly #entries = new Map<string, number>();
  /** end position → link, of everything some replica called committed. */
  readonly #committed = new Map<string, Link>();
  #committedEnd: Position = { offset: 0, marks: 0 };
  #committedEpoch = -1;
  /** Last link that was committed while this term, or an older one, was the newest with commits. */
  readonly #lastOfTerm: { readonly term: number; last: Link }[] = [];
  readonly #leaders = new Map<number, number>();
  readonly #votes = new Map<string, number>();
  /** offset → identity of the acknowledged batch. */
  readonly #acked = new Map<number, number>();
  #ackedEnd = 0;

  constructor(world: World, voters: number, group: GroupKey) {
    this.#world = world;
    this.#voters = voters;
    this.#group = groupText(group);
  }

  get committedEnd(): Position {
    return this.#committedEnd;
  }

  get acked(): number {
    return this.#acked.size;
  }

  /** Offset behind the last acknowledged record. */
  get ackedEnd(): number {
    return this.#ackedEnd;
  }

  /** A replica took an entry, or was found with one at start. */
  onEntry(nodeId: number, link: Link): void {
    const key = `${link.epoch}@${formatPosition(link.end)}`;
    const known = this.#entries.get(key);
    if (known === undefined) this.#entries.set(key, link.chain);
    else if (known !== link.chain) {
      throw new Violation('R3', `${this.#group}: node ${nodeId} has another log at ${key}`);
    }
  }

  /** Chain below a log's start, for a replica that no longer has the entries. */
  chainAt(epoch: number, end: Position): number {
    if (end.offset === 0 && end.marks === 0) return 0;
    return this.#entries.get(`${epoch}@${formatPosition(end)}`) ?? 0;
  }

  onVote(voter: number, term: number, candidate: number): void {
    const key = `${voter}/${term}`;
    const before = this.#votes.get(key);
    if (before === undefined) this.#votes.set(key, candidate);
    else if (before !== candidate) {
      throw new Violation('R6', `node ${voter} voted for ${before} and ${candidate} in ${term}`);
    }
  }

  onLeader(witness: Witness, term: number): void {
    const known = this.#leaders.get(term);
    if (known !== undefined) {
      const invariant = known === witness.nodeId ? 'R7' : 'R1';
      throw new Violation(invariant, `nodes ${known} and ${witness.nodeId} lead term ${term}`);
    }
    this.#leaders.set(term, witness.nodeId);
    this.#world.note(`leader ${witness.nodeId} term ${term}`);
    // Only what older leaders committed: a paused node may learn late that it was elected.
    const last = this.#lastOfTerm.findLast((entry) => entry.term < term)?.last;
    if (last === undefined) return;
    const own = linkAt(witness.links, last.end);
    if (own?.chain !== last.chain) {
      const at = formatPosition(last.end);
      throw new Violation('R4', `leader ${witness.nodeId} of term ${term} lacks ${at}`);
    }
  }

  /** A replica learned that everything below `commit` is committed. */
  onCommit(
    witness: Witness,
    from: Position,
    commit: Position,
    term: number,
    isLeader: boolean,
    all: readonly Witness[],
  ): void {
    if (isLeader) this.#checkLeaderCommit(witness, commit, term, all);
    for (const link of linksBetween(witness.links, from, commit)) {
      const key = formatPosition(link.end);
      const known = this.#committed.get(key);
      if (known === undefined) this.#addCommitted(witness.nodeId, link, term);
      else if (known.chain !== link.chain) {
        throw new Violation('K3', `node ${witness.nodeId} commits another log at ${key}`);
      }
    }
  }

  #addCommitted(nodeId: number, link: Link, term: number): void {
    const isBelow = comparePositions(link.end, this.#committedEnd) <= 0;
    if (isBelow || link.epoch < this.#committedEpoch) {
      const at = formatPosition(link.end);
      throw new Violation(
        'K3',
        `node ${nodeId} commits ${at} where others committed something else`,
      );
    }
    this.#committed.set(formatPosition(link.end), link);
    this.#committedEnd = link.end;
    this.#committedEpoch = link.epoch;
    const newest = this.#lastOfTerm.at(-1);
    if (newest === undefined || newest.term < term) this.#lastOfTerm.push({ term, last: link });
    else newest.last = link;
  }

  #checkLeaderCommit(
    witness: Witness,
    commit: Position,
    term: number,
    all: readonly Witness[],
  ): void {
    const link = linkAt(witness.links, commit);
    if (link === undefined) {
      throw new Violation(
        'R8',
        `leader ${witness.nodeId} commits ${formatPosition(commit)} unseen`,
      );
    }
    if (link.epoch !== term) {
      throw new Violation('R8', `leader of ${term} commits an entry of ${link.epoch} by counting`);
    }
    const holders = all.filter(
      (other) =>
        comparePositions(other.durableEnd, commit) >= 0 &&
        linkAt(other.links, commit)?.chain === link.chain,
    );
    if (holders.length * 2 <= this.#voters) {
      const ids = holders.map((other) => other.nodeId).join(',');
      const at = formatPosition(commit);
      throw new Violation('R9', `leader ${witness.nodeId} commits ${at}, durable on [${ids}] only`);
    }
  }

  /** A producer was told that its batch is safe. */
  onAck(offset: number, records: number, crc: number): void {
    const before = this.#acked.get(offset);
    if (before !== undefined && before !== crc) {
      throw new Violation('K3', `two batches acknowledged at offset ${offset}`);
    }
    this.#acked.set(offset, crc);
    this.#ackedEnd = Math.max(this.#ackedEnd, offset + records);
  }

  /** What a reader sees of a whole log up to its high watermark: `crcs` by base offset. */
  onFinalRead(
    nodeId: number,
    highWatermark: number,
    logStartOffset: number,
    crcs: ReadonlyMap<number, number>,
  ): void {
    for (const [offset, crc] of this.#acked) {
      if (offset < logStartOffset || crcs.get(offset) === crc) continue;
      throw new Violation('K1', `node ${nodeId} has lost the acknowledged batch at ${offset}`);
    }
    if (highWatermark < this.#ackedEnd) {
      throw new Violation('K1', `node ${nodeId} ends at ${highWatermark} of ${this.#ackedEnd}`);
    }
  }

  /** A leader confirmed by a quorum answers "latest": it knows every earlier acknowledgement. */
  onLatest(nodeId: number, ackedBefore: number, answer: number): void {
    if (answer >= ackedBefore) return;
    throw new Violation(
      'K7',
      `node ${nodeId} answers ${answer}, but ${ackedBefore} was acknowledged`,
    );
  }
}

/** The entry that ends at `end`. */
export function linkAt(links: readonly Link[], end: Position): Link | undefined {
  const link = links[firstAtOrBehind(links, end)];
  return link !== undefined && comparePositions(link.end, end) === 0 ? link : undefined;
}

function* linksBetween(links: readonly Link[], from: Position, to: Position): Iterable<Link> {
  for (let i = firstAtOrBehind(links, from); i < links.length; i++) {
    const link = links[i] as Link;
    if (comparePositions(link.end, to) > 0) return;
    if (comparePositions(link.end, from) > 0) yield link;
  }
}

/** Index of the first entry that ends at or behind a place. */
function firstAtOrBehind(links: readonly Link[], end: Position): number {
  let low = 0;
  let high = links.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (comparePositions((links[middle] as Link).end, end) < 0) low = middle + 1;
    else high = middle;
  }
  return low;
}
