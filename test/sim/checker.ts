/**
 * The judge of one group's replicas. It sees every entry that any replica takes, every commit and
 * every leader, and keeps one truth for all of them. Entries are known by a chain hash over the
 * whole prefix, so that "the same entry" means "the same log up to here". What clients see is
 * judged against this truth by `history.ts`. Work per event is that of the new entries only.
 */
import { comparePositions, formatPosition, ORIGIN, type Position } from '#src/base/position.js';
import type { KnownBatches, SentBatch } from './batches.js';
import { Violation, type World } from './world.js';

/** One entry of a replica's log. */
export type Link = {
  readonly end: Position;
  readonly epoch: number;
  /** Hash of everything up to and with this entry. */
  readonly chain: number;
  /** What a batch holds; null for a mark. */
  readonly batch: BatchFacts | null;
  /** What a log-start mark says, else -1. */
  readonly logStartOffset: number;
};

export type BatchFacts = {
  readonly baseOffset: number;
  readonly crc: number;
  readonly producerId: number;
  readonly producerEpoch: number;
  readonly baseSequence: number;
};

/** What the checker asks of a replica. */
export type Witness = {
  readonly nodeId: number;
  /** Whether this node is (still) the voter it was founded as. */
  readonly isVoter: boolean;
  /** Entries in order. */
  readonly links: readonly Link[];
  /** Everything below is durable in the eyes of the log itself, also while the node is down. */
  readonly durableEnd: Position;
  /** What it held durably when its disk was wiped or damaged: its earlier words rest on that. */
  readonly ghosts: readonly Ghost[];
};

export type Ghost = { readonly links: readonly Link[]; readonly durableEnd: Position };

/** A committed batch, and where it lies. */
export type Committed = {
  readonly baseOffset: number;
  readonly nextOffset: number;
  readonly epoch: number;
  readonly crc: number;
  readonly sent: SentBatch;
};

type Tail = { readonly epoch: number; readonly nextSequence: number; readonly baseOffset: number };

const MARKS = 2 ** 16;

export class Checker {
  readonly name: string;
  /** Committed batches in order; offsets are dense. */
  readonly batches: Committed[] = [];
  /** Where log-start marks that are committed have moved the start. */
  logStartOffset = 0;
  readonly #world: World;
  readonly #voters: number;
  readonly #sent: KnownBatches;
  /** epoch → end position → chain: R3 and R11. */
  readonly #entries = new Map<number, Map<number, number>>();
  /** end position → link, of everything some replica called committed. */
  readonly #committed = new Map<number, Link>();
  #committedEnd: Position = ORIGIN;
  #committedEpoch = -1;
  /** Last link that was committed while this term, or an older one, was the newest with commits. */
  readonly #lastOfTerm: { readonly term: number; last: Link }[] = [];
  readonly #leaders = new Map<number, number>();
  readonly #votes = new Map<number, number>();
  /** producer → its newest committed batch: P1 and P4. */
  /** Sequences that a leader skipped because it had forgotten the producer. */
  readonly #gaps = new Map<number, { readonly epoch: number; readonly upTo: number }>();
  /** Where each committed batch lies; when trimmed and sent again, where it lay last. */
  readonly #places = new Map<SentBatch, number>();
  readonly #tails = new Map<number, Tail>();

  constructor(world: World, voters: number, name: string, sent: KnownBatches) {
    this.#world = world;
    this.#voters = voters;
    this.name = name;
    this.#sent = sent;
  }

  get committedEnd(): Position {
    return this.#committedEnd;
  }

  /** A replica took an entry, or was found with one at start. */
  onEntry(nodeId: number, link: Link): void {
    let ofEpoch = this.#entries.get(link.epoch);
    if (ofEpoch === undefined) {
      ofEpoch = new Map();
      this.#entries.set(link.epoch, ofEpoch);
    }
    const key = keyOf(link.end);
    const known = ofEpoch.get(key);
    if (known === undefined) ofEpoch.set(key, link.chain);
    else if (known !== link.chain) {
      const at = `${link.epoch}@${formatPosition(link.end)}`;
      throw new Violation('R3', `${this.name}: node ${nodeId} has another log at ${at}`);
    }
  }

  /** Chain below a log's start, for a replica that no longer has the entries. */
  chainAt(epoch: number, end: Position): number {
    if (end.offset === 0 && end.marks === 0) return 0;
    return this.#entries.get(epoch)?.get(keyOf(end)) ?? 0;
  }

  onVote(voter: number, term: number, candidate: number): void {
    const key = term * 16 + voter;
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
    this.#world.note(`${this.name}: leader ${witness.nodeId} term ${term}`);
    if (!witness.isVoter) throw new Violation('R12', `stranger ${witness.nodeId} leads ${term}`);
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
    const { links } = witness;
    for (let i = firstAtOrBehind(links, from); i < links.length; i++) {
      const link = links[i] as Link;
      if (comparePositions(link.end, commit) > 0) return;
      if (comparePositions(link.end, from) === 0) continue;
      const known = this.#committed.get(keyOf(link.end));
      if (known === undefined) this.#addCommitted(witness.nodeId, link, term);
      else if (known.chain !== link.chain) {
        const at = formatPosition(link.end);
        throw new Violation('K3', `node ${witness.nodeId} commits another log at ${at}`);
      }
    }
  }

