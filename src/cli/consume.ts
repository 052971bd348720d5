/**
 * `lograft consume T`: records to standard output, by partition or as a member of a group. Its one
 * promise: a group's offset is stored only after the record has been written out.
 */
import type { LogRecord } from '../records/records.js';
import { bootstrapOf, type WhereOptions } from './cluster/locate.js';
import { KafkaClient, retrying } from './kafka/client.js';
import { KafkaError } from './kafka/errors.js';
import { Fetcher } from './kafka/fetcher.js';
import { GroupMember } from './kafka/group-member.js';
import { listOffsets } from './kafka/offsets.js';
import { type StartOffset, usage } from './options.js';
import { EXIT, type Output } from './output.js';
import { compileFormat, formatJson, type RecordFormatter } from './record-format.js';

const COMMIT_EVERY_MS = 1_000;
const OFFSETS_TIMEOUT_MS = 15_000;
const DEFAULT_FORMAT = '%v\\n';

export type ConsumeOptions = WhereOptions & {
  readonly offset: StartOffset;
  readonly partition?: number;
  readonly group?: string;
  readonly number?: number;
  readonly exit?: boolean;
  /** Named by its letter: commander names an option without a long form so. */
  readonly f?: string;
};

export async function consume(
  output: Output,
  topic: string,
  options: ConsumeOptions,
): Promise<number> {
  const { group } = options;
  if (group !== undefined && options.partition !== undefined) {
    throw usage('-g and -p exclude each other: the group decides who reads which partition');
  }
  const client = new KafkaClient({ bootstrap: await bootstrapOf(options) });
  const run = new ConsumeRun(client, topic, options, output);
  const onSignal = () => run.interrupt();
  process.on('SIGINT', onSignal);
  process.on('SIGTERM', onSignal);
  try {
    if (group === undefined) await run.readPartitions();
    else await run.readAsMember(group);
  } finally {
    process.off('SIGINT', onSignal);
    process.off('SIGTERM', onSignal);
    client.close();
  }
  return EXIT.done;
}

class ConsumeRun {
  readonly #client: KafkaClient;
  readonly #topic: string;
  readonly #options: ConsumeOptions;
  readonly #output: Output;
  readonly #format: RecordFormatter;
  #left: number;
  #isInterrupted = false;
  #fetcher: Fetcher | null = null;
  #waiting: Uint8Array[] = [];

  constructor(client: KafkaClient, topic: string, options: ConsumeOptions, output: Output) {
    this.#client = client;
    this.#topic = topic;
    this.#options = options;
    this.#output = output;
    this.#format = output.isJson ? formatJson : compileFormat(options.f ?? DEFAULT_FORMAT);
    this.#left = options.number ?? Infinity;
  }

