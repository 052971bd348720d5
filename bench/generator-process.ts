/**
 * The generator process as its parent sees it. Its promise: `result` always settles, and nothing of
 * the process is left when it has.
 */
import { type ChildProcess, fork } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import type { FromGenerator, Job, JobResult, ToGenerator } from './jobs.js';

const GENERATOR = fileURLToPath(new URL('./generator.js', import.meta.url));

export class GeneratorProcess {
  readonly #child: ChildProcess;
  readonly #onWindow: (isOpen: boolean) => void;
  readonly result: Promise<JobResult>;

  /** `onWindow` is called when measuring begins, and when it ends. */
  constructor(job: Job, onWindow: (isOpen: boolean) => void) {
    this.#onWindow = onWindow;
    this.#child = fork(GENERATOR, { stdio: ['ignore', 2, 2, 'ipc'] });
    this.result = new Promise((resolve, reject) => {
      this.#child.once('error', reject);
      this.#child.once('exit', (status, signal) =>
        reject(new Error(`the generator ended with ${signal ?? `exit ${status}`}`)),
      );
      this.#child.on('message', (message: FromGenerator) => {
        if (message.kind === 'window') this.#onWindow(message.isOpen);
        else if (message.kind === 'result') resolve(message.result);
        else reject(new Error(`the generator failed: ${message.message}`));
      });
    });
    this.#tell({ kind: 'job', job });
  }

  /** Says that a node was killed just now. */
  sayKilled(): void {
    this.#tell({ kind: 'killed' });
  }

  #tell(message: ToGenerator): void {
    this.#child.send(message);
  }
}
