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

export class World {
  nowMs = 0;
  events = 0;
  readonly faults: Record<string, number> = {};
  readonly branches: Record<string, number> = {};
  readonly #heap = new EventHeap();
  readonly #isTraced: boolean;
  #hash = 0x811c9dc5;

  constructor(isTraced = false) {
    this.#isTraced = isTraced;
  }

  get hash(): number {
    return this.#hash >>> 0;
  }

  at(atMs: number, run: () => void): void {
    this.#heap.push(Math.max(atMs, this.nowMs), run);
  }

  after(delayMs: number, run: () => void): void {
    this.at(this.nowMs + delayMs, run);
  }

  /** Runs everything up to a time; `isOver` ends it early. */
  runUntil(endMs: number, isOver: () => boolean = () => false): void {
    while (!isOver()) {
      const event = this.#heap.pop();
      if (event === undefined) break;
      if (event.atMs > endMs) {
        this.#heap.push(event.atMs, event.run);
        break;
      }
      this.nowMs = event.atMs;
      this.events++;
      event.run();
    }
    this.nowMs = Math.max(this.nowMs, isOver() ? this.nowMs : endMs);
  }

  fault(kind: string): void {
    this.faults[kind] = (this.faults[kind] ?? 0) + 1;
    this.note(`fault ${kind}`);
  }

  branch(name: string): void {
    this.branches[name] = (this.branches[name] ?? 0) + 1;
  }

  /** Something worth repeating exactly: part of the hash, and of the trace when one is wanted. */
  note(text: string): void {
    let hash = this.#hash;
    for (let i = 0; i < text.length; i++) {
      hash = Math.imul(hash ^ text.charCodeAt(i), 0x01000193);
    }
    this.#hash = Math.imul(hash ^ Math.floor(this.nowMs * 16), 0x01000193);
    if (this.#isTraced) process.stderr.write(`${this.nowMs.toFixed(2).padStart(10)} ${text}\n`);
  }
}