  interrupt(): void {
    // Somebody who asks twice does not want to wait for a tidy end.
    if (this.#isInterrupted) process.exit(EXIT.failed);
    this.#isInterrupted = true;
    this.#fetcher?.stop();
  }

  async readPartitions(): Promise<void> {
    const all = await this.#partitions();
    const { partition } = this.#options;
    if (partition !== undefined && !all.includes(partition)) {
      throw usage(
        `-p ${partition}: topic ${this.#topic} has the partitions 0 to ${all.length - 1}`,
      );
    }
    const partitions = partition === undefined ? all : [partition];
    const ends = await this.#ends(partitions);
    const positions = await this.#startPositions(partitions);
    await this.#read(positions, ends, () => undefined);
  }

  async readAsMember(group: string): Promise<void> {
    const member = new GroupMember(this.#client, group, this.#topic);
    // One look at the ends, before the first rebalance and valid after all of them.
    const ends = await this.#ends(await this.#partitions());
    member.onRebalance = () => this.#fetcher?.stop();
    try {
      do {
        const partitions = await member.join();
        const committed = await member.committed(partitions);
        const fresh = partitions.filter((partition) => !committed.has(partition));
        const positions = new Map([...committed, ...(await this.#startPositions(fresh))]);
        await this.#readCommitting(member, positions, ends);
      } while (member.isRebalancing && !this.#isDone());
    } finally {
      await member.leave().catch((error: Error) => this.#output.note(error.message));
    }
  }

  async #readCommitting(
    member: GroupMember,
    positions: ReadonlyMap<number, number>,
    ends: ReadonlyMap<number, number>,
  ): Promise<void> {
    let lastCommit = performance.now();
    let written = positions;
    await this.#read(positions, ends, async (current) => {
      written = new Map(current);
      if (performance.now() - lastCommit < COMMIT_EVERY_MS) return;
      lastCommit = performance.now();
      await member.commit(written);
    });
    // Without partitions there is nothing to read, but perhaps there is after the next rebalance.
    const isIdle = positions.size === 0 && !(this.#options.exit ?? false);
    while (isIdle && !member.isRebalancing && !this.#isDone()) {
      await new Promise((resolve) => setTimeout(resolve, 100));
    }
    await member.commit(written);
  }

  /** Reads until the ends, the wanted number, or a stop; `onWritten` gets the positions so far. */
  async #read(
    positions: ReadonlyMap<number, number>,
    ends: ReadonlyMap<number, number>,
    onWritten: (positions: ReadonlyMap<number, number>) => Promise<void> | void,
  ): Promise<void> {
    if (this.#isDone()) return;
    const fetcher = new Fetcher(this.#client, this.#topic, positions, ends, {
      deliver: (partition, record) => this.#deliver(partition, record),
      afterAnswer: async () => {
        await this.#flush();
        await onWritten(fetcher.positions);
      },
      onSkip: (partition, from, to) =>
        this.#output.note(`${this.#topic}-${partition}: offsets ${from} to ${to - 1} are gone`),
    });
    this.#fetcher = fetcher;
    await fetcher.run();
  }

  #deliver(partition: number, record: LogRecord): boolean {
    this.#format(record, { topic: this.#topic, partition }, this.#waiting);
    this.#left -= 1;
    return this.#left > 0;
  }

  async #flush(): Promise<void> {
    const bytes = Buffer.concat(this.#waiting);
    this.#waiting = [];
    if (process.stdout.write(bytes)) return;
    await new Promise((resolve) => process.stdout.once('drain', resolve));
  }

  #isDone(): boolean {
    return this.#isInterrupted || this.#left <= 0;
  }

  async #partitions(): Promise<number[]> {
    await retrying(
      performance.now() + OFFSETS_TIMEOUT_MS,
      () => this.#client.refresh([this.#topic]),
      (error) => error instanceof KafkaError && error.info.name === 'LEADER_NOT_AVAILABLE',
    );
    return (await this.#client.topic(this.#topic)).partitions.map((p) => p.partition);
  }

  async #ends(partitions: readonly number[]): Promise<ReadonlyMap<number, number>> {
    return this.#options.exit === true ? this.#list(partitions, 'latest') : new Map();
  }

  async #startPositions(partitions: readonly number[]): Promise<Map<number, number>> {
    const { offset } = this.#options;
    if (offset.kind === 'time') return this.#list(partitions, offset.timestamp);
    if (offset.kind !== 'offset') return this.#list(partitions, offset.kind);
    if (offset.offset >= 0) return new Map(partitions.map((p) => [p, offset.offset]));
    const starts = await this.#list(partitions, 'earliest');
    const ends = await this.#list(partitions, 'latest');
    const before = (p: number) => (ends.get(p) as number) + offset.offset;
    return new Map(partitions.map((p) => [p, Math.max(starts.get(p) as number, before(p))]));
  }

  #list(partitions: readonly number[], at: 'earliest' | 'latest' | number) {
    const deadline = performance.now() + OFFSETS_TIMEOUT_MS;
    return listOffsets(this.#client, this.#topic, partitions, at, deadline);
  }
}
