/**
 * Many seeds one after the other, added up: what `npm run sim` and the fixed seeds of `npm test`
 * have in common. One seed in a hundred runs twice and must have the same hash.
 */
import type { SimMutant } from './mutant.js';
import { type AnyProfile, planOf, run } from './scenario.js';
import type { SimResult } from './sim-result.js';
import { addCounts, type Counts } from './world.js';

export type CampaignOptions = {
  readonly seeds: Iterable<number>;
  readonly profile?: AnyProfile | undefined;
  readonly mutant?: SimMutant | undefined;
  readonly isTraced?: boolean;
  /** Asked after each seed. */
  readonly isOver?: (totals: Totals) => boolean;
};

export type Totals = {
  runs: number;
  /** Seeds that ran twice. */
  repeated: number;
  simulatedMs: number;
  events: number;
  acked: number;
  /** Processor time of this process, in all threads. */
  cpuMs: number;
  hash: number;
  lastSeed: number;
  readonly byProfile: Record<string, { runs: number; simulatedMs: number; cpuMs: number }>;
  readonly faults: Counts;
  readonly branches: Counts;
  failure: SimResult | null;
  /** A seed whose two runs differ: something outside the seed had a say. */
  unstableSeed: number | null;
};

const REPEATED_EVERY = 100;

export function runCampaign(options: CampaignOptions): Totals {
  const { profile, mutant, isTraced = false, isOver } = options;
  const totals = newTotals();
  for (const seed of options.seeds) {
    const beforeMs = cpuMs();
    const plan = planOf(seed, profile);
    const result = run(plan, { mutant, isTraced });
    const spentMs = cpuMs() - beforeMs;
    add(totals, result, plan.profile, spentMs);
    if (seed % REPEATED_EVERY === 0) {
      totals.repeated++;
      if (run(plan, { mutant }).hash !== result.hash) totals.unstableSeed = seed;
    }
    if (result.violation !== null) totals.failure = result;
    if (totals.failure !== null || totals.unstableSeed !== null) break;
    if (isOver?.(totals)) break;
  }
  return totals;
}

function newTotals(): Totals {
  return {
    runs: 0,
    repeated: 0,
    simulatedMs: 0,
    events: 0,
    acked: 0,
    cpuMs: 0,
    hash: 0x811c9dc5,
    lastSeed: -1,
    byProfile: {},
    faults: {},
    branches: {},
    failure: null,
    unstableSeed: null,
  };
}

function add(totals: Totals, result: SimResult, profile: AnyProfile, spentMs: number): void {
  totals.runs++;
  totals.lastSeed = result.seed;
  totals.simulatedMs += result.simulatedMs;
  totals.events += result.events;
  totals.acked += result.acked;
  totals.cpuMs += spentMs;
  totals.hash = Math.imul(totals.hash ^ result.hash, 0x01000193) >>> 0;
  totals.byProfile[profile] ??= { runs: 0, simulatedMs: 0, cpuMs: 0 };
  const part = totals.byProfile[profile];
  part.runs++;
  part.simulatedMs += result.simulatedMs;
  part.cpuMs += spentMs;
  addCounts(totals.faults, result.faults);
  addCounts(totals.branches, result.branches);
}

function cpuMs(): number {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1000;
}
