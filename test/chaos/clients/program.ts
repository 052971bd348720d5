/**
 * A client in a process of its own: lines in, lines out, of both its outputs. Its promise: it is
 * gone when this process is.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { createInterface } from 'node:readline';
import { ended, killGroup } from '../../support/command.js';

export type Lines = {
  readonly onLine: (line: string) => void;
  /** What it says on stderr. */
  readonly onNote?: (line: string) => void;
};

export type Command = readonly [string, ...string[]];

const alive = new Set<ChildProcess>();
process.once('exit', () => {
  for (const { pid } of alive) killGroup(pid);
});

export class Program {
  readonly #child: ChildProcess;
  /** Settles when the program has ended and all its lines were given out. */
  readonly end: Promise<unknown>;
  hasEnded = false;

  constructor([command, ...args]: Command, { onLine, onNote }: Lines) {
    const child = spawn(command, args, { detached: true, stdio: ['pipe', 'pipe', 'pipe'] });
    this.#child = child;
    // Who dies does not read on; what was sent is nobody's then.
    child.stdin.on('error', () => child.stdin.destroy());
    createInterface({ input: child.stdout }).on('line', onLine);
    createInterface({ input: child.stderr }).on('line', (line) => onNote?.(line));
    alive.add(child);
    this.end = ended(child).finally(() => {
      this.hasEnded = true;
      alive.delete(child);
    });
  }

  send(line: string): void {
    this.#child.stdin?.write(`${line}\n`);
  }

  /** No more lines will come: it may finish its work and end. */
  finish(): void {
    this.#child.stdin?.end();
  }

  kill(signal: 'SIGKILL' | 'SIGTERM'): void {
    if (!this.hasEnded) this.#child.kill(signal);
  }
}
