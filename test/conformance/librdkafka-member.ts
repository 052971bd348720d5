/**
 * A librdkafka consumer in a process of its own, so that it can be killed: prints
 * `partition offset value`. Arguments: bootstrap, topic, group.
 */
import { type RdMessage, makeConsumer, settled } from './rdkafka.js';

const [bootstrap = '', topic = '', group = ''] = process.argv.slice(2);
const consumer = makeConsumer({
  'bootstrap.servers': bootstrap,
  'group.id': group,
  'session.timeout.ms': 6_000,
  'heartbeat.interval.ms': 500,
  'auto.commit.interval.ms': 200,
});
let isStopping = false;
process.once('SIGTERM', () => {
  isStopping = true;
});
await settled((done) => consumer.connect({}, done));
consumer.subscribe([topic]);
consumer.setDefaultConsumeTimeout(200);
while (!isStopping) {
  for (const { partition, offset, value } of await settled<readonly RdMessage[]>((done) =>
    consumer.consume(100, done),
  )) {
    process.stdout.write(`${partition} ${offset} ${value?.toString()}\n`);
  }
}
await settled((done) => consumer.disconnect(done));
