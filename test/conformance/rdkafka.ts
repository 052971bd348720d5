/**
 * The part of librdkafka's Node binding (@confluentinc/kafka-javascript) that the tests use. It is
 * installed beside the project, so its types are stated here.
 */
import { loadRdkafka } from '../support/clients.js';

export type RdMessage = {
  readonly topic: string;
  readonly partition: number;
  readonly offset: number;
  readonly key: Buffer | null;
  readonly value: Buffer | null;
};

type Callback<T = unknown> = (error: Error | null, result: T) => void;

export type RdProducer = {
  connect(options: object, done: Callback): void;
  disconnect(done: Callback): void;
  flush(timeoutMs: number, done: Callback): void;
  setPollInterval(ms: number): void;
  produce(topic: string, partition: number | null, value: Buffer, key?: string | null): void;
  on(event: 'delivery-report', listener: (error: Error | null, report: RdReport) => void): void;
};

export type RdReport = { readonly partition: number; readonly offset: number };

export type RdConsumer = {
  connect(options: object, done: Callback): void;
  disconnect(done: Callback): void;
  subscribe(topics: readonly string[]): void;
  assign(assignments: readonly { topic: string; partition: number; offset?: number }[]): void;
  setDefaultConsumeTimeout(ms: number): void;
  consume(count: number, done: Callback<readonly RdMessage[]>): void;
  queryWatermarkOffsets(
    topic: string,
    partition: number,
    timeoutMs: number,
    done: Callback<{ readonly lowOffset: number; readonly highOffset: number }>,
  ): void;
};

export type RdConfig = Readonly<Record<string, string | number | boolean>>;

type Rdkafka = {
  Producer: new (config: RdConfig, topicConfig?: RdConfig) => RdProducer;
  KafkaConsumer: new (config: RdConfig, topicConfig?: RdConfig) => RdConsumer;
};

export function makeProducer(config: RdConfig): RdProducer {
  return new (loadRdkafka<Rdkafka>().Producer)(config);
}

export function makeConsumer(config: RdConfig): RdConsumer {
  const { KafkaConsumer } = loadRdkafka<Rdkafka>();
  return new KafkaConsumer(config, { 'auto.offset.reset': 'earliest' });
}

/** Turns one call with a callback at its end into a promise. */
export function settled<T>(call: (done: Callback<T>) => void): Promise<T> {
  return new Promise((resolve, reject) => {
    call((error, result) =>
      error === null || error === undefined ? resolve(result) : reject(error),
    );
  });
}
