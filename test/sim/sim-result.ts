/** How a simulation of any kind ended. */
import type { Counts, World } from './world.js';

export type SimResult = {
  readonly seed: number;
  readonly violation: Error | null;
  readonly simulatedMs: number;
  readonly events: number;
  readonly acked: number;
  readonly hash: number;
  readonly faults: Readonly<Counts>;
  readonly branches: Readonly<Counts>;
};

export type Runnable = {
  readonly world: World;
  readonly acked: number;
  run(): void;
};

/** Runs it to its end or to its first violation. */
export function resultOf(seed: number, simulation: Runnable): SimResult {
  let violation: Error | null = null;
  try {
    simulation.run();
  } catch (error) {
    violation = error instanceof Error ? error : new Error(String(error));
  }
  const { world, acked } = simulation;
  return {
    seed,
    violation,
    simulatedMs: world.nowMs,
    events: world.events,
    acked,
    hash: world.hash,
    faults: world.faults,
    branches: world.branches,
  };
}
