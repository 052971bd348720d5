/**
 * A kafkajs consumer in a process of its own, so that it can be killed: prints
 * `partition offset value`. Arguments: bootstrap, topic, group.
 */
import { Kafka, logLevel } from 'kafkajs';

const [bootstrap = '', topic = '', groupId = ''] = process.argv.slice(2);
const kafka = new Kafka({
  clientId: 'member',
  brokers: bootstrap.split(','),
  logLevel: logLevel.ERROR,
  retry: { initialRetryTime: 100, retries: 20 },
});
const consumer = kafka.consumer({
  groupId,
  sessionTimeout: 6_000,
  heartbeatInterval: 500,
  rebalanceTimeout: 10_000,
  maxWaitTimeInMs: 200,
});
await consumer.connect();
await consumer.subscribe({ topic, fromBeginning: true });
await consumer.run({
  autoCommitInterval: 200,
  eachMessage: async ({ partition, message }) => {
    process.stdout.write(`${partition} ${message.offset} ${message.value?.toString()}\n`);
  },
});
process.once('SIGTERM', () => {
  void consumer.disconnect().finally(() => process.exit(0));
});
