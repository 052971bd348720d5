/** What one node says of itself, asked over its Kafka port as the CLI does, and its log lines. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { lograftStatusApi } from '#src/protocol/messages/lograft-status.js';
import type { TestCluster } from '../support/cluster.js';
import { parseAddress } from '../support/kafka-client.js';
import { KafkaConnection } from '../support/kafka-connection.js';

export type NodeFacts = {
  readonly nodeId: number;
  readonly directoryId: string;
  readonly clusterId: string | null;
  readonly state: string;
  readonly isReady: boolean;
  readonly topics: readonly { readonly name: string; readonly topicId: string }[];
  readonly replicas: readonly {
    readonly topic: string;
    readonly topicId: string;
    readonly partition: number;
    readonly role: string;
    readonly logEndOffset: number;
    readonly highWatermark: number;
    readonly state: string;
    readonly failure: string | null;
  }[];
  readonly strays: readonly string[];
  /** One for each shard. */
  readonly counters: readonly Readonly<Record<string, number>>[];
};

/** Throws ConnectionLost when the node does not answer. */
export async function askNode(cluster: TestCluster, nodeId: number): Promise<NodeFacts> {
  const address = parseAddress(cluster.bootstrap[nodeId - 1] as string);
  const connection = await KafkaConnection.open(address, 'facts', 2_000);
  try {
    const { json } = await connection.request(lograftStatusApi, 0, {}, 5_000);
    return JSON.parse(json) as NodeFacts;
  } finally {
    connection.close();
  }
}

export type LogLine = Readonly<Record<string, unknown>> & { readonly msg?: string };

/** The node's log file as objects; lines that are not JSON become `{ msg }`. */
export function readLog(cluster: TestCluster, nodeId: number): LogLine[] {
  const text = readFileSync(join(cluster.dataDir, `node-${nodeId}/lograft.log`), 'utf8');
  return text
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => {
      try {
        return JSON.parse(line) as LogLine;
      } catch {
        return { msg: line };
      }
    });
}
