/**
 * Reads the segments that a log had when a pass began, a piece at a time, newest first, and finds
 * bytes that changed while nobody looked: disks do that, and sendfile does not look. Reads only.
 * Thread: the shard's; a piece must be small, for a cold disk keeps the thread until it is read.
 */
import type { FilePosition, Offset } from '../base/units.js';
import { type BatchHeader, nextOffsetOf } from '../records/batch.js';
import { type DamageKind, scanBatches } from './batch-scan.js';
import { epochDamage } from './epoch-history.js';
import type { LogHealth } from './log-health.js';
import type { LogView } from './log-reader.js';
import type { Segment } from './segment.js';

/** The batch that must begin at `offset` is not what was appended there. */
export type ScrubFinding = { readonly kind: DamageKind; readonly offset: Offset };

export class LogScrub {
  readonly #view: LogView;
  readonly #health: LogHealth;
  /** What is to be looked at, the newest last; the last one is under way. */
  #left: Segment[];
  #position: FilePosition = 0;
  /** How long the segment under way was when it was begun. */
  #limit: FilePosition = 0;
  #nextOffset: Offset = 0;
  /** A segment that was cut since is begun anew. */
  #cuts = -1;
  /** Grows until the batch at hand fits. */
  #stretch = 1;
  #finding: ScrubFinding | null = null;

  constructor(view: LogView, health: LogHealth) {
    this.#view = view;
    this.#health = health;
    this.#left = [...view.segments];
  }

  get isDone(): boolean {
    return this.#left.length === 0;
  }

  /** The first damage met; the scrub ends there. */
  get finding(): ScrubFinding | null {
    return this.#finding;
  }

  /** Begins another pass, over what the log has now. */
  restart(): void {
    this.#left = [...this.#view.segments];
    this.#finding = null;
    this.#cuts = -1;
  }

  /** Looks at about so many bytes more and returns how many it were. Throws STORAGE_FAILED. */
  step(bytesMax: number): number {
    const segment = this.#left.at(-1);
    if (segment === undefined) return 0;
    if (!this.#view.segments.includes(segment)) return this.#next();
    if (segment.cuts !== this.#cuts) this.#begin(segment);
    if (this.#position >= this.#limit) return this.#next();
    return this.#look(segment, bytesMax * this.#stretch);
  }

  #look(segment: Segment, bytesMax: number): number {
    const from = this.#position;
    const to = Math.min(this.#limit, from + bytesMax);
    const { disk } = this.#view.home;
    const judge = (header: BatchHeader): DamageKind | null => this.#judge(header);
    const { end, damage } = this.#health.read(() =>
      scanBatches(disk, segment.file, from, to, 0, judge),
    );
    this.#position = end;
    if (damage !== null && (damage.kind !== 'torn-tail' || to === this.#limit)) {
      this.#finding = { kind: damage.kind, offset: this.#nextOffset };
      this.#left.length = 0;
    } else {
      // The piece may end inside a batch, and even inside its first one.
      this.#stretch = end === from ? this.#stretch * 2 : 1;
    }
    return to - from;
  }

  #judge(header: BatchHeader): DamageKind | null {
    const { epochs, start } = this.#view.state;
    if (header.baseOffset !== this.#nextOffset) return 'hole';
    const damage = epochDamage(epochs, start.offset, header);
    if (damage === null) this.#nextOffset = nextOffsetOf(header);
    return damage;
  }

  #begin(segment: Segment): void {
    this.#position = 0;
    this.#limit = segment.sizeBytes;
    this.#nextOffset = segment.baseOffset;
    this.#cuts = segment.cuts;
    this.#stretch = 1;
  }

  #next(): number {
    this.#left.pop();
    this.#cuts = -1;
    return 0;
  }
}
