/**
 * A cluster as a client sees it: brokers, topics and leaders from Metadata, one connection per
 * broker, and retries that look at the metadata again before each attempt. Its one promise: a
 * dead, paused or deposed broker costs a retry, never the command.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { LograftError } from '../../base/errors.js';
import type { NodeId } from '../../base/units.js';
import { ERROR } from '../../protocol/errors.js';
import { findCoordinatorApi } from '../../protocol/messages/find-coordinator.js';
import { metadataApi } from '../../protocol/messages/metadata.js';
import type { Api, DecodedFields, EncodableFields, Fields } from '../../protocol/schema.js';
import type { Address } from '../options.js';
import { Connection } from './connection.js';
import { ConnectionError, isRetriable, KafkaError, throwIfError } from './errors.js';

const CONNECT_TIMEOUT_MS = 3_000;
const REQUEST_TIMEOUT_MS = 30_000;
/** Longer than a long poll of the fetcher: silence is normal until then. */
const LEADER_LOOK_MS = 700;
const RETRY_FIRST_MS = 20;
const RETRY_MAX_MS = 500;

export type PartitionMetadata = {
  readonly partition: number;
  readonly leader: NodeId;
  readonly leaderEpoch: number;
  readonly replicas: readonly NodeId[];
  readonly inSync: readonly NodeId[];
};

export type TopicMetadata = {
  readonly name: string;
  readonly topicId: string;
  readonly isInternal: boolean;
  /** Index = partition number. */
  readonly partitions: readonly PartitionMetadata[];
};

export type ClientOptions = {
  readonly bootstrap: readonly Address[];
  readonly clientId?: string;
  readonly connectTimeoutMs?: number;
  readonly requestTimeoutMs?: number;
};

/** `connection` is null while it is being opened. */
type Slot = { readonly opening: Promise<Connection>; connection: Connection | null };

export class KafkaClient {
  readonly #bootstrap: readonly Address[];
  readonly #options;
  readonly #slots = new Map<string, Slot>();
  /** Addresses that failed last, tried after the others. */
  readonly #suspects = new Set<string>();
  #isClosed = false;
  clusterId: string | null = null;
  controllerId: NodeId = -1;
  brokers: ReadonlyMap<NodeId, Address> = new Map();
  readonly topics = new Map<string, TopicMetadata>();

