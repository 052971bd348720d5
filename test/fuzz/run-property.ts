/**
 * Runs one TypeScript target on a thread of its own and always comes back: a decoder that loops is
 * stopped and named by its seed, one that eats memory meets the thread's limit. Main thread.
 */
import { Worker } from 'node:worker_threads';
import type { FuzzBudget, FuzzFailure, FuzzReport } from './fuzz-target.js';
import type { WorkerTask } from './property-worker.js';

/** An input takes milliseconds; a busy machine may take many times that. */
const SILENT_SECONDS_MAX = 60;
const HEAP_MIB_MAX = 768;

type Outcome = { readonly inputs: number; readonly failure: FuzzFailure | null };

export async function runProperty(name: string, budget: FuzzBudget): Promise<FuzzReport> {
  const startMs = performance.now();
  const progress = new Int32Array(new SharedArrayBuffer(8));
  const task: WorkerTask = { name, budget, progress };
  const { inputs, failure } = await outcomeOf(name, task);
  return { target: name, inputs, seconds: (performance.now() - startMs) / 1000, failure };
}

function outcomeOf(name: string, task: WorkerTask): Promise<Outcome> {
  const worker = new Worker(new URL('./property-worker.js', import.meta.url), {
    workerData: task,
    resourceLimits: { maxOldGenerationSizeMb: HEAP_MIB_MAX },
  });
  return new Promise((resolve) => {
    const failed = (story: string): void => {
      const seed = Atomics.load(task.progress, 0);
      const repeat = `--target ${name} --seed ${seed} --seconds 1`;
      finish({ inputs: 0, failure: { story, repeat } });
    };
    let beats = -1;
    const watchdog = setInterval(() => {
      const now = Atomics.load(task.progress, 1);
      if (now === beats) failed(`no end within ${SILENT_SECONDS_MAX} s: an input that loops`);
      beats = now;
    }, SILENT_SECONDS_MAX * 1000);
    let isDone = false;
    const finish = (outcome: Outcome): void => {
      if (isDone) return;
      isDone = true;
      clearInterval(watchdog);
      void worker.terminate().then(() => resolve(outcome));
    };
    worker.once('message', finish);
    worker.once('error', (error) => failed(error.stack ?? error.message));
    worker.once('exit', (code) => failed(`its thread ended with code ${code}`));
  });
}
