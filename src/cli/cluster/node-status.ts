/**
 * What one node says of itself (LograftStatus, a private request on its Kafka port). Types and the
 * question; merging the answers is `cluster-status.ts`.
 */
import type { NodeId } from '../../base/units.js';
import { lograftStatusApi } from '../../protocol/messages/lograft-status.js';
import { Connection } from '../kafka/connection.js';
import { throwIfError } from '../kafka/errors.js';
import type { Address } from '../options.js';

export type PartitionStatus = {
  readonly partition: number;
  readonly leader: NodeId;
  readonly leaderEpoch: number;
  readonly replicas: readonly NodeId[];
  readonly inSync: readonly NodeId[];
  /** Offsets are -1 unless the node that says so leads the partition. */
  readonly logStartOffset: number;
  readonly highWatermark: number;
  readonly logEndOffset: number;
};

export type TopicStatus = {
  readonly name: string;
  readonly topicId: string;
  readonly configs: Readonly<Record<string, string>>;
  readonly partitions: readonly PartitionStatus[];
  /** Only in what a node says; the contract's topic object does not have it. */
  readonly isInternal?: boolean;
};

export type NodeStatus = {
  readonly nodeId: NodeId;
  readonly clusterId: string | null;
  readonly controllerId: NodeId;
  readonly state: 'running' | 'stranger' | 'starting' | 'failed';
  /** Every local partition is open and the controller knows this incarnation. */
  readonly isReady: boolean;
  readonly pid: number;
  readonly rssBytes: number;
  readonly kafka: string;
  readonly peer: string;
  readonly brokers: readonly { readonly nodeId: NodeId; readonly isFenced: boolean }[];
  readonly topics: readonly TopicStatus[];
  readonly strays?: readonly string[];
};

const CLIENT_ID = 'lograft-cli';

/** Throws ConnectionError when the node does not answer in time. */
export async function askStatus(address: Address, timeoutMs: number): Promise<NodeStatus> {
  const connection = await Connection.open(address, {
    clientId: CLIENT_ID,
    connectTimeoutMs: timeoutMs,
    requestTimeoutMs: timeoutMs,
  });
  try {
    const body = await connection.request(lograftStatusApi, {});
    throwIfError(body.errorCode, `status of ${address.host}:${address.port}`);
    return JSON.parse(body.json) as NodeStatus;
  } finally {
    connection.close();
  }
}
