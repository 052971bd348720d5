/**
 * The judge of `lograft demo`: a process of its own with somebody else's client. It reads the whole
 * topic from the beginning with kafkajs and compares it with the journal of acknowledged records.
 *
 *     node main.js BROKERS TOPIC JOURNAL [--break-promise]      prints a Verdict as JSON
 *
 * `--break-promise` makes it overlook one record that it reads, as if the cluster had lost it: a
 * judge that then still acquits is none.
 */
import { readFileSync } from 'node:fs';
import { Kafka, logLevel } from 'kafkajs';
import { decodeJournal, type JournalEntry, judgePartition, type Verdict } from '../demo/journal.js';

const READ_TIMEOUT_MS = 45_000;

type Read = Map<number, Map<number, string>>;

async function readTopic(brokers: string[], topic: string): Promise<Read> {
  const kafka = new Kafka({ clientId: 'judge', brokers, logLevel: logLevel.NOTHING });
  const admin = kafka.admin();
  await admin.connect();
  const ends = new Map(
    (await admin.fetchTopicOffsets(topic)).map((p) => [p.partition, Number(p.high)]),
  );
  await admin.disconnect();
  const read: Read = new Map([...ends.keys()].map((partition) => [partition, new Map()]));
  const unread = new Set([...ends].filter(([, end]) => end > 0).map(([partition]) => partition));
  if (unread.size === 0) return read;
  const consumer = kafka.consumer({ groupId: `judge-${process.pid}`, maxWaitTimeInMs: 200 });
  await consumer.connect();
  await consumer.subscribe({ topic, fromBeginning: true });
  await new Promise<void>((resolve, reject) => {
    const timer = setTimeout(() => {
      reject(new Error(`partitions ${[...unread].join(', ')} were not read to their ends in time`));
    }, READ_TIMEOUT_MS);
    consumer.on('consumer.crash', ({ payload }) => reject(payload.error));
    const eachMessage = ({ partition, message }: Delivery): Promise<void> => {
      const offset = Number(message.offset);
      read.get(partition)?.set(offset, message.value?.toString() ?? '');
      if (offset + 1 >= (ends.get(partition) as number)) unread.delete(partition);
      if (unread.size === 0) {
        clearTimeout(timer);
        resolve();
      }
      return Promise.resolve();
    };
    consumer.run({ eachMessage }).catch(reject);
  });
  await consumer.disconnect();
  return read;
}

type Delivery = {
  readonly partition: number;
  readonly message: { readonly offset: string; readonly value: Buffer | null };
};

function judge(journal: readonly JournalEntry[], read: Read): Verdict {
  const verdict = { read: 0, lost: 0, changed: 0, duplicated: 0 };
  for (const [partition, values] of read) {
    const own = journal.filter((entry) => entry.partition === partition);
    const found = judgePartition(partition, own, values);
    verdict.read += found.read;
    verdict.lost += found.lost;
    verdict.changed += found.changed;
    verdict.duplicated += found.duplicated;
  }
  return verdict;
}

/** Forgets one record that was acknowledged. */
function overlookOne(journal: readonly JournalEntry[], read: Read): void {
  const victim = journal.find((entry) => entry.offset !== -1);
  if (victim !== undefined) read.get(victim.partition)?.delete(victim.offset);
}

const [brokers, topic, journalFile, flag] = process.argv.slice(2) as [
  string,
  string,
  string,
  string | undefined,
];
const journal = decodeJournal(readFileSync(journalFile, 'utf8'));
const read = await readTopic(brokers.split(','), topic);
if (flag === '--break-promise') overlookOne(journal, read);
process.stdout.write(`${JSON.stringify(judge(journal, read))}\n`);
