/** What a fuzz target in TypeScript is, and what one run of it has to say. Pure. */
import type { IRawProperty } from 'fast-check';

/** A property whose every run can be watched. */
export type WatchedProperty = IRawProperty<unknown> & { beforeEach(hook: () => void): unknown };

/** Made anew for each worker: a property may count, and must not share that. */
export type FuzzTarget = {
  readonly name: string;
  /** Nothing in it depends on time or chance: a seed repeats it. */
  readonly property: () => WatchedProperty;
  /** Inputs between two looks at the clock, so that slow ones do not overstay. */
  readonly runsPerSeed: number;
};

export type FuzzFailure = {
  /** What went wrong, in as many lines as it takes. */
  readonly story: string;
  /** Arguments of `npm run fuzz --` that repeat it. */
  readonly repeat: string;
};

export type FuzzReport = {
  readonly target: string;
  readonly inputs: number;
  readonly seconds: number;
  readonly failure: FuzzFailure | null;
};

/** How long and where to begin; seeds rise by one from `seed`. */
export type FuzzBudget = {
  readonly seed: number;
  /** The target ends after this time, or earlier after `runs` inputs. */
  readonly seconds: number;
  readonly runs: number;
  /** One input of one seed, as fast-check names it. */
  readonly path: string | null;
};

export function target(
  name: string,
  property: () => WatchedProperty,
  runsPerSeed = 200,
): FuzzTarget {
  return { name, property, runsPerSeed };
}
