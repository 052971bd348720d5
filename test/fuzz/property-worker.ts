/**
 * The thread that one TypeScript target runs on: seed after seed until its time or its inputs are
 * used up, or one fails. It counts each input where the main thread sees it, and says which seed it
 * is at, so that a decoder which never comes back can be stopped and named.
 */
import { parentPort, workerData } from 'node:worker_threads';
import fc from 'fast-check';
import type { FuzzBudget, FuzzFailure } from './fuzz-target.js';
import { PLANTED, TARGETS } from './targets.js';

export type WorkerTask = {
  readonly name: string;
  readonly budget: FuzzBudget;
  /** [seed in work, beats] */
  readonly progress: Int32Array;
};

const STORY_CHARACTERS_MAX = 6_000;

const { name, budget, progress } = workerData as WorkerTask;
const found = [...TARGETS, PLANTED].find((candidate) => candidate.name === name);
if (found === undefined) throw new Error(`no target ${name}`);
const { property, runsPerSeed } = found;

const endMs = performance.now() + budget.seconds * 1000;
const checked = property();
// Each input beats, shrinking ones too: what stops is one that does not come back.
checked.beforeEach(() => void Atomics.add(progress, 1, 1));
let inputs = 0;
let failure: FuzzFailure | null = null;
for (let seed = budget.seed; failure === null; seed++) {
  if (inputs >= budget.runs || (inputs > 0 && performance.now() >= endMs)) break;
  Atomics.store(progress, 0, seed);
  const numRuns = Math.min(runsPerSeed, budget.runs - inputs);
  const replay = budget.path === null ? {} : { path: budget.path };
  const details = await fc.check(checked, { seed, numRuns, ...replay });
  inputs += details.numRuns;
  if (details.failed) {
    const path = details.counterexamplePath ?? '0';
    const error = details.errorInstance;
    const reason = error instanceof Error ? (error.stack ?? error.message) : String(error);
    const example = `input: ${fc.stringify(details.counterexample)}`;
    failure = {
      story: `${reason}\n${example.slice(0, STORY_CHARACTERS_MAX)}`,
      repeat: `--target ${name} --seed ${seed} --path ${path}`,
    };
  }
  if (budget.path !== null) break;
}
parentPort?.postMessage({ inputs, failure });
