/**
 * A seed and what kind of cluster it means: partitions alone, or brokers with their control plane.
 * Whoever runs seeds (campaigns, the shrinker, the hunt for mutants) comes through here.
 */
import { Prng } from '#src/base/prng.js';
import { type ControlPlan, makeControlPlan } from './control/control-plan.js';
import { simulateControl } from './control/control-simulation.js';
import { makePlan, type Plan, PROFILES, type Profile } from './plan.js';
import type { SimResult } from './sim-result.js';
import { type SimOptions, simulate } from './simulation.js';

export type AnyProfile = Profile | 'control';
export const ALL_PROFILES: readonly AnyProfile[] = [...PROFILES, 'control'];

export type AnyPlan = Plan | ControlPlan;

/** Part of the seeds, when no profile is asked for, that are of the control plane. */
const CONTROL_PART = 0.05;

export function planOf(seed: number, wanted?: AnyProfile): AnyPlan {
  if (wanted === 'control') return makeControlPlan(seed);
  const isControl = wanted === undefined && new Prng(seed ^ 0x1060).chance(CONTROL_PART);
  return isControl ? makeControlPlan(seed) : makePlan(seed, wanted);
}

export function run(plan: AnyPlan, options: SimOptions = {}): SimResult {
  return plan.profile === 'control' ? simulateControl(plan, options) : simulate(plan, options);
}
