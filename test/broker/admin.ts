/** What tests ask of a cluster beside records: many topics at once, and nodes that die and stay. */
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { createTopicsApi } from '#src/protocol/messages/create-topics.js';
import type { TestCluster } from '../support/cluster.js';
import { isAlive } from '../support/command.js';
import { parseAddress } from '../support/kafka-client.js';
import { KafkaConnection } from '../support/kafka-connection.js';
import { waitFor } from '../support/wait-for.js';

/** Creates topics of one partition with one request; returns the distinct error codes. */
export async function createTopics(
  cluster: TestCluster,
  names: readonly string[],
  timeoutMs: number,
): Promise<number[]> {
  const { controllerId } = await cluster.status();
  const address = parseAddress(cluster.bootstrap[controllerId - 1] as string);
  const connection = await KafkaConnection.open(address, 'topics');
  try {
    const shape = { numPartitions: 1, replicationFactor: 3, assignments: [], configs: [] };
    const body = { topics: names.map((name) => ({ name, ...shape })), timeoutMs };
    const answer = await connection.request(createTopicsApi, 4, body, timeoutMs + 10_000);
    return [...new Set(answer.topics.map(({ errorCode }) => errorCode))];
  } finally {
    connection.close();
  }
}

/** kill -9, and waits until the process is gone. */
export async function killNode(cluster: TestCluster, id: number): Promise<void> {
  const pid = cluster.pid(id);
  cluster.signal(id, 'SIGKILL');
  await waitFor(`node ${id} to be gone`, () => !isAlive(pid));
}

/** Changes a setting of the nodes that `lograft start` starts from now on. */
export function changeSetting(cluster: TestCluster, name: string, value: number): void {
  const path = join(cluster.dataDir, 'config.json');
  const config = JSON.parse(readFileSync(path, 'utf8')) as { settings: Record<string, unknown> };
  config.settings[name] = value;
  writeFileSync(path, JSON.stringify(config));
}
