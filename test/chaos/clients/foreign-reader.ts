/**
 * kcat as a consumer by assignment: what it prints is held against the log, record by record. When
 * it dies it begins again where it was.
 */
import { sleep } from '../../support/wait-for.js';
import type { History } from '../history/history.js';
import { type PartitionName, keyOf } from '../reader.js';
import type { Worker } from '../watchers/worker.js';
import { type Command, Program } from './program.js';

const RESTART_MS = 1_000;
const STEP_MS = 100;

export type ForeignReaderOptions = {
  readonly name: PartitionName;
  readonly history: History;
  /** Prints `partition offset value` from the offset on. */
  readonly commandFrom: (offset: number) => Command;
};

export class ForeignReader implements Worker {
  readonly #options: ForeignReaderOptions;
  #offset = 0;
  #isStopped = false;

  constructor(options: ForeignReaderOptions) {
    this.#options = options;
  }

  async run(): Promise<void> {
    const { name, history, commandFrom } = this.#options;
    const partition = keyOf(name);
    while (!this.#isStopped) {
      history.note({ kind: 'seek', reader: 'kcat', partition, offset: this.#offset });
      const onLine = (line: string): void => this.#take(line);
      const program = new Program(commandFrom(this.#offset), { onLine });
      while (!this.#isStopped && !program.hasEnded) await sleep(STEP_MS);
      program.kill('SIGKILL');
      await program.end;
      if (!this.#isStopped) await sleep(RESTART_MS);
    }
    if (this.#offset === 0) throw new Error(`kcat read nothing of ${partition}`);
  }

  stop(): void {
    this.#isStopped = true;
  }

  #take(line: string): void {
    const match = /^(\d+) (\d+) (\S+)$/.exec(line);
    if (match === null) return;
    const { name, history } = this.#options;
    const partition = keyOf(name);
    const [from, value] = [Number(match[2]), match[3] as string];
    this.#offset = from + 1;
    history.note({ kind: 'given', reader: 'kcat', partition, from, to: this.#offset });
    history.note({ kind: 'record', partition, offset: from, value, isFinal: false });
  }
}
