/**
 * A process with one HTTP job as its parent sees it. Its promise: `result` always settles, and
 * nothing of the process is left when it has.
 */
import { type ChildProcess, fork } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import type { FromWorker, HttpJob, ResultOf, ToWorker } from './http-jobs.js';

const WORKER = fileURLToPath(new URL('./http-worker.js', import.meta.url));

export class HttpProcess<J extends HttpJob> {
  readonly #child: ChildProcess;
  readonly result: Promise<ResultOf<J>>;

  /** `onWindow` is called when measuring begins, and when it ends. */
  constructor(job: J, onWindow: (isOpen: boolean) => void = () => undefined) {
    this.#child = fork(WORKER, { stdio: ['ignore', 2, 2, 'ipc'] });
    this.result = new Promise((resolve, reject) => {
      this.#child.once('error', reject);
      // Comes behind the listener of a result, which then has settled it.
      this.#child.once('close', (status, signal) =>
        reject(new Error(`the process of a ${job.kind} ended with ${signal ?? `exit ${status}`}`)),
      );
      this.#child.on('message', (message: FromWorker) => {
        if (message.kind === 'window') onWindow(message.isOpen);
        else this.#child.once('exit', () => resolve(message.result as ResultOf<J>));
      });
    });
    this.#tell(job);
  }

  /** Ends the window now. */
  stop(): void {
    if (this.#child.connected) this.#tell({ kind: 'stop' });
  }

  #tell(message: ToWorker): void {
    this.#child.send(message);
  }
}
