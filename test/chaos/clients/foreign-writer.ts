/**
 * A producer that nobody here wrote, fed with tagged values one record at a time. What it says was
 * delivered is acknowledged; what it gave up on, or died with, is unknown: a client's failure
 * proves nothing. Records of a program that died are not sent again.
 */
import type { Prng } from '#src/base/prng.js';
import { sleep } from '../../support/wait-for.js';
import type { BatchKey } from '../history/events.js';
import type { History } from '../history/history.js';
import { type PartitionName, keyOf } from '../reader.js';
import { parseTag, tagValue } from '../tag.js';
import type { Worker } from '../watchers/worker.js';
import { type Command, Program } from './program.js';

/** What a line of the client means. `value` null: the oldest record that is still open. */
export type Fate =
  | { readonly kind: 'acked'; readonly value: string | null; readonly offset: number }
  | { readonly kind: 'failed'; readonly value: string | null; readonly reason: string };

export type ForeignWriterOptions = {
  readonly name: string;
  readonly writer: number;
  readonly command: Command;
  readonly names: readonly PartitionName[];
  readonly history: History;
  readonly random: Prng;
  /** The line that asks for a record. */
  readonly order: (name: PartitionName, value: string) => string;
  /** Null when the line is about something else. */
  readonly fateOf: (line: string) => Fate | null;
  readonly log: (line: string) => void;
};

const EVERY_MS = 25;
/** More than a fault lasts: who stops writing to kcat hears nothing from it. */
const OPEN_MAX = 2_000;
/** Then it is killed, so that some outcomes are unknown for certain. */
const LIFE_MS = { least: 10_000, most: 40_000 } as const;
const RESTART_MS = 1_000;
/** What is open when the run ends gets so long. */
const DRAIN_MS = 20_000;

export class ForeignWriter implements Worker {
  readonly #options: ForeignWriterOptions;
  /** In the order of sending. */
  readonly #open = new Map<string, BatchKey>();
  #program: Program;
  #endOfLifeMs = 0;
  #batches = 0;
  #acked = 0;
  #failed = 0;
  #deaths = 0;
  #isStopped = false;

  constructor(options: ForeignWriterOptions) {
    this.#options = options;
    this.#program = this.#start();
  }

  async run(): Promise<void> {
    while (!this.#isStopped) {
      if (performance.now() > this.#endOfLifeMs) this.#program.kill('SIGKILL');
      if (this.#program.hasEnded) await this.#restart();
      else if (this.#open.size < OPEN_MAX) this.#write();
      await sleep(EVERY_MS);
    }
    // kcat looks for answers when it gets a line, and at the end of them.
    this.#program.finish();
    const endMs = performance.now() + DRAIN_MS;
    while (this.#open.size > 0 && !this.#program.hasEnded && performance.now() < endMs) {
      await sleep(EVERY_MS);
    }
    this.#program.kill('SIGKILL');
    await this.#program.end;
    this.#forget();
    const { log, name } = this.#options;
    log(`${name}: ${this.#acked} acked, ${this.#failed} unknown, died ${this.#deaths} times`);
    if (this.#acked === 0) throw new Error(`${name} had nothing acknowledged`);
  }

  stop(): void {
    this.#isStopped = true;
  }

  #start(): Program {
    const onLine = (line: string): void => this.#take(line);
    const { least, most } = LIFE_MS;
    this.#endOfLifeMs = performance.now() + this.#options.random.int(least, most);
    return new Program(this.#options.command, { onLine, onNote: onLine });
  }

  async #restart(): Promise<void> {
    this.#deaths += 1;
    this.#forget();
    await sleep(RESTART_MS);
    this.#program = this.#start();
  }

  #write(): void {
    const { history, names, order, writer } = this.#options;
    const batch = this.#batches;
    this.#batches += 1;
    const name = names[batch % names.length] as PartitionName;
    const value = tagValue({ writer, batch, index: 0 });
    history.note({ kind: 'sent', writer, batch, partition: keyOf(name), records: 1 });
    this.#open.set(value, { writer, batch });
    this.#program.send(order(name, value));
  }

  #take(line: string): void {
    const fate = this.#options.fateOf(line);
    if (fate === null) return;
    const value = fate.value ?? this.#open.keys().next().value;
    const key = value === undefined ? undefined : this.#open.get(value);
    if (value === undefined || key === undefined) {
      const tag = parseTag(value ?? '');
      throw new Error(
        `${this.#options.name} answered ${tag?.batch ?? 'what was'} not open: ${line}`,
      );
    }
    this.#open.delete(value);
    const { history } = this.#options;
    if (fate.kind === 'acked') {
      this.#acked += 1;
      history.note({ kind: 'acked', ...key, baseOffset: fate.offset, epoch: -1 });
      return;
    }
    // No client has reason to send a sequence that is not the next one.
    if (/sequence/i.test(fate.reason)) history.note({ kind: 'sequence-refused', ...key });
    this.#failed += 1;
    history.note({ kind: 'unknown', ...key });
  }

  #forget(): void {
    const { history } = this.#options;
    for (const key of this.#open.values()) history.note({ kind: 'unknown', ...key });
    this.#failed += this.#open.size;
    this.#open.clear();
  }
}
