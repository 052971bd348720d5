/**
 * Writes records whose fate is noted by the history checker, and judges at the end: everything that
 * was acknowledged is read back through Kafka, and the files of all nodes hold the same bytes.
 */
import { ERROR, errorInfo } from '#src/protocol/errors.js';
import * as assert from 'uvu/assert';
import type { Readable } from '../chaos/history/copies.js';
import { History } from '../chaos/history/history.js';
import type { Violation } from '../chaos/history/violation.js';
import { readAll } from '../chaos/reader.js';
import { compareReplicas } from '../chaos/replicas.js';
import { encodeTagged } from '../chaos/tag.js';
import type { TestCluster } from '../support/cluster.js';
import { waitInSync } from '../support/in-sync.js';
import { KafkaClient } from '../support/kafka-client.js';
import { ConnectionLost, type KafkaConnection } from '../support/kafka-connection.js';
import { type ProduceAnswer, produceBytes } from '../support/produce.js';
import { waitFor } from '../support/wait-for.js';

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
    const bytes = encodeTagged(batch, records);
    this.history.note({ kind: 'sent', ...batch, partition: `${topic}:${partition}`, records });
    let answer: ProduceAnswer;
    try {
      answer = await produceBytes(connection, { topic, partition, bytes, acks, timeoutMs });
    } catch (error) {
      if (!(error instanceof ConnectionLost)) throw error;
      this.history.note({ kind: 'unknown', ...batch });
      return failure('no answer');
    }
    assert.is.not(answer.errorCode, ERROR.UNKNOWN_SERVER_ERROR, 'never UNKNOWN_SERVER_ERROR');
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
        await this.client.tryRefresh();
        return null;
      },
      { timeoutMs: 20_000 },
    ).then(({ baseOffset }) => baseOffset);
  }

  async writeMany(topic: string, partition: number, batches: number): Promise<void> {
    for (let i = 0; i < batches; i++) await this.write(topic, partition);
  }

  /**
   * Waits until every replica is in sync, reads everything back, stops the cluster and compares the
   * files of its nodes. Fails with every violation in words.
   */
  async judge(): Promise<void> {
    await waitInSync(this.#cluster, this.#topics);
    await this.client.tryRefresh();
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
    if (this.client.leaderOf(topic, partition) === null) await this.client.tryRefresh();
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

function mustBeNone(violations: readonly Violation[]): void {
  const lines = violations.slice(0, 20).map(({ id, text }) => `${id} ${text.slice(0, 400)}`);
  assert.is(violations.length, 0, lines.join('\n'));
}
