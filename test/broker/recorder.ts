/**
 * Writes records whose fate is noted by the history checker, and judges at the end: everything that
 * was acknowledged is read back through Kafka, and the files of all nodes hold the same bytes.
 */
import { crc32c } from '#src/native/crc32c.js';
import { ERROR, errorInfo } from '#src/protocol/errors.js';
import { produceApi } from '#src/protocol/messages/produce.js';
import { encodeBatch } from '#src/records/batch.js';
import * as assert from 'uvu/assert';
import type { Readable } from '../chaos/history/copies.js';
import { History } from '../chaos/history/history.js';
import type { Violation } from '../chaos/history/violation.js';
import { readAll } from '../chaos/reader.js';
import { compareReplicas } from '../chaos/replicas.js';
import { tagValue } from '../chaos/tag.js';
import type { TestCluster } from '../support/cluster.js';
import { waitInSync } from '../support/in-sync.js';
import { KafkaClient } from '../support/kafka-client.js';
import { ConnectionLost, type KafkaConnection } from '../support/kafka-connection.js';
import { waitFor } from '../support/wait-for.js';

const PRODUCE_VERSION = 9;

export type Attempt = {
  /** `none` is an acknowledgement; `no connection` was not sent, `no answer` may have arrived. */
  readonly error: string;
  readonly baseOffset: number;
  /** The broker's own words, if it had some. */
  readonly message: string;
};

export type WriteOptions = {
  readonly acks?: -1 | 0 | 1;
  readonly timeoutMs?: number;
  readonly records?: number;
  readonly connection?: KafkaConnection;
};

export class Recorder {
  readonly client: KafkaClient;
  readonly history = new History();
  readonly #cluster: TestCluster;
  readonly #topics: readonly string[];
  #batches = 0;

  constructor(cluster: TestCluster, topics: readonly string[]) {
    this.#cluster = cluster;
    this.#topics = topics;
    this.client = new KafkaClient(cluster.bootstrap, topics, 'recorder');
  }

  /** One attempt at one batch, at the leader as the client knows it or over a given connection. */
  async attempt(topic: string, partition: number, options: WriteOptions = {}): Promise<Attempt> {
    const { records = 5, timeoutMs = 4_000, acks = -1 } = options;
    const connection = options.connection ?? (await this.#tryLeaderOf(topic, partition));
    if (connection === null) return failure('no connection');
    const batch = { writer: 1, batch: this.#batches };
    this.#batches += 1;
    const bytes = makeBatch(batch, records);
    this.history.note({ kind: 'sent', ...batch, partition: `${topic}:${partition}`, records });
    let answer: Answer;
    try {
      answer = await produceBytes(connection, { topic, partition, bytes, acks, timeoutMs });
    } catch (error) {
      if (!(error instanceof ConnectionLost)) throw error;
      this.history.note({ kind: 'unknown', ...batch });
      return failure('no answer');
    }
    const { name, outcome } = errorInfo(answer.errorCode);
    const { baseOffset } = answer;
    if (outcome === 'none') this.history.note({ kind: 'acked', ...batch, baseOffset, epoch: -1 });
    else this.history.note({ kind: outcome === 'definite' ? 'refused' : 'unknown', ...batch });
    const message = answer.errorMessage ?? '';
    return { error: outcome === 'none' ? 'none' : name, baseOffset, message };
  }

  /** Attempts until a batch is acknowledged; returns its base offset. */
  write(topic: string, partition: number, options: WriteOptions = {}): Promise<number> {
    return waitFor(
      `an ack in ${topic}:${partition}`,
      async () => {
        const { error, baseOffset } = await this.attempt(topic, partition, options);
        if (error === 'none') return { baseOffset };
        await this.refresh();
        return null;
      },
      { timeoutMs: 20_000 },
    ).then(({ baseOffset }) => baseOffset);
  }

  async writeMany(topic: string, partition: number, batches: number): Promise<void> {
    for (let i = 0; i < batches; i++) await this.write(topic, partition);
  }

  async refresh(): Promise<void> {
    try {
      await this.client.refresh();
    } catch (error) {
      if (!(error instanceof ConnectionLost)) throw error;
    }
  }

  /**
   * Waits until every replica is in sync, reads everything back, stops the cluster and compares the
   * files of its nodes. Fails with every violation in words.
   */
  async judge(): Promise<void> {
    await waitInSync(this.#cluster, this.#topics);
    await this.refresh();
    const readable = new Map<string, Readable>();
    for (const key of this.client.partitions) {
      const [topic = '', partition = ''] = key.split(':');
      const name = { topic, partition: Number(partition) };
      readable.set(key, await readAll(this.client, name, this.history));
    }
    await this.client.close();
    await this.#cluster.down();
    const verdict = this.history.verdict();
    const replicas = await compareReplicas(this.#cluster, readable);
    mustBeNone([...verdict.violations, ...replicas]);
    assert.ok(verdict.acked > 0, 'nothing was acknowledged');
  }

  async #tryLeaderOf(topic: string, partition: number): Promise<KafkaConnection | null> {
    if (this.client.leaderOf(topic, partition) === null) await this.refresh();
    const leader = this.client.leaderOf(topic, partition);
    if (leader === null) return null;
    try {
      return await this.client.connectionTo(leader.nodeId);
    } catch (error) {
      if (error instanceof ConnectionLost) return null;
      throw error;
    }
  }
}

function failure(error: string): Attempt {
  return { error, baseOffset: -1, message: '' };
}

export type Answer = {
  readonly errorCode: number;
  readonly baseOffset: number;
  readonly errorMessage: string | null;
};

export type ProduceCall = {
  readonly topic: string;
  readonly partition: number;
  readonly bytes: Buffer;
  readonly acks: -1 | 0 | 1;
  readonly timeoutMs: number;
};

export async function produceBytes(
  connection: KafkaConnection,
  { topic, partition, bytes, acks, timeoutMs }: ProduceCall,
): Promise<Answer> {
  const records = { bytes, start: 0, length: bytes.length };
  const response = await connection.request(
    produceApi,
    PRODUCE_VERSION,
    {
      acks,
      timeoutMs,
      topicData: [{ name: topic, partitionData: [{ index: partition, records }] }],
    },
    timeoutMs + 8_000,
  );
  const answer = response.responses[0]?.partitionResponses[0];
  if (answer === undefined) throw new Error(`an answer without ${topic}:${partition}`);
  assert.ok(answer.errorCode !== ERROR.UNKNOWN_SERVER_ERROR, 'never UNKNOWN_SERVER_ERROR');
  return answer;
}

function makeBatch({ writer, batch }: { writer: number; batch: number }, count: number): Buffer {
  const timestamp = Date.now();
  const records = Array.from({ length: count }, (_, index) => ({
    key: null,
    value: Buffer.from(tagValue({ writer, batch, index })),
    headers: [],
    timestamp,
  }));
  return encodeBatch({ records, baseOffset: 0 }, crc32c);
}

function mustBeNone(violations: readonly Violation[]): void {
  const lines = violations.slice(0, 20).map(({ id, text }) => `${id} ${text.slice(0, 400)}`);
  assert.is(violations.length, 0, lines.join('\n'));
}
