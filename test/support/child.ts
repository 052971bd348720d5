/**
 * A program that runs beside the test, a group member for instance: its lines of output can be
 * waited for, and it can be killed without warning.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { createInterface } from 'node:readline';
import { killGroup } from './command.js';
import { waitFor } from './wait-for.js';

export class Child {
  readonly lines: string[] = [];
  readonly #child: ChildProcess;
  readonly #name: string;
  #errors = '';

  constructor(command: string, args: readonly string[]) {
    this.#name = `${command} ${args.join(' ')}`;
    const child = spawn(command, args, { detached: true, stdio: ['pipe', 'pipe', 'pipe'] });
    this.#child = child;
    createInterface({ input: child.stdout }).on('line', (line) => this.lines.push(line));
    child.stderr.on('data', (chunk: Buffer) => {
      this.#errors = (this.#errors + chunk.toString()).slice(-8_192);
    });
    process.once('exit', () => killGroup(child.pid));
  }

  get pid(): number {
    return this.#child.pid ?? -1;
  }

  get hasEnded(): boolean {
    return this.#child.exitCode !== null || this.#child.signalCode !== null;
  }

  /** Waits for a line that matches, among those that came and those to come. */
  async line(pattern: RegExp, timeoutMs = 30_000): Promise<string> {
    try {
      return await waitFor(
        `${pattern} from ${this.#name}`,
        () => this.lines.find((line) => pattern.test(line)) ?? null,
        { timeoutMs },
      );
    } catch (error) {
      const said = `${this.lines.slice(-20).join('\n')}\n${this.#errors}`;
      throw new Error(`${(error as Error).message}; it said:\n${said}`, { cause: error });
    }
  }

  /** Waits until its standard error, as far as it is kept, matches. */
  async errorLine(pattern: RegExp, timeoutMs = 30_000): Promise<void> {
    const isThere = (): boolean => pattern.test(this.#errors) || this.hasEnded;
    await waitFor(`${pattern} from ${this.#name}`, isThere, { timeoutMs });
    if (!pattern.test(this.#errors)) throw new Error(`${this.#name} ended:\n${this.#errors}`);
  }

  /** Sends a line to its input. */
  send(line: string): void {
    this.#child.stdin?.write(`${line}\n`);
  }

  async kill(signal: 'SIGKILL' | 'SIGTERM' | 'SIGINT' = 'SIGKILL'): Promise<void> {
    if (!this.hasEnded) this.#child.kill(signal);
    await waitFor(`${this.#name} to end`, () => this.hasEnded);
  }
}
