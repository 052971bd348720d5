/**
 * The load generator as its parent sees it: a process that is given one job and answers with one
 * result, both as messages. The bench is a TypeScript project of its own, which the tests do not
 * compile against, so the messages that they use are said here once more.
 */
import { fork } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { ended } from '../support/command.js';

const GENERATOR = fileURLToPath(new URL('../../bench/generator.js', import.meta.url));

export type Result = {
  readonly elapsedMs: number;
  readonly requests: number;
  readonly records: number;
  readonly latencies: { readonly p50Us: number; readonly p99Us: number; readonly maxUs: number };
  readonly recordsBySixth: readonly number[];
  readonly cpuSeconds: number;
  readonly recordsPerPartition: readonly number[];
  readonly faults: Readonly<Record<string, number>>;
  readonly gapsMs: readonly number[];
};

type Message =
  | { readonly kind: 'window'; readonly isOpen: boolean }
  | { readonly kind: 'result'; readonly result: Result }
  | { readonly kind: 'failed'; readonly message: string };

export type Generated = {
  readonly result: Result | null;
  readonly failure: string | null;
  /** When the window opened and closed. */
  readonly windows: readonly boolean[];
  readonly exitCode: number | null;
};

/** `onOpen` may hurt the broker; the generator is told of it when that is done. */
export async function generate(job: object, onOpen?: () => void): Promise<Generated> {
  const child = fork(GENERATOR, { stdio: ['ignore', 2, 2, 'ipc'] });
  const windows: boolean[] = [];
  let result: Result | null = null;
  let failure: string | null = null;
  child.on('message', (message: Message) => {
    if (message.kind === 'result') result = message.result;
    else if (message.kind === 'failed') failure = message.message;
    else {
      windows.push(message.isOpen);
      if (!message.isOpen || onOpen === undefined) return;
      onOpen();
      child.send({ kind: 'killed' });
    }
  });
  child.send({ kind: 'job', job });
  const [exitCode] = await ended(child);
  return { result, failure, windows, exitCode };
}
