/**
 * This node's own facts as one JSON document, for the CLI: what it is, what it knows of the
 * cluster, and offsets of the partitions it leads. Main thread; shards give their part on request.
 */
import type { NodeId } from '../base/units.js';
import type { ControlPlane } from '../control/control-plane.js';
import type { TopicImage } from '../control/image.js';
import type { PartitionFacts } from '../partition/access.js';
import type { BrokerConfig } from './config.js';
import type { ShardFacts } from './thread-messages.js';

export type NodeState = 'starting' | 'running' | 'stranger' | 'failed';

export type NodeStatusInput = {
  readonly config: BrokerConfig;
  readonly directoryId: string;
  readonly state: NodeState;
  readonly isReady: boolean;
  readonly control: ControlPlane | null;
  readonly shards: readonly ShardFacts[];
};

const UNKNOWN_OFFSETS = { logStartOffset: -1, highWatermark: -1, logEndOffset: -1 };

export function nodeStatus(input: NodeStatusInput): string {
  const { config, control, shards, state, isReady, directoryId } = input;
  const { node, nodeId } = config;
  const facts = new Map<string, PartitionFacts>();
  for (const { partitions } of shards) {
    for (const fact of partitions) facts.set(`${fact.group.topicId}:${fact.group.partition}`, fact);
  }
  const topics = control === null ? [] : [...control.image.topics.values()];
  return JSON.stringify({
    nodeId,
    directoryId,
    clusterId: control?.image.clusterId ?? null,
    controllerId: control?.controllerId ?? -1,
    state,
    isReady,
    pid: process.pid,
    rssBytes: process.memoryUsage.rss(),
    kafka: `${node.advertisedHost}:${node.advertisedPort}`,
    peer: `${node.advertisedHost}:${node.peerPort}`,
    uptimeMs: Math.round(process.uptime() * 1_000),
    brokers: control === null ? [] : brokersOf(control),
    topics: topics.map((topic) => describeTopic(topic, control as ControlPlane, nodeId, facts)),
    replicas: [...facts.values()].map(describeReplica),
    strays: [...new Set(shards.flatMap(({ strays }) => strays))],
    counters: shards.map(({ counters }) => counters),
  });
}

function brokersOf(control: ControlPlane): object[] {
  return [...control.image.brokers.values()].map(({ nodeId, isFenced, directoryId }) => ({
    nodeId,
    isFenced,
    directoryId,
  }));
}

function describeTopic(
  topic: TopicImage,
  control: ControlPlane,
  self: NodeId,
  facts: ReadonlyMap<string, PartitionFacts>,
): object {
  const partitions = topic.partitions.map(({ partition, replicas }) => {
    const entry = control.leaders.get(topic.topicId, partition);
    const fact = facts.get(`${topic.topicId}:${partition}`);
    const isLeader = fact?.isServing === true && fact.leaderId === self;
    const offsets = isLeader
      ? {
          logStartOffset: fact.logStartOffset,
          highWatermark: fact.highWatermark,
          logEndOffset: fact.logEndOffset,
        }
      : UNKNOWN_OFFSETS;
    return {
      partition,
      leader: isLeader ? self : (entry?.leaderId ?? -1),
      leaderEpoch: isLeader ? fact.leaderEpoch : (entry?.leaderEpoch ?? -1),
      replicas: replicas.map(({ nodeId }) => nodeId),
      inSync: isLeader ? fact.inSync : (entry?.inSync ?? []),
      ...offsets,
    };
  });
  const { name, topicId, configs, isInternal } = topic;
  return { name, topicId, isInternal, configs, partitions };
}

function describeReplica(fact: PartitionFacts): object {
  const { group, topic, role, logEndOffset, highWatermark, leaderEpoch, failure } = fact;
  return {
    topic,
    topicId: group.topicId,
    partition: group.partition,
    role,
    logEndOffset,
    highWatermark,
    leaderEpoch,
    state: failure === null ? 'running' : 'failed',
    failure,
  };
}