  constructor(options: ClientOptions) {
    this.#bootstrap = options.bootstrap;
    this.#options = {
      clientId: options.clientId ?? 'lograft-cli',
      connectTimeoutMs: options.connectTimeoutMs ?? CONNECT_TIMEOUT_MS,
      requestTimeoutMs: options.requestTimeoutMs ?? REQUEST_TIMEOUT_MS,
    };
  }

  /**
   * Asks any broker. `null` is all topics. A topic that does not exist, or whose partitions have no
   * leader yet, throws KafkaError with a retriable code.
   */
  async refresh(names: readonly string[] | null, isCreating = false): Promise<void> {
    const body = await this.any(metadataApi, {
      topics: names === null ? null : names.map((name) => ({ name })),
      allowAutoTopicCreation: isCreating,
    });
    this.clusterId = body.clusterId;
    this.controllerId = body.controllerId;
    this.brokers = new Map(body.brokers.map((b) => [b.nodeId, { host: b.host, port: b.port }]));
    if (names === null) this.topics.clear();
    for (const topic of body.topics) {
      throwIfError(topic.errorCode, `topic ${topic.name}`);
      this.topics.set(topic.name as string, {
        name: topic.name as string,
        topicId: topic.topicId,
        isInternal: topic.isInternal,
        partitions: topic.partitions
          .map((p) => ({
            partition: p.partitionIndex,
            leader: p.leaderId,
            leaderEpoch: p.leaderEpoch,
            replicas: p.replicaNodes,
            inSync: p.isrNodes,
          }))
          .sort((a, b) => a.partition - b.partition),
      });
    }
  }

  /** The topic as last heard, asked for when it is not known. Throws KafkaError. */
  async topic(name: string): Promise<TopicMetadata> {
    if (!this.topics.has(name)) await this.refresh([name]);
    const topic = this.topics.get(name);
    if (topic === undefined) {
      throw new KafkaError(ERROR.UNKNOWN_TOPIC_OR_PARTITION, `topic ${name}`);
    }
    return topic;
  }

  /** Node that leads a partition, as last heard. Throws KafkaError LEADER_NOT_AVAILABLE. */
  async leaderOf(name: string, partition: number): Promise<NodeId> {
    const topic = await this.topic(name);
    const leader = topic.partitions[partition]?.leader;
    if (leader === undefined) {
      throw new KafkaError(ERROR.UNKNOWN_TOPIC_OR_PARTITION, `${name}-${partition}`);
    }
    if (leader < 0) throw new KafkaError(ERROR.LEADER_NOT_AVAILABLE, `${name}-${partition}`);
    return leader;
  }

  /**
   * Asks the leader of a partition. Whoever waits for a paused or cut-off leader need not wait for
   * his timeout: once others name another leader this rejects with NOT_LEADER_OR_FOLLOWER.
   */
  async toLeader<T>(
    name: string,
    partition: number,
    ask: (connection: Connection) => Promise<T>,
  ): Promise<T> {
    const leader = await this.leaderOf(name, partition);
    const watch = new AbortController();
    const answer = this.toNode(leader).then(ask);
    const moved = this.#leaderMoved(name, partition, leader, watch.signal);
    try {
      return await Promise.race([answer, moved]);
    } finally {
      watch.abort();
    }
  }

  /** The broker that coordinates `group`. */
  async coordinatorOf(group: string): Promise<Address> {
    const body = await this.any(findCoordinatorApi, { key: group, coordinatorKeys: [group] });
    const found = body.coordinators[0] ?? body;
    throwIfError(found.errorCode, `coordinator of group ${group}`, found.errorMessage);
    return { host: found.host, port: found.port };
  }

  async toNode(nodeId: NodeId): Promise<Connection> {
    if (!this.brokers.has(nodeId)) await this.refresh([]);
    const address = this.brokers.get(nodeId);
    if (address === undefined) {
      throw new KafkaError(ERROR.BROKER_NOT_AVAILABLE, `node ${nodeId}`);
    }
    return this.toAddress(address);
  }

  /** The open connection to an address, or a new one. Throws ConnectionError. */
  toAddress(address: Address): Promise<Connection> {
    if (this.#isClosed) return Promise.reject(new ConnectionError(address, 'client is closed'));
    const key = addressKey(address);
    const known = this.#slots.get(key);
    const isUsable = known !== undefined && (known.connection?.isOpen ?? true);
    return isUsable ? known.opening : this.#open(key, address);
  }

  /**
   * Sends to whichever broker answers, the trusted ones first. When none does it throws
   * LograftError NOT_RUNNING, or ConnectionError if the cluster has answered before.
   */
  async any<Q extends Fields, S extends Fields>(
    api: Api<Q, S>,
    body: EncodableFields<Q>,
  ): Promise<DecodedFields<S>> {
    const errors: string[] = [];
    for (const address of this.#candidates()) {
      try {
        const connection = await this.toAddress(address);
        return await connection.request(api, body);
      } catch (error) {
        if (!(error instanceof ConnectionError)) throw error;
        this.#suspects.add(addressKey(address));
        errors.push(error.message);
      }
    }
    // A cluster that answered before is expected to come back: worth another try.
    const [address] = this.#bootstrap;
    if (this.clusterId !== null && address !== undefined) {
      throw new ConnectionError(address, `no broker answers any more (${errors.join('; ')})`);
    }
    throw new LograftError(
      'NOT_RUNNING',
      `no broker answers (${errors.join('; ')})`,
      'start the cluster with `lograft up`, or name it with --data or --bootstrap',
    );
  }

  close(): void {
    this.#isClosed = true;
    for (const slot of this.#slots.values()) slot.connection?.close();
    this.#slots.clear();
  }

  #open(key: string, address: Address): Promise<Connection> {
    const opening = Connection.open(address, this.#options);
    const slot: Slot = { opening, connection: null };
    this.#slots.set(key, slot);
    opening.then(
      (connection) => {
        slot.connection = connection;
        this.#suspects.delete(key);
        if (this.#isClosed) connection.close();
      },
      () => {
        this.#suspects.add(key);
        if (this.#slots.get(key) === slot) this.#slots.delete(key);
      },
    );
    return opening;
  }

  /** Rejects when somebody else leads, never resolves; looks now and then until `signal` aborts. */
  async #leaderMoved(
    name: string,
    partition: number,
    leader: NodeId,
    signal: AbortSignal,
  ): Promise<never> {
    while (!signal.aborted) {
      await sleep(LEADER_LOOK_MS, undefined, { signal }).catch(() => undefined);
      if (signal.aborted) break;
      const address = this.brokers.get(leader);
      if (address !== undefined) this.#suspects.add(addressKey(address));
      // Nobody to ask is no news: the request's own timeout decides.
      await this.refresh([name]).catch(() => undefined);
      const now = this.topics.get(name)?.partitions[partition]?.leader ?? leader;
      if (now === leader || now < 0) continue;
      throw new KafkaError(ERROR.NOT_LEADER_OR_FOLLOWER, `${name}-${partition}`);
    }
    return new Promise<never>(() => undefined);
  }

  #candidates(): Address[] {
    const unique = new Map<string, Address>();
    for (const address of [...this.brokers.values(), ...this.#bootstrap]) {
      unique.set(addressKey(address), address);
    }
    // An open connection is the best recommendation, a failure just now the worst.
    const doubt = (key: string) => {
      if (this.#suspects.has(key)) return 2;
      return this.#slots.get(key)?.connection?.isOpen === true ? 0 : 1;
    };
    return [...unique].sort(([a], [b]) => doubt(a) - doubt(b)).map(([, address]) => address);
  }
}

function addressKey(address: Address): string {
  return `${address.host}:${address.port}`;
}

/**
 * Repeats `attempt` until it succeeds, fails for good or `deadline` (performance.now()) has passed;
 * the last error is thrown. Waits grow from 20 ms to half a second.
 */
export async function retrying<T>(
  deadline: number,
  attempt: (number: number) => Promise<T>,
  isWorthRetrying: (error: unknown) => boolean = isRetriable,
): Promise<T> {
  for (let number = 0, waitMs = RETRY_FIRST_MS; ; number++) {
    try {
      return await attempt(number);
    } catch (error) {
      const leftMs = deadline - performance.now();
      if (!isWorthRetrying(error) || leftMs <= 0) throw error;
      await sleep(Math.min(waitMs, leftMs));
      waitMs = Math.min(2 * waitMs, RETRY_MAX_MS);
    }
  }
}
