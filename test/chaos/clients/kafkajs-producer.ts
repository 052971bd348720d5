/**
 * A kafkajs idempotent producer in a process of its own: lines `partition value` in, and out
 * `acked value offset` or `failed value reason`. It never gives a batch up: a kafkajs producer
 * that does goes on with the same sequence, and the next batch would be taken for a retry.
 * Arguments: bootstrap, topic.
 */
import { createInterface } from 'node:readline';
import { Kafka, logLevel } from 'kafkajs';

const [bootstrap = '', topic = ''] = process.argv.slice(2);
const kafka = new Kafka({
  clientId: 'chaos',
  brokers: bootstrap.split(','),
  logLevel: logLevel.ERROR,
  retry: { initialRetryTime: 100, maxRetryTime: 1_000, retries: Number.MAX_SAFE_INTEGER },
});
const producer = kafka.producer({ idempotent: true, maxInFlightRequests: 1 });
await producer.connect();

type Record = { readonly partition: number; readonly value: string };

/** By partition: sequences of one are in order only if one batch is in flight. */
const waiting = new Map<number, Record[]>();
const busy = new Set<number>();

async function send(partition: number): Promise<void> {
  if (busy.has(partition)) return;
  busy.add(partition);
  for (;;) {
    const messages = waiting.get(partition) ?? [];
    if (messages.length === 0) break;
    waiting.set(partition, []);
    await sendBatch(messages);
  }
  busy.delete(partition);
}

async function sendBatch(messages: readonly Record[]): Promise<void> {
  try {
    const [result] = await producer.send({ topic, messages: [...messages], acks: -1 });
    const baseOffset = Number(result?.baseOffset ?? -1);
    messages.forEach(({ value }, i) => console.log(`acked ${value} ${baseOffset + i}`));
  } catch (error) {
    for (const { value } of messages) console.log(`failed ${value} ${(error as Error).message}`);
    // Whatever comes next would get a sequence that may be taken.
    process.exit(1);
  }
}

createInterface({ input: process.stdin }).on('line', (line) => {
  const [partition = '', value = ''] = line.split(' ');
  const index = Number(partition);
  waiting.set(index, [...(waiting.get(index) ?? []), { partition: index, value }]);
  void send(index);
});
