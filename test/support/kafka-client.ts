/**
 * Knows which node leads what, and keeps one connection to each, and one more for its own questions
 * about that: answers come in order, and those to writes may take long. Refreshes in the background
 * are shared by all who ask at the same time. It never retries a write: what an answer, or none,
 * means is for the caller to record.
 */
import { ERROR } from '#src/protocol/errors.js';
import { listOffsetsApi } from '#src/protocol/messages/list-offsets.js';
import { metadataApi } from '#src/protocol/messages/metadata.js';
import { type Address, ConnectionLost, KafkaConnection } from './kafka-connection.js';
import { sleep } from './wait-for.js';

export type Leader = { readonly nodeId: number; readonly leaderEpoch: number };

const METADATA_VERSION = 9;
const LIST_OFFSETS_VERSION = 5;
const METADATA_TIMEOUT_MS = 1_500;
/** After this the next broker is asked, too. */
const PATIENCE_MS = 100;

export class KafkaClient {
  readonly #bootstrap: readonly Address[];
  readonly #topics: readonly string[];
  readonly #clientId: string;
  readonly #connections = new Map<string, Promise<KafkaConnection>>();
  readonly #leaders = new Map<string, Leader>();
  #brokers = new Map<number, Address>();
  #partitions: readonly string[] = [];
  #refreshing: Promise<void> | null = null;
  #refreshes = 0;
  #isClosed = false;

  constructor(bootstrap: readonly string[], topics: readonly string[], clientId: string) {
    this.#bootstrap = bootstrap.map(parseAddress);
    this.#topics = topics;
    this.#clientId = clientId;
  }

  /** `topic:partition` of every partition, as of the last refresh. */
  get partitions(): readonly string[] {
    return this.#partitions;
  }

  leaderOf(topic: string, partition: number): Leader | null {
    return this.#leaders.get(`${topic}:${partition}`) ?? null;
  }

  /**
   * Asks the brokers one after another until one answers, each time from another one on: a broker
   * that was cut off from the rest answers, too, with what it knew. One that is slow to answer, as
   * a paused one, only makes the next one be asked as well.
   */
  refresh(): Promise<void> {
    this.#refreshing ??= this.#askAll().finally(() => {
      this.#refreshing = null;
    });
    return this.#refreshing;
  }

  /** As {@link refresh}; when no broker answers, what is known stays. */
  async tryRefresh(): Promise<void> {
    try {
      await this.refresh();
    } catch (error) {
      if (!(error instanceof ConnectionLost)) throw error;
    }
  }

  /** An open connection to a node; a new one when the old one was lost. */
  connectionTo(nodeId: number): Promise<KafkaConnection> {
    const address = this.#brokers.get(nodeId);
    if (address === undefined) return Promise.reject(new ConnectionLost(`no broker ${nodeId}`));
    return this.#connectionAt(address);
  }

  /** A connection to whichever broker takes one. */
  async anyConnection(): Promise<KafkaConnection> {
    let last: unknown = noBroker();
    for (const address of this.#bootstrap) {
      try {
        return await this.#connectionAt(address);
      } catch (error) {
        last = error;
      }
    }
    throw last;
  }

  /** High watermark as the leader tells it; throws unless it answers without an error. */
  async latestOffset(topic: string, partition: number): Promise<number> {
    const leader = this.leaderOf(topic, partition);
    if (leader === null) throw new ConnectionLost(`no leader of ${topic}:${partition}`);
    const connection = await this.connectionTo(leader.nodeId);
    const partitions = [{ partitionIndex: partition, timestamp: -1 }];
    const body = { replicaId: -1, isolationLevel: 0, topics: [{ name: topic, partitions }] };
    const answer = await connection.request(listOffsetsApi, LIST_OFFSETS_VERSION, body);
    const found = answer.topics[0]?.partitions[0];
    if (found === undefined || found.errorCode !== ERROR.NONE) {
      throw new Error(`ListOffsets ${topic}:${partition}: error ${found?.errorCode}`);
    }
    return found.offset;
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    const opening = [...this.#connections.values()];
    this.#connections.clear();
    for (const attempt of await Promise.allSettled(opening)) {
      if (attempt.status === 'fulfilled') attempt.value.close();
    }
  }

  async #askAll(): Promise<void> {
    const all = [...this.#brokers.values(), ...this.#bootstrap];
    const known = [...new Map(all.map((a) => [`${a.host}:${a.port}`, a])).values()];
    this.#refreshes += 1;
    const first = this.#refreshes % known.length;
    const asked: Promise<void>[] = [];
    for (const address of [...known.slice(first), ...known.slice(0, first)]) {
      asked.push(this.#ask(address));
      const isAnswered = Promise.any(asked).then(
        () => true,
        () => false,
      );
      if (await Promise.race([isAnswered, sleep(PATIENCE_MS).then(() => false)])) return;
    }
    const outcomes = await Promise.allSettled(asked);
    if (outcomes.some(({ status }) => status === 'fulfilled')) return;
    throw outcomes.find((o) => o.status === 'rejected')?.reason ?? noBroker();
  }

  async #ask(address: Address): Promise<void> {
    const connection = await this.#connectionAt(address, 'metadata');
    const answer = await connection.request(
      metadataApi,
      METADATA_VERSION,
      { topics: this.#topics.map((name) => ({ name })), allowAutoTopicCreation: false },
      METADATA_TIMEOUT_MS,
    );
    if (answer.brokers.length > 0) {
      this.#brokers = new Map(
        answer.brokers.map(({ nodeId, host, port }) => [nodeId, { host, port }]),
      );
    }
    const found: string[] = [];
    for (const { name, partitions } of answer.topics) {
      for (const { partitionIndex, leaderId, leaderEpoch } of partitions) {
        const key = `${name}:${partitionIndex}`;
        found.push(key);
        this.#learn(key, { nodeId: leaderId, leaderEpoch });
      }
    }
    if (found.length > 0) this.#partitions = found;
  }

  /** A node that was away may tell an older story: the higher epoch wins. */
  #learn(key: string, leader: Leader): void {
    const before = this.#leaders.get(key);
    if (before !== undefined && leader.leaderEpoch < before.leaderEpoch) return;
    if (leader.nodeId >= 0) this.#leaders.set(key, leader);
  }

  #connectionAt(address: Address, purpose: 'data' | 'metadata' = 'data'): Promise<KafkaConnection> {
    const key = `${address.host}:${address.port} ${purpose}`;
    const existing = this.#connections.get(key);
    if (existing !== undefined) {
      return existing.then((connection) => {
        if (connection.isOpen) return connection;
        if (this.#connections.get(key) === existing) this.#connections.delete(key);
        return this.#connectionAt(address, purpose);
      });
    }
    if (this.#isClosed) return Promise.reject(new ConnectionLost('closed by us'));
    const opening = KafkaConnection.open(address, this.#clientId, METADATA_TIMEOUT_MS);
    this.#connections.set(key, opening);
    opening.catch(() => this.#connections.delete(key));
    return opening;
  }
}

function noBroker(): ConnectionLost {
  return new ConnectionLost('no broker is known');
}

export function parseAddress(text: string): Address {
  const colon = text.lastIndexOf(':');
  return { host: text.slice(0, colon), port: Number(text.slice(colon + 1)) };
}
