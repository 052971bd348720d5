/**
 * Makes a failing plan small: leaves out consumer groups, then faults, then operations, then nodes,
 * as long as the same invariant breaks. What is left is what somebody has to understand. Bounded
 * by runs and by time.
 */
import type { SimMutant } from './mutant.js';
import { type AnyPlan, run } from './scenario.js';
import { invariantOf } from './simulation.js';

export type Shrunk = { readonly plan: AnyPlan; readonly runs: number };

export type ShrinkOptions = {
  readonly mutant?: SimMutant | undefined;
  readonly runsMax?: number;
  readonly msMax?: number;
  readonly onProgress?: (plan: AnyPlan, runs: number) => void;
};

const RUNS_MAX = 600;
const MS_MAX = 60_000;

export function shrink(plan: AnyPlan, invariant: string, options: ShrinkOptions = {}): Shrunk {
  return new Shrinker(plan, invariant, options).run();
}

class Shrinker {
  readonly #invariant: string;
  readonly #o: ShrinkOptions;
  readonly #endMs: number;
  #best: AnyPlan;
  #runs = 0;

  constructor(plan: AnyPlan, invariant: string, options: ShrinkOptions) {
    this.#best = plan;
    this.#invariant = invariant;
    this.#o = options;
    this.#endMs = performance.now() + (options.msMax ?? MS_MAX);
  }

  run(): Shrunk {
    this.#removeConsumers();
    this.#shorten('faults');
    this.#shorten('operations');
    this.#removeNodes();
    // What the operations hid may now be superfluous.
    this.#shorten('faults');
    return { plan: this.#best, runs: this.#runs };
  }

  /** Leaves out ever smaller pieces, from half of the list down to single entries. */
  #shorten(part: 'faults' | 'operations'): void {
    let size = Math.ceil(this.#best[part].length / 2);
    while (size >= 1 && !this.#isOver) {
      let hasShrunk = false;
      for (let from = 0; from < this.#best[part].length && !this.#isOver; ) {
        const all: readonly unknown[] = this.#best[part];
        const rest = [...all.slice(0, from), ...all.slice(from + size)];
        if (this.#try({ ...this.#best, [part]: rest })) hasShrunk = true;
        else from += size;
      }
      if (size === 1 && !hasShrunk) return;
      size = size === 1 ? 1 : Math.ceil(size / 2);
    }
  }

  #removeConsumers(): void {
    const best = this.#best;
    if (best.profile === 'control' || best.coordinator === null) return;
    const operations = best.operations.filter(({ operation }) => operation.kind !== 'member');
    this.#try({ ...best, coordinator: null, operations });
  }

  #removeNodes(): void {
    while (this.#best.nodes > 3 && !this.#isOver) {
      const nodes = this.#best.nodes - 2;
      const faults = this.#best.faults.filter(({ fault }) => {
        const named = Object.entries(fault).filter(([key]) => NODE_KEYS.has(key));
        return named.every(([, value]) => (value as number) <= nodes);
      });
      if (!this.#try({ ...this.#best, nodes, faults })) return;
    }
  }

  get #isOver(): boolean {
    return this.#runs >= (this.#o.runsMax ?? RUNS_MAX) || performance.now() >= this.#endMs;
  }

  #try(plan: AnyPlan): boolean {
    this.#runs++;
    const { violation } = run(plan, { mutant: this.#o.mutant });
    if (violation === null || invariantOf(violation) !== this.#invariant) return false;
    this.#best = plan;
    this.#o.onProgress?.(plan, this.#runs);
    return true;
  }
}

const NODE_KEYS = new Set(['node', 'from', 'to']);
