/**
 * Looks for a seed of the general plan that finds a mutant, and makes sure that it is the mistake
 * that was found: the right program passes the same seed.
 */
import type { SimMutant } from '../mutant.js';
import { planOf, run } from '../scenario.js';
import { invariantOf } from '../simulation.js';

export type Kill = {
  readonly seed: number;
  /** Seeds it took. */
  readonly seeds: number;
  readonly invariant: string;
  readonly message: string;
};

export type HuntOptions = {
  readonly firstSeed: number;
  readonly seedsMax: number;
  readonly isOver?: (seeds: number) => boolean;
};

/** Null when the mutant survived. */
export function killMutant(mutant: SimMutant, options: HuntOptions): Kill | null {
  const { firstSeed, seedsMax, isOver } = options;
  for (let seeds = 1; seeds <= seedsMax; seeds++) {
    const seed = firstSeed + seeds - 1;
    const plan = planOf(seed, mutant.isOfControl ? 'control' : undefined);
    const { violation } = run(plan, { mutant });
    if (violation === null) {
      if (isOver?.(seeds)) return null;
      continue;
    }
    const sound = run(plan).violation;
    if (sound !== null) throw new Error(`seed ${seed} fails without the mutant: ${sound.message}`);
    const invariant = invariantOf(violation);
    const [message = ''] = violation.message.split('\n');
    return { seed, seeds, invariant, message };
  }
  return null;
}
