/**
 * The cluster's status out of what its nodes say, what the system knows of their processes and what
 * lies on disk. Its one promise: the answer has the shape of the contract however few nodes answer,
 * and the offsets in it are the leader's own.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import type { NodeId } from '../../base/units.js';
import { formatAddress } from '../../broker/addresses.js';
import type { Address } from '../options.js';
import type { ClusterNode, ClusterState } from './cluster-file.js';
import { clusterIdOnDisk, topicsOnDisk } from './disk-topics.js';
import {
  askStatus,
  type NodeStatus,
  type PartitionStatus,
  type TopicStatus,
} from './node-status.js';
import { residentBytes, stateOf } from '../../broker/processes.js';

const ASK_TIMEOUT_MS = 2_000;
/** A node that takes this much longer than the first is paused or gone. */
const STRAGGLER_MS = 500;

export type NodeState = 'starting' | 'running' | 'paused' | 'stopped' | 'stranger' | 'failed';

export type NodeSummary = {
  readonly id: NodeId;
  readonly pid: number | null;
  readonly state: NodeState;
  readonly kafka: string;
  readonly peer: string;
  readonly http: string;
  readonly rssBytes: number;
};

export type ClusterStatus = {
  readonly clusterId: string | null;
  readonly controllerId: NodeId;
  readonly nodes: readonly NodeSummary[];
  readonly topics: readonly TopicStatus[];
  /** Folders that were moved aside because another topic owns their name. */
  readonly strays?: readonly string[];
};

/** Asks every node that could answer; the others count as silent. */
export async function clusterStatus(
  dataDir: string,
  state: ClusterState,
  timeoutMs = ASK_TIMEOUT_MS,
): Promise<ClusterStatus> {
  const asked = await Promise.all(state.nodes.map((node) => observe(node, timeoutMs)));
  const ids = state.nodes.map((node) => node.id);
  const answers = asked.flatMap(({ answer }) => (answer === null ? [] : [answer]));
  const reachable = new Set(
    asked.filter(({ summary }) => isAlive(summary)).map(({ summary }) => summary.id),
  );
  const view = mergeAnswers(answers, reachable);
  return {
    clusterId: view.clusterId ?? clusterIdOnDisk(dataDir, ids),
    controllerId: view.controllerId,
    nodes: asked.map(({ summary }) => summary),
    topics: answers.length > 0 ? view.topics : topicsOnDisk(dataDir, ids),
    ...(view.strays.length > 0 ? { strays: view.strays } : {}),
  };
}

/** For clusters that are known by address only: what the answering nodes say. */
export async function statusByAddress(
  addresses: readonly Address[],
  timeoutMs = ASK_TIMEOUT_MS,
): Promise<{ readonly answers: readonly NodeStatus[]; readonly topics: readonly TopicStatus[] }> {
  const answers: NodeStatus[] = [];
  const asking = addresses.map(async (address) => {
    answers.push(await askStatus(address, timeoutMs));
  });
  const everybody = Promise.allSettled(asking);
  // Throws what went wrong when there is no answer at all.
  await Promise.any(asking).catch((error: AggregateError) => {
    throw error.errors[0];
  });
  await Promise.race([everybody, sleep(STRAGGLER_MS)]);
  return { answers, topics: mergeAnswers(answers, new Set(answers.map((a) => a.nodeId))).topics };
}

/** The contract's topic object: without what only the CLI needs to know. */
export function topicDocument(topic: TopicStatus): TopicStatus {
  const { name, topicId, configs, partitions } = topic;
  return { name, topicId, configs, partitions };
}

export type MergedView = {
  readonly clusterId: string | null;
  readonly controllerId: NodeId;
  readonly topics: readonly TopicStatus[];
  readonly strays: readonly string[];
};

/**
 * One view of all answers: a topic is as the controller describes it, a partition as whoever knows
 * the highest epoch does. `alive` are the nodes whose process lives: nobody else leads anything.
 */
export function mergeAnswers(
  answers: readonly NodeStatus[],
  alive: ReadonlySet<NodeId>,
): MergedView {
  const controllerId = agreedController(answers, alive);
  const byTrust = [...answers].sort(
    (a, b) => Number(b.nodeId === controllerId) - Number(a.nodeId === controllerId),
  );
  const described = byTrust[0]?.topics ?? [];
  const topics = described.map((topic) => ({
    ...topic,
    partitions: topic.partitions.map((p) => mergePartition(topic, p, answers, alive)),
  }));
  return {
    clusterId: answers.find((a) => a.clusterId !== null)?.clusterId ?? null,
    controllerId,
    topics: topics.sort((a, b) => (a.name < b.name ? -1 : 1)),
    strays: answers.flatMap((a) => (a.strays ?? []).map((name) => `node-${a.nodeId}/${name}`)),
  };
}

/** The controller by its own word, else by the word of the most. */
function agreedController(answers: readonly NodeStatus[], alive: ReadonlySet<NodeId>): NodeId {
  const named = answers.map((a) => a.controllerId).filter((id) => alive.has(id));
  const votes = (id: NodeId) => named.filter((other) => other === id).length;
  const claims = answers.filter((a) => a.controllerId === a.nodeId).map((a) => a.nodeId);
  const candidates = claims.length > 0 ? claims : named;
  return [...candidates].sort((a, b) => votes(b) - votes(a))[0] ?? -1;
}

function mergePartition(
  topic: TopicStatus,
  described: PartitionStatus,
  answers: readonly NodeStatus[],
  alive: ReadonlySet<NodeId>,
): PartitionStatus {
  let best = described;
  for (const answer of answers) {
    const other = answer.topics
      .find((t) => t.topicId === topic.topicId)
      ?.partitions.find((p) => p.partition === described.partition);
    if (other === undefined) continue;
    const isLeaders = answer.nodeId === other.leader;
    if (other.leaderEpoch > best.leaderEpoch) best = other;
    else if (other.leaderEpoch === best.leaderEpoch && isLeaders) best = other;
  }
  const { replicas } = described;
  if (best.leader === -1 || alive.has(best.leader)) return { ...best, replicas };
  const unknown = { logStartOffset: -1, highWatermark: -1, logEndOffset: -1 };
  return { ...best, replicas, leader: -1, inSync: [], ...unknown };
}

function isAlive(summary: NodeSummary): boolean {
  return summary.pid !== null;
}

async function observe(
  node: ClusterNode,
  timeoutMs: number,
): Promise<{ summary: NodeSummary; answer: NodeStatus | null }> {
  const processState = node.process === null ? 'gone' : stateOf(node.process);
  const pid = processState === 'gone' ? null : (node.process?.pid ?? null);
  const summarize = (state: NodeState): NodeSummary => ({
    id: node.id,
    pid,
    state,
    kafka: formatAddress(node.kafka.host, node.kafka.port),
    peer: formatAddress(node.peer.host, node.peer.port),
    http: formatAddress(node.http.host, node.http.port),
    rssBytes: pid === null ? 0 : residentBytes(pid),
  });
  if (processState === 'gone') {
    return { summary: summarize(node.hasFailed ? 'failed' : 'stopped'), answer: null };
  }
  if (processState === 'paused') return { summary: summarize('paused'), answer: null };
  try {
    const answer = await askStatus(node.kafka, timeoutMs);
    return { summary: summarize(answer.state), answer };
  } catch (error) {
    // It does not listen yet, or it listens and is too busy to answer.
    const isRefused = (error as Error).message.includes('ECONNREFUSED');
    return { summary: summarize(isRefused ? 'starting' : 'running'), answer: null };
  }
}
