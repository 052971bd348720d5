/**
 * Simulated time and everything that is counted: one heap of events, one rolling hash over what
 * happened, counters of faults and branches. Two runs of a seed have the same hash.
 */
import { EventHeap } from './event-heap.js';

/** A broken invariant, by its id in RELIABILITY.md. Ends the run. */
export class Violation extends Error {
  override readonly name = 'Violation';
  readonly invariant: string;

  constructor(invariant: string, message: string) {
    super(`${invariant}: ${message}`);
    this.invariant = invariant;
  }
}

export type Counts = Record<string, number>;

export class World {
  nowMs = 0;
  events = 0;
  readonly faults: Counts = {};
  readonly branches: Counts = {};
  readonly isTraced: boolean;
  readonly #heap = new EventHeap();
  #hash = 0x811c9dc5;

  constructor(isTraced = false) {
    this.isTraced = isTraced;
  }

  get hash(): number {
    return this.#hash >>> 0;
  }

  at(atMs: number, run: () => void): void {
    this.#heap.push(atMs > this.nowMs ? atMs : this.nowMs, run);
  }

  after(delayMs: number, run: () => void): void {
    this.#heap.push(this.nowMs + delayMs, run);
  }

  /** Runs everything up to a time; `isOver` ends it early. */
  runUntil(endMs: number, isOver: () => boolean = () => false): void {
    const heap = this.#heap;
    while (!isOver()) {
      if (heap.nextMs > endMs) {
        this.nowMs = Math.max(this.nowMs, endMs);
        return;
      }
      const event = heap.pop();
      if (event === undefined) return;
      this.nowMs = event.atMs;
      this.events++;
      this.mix(Math.floor(event.atMs * 1024));
      event.run();
    }
  }

  /** A fault that really happened. */
  fault(kind: string): void {
    this.faults[kind] = (this.faults[kind] ?? 0) + 1;
    this.note(`fault ${kind}`);
  }

  /** A fault too frequent to be noted one by one. */
  count(kind: string): void {
    this.faults[kind] = (this.faults[kind] ?? 0) + 1;
  }

  branch(name: string): void {
    this.branches[name] = (this.branches[name] ?? 0) + 1;
  }

  /** A number that two runs of the same seed must share. */
  mix(value: number): void {
    this.#hash = Math.imul(this.#hash ^ value, 0x01000193);
  }

  /** For the trace only. */
  trace(text: () => string): void {
    if (this.isTraced) this.#say(text());
  }

  #say(text: string): void {
    process.stderr.write(`${this.nowMs.toFixed(2).padStart(12)} ${text}\n`);
  }

  /** Something worth repeating exactly: part of the hash, and of the trace when one is wanted. */
  note(text: string): void {
    for (let i = 0; i < text.length; i++) this.mix(text.charCodeAt(i));
    if (this.isTraced) this.#say(text);
  }
}

export function addCounts(to: Counts, from: Readonly<Counts>): void {
  for (const [name, count] of Object.entries(from)) to[name] = (to[name] ?? 0) + count;
}
