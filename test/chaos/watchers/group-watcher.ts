/**
 * A consumer group under watch: two members that stay, a guest that comes and goes, politely or by
 * dying, and somebody who asks every node for the group's positions all the time.
 */
import type { Prng } from '#src/base/prng.js';
import { KafkaClient, parseAddress } from '../../support/kafka-client.js';
import { ConnectionLost, KafkaConnection } from '../../support/kafka-connection.js';
import { sleep } from '../../support/wait-for.js';
import type { History } from '../history/history.js';
import { GroupMember } from './group-member.js';
import { keepRefreshing } from './keep-refreshing.js';
import { fetchPositions } from './positions.js';
import type { Worker } from './worker.js';

const RESIDENTS = 2;
const STAY_MS = { least: 3_000, most: 9_000 } as const;
const AWAY_MS = { least: 1_000, most: 6_000 } as const;
const DEATH_CHANCE = 0.5;
const POSITIONS_EVERY_MS = 200;
const IN_FLIGHT_MAX = 40;
const STEP_MS = 100;

export type GroupWatcherOptions = {
  readonly group: string;
  readonly topic: string;
  readonly partitions: number;
  readonly bootstrap: readonly string[];
  readonly history: History;
  readonly random: Prng;
};

export class GroupWatcher implements Worker {
  readonly #options: GroupWatcherOptions;
  readonly #client: KafkaClient;
  readonly #residents: readonly GroupMember[];
  #members = 0;
  #isStopped = false;

  constructor(options: GroupWatcherOptions) {
    this.#options = options;
    this.#client = new KafkaClient(options.bootstrap, [options.topic], 'group');
    this.#residents = Array.from({ length: RESIDENTS }, () => this.#makeMember());
  }

  async run(): Promise<void> {
    await Promise.all([
      ...this.#residents.map((member) => member.run()),
      ...this.#options.bootstrap.map((address) => this.#askPositions(address)),
      this.#haveGuests(),
      keepRefreshing(this.#client, () => this.#isStopped),
    ]);
    await this.#client.close();
  }

  stop(): void {
    this.#isStopped = true;
    for (const member of this.#residents) member.stop();
  }

  #makeMember(): GroupMember {
    this.#members += 1;
    return new GroupMember({ ...this.#options, name: `m${this.#members}`, client: this.#client });
  }

  async #haveGuests(): Promise<void> {
    const { random } = this.#options;
    while (!this.#isStopped) {
      await this.#sleep(random.int(AWAY_MS.least, AWAY_MS.most));
      const guest = this.#makeMember();
      const stay = guest.run();
      await Promise.race([stay, this.#sleep(random.int(STAY_MS.least, STAY_MS.most))]);
      if (random.chance(DEATH_CHANCE)) guest.die();
      else guest.stop();
      await stay;
    }
  }

  /** A node that coordinates no more may have questions in its sockets, too. */
  async #askPositions(address: string): Promise<void> {
    const { group, topic, partitions, history } = this.#options;
    const all = Array.from({ length: partitions }, (_, partition) => partition);
    const running = new Set<Promise<unknown>>();
    let connection: KafkaConnection | null = null;
    while (!this.#isStopped) {
      if (connection?.isOpen !== true) connection = await connect(address);
      if (connection !== null && running.size < IN_FLIGHT_MAX) {
        const question = fetchPositions(connection, group, topic, all, history);
        const work = question.finally(() => running.delete(work));
        running.add(work);
      }
      await sleep(POSITIONS_EVERY_MS);
    }
    connection?.close();
    await Promise.all(running);
  }

  async #sleep(ms: number): Promise<void> {
    const endMs = performance.now() + ms;
    while (!this.#isStopped && performance.now() < endMs) await sleep(STEP_MS);
  }
}

async function connect(address: string): Promise<KafkaConnection | null> {
  try {
    return await KafkaConnection.open(parseAddress(address), 'positions', 1_000);
  } catch (error) {
    if (error instanceof ConnectionLost) return null;
    throw error;
  }
}
