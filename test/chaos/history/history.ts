/**
 * The history checker: events in the order of real time in, violations by invariant id out. Pure,
 * linear in the number of events; each noun keeps what it needs and forgets the rest. Its promise:
 * a violation is never explained away; only an outcome that nobody can know excuses anything.
 */
import { Commits } from './commits.js';
import type { HistoryEvent } from './events.js';
import { Groups } from './groups.js';
import { Leaders } from './leaders.js';
import { Offsets } from './offsets.js';
import { Places } from './places.js';
import { Readers } from './readers.js';
import type { Violation, ViolationId } from './violation.js';
import { type WriteCounts, Writes } from './writes.js';

export type Verdict = WriteCounts & { readonly violations: readonly Violation[] };

type Kind = HistoryEvent['kind'];
type Takers = { readonly [K in Kind]: (event: Extract<HistoryEvent, { kind: K }>) => void };

export class History {
  readonly #violations: Violation[] = [];
  readonly #writes: Writes;
  readonly #places: Places;
  readonly #groups: Groups;
  readonly #takers: Takers;
  /** How many events of each kind came: a watcher that saw nothing proves nothing. */
  readonly counts = new Map<Kind, number>();
  /**
   * Rot of a running node's files reaches clients, who see it by the checksum: while faults make
   * some, a damaged answer is refused and no violation, as long as a sound one comes.
   */
  readonly toleratesDamage: boolean;
  #ops = 0;

  constructor(toleratesDamage = false) {
    this.toleratesDamage = toleratesDamage;
    const report = (id: ViolationId, text: string): void => {
      this.#violations.push({ id, text });
    };
    this.#writes = new Writes(report);
    this.#places = new Places(report);
    this.#groups = new Groups(report);
    const readers = new Readers(report);
    const offsets = new Offsets(report);
    const leaders = new Leaders(report);
    const commits = new Commits(report, this.#groups);
    this.#takers = {
      ...this.#takersOfWrites(offsets),
      seek: (event) => readers.seek(event),
      given: (event) => readers.given(event),
      end: (event) => readers.end(event),
      batch: (event) => this.#places.batch(event),
      damaged: () => {
        // Its count is what matters.
      },
      record: (event) => this.#writes.record(event),
      asked: (event) => offsets.asked(event),
      told: (event) => offsets.told(event),
      'out-of-range': (event) => offsets.outOfRange(event),
      'gave-up': ({ op }) => offsets.gaveUp(op),
      leader: (event) => leaders.leader(event),
      'group-asked': (event) => this.#groups.asked(event),
      joined: (event) => this.#groups.joined(event),
      assigned: (event) => this.#groups.assigned(event),
      confirmed: (event) => this.#groups.confirmed(event),
      'group-gave-up': ({ op }) => this.#groups.gaveUp(op),
      died: (event) => this.#groups.died(event),
      'group-read': (event) => this.#groups.read(event),
      'group-at': ({ group, partition, offset }) => {
        this.#groups.positioned(group, partition, offset);
      },
      commit: (event) => commits.commit(event),
      committed: (event) => commits.committed(event),
      'commit-refused': (event) => commits.refused(event),
      'commit-unknown': (event) => commits.unknown(event),
      'position-asked': (event) => commits.positionAsked(event),
      position: (event) => commits.position(event),
      'position-gave-up': (event) => commits.positionGaveUp(event),
    };
  }

  note(event: HistoryEvent): void {
    this.counts.set(event.kind, (this.counts.get(event.kind) ?? 0) + 1);
    const take = this.#takers[event.kind] as (event: HistoryEvent) => void;
    take(event);
  }

  /** A number for the next operation. */
  nextOp(): number {
    this.#ops += 1;
    return this.#ops;
  }

  /** Records that were acknowledged so far. */
  get ackedRecords(): number {
    return this.#writes.ackedRecords;
  }

  /** End of what is acknowledged in a partition so far. */
  ackedEnd(partition: string): number {
    return this.#writes.ackedEnd(partition);
  }

  /**
   * Call it once, when the last reading is over. `endMs`: when group members were told to end, on
   * the clock of the events.
   */
  verdict(endMs = 0): Verdict {
    const counts = this.#writes.judge();
    this.#places.judge();
    this.#groups.judge(endMs);
    return { ...counts, violations: this.#violations };
  }

  #takersOfWrites(offsets: Offsets) {
    const writes = this.#writes;
    return {
      sent: (event) => writes.sent(event),
      acked: (event) => {
        offsets.acked(writes.partitionOf(event), writes.acked(event), event.epoch);
      },
      refused: (event) => writes.refused(event),
      unknown: (event) => writes.unknown(event),
      'sequence-refused': (event) => writes.sequenceRefused(event),
      'answered-again': (event) => writes.answeredAgain(event),
    } satisfies Partial<Takers>;
  }
}