  #addCommitted(nodeId: number, link: Link, term: number): void {
    const isBelow = comparePositions(link.end, this.#committedEnd) <= 0;
    if (isBelow || link.epoch < this.#committedEpoch) {
      const at = formatPosition(link.end);
      const invariant = isBelow ? 'K3' : 'K9';
      throw new Violation(invariant, `node ${nodeId} commits ${at}, others something else there`);
    }
    this.#committed.set(keyOf(link.end), link);
    if (link.batch !== null) this.#addBatch(link.batch, link);
    this.logStartOffset = Math.max(this.logStartOffset, link.logStartOffset);
    this.#committedEnd = link.end;
    this.#committedEpoch = link.epoch;
    const newest = this.#lastOfTerm.at(-1);
    if (newest === undefined || newest.term < term) this.#lastOfTerm.push({ term, last: link });
    else newest.last = link;
  }

  #addBatch(facts: BatchFacts, { end, epoch }: Link): void {
    const { baseOffset, crc } = facts;
    const sent = this.#sent.find(facts);
    if (sent === undefined || sent.crc !== crc) {
      throw new Violation('K2', `${this.name}: nobody sent what is committed at ${baseOffset}`);
    }
    if (baseOffset !== this.#committedEnd.offset) {
      throw new Violation('K5', `${this.name}: a hole before ${baseOffset}`);
    }
    if (facts.producerId >= 0) this.#checkSequence(facts, sent);
    this.#places.set(sent, baseOffset);
    this.batches.push({ baseOffset, nextOffset: end.offset, epoch, crc, sent });
  }

  /** P1: once and in order. Who was forgotten with its trimmed batches may begin anywhere. */
  #checkSequence(facts: BatchFacts, sent: SentBatch): void {
    const { producerId, producerEpoch, baseSequence, baseOffset } = facts;
    const tail = this.#tails.get(producerId);
    if (tail !== undefined && tail.baseOffset >= this.logStartOffset) {
      const at = `${this.name}: producer ${producerId} at ${baseOffset}`;
      if (producerEpoch < tail.epoch) throw new Violation('P4', `${at} uses an old epoch`);
      const expected = producerEpoch > tail.epoch ? 0 : tail.nextSequence;
      if (baseSequence !== expected) {
        throw new Violation('P1', `${at} has sequence ${baseSequence}, expected ${expected}`);
      }
    } else if (tail !== undefined && baseSequence !== tail.nextSequence) {
      this.#world.branch('producer-forgotten-with-its-batches');
      const upTo = Math.max(baseSequence, tail.nextSequence + 1);
      this.#gaps.set(producerId, { epoch: producerEpoch, upTo });
    }
    const nextSequence = baseSequence + sent.records;
    this.#tails.set(producerId, { epoch: producerEpoch, nextSequence, baseOffset });
  }

  /** False when a leader may have forgotten this batch, or its producer, because it was trimmed. */
  mustKnow(sent: SentBatch): boolean {
    const tail = this.#tails.get(sent.producerId);
    const gap = this.#gaps.get(sent.producerId);
    const isInGap = gap?.epoch === sent.producerEpoch && sent.baseSequence < gap.upTo;
    if (isInGap) return false;
    const place = this.#places.get(sent) ?? Number.POSITIVE_INFINITY;
    return Math.min(place, tail?.baseOffset ?? -1) >= this.logStartOffset;
  }

  /** The committed batch that holds `offset`. */
  batchOf(offset: number): Committed | undefined {
    let low = 0;
    let high = this.batches.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if ((this.batches[middle] as Committed).nextOffset <= offset) low = middle + 1;
      else high = middle;
    }
    return this.batches[low];
  }

  #checkLeaderCommit(
    witness: Witness,
    commit: Position,
    term: number,
    all: readonly Witness[],
  ): void {
    const at = formatPosition(commit);
    const link = linkAt(witness.links, commit);
    if (link === undefined) {
      throw new Violation('R8', `leader ${witness.nodeId} commits ${at} unseen`);
    }
    if (link.epoch !== term) {
      throw new Violation('R8', `leader of ${term} commits an entry of ${link.epoch} by counting`);
    }
    let holders = 0;
    for (const other of all) {
      const isHolder = (held: Ghost): boolean =>
        comparePositions(held.durableEnd, commit) >= 0 &&
        linkAt(held.links, commit)?.chain === link.chain;
      if ((other.isVoter && isHolder(other)) || other.ghosts.some(isHolder)) holders++;
    }
    if (holders * 2 <= this.#voters) {
      const what = `leader ${witness.nodeId} commits ${at}, durable on ${holders}`;
      throw new Violation('R9', `${this.name}: ${what}`);
    }
  }
}

/** The entry that ends at `end`. */
export function linkAt(links: readonly Link[], end: Position): Link | undefined {
  const last = links.at(-1);
  if (last !== undefined && comparePositions(last.end, end) === 0) return last;
  const link = links[firstAtOrBehind(links, end)];
  return link !== undefined && comparePositions(link.end, end) === 0 ? link : undefined;
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

function keyOf({ offset, marks }: Position): number {
  return offset * MARKS + marks;
}
