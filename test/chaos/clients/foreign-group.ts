/**
 * A consumer group of two kafkajs members, of which one or the other is killed now and then. At the
 * end it must get to the end of every partition, and its members must have been given every record
 * below the group's positions.
 */
import { fileURLToPath } from 'node:url';
import type { Prng } from '#src/base/prng.js';
import { lagOf } from '../../support/group.js';
import { sleep, waitFor } from '../../support/wait-for.js';
import type { History } from '../history/history.js';
import type { Worker } from '../watchers/worker.js';
import { Program } from './program.js';

const MEMBER = fileURLToPath(new URL('../../conformance/kafkajs-member.js', import.meta.url));
const MEMBERS = 2;
const LIFE_MS = { least: 10_000, most: 25_000 } as const;
const CATCH_UP_MS = 60_000;
const END_MS = 10_000;
const STEP_MS = 200;

export type ForeignGroupOptions = {
  readonly group: string;
  readonly topic: string;
  readonly partitions: number;
  readonly bootstrap: readonly string[];
  readonly history: History;
  readonly random: Prng;
  readonly log: (line: string) => void;
};

export class ForeignGroup implements Worker {
  readonly #options: ForeignGroupOptions;
  /** Offset behind the last record that anybody was given, by partition. */
  readonly #ends = new Map<number, number>();
  readonly #members: Program[];
  #records = 0;
  #killed = 0;
  #isStopped = false;

  constructor(options: ForeignGroupOptions) {
    this.#options = options;
    this.#members = Array.from({ length: MEMBERS }, () => this.#start());
  }

  async run(): Promise<void> {
    const { bootstrap, group, history, log, random, topic } = this.#options;
    while (!this.#isStopped) {
      await this.#sleep(random.int(LIFE_MS.least, LIFE_MS.most));
      if (!this.#isStopped) await this.#replace(random.int(0, MEMBERS));
    }
    const isThere = async (): Promise<boolean> => (await lagOf(bootstrap, group, topic)) === 0;
    const patience = { timeoutMs: CATCH_UP_MS, everyMs: STEP_MS };
    await waitFor('the kafkajs group to get to the end', isThere, patience);
    for (const member of this.#members) member.kill('SIGTERM');
    const all = Promise.all(this.#members.map(({ end }) => end));
    await Promise.race([all, sleep(END_MS)]);
    for (const member of this.#members) member.kill('SIGKILL');
    await all;
    log(`kafkajs group: ${this.#records} records, ${this.#killed} members killed`);
    for (const [partition, offset] of this.#ends) {
      history.note({ kind: 'group-at', group, partition: `${topic}:${partition}`, offset });
    }
    if (this.#ends.size < this.#options.partitions)
      throw new Error('the group left partitions out');
  }

  stop(): void {
    this.#isStopped = true;
  }

  #start(): Program {
    const { bootstrap, group, topic } = this.#options;
    const onLine = (line: string): void => this.#take(line);
    return new Program([process.execPath, MEMBER, bootstrap.join(','), topic, group], { onLine });
  }

  async #replace(index: number): Promise<void> {
    const member = this.#members[index] as Program;
    member.kill('SIGKILL');
    await member.end;
    this.#killed += 1;
    this.#members[index] = this.#start();
  }

  #take(line: string): void {
    const match = /^(\d+) (\d+) (\S+)$/.exec(line);
    if (match === null) return;
    const { group, history, topic } = this.#options;
    const [index, from] = [Number(match[1]), Number(match[2])];
    const partition = `${topic}:${index}`;
    const to = from + 1;
    this.#records += 1;
    this.#ends.set(index, Math.max(to, this.#ends.get(index) ?? 0));
    history.note({ kind: 'group-read', group, partition, from, to });
    history.note({
      kind: 'record',
      partition,
      offset: from,
      value: match[3] as string,
      isFinal: false,
    });
  }

  async #sleep(ms: number): Promise<void> {
    const endMs = performance.now() + ms;
    while (!this.#isStopped && performance.now() < endMs) await sleep(STEP_MS);
  }
}
