/**
 * Which directories hold a new partition, preferred leader first. Pure and deterministic: the same
 * brokers and loads give the same answer. Leaders of one topic are spread to within one of each
 * other; the replicas of a partition stand in as many racks as there are, evenly.
 *
 * Fenced brokers follow Kafka's KRaft placer: they count towards the replication factor and may
 * hold a follower when there are not enough live ones, but never get the preferred leader. Beyond
 * Kafka, live brokers must be a majority of each partition's replicas, because a partition here
 * needs a majority to elect a leader.
 */
import type { VoterId } from '../base/group.js';
import type { NodeId } from '../base/units.js';
import type { BrokerImage } from './image.js';
import { type BrokerLoad, withLoad } from './load.js';
import type { Refusal } from './operations.js';

export type PlacementBroker = Pick<BrokerImage, 'nodeId' | 'directoryId' | 'rack' | 'isFenced'>;

export type PlacementRequest = {
  readonly brokers: readonly PlacementBroker[];
  readonly loads: ReadonlyMap<NodeId, BrokerLoad>;
  /** Partitions that the topic already has; its spread goes on from there. */
  readonly existing: readonly (readonly VoterId[])[];
  readonly partitions: number;
  readonly replicationFactor: number;
};

export type Placement = readonly (readonly VoterId[])[];

/** Running counts of one broker while a topic is placed. */
type Candidate = {
  readonly broker: PlacementBroker;
  readonly rack: string;
  topicLeaders: number;
  topicReplicas: number;
  leaders: number;
  replicas: number;
};

export function placePartitions(request: PlacementRequest): Placement | Refusal {
  const refusal = refusePlacement(request);
  if (refusal !== null) return refusal;
  const candidates = candidatesOf(request);
  const placed: VoterId[][] = [];
  for (let i = 0; i < request.partitions; i++) {
    placed.push(placeOne(candidates, request.replicationFactor));
  }
  return placed;
}

export function isRefusal(value: Placement | Refusal): value is Refusal {
  return 'error' in value;
}

function refusePlacement({ brokers, replicationFactor: wanted }: PlacementRequest): Refusal | null {
  const live = brokers.filter((broker) => !broker.isFenced).length;
  const refuse = (message: string): Refusal => ({ error: 'INVALID_REPLICATION_FACTOR', message });
  if (wanted > brokers.length) {
    return refuse(
      `The target replication factor of ${wanted} cannot be reached because only ` +
        `${brokers.length} broker(s) are registered.`,
    );
  }
  if (live === 0) return refuse('All brokers are currently fenced.');
  const majority = Math.floor(wanted / 2) + 1;
  if (live < majority) {
    return refuse(
      `A replication factor of ${wanted} needs ${majority} live brokers to elect a leader, ` +
        `only ${live} of ${brokers.length} are live.`,
    );
  }
  return null;
}

function candidatesOf({ brokers, loads, existing }: PlacementRequest): Candidate[] {
  const inTopic = withLoad(new Map(), existing, 1);
  return [...brokers]
    .sort((a, b) => a.nodeId - b.nodeId)
    .map((broker) => ({
      broker,
      // A broker without a rack stands in one of its own.
      rack: broker.rack ?? `\u0000node-${broker.nodeId}`,
      topicLeaders: inTopic.get(broker.nodeId)?.leaders ?? 0,
      topicReplicas: inTopic.get(broker.nodeId)?.replicas ?? 0,
      leaders: loads.get(broker.nodeId)?.leaders ?? 0,
      replicas: loads.get(broker.nodeId)?.replicas ?? 0,
    }));
}

function placeOne(candidates: readonly Candidate[], replicationFactor: number): VoterId[] {
  const live = candidates.filter(({ broker }) => !broker.isFenced);
  const leader = least(live, leaderOrder);
  leader.topicLeaders++;
  leader.leaders++;
  const chosen = [leader];
  while (chosen.length < replicationFactor) {
    const rest = candidates.filter((candidate) => !chosen.includes(candidate));
    const unfenced = rest.filter(({ broker }) => !broker.isFenced);
    chosen.push(least(unfenced.length > 0 ? unfenced : rest, followerOrder(chosen)));
  }
  for (const candidate of chosen) {
    candidate.topicReplicas++;
    candidate.replicas++;
  }
  return chosen.map(({ broker }) => ({
    nodeId: broker.nodeId,
    directoryId: broker.directoryId,
  }));
}

type Order = (a: Candidate, b: Candidate) => number;

/** The topic's own spread first: a new broker must not get all leaders of the next topic. */
const leaderOrder: Order = (a, b) =>
  a.topicLeaders - b.topicLeaders ||
  a.leaders - b.leaders ||
  a.topicReplicas - b.topicReplicas ||
  a.replicas - b.replicas ||
  a.broker.nodeId - b.broker.nodeId;

function followerOrder(chosen: readonly Candidate[]): Order {
  const inRack = (rack: string): number => chosen.filter((other) => other.rack === rack).length;
  return (a, b) =>
    inRack(a.rack) - inRack(b.rack) ||
    a.topicReplicas - b.topicReplicas ||
    a.replicas - b.replicas ||
    a.leaders - b.leaders ||
    a.broker.nodeId - b.broker.nodeId;
}

/** First of the least; `candidates` is not empty. */
function least(candidates: readonly Candidate[], order: Order): Candidate {
  return candidates.reduce((best, candidate) => (order(candidate, best) < 0 ? candidate : best));
}
