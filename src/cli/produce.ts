/**
 * `lograft produce T`: every line of standard input becomes a record. Reading stops while too much
 * waits for its acknowledgement, so any amount of input passes through bounded memory.
 */
import { randomInt } from 'node:crypto';
import type { RecordInput } from '../records/batch.js';
import { bootstrapOf, type WhereOptions } from './cluster/locate.js';
import { KafkaClient, retrying } from './kafka/client.js';
import { KafkaError } from './kafka/errors.js';
import { partitionOfKey, StickyPartitioner } from '../records/partitioner.js';
import { type Acks, Producer, recordBytes } from './kafka/producer.js';
import { readLines } from './lines.js';
import { unescape, usage } from './options.js';
import { EXIT, type Output } from './output.js';

const BATCH_BYTES_MAX = 256 * 1024;
/** Without a key, a partition gets about this much in a row: the Java client's batch.size. */
const STICKY_BYTES = 16 * 1024;
const PENDING_BYTES_MAX = 16 * 1024 * 1024;
const REQUEST_TIMEOUT_MS = 5_000;
const CREATE_TIMEOUT_MS = 15_000;

export type ProduceOptions = WhereOptions & {
  readonly partition?: number;
  /** Text between key and value. */
  readonly keyDelimiter?: string;
  readonly acks: Acks;
  readonly timeout: number;
};

export async function produce(
  output: Output,
  topic: string,
  options: ProduceOptions,
  input: AsyncIterable<Buffer> = process.stdin,
): Promise<number> {
  const client = new KafkaClient({ bootstrap: await bootstrapOf(options) });
  const counts = { acked: 0, failed: 0 };
  let firstError: Error | null = null;
  try {
    const partitions = await partitionsOf(client, topic);
    const choose = chooser(partitions, topic, options.partition);
    const producer = new Producer(client, {
      topic,
      acks: options.acks,
      deliveryTimeoutMs: options.timeout * 1000,
      requestTimeoutMs: REQUEST_TIMEOUT_MS,
      batchBytesMax: BATCH_BYTES_MAX,
      onOutcome: ({ records, error }) => {
        if (error === null) counts.acked += records.length;
        else counts.failed += records.length;
        firstError ??= error;
      },
    });
    const split = splitter(options.keyDelimiter);
    await output.progress(() => `acked ${counts.acked}`, pump(input, producer, split, choose));
  } finally {
    client.close();
  }
  process.stderr.write(`acked ${counts.acked} failed ${counts.failed}\n`);
  if (output.isJson) output.result({ topic, ...counts }, '');
  if (firstError !== null) output.error(firstError);
  return counts.failed === 0 ? EXIT.done : EXIT.failed;
}

async function pump(
  input: AsyncIterable<Buffer>,
  producer: Producer,
  split: (line: Buffer) => RecordInput,
  choose: Chooser,
): Promise<void> {
  for await (const lines of readLines(input)) {
    const timestamp = Date.now();
    for (const line of lines) {
      const record = { ...split(line), timestamp };
      producer.send(choose.next(record), record);
    }
    // What came in one piece is a batch: whoever types line by line reaches all partitions in turn.
    choose.turn();
    await producer.drained(PENDING_BYTES_MAX);
  }
  await producer.drained();
}

/** Creates the topic on the way when the cluster allows that. */
async function partitionsOf(client: KafkaClient, topic: string): Promise<number> {
  await retrying(
    performance.now() + CREATE_TIMEOUT_MS,
    () => client.refresh([topic], true),
    (error) => error instanceof KafkaError && error.info.name === 'LEADER_NOT_AVAILABLE',
  );
  return (await client.topic(topic)).partitions.length;
}

type Chooser = { next(record: RecordInput): number; turn(): void };

function chooser(partitions: number, topic: string, fixed: number | undefined): Chooser {
  if (fixed !== undefined) {
    if (fixed >= partitions) {
      throw usage(`-p ${fixed}: topic ${topic} has ${partitions} partitions, numbered from 0`);
    }
    return { next: () => fixed, turn: () => undefined };
  }
  const first = randomInt(partitions);
  const sticky = new StickyPartitioner(partitions, STICKY_BYTES, first);
  return {
    next: (record) =>
      record.key == null
        ? sticky.next(recordBytes(record))
        : partitionOfKey(record.key as Uint8Array, partitions),
    turn: () => sticky.turn(),
  };
}

/** A line without the delimiter is a value without a key. */
function splitter(delimiterText: string | undefined): (line: Buffer) => RecordInput {
  if (delimiterText === undefined) return (value) => ({ value });
  const delimiter = Buffer.from(unescape(delimiterText));
  if (delimiter.length === 0) throw usage('-K: the delimiter is empty');
  return (line) => {
    const at = line.indexOf(delimiter);
    if (at === -1) return { value: line };
    return { key: line.subarray(0, at), value: line.subarray(at + delimiter.length) };
  };
}
