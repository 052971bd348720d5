/** What one node of a test cluster wrote to its log, as the lines come. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { waitFor } from '../../support/wait-for.js';

export type LogLine = { readonly msg: string; readonly reason?: string; readonly level: string };

export class BrokerLog {
  readonly #path: string;
  #seen = 0;

  constructor(dataDir: string, nodeId: number) {
    this.#path = join(dataDir, `node-${nodeId}/lograft.log`);
    this.skip();
  }

  /** Lines written so far are of no interest. */
  skip(): void {
    this.#seen = this.#all().length;
  }

  /** Lines since the last {@link skip}. */
  lines(): LogLine[] {
    return this.#all()
      .slice(this.#seen)
      .map((line) => JSON.parse(line) as LogLine);
  }

  /** Waits for a line that matches `pattern` and returns all lines so far. */
  async until(pattern: RegExp): Promise<LogLine[]> {
    return waitFor(`${pattern} in ${this.#path}`, () => {
      const lines = this.lines();
      return lines.some(({ msg, reason }) => pattern.test(`${msg} ${reason}`)) ? lines : null;
    });
  }

  #all(): string[] {
    return readFileSync(this.#path, 'utf8').split('\n').slice(0, -1);
  }
}
