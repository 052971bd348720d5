/**
 * A connection of one's own to the coordinator of a group, looked for again when it was lost or
 * turned out to be elsewhere. It retries nothing.
 */
import { ERROR } from '#src/protocol/errors.js';
import { findCoordinatorApi } from '#src/protocol/messages/find-coordinator.js';
import type { Api, DecodedFields, EncodableFields, Fields } from '#src/protocol/schema.js';
import { parseAddress } from '../../support/kafka-client.js';
import { ConnectionLost, KafkaConnection } from '../../support/kafka-connection.js';
import { askQuietly } from './prober.js';

const FIND_COORDINATOR_VERSION = 2;
const GROUP_KEY_TYPE = 0;
const CONNECT_MS = 1_000;
const FIND_MS = 2_000;
const ANSWER_MS = 4_000;

export class CoordinatorLink {
  readonly #bootstrap: readonly string[];
  readonly #group: string;
  #connection: KafkaConnection | null = null;
  #turn = 0;
  #hasEnded = false;

  constructor(bootstrap: readonly string[], group: string) {
    this.#bootstrap = bootstrap;
    this.#group = group;
  }

  /** Null when there is no coordinator now, or it can not be reached. */
  async open(): Promise<KafkaConnection | null> {
    if (this.#hasEnded) return null;
    if (this.#connection?.isOpen === true) return this.#connection;
    this.#turn += 1;
    const address = this.#bootstrap[this.#turn % this.#bootstrap.length] as string;
    try {
      const guide = await KafkaConnection.open(parseAddress(address), 'member', CONNECT_MS);
      const body = { key: this.#group, keyType: GROUP_KEY_TYPE };
      const answer = await askQuietly(
        guide,
        findCoordinatorApi,
        FIND_COORDINATOR_VERSION,
        body,
        FIND_MS,
      );
      guide.close();
      if (answer === null || answer.errorCode !== ERROR.NONE) return null;
      const { host, port } = answer;
      this.#connection = await KafkaConnection.open({ host, port }, 'member', CONNECT_MS);
      return this.#connection;
    } catch (error) {
      if (error instanceof ConnectionLost) return null;
      throw error;
    }
  }

  /** Null when there is nobody to ask, or the answer can not come any more. */
  async ask<Q extends Fields, S extends Fields>(
    api: Api<Q, S>,
    version: number,
    body: EncodableFields<Q>,
    timeoutMs = ANSWER_MS,
  ): Promise<DecodedFields<S> | null> {
    const connection = await this.open();
    return connection === null ? null : askQuietly(connection, api, version, body, timeoutMs);
  }

  close(): void {
    this.#connection?.close();
    this.#connection = null;
  }

  /** From now on there is nobody to ask; whoever waits for an answer gets none. */
  end(): void {
    this.#hasEnded = true;
    this.close();
  }
}
